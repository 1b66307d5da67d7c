obj-y += uart.o pl011.o ns16550.o cadence.o imx.o probe.o
