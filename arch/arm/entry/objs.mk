obj-y += panic.o trap_common.o
