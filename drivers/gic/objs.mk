obj-y += gic.o gicv2.o gicv2_virt.o gicv3.o gicv3_virt.o
