obj-y += head.o vectors.o trap.o panic.o wrong_el.o
