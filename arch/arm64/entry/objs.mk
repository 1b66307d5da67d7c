obj-y += head.o vectors.o trap.o report.o wrong_el.o
