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

struct pci_bus;
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

/* ---- single functions ---- */

#define PCI_BARS 6u

/* A memory BAR; size 0: there is none. It has whole pages of the machine for itself. */
struct pci_bar {
    uint64_t cpu;   /* where the CPU finds it */
    uint64_t size;  /* what the function decodes: a power of two */
    uint32_t flags; /* bits 3..0 of the register */
};
#define PCI_BAR_64 4u /* in flags: the next register is its upper half */

struct pci_function {
    struct pci_function *next;
    struct pci_host *host;
    struct pci_function *above; /* the bridge it is behind; NULL: on the first bus */
    const struct pci_bus *bus;
    unsigned number, devfn; /* of its bus; of itself */
    bool bridge;
    bool no_room;    /* for some BAR */
    bool one_stream; /* behind a bridge that sends in its own name */
    struct pci_bar bar[PCI_BARS];
};

/* The bridge of that segment (linux,pci-domain, else in the order of the tree); NULL: none. */
struct pci_host *pci_host_of_segment(uint32_t segment);
int pci_host_node(const struct pci_host *h);
/*
 * A function behind the bridge, with its BARs placed; it decodes nothing yet. With the first one
 * taken all functions are silenced and the bridges between are set up: the host bridge is given
 * function by function from then on. 0; -ENODEV: no such function; -EINVAL: it is a bridge; -EXDEV:
 * behind a conventional PCI bridge, where the IOMMU cannot tell functions apart; -ENOSPC: no room
 * for its BARs; -ENOMEM.
 */
int pci_function_open(struct pci_host *h, uint32_t rid, struct pci_function **out) __must_check;
/* The requester ID on the first bus whose pin, *pin of it, the function's own *pin arrives at. */
uint32_t pci_function_pin(const struct pci_function *f, unsigned *pin);
/* As after power-on, and its BARs again where they were. Blocks. */
void pci_function_reset(struct pci_function *f);
/* Its BARs, which a change of its power state may have lost. */
void pci_function_place(const struct pci_function *f);
/* Registers of its configuration space; pci_function_capability(): 0: none of that ID. */
uint32_t pci_function_read(const struct pci_function *f, unsigned reg);
void pci_function_write(const struct pci_function *f, unsigned reg, uint16_t val);
unsigned pci_function_capability(const struct pci_function *f, uint8_t id);

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
/* The line of a function's pin; errors as above. */
int pci_intx_of_function(const void *fdt, int bridge, uint32_t rid, unsigned pin,
                         struct pci_intx *out) __must_check;

/* Registers of a function's configuration space: PCI Local Bus 3.0 chapter 6. */
#define PCI_ID 0x00u
#define PCI_COMMAND 0x04u
#define PCI_STATUS 0x06u
#define PCI_CLASS_REVISION 0x08u
#define PCI_BASE_CLASS 0x0bu
#define PCI_HEADER_TYPE 0x0eu
#define PCI_BAR0 0x10u
#define PCI_BUS_NUMBERS 0x18u
#define PCI_SUBSYSTEM 0x2cu
#define PCI_CAPABILITIES 0x34u
#define PCI_INTERRUPT 0x3cu
#define PCI_BRIDGE_CONTROL 0x3eu

#define PCI_COMMAND_MEMORY (1u << 1)
#define PCI_COMMAND_MASTER (1u << 2)
#define PCI_COMMAND_PARITY (1u << 6)
#define PCI_COMMAND_SERR (1u << 8)
#define PCI_COMMAND_INTX_OFF (1u << 10)
#define PCI_STATUS_CAPABILITIES (1u << 4)

#define PCI_CAP_PM 0x01u
#define PCI_CAP_EXPRESS 0x10u

#endif
