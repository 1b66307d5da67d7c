obj-y += symbols.o watchdog.o
obj-y += percpu.o softirq.o irq.o timer.o firmware.o cpus.o
obj-y += $(if $(filter arm64,$(ARCH)),spin_table.o,spin_table_absent.o)
obj-y += cmdline.o
obj-y += iommu.o iommu_mirror.o iommu_fdt.o
obj-y += console.o console_tx.o console_input.o
