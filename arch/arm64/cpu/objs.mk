obj-y += cache.o
obj-y += features.o harden.o
obj-y += string.o
