obj-y += cache.o
obj-y += features.o
obj-y += string.o
