obj-y += features.o
