obj-y += features.o mmu.o
