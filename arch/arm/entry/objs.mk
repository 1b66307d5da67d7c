obj-y += panic.o trap_common.o wrong_el.o
