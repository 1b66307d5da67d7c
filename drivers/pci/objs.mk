obj-y += pci.o pci_reset.o pci_fdt.o pci_function.o pci_split.o
