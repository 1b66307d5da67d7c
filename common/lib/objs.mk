obj-y += fdt.o
obj-y += trace.o harden.o
obj-y += string.o spinlock.o vsnprintf.o printk.o ratelimit.o
