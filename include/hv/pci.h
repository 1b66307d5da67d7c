/*
 * Floor 5: PCI Express host bridges with memory-mapped configuration (ECAM), as the device tree's
 * pci-host-ecam-generic describes them.
 *
 * A function is named by its requester ID: bus << 8 | device << 3 | function. Bus numbers are those
 * programmed into the bridges at the moment. No locks: boot CPU, or the one thread that holds the
 * bridge by passthrough.
 */
#ifndef HV_PCI_H
#define HV_PCI_H

#include <hv/irq.h>
#include <hv/types.h>

struct pci_host;

/* Finds the host bridges and turns off the bus mastering of every function behind them: firmware
 * may have left devices at work. Before the IOMMUs are taken over. Boot CPU, once. */
void pci_init(const void *fdt);

/* The bridge of that node of the host's tree; NULL: it is none that was found. */
struct pci_host *pci_host_of_node(int node);
/* Requester IDs [*first, *first + *count) are behind it. */
void pci_host_rids(const struct pci_host *h, uint32_t *first, uint32_t *count);

/*
 * No function masters the bus any more, and each that knows a way of being reset has been; one line
 * names those that know none. Blocks. 0, or -ENOMEM: its configuration space cannot be reached.
 */
int pci_host_reset(struct pci_host *h) __must_check;

/* Entry `index` of the bridge's interrupt-map. -ENOENT past the last, -EINVAL: malformed or not a
 * GIC's. */
struct pci_intx {
    uint32_t devfn, devfn_mask; /* the functions it is for */
    unsigned pin;               /* 1 to 4: INTA to INTD */
    unsigned irq;
    enum irq_trigger trigger;
};
int pci_intx_from_fdt(const void *fdt, int bridge, unsigned index,
                      struct pci_intx *out) __must_check;

#endif
