/* Floor 5: what the files of the PCI driver share: a bridge, and its configuration space. */
#ifndef PCI_INTERNAL_H
#define PCI_INTERNAL_H

#include <hv/pci.h>

#define PCI_BUS_SIZE 0x100000ULL /* of configuration space: 256 functions of 4 KiB */
#define PCI_HOSTS_MAX 16u

struct pci_host {
    int node;
    char name[32];
    uint64_t ecam; /* of bus 0, whether it is there or not */
    uint8_t first_bus, last_bus;
};

/* Registers of a function's configuration space, PCI Local Bus 3.0 chapter 6 and PCIe 7.5. */
#define PCI_ID 0x00u
#define PCI_COMMAND 0x04u
#define PCI_STATUS 0x06u
#define PCI_BASE_CLASS 0x0bu
#define PCI_HEADER_TYPE 0x0eu
#define PCI_BAR0 0x10u
#define PCI_BUS_NUMBERS 0x18u
#define PCI_CAPABILITIES 0x34u
#define PCI_BRIDGE_CONTROL 0x3eu

#define PCI_COMMAND_IO (1u << 0)
#define PCI_COMMAND_MEMORY (1u << 1)
#define PCI_COMMAND_MASTER (1u << 2)
#define PCI_COMMAND_INTX_OFF (1u << 10)
#define PCI_STATUS_CAPABILITIES (1u << 4)
#define PCI_HEADER_MULTIFUNCTION 0x80u
#define PCI_HEADER_BRIDGE 1u

#define PCI_CLASS_BRIDGE 0x06u

#define PCI_CAP_PM 0x01u
#define PCI_CAP_EXPRESS 0x10u

/* One bus's configuration space, mapped for as long as it is looked at. */
struct pci_bus {
    volatile uint8_t *base; /* NULL: not mapped */
};

/* False: no memory for the mapping, or the bus is not the bridge's. */
bool pci_bus_open(const struct pci_host *h, unsigned bus, struct pci_bus *b);
void pci_bus_close(struct pci_bus *b);

uint32_t pci_read32(const struct pci_bus *b, unsigned devfn, unsigned reg);
uint16_t pci_read16(const struct pci_bus *b, unsigned devfn, unsigned reg);
uint8_t pci_read8(const struct pci_bus *b, unsigned devfn, unsigned reg);
void pci_write32(const struct pci_bus *b, unsigned devfn, unsigned reg, uint32_t val);
void pci_write16(const struct pci_bus *b, unsigned devfn, unsigned reg, uint16_t val);

/* Offset of a capability, 0: it has none of that ID. A list that loops has an end. */
unsigned pci_find_capability(const struct pci_bus *b, unsigned devfn, uint8_t id);

/* Calls fn for each function there is on the bus, and on those behind its bridges. -ENOMEM: some
 * bus could not be looked at. */
typedef void (*pci_visit_fn)(void *arg, const struct pci_bus *b, unsigned bus, unsigned devfn);
int pci_walk(const struct pci_host *h, pci_visit_fn fn, void *arg) __must_check;

#endif
