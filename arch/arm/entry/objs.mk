obj-y += panic.o stacks.o trap_common.o wrong_el.o
