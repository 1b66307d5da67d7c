obj-y += symbols.o
obj-y += percpu.o softirq.o irq.o timer.o firmware.o cpus.o
obj-y += cmdline.o
obj-y += console.o console_input.o
