obj-y += head.o vectors.o trap.o report.o
