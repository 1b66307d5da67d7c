obj-y += gic.o gicv3.o gicv3_virt.o
