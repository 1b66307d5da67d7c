/* Floor 5: what the files of the PCI driver share: a bridge, and its configuration space. */
#ifndef PCI_INTERNAL_H
#define PCI_INTERNAL_H

#include <hv/pci.h>

#define PCI_BUS_SIZE 0x100000ULL /* of configuration space: 256 functions of 4 KiB */
#define PCI_HOSTS_MAX 16u

/* One bus's configuration space, mapped for as long as it is looked at. */
struct pci_bus {
    volatile uint8_t *base; /* NULL: not mapped */
};

struct pci_host {
    int node;
    char name[32];
    uint64_t ecam; /* of bus 0, whether it is there or not */
    uint8_t first_bus, last_bus;
    uint32_t segment;
    /* The window for 32-bit memory BARs; size 0: none. */
    uint32_t window_pci, window_size;
    uint64_t window_cpu;
    /* Given function by function. */
    bool split;
    int split_rc;
    struct pci_function *functions; /* all there are, bridges as well */
    uint32_t placed;                /* bytes of the window that have been handed out */
};

#define PCI_HEADER_MULTIFUNCTION 0x80u
#define PCI_HEADER_BRIDGE 1u
#define PCI_CLASS_BRIDGE 0x06u

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

/* A function alone can be reset. */
bool pci_has_reset(const struct pci_bus *b, unsigned devfn);
/* The two halves of a reset, ten milliseconds apart; then the function needs a hundred. */
void pci_begin_reset(const char *name, const struct pci_bus *b, unsigned bus, unsigned devfn);
void pci_end_reset(const struct pci_bus *b, unsigned devfn);
void pci_wait_half_reset(void);
void pci_wait_reset(void);

/* Calls fn for each function there is on the bus, and on those behind its bridges. -ENOMEM: some
 * bus could not be looked at. */
typedef void (*pci_visit_fn)(void *arg, const struct pci_bus *b, unsigned bus, unsigned devfn);
int pci_walk(const struct pci_host *h, pci_visit_fn fn, void *arg) __must_check;
void pci_walk_bus(const struct pci_bus *b, unsigned bus, pci_visit_fn fn, void *arg);

/* All functions are found and have their places. Once; 0 or -ENOMEM, then always. */
int pci_split(struct pci_host *h) __must_check;
/* Packets of 128 bytes, which every port takes: a reset function sends and takes no others. */
void pci_smallest_payload(const struct pci_function *f);
void pci_write_bar(const struct pci_function *f, unsigned i, uint64_t pci);
/* No function behind it decodes or masters. 0, -ENOMEM. */
int pci_silence(const struct pci_host *h) __must_check;

#endif
