obj-y += pl011.o probe.o
