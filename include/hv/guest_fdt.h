/* Floor 8: the device tree a guest gets, generated whole. Pure: writes into a buffer. */
#ifndef HV_GUEST_FDT_H
#define HV_GUEST_FDT_H

#include <hv/guest_layout.h>
#include <hv/irq.h>
#include <hv/types.h>
#include <hv/vpci.h>

/* Its PCI bridge: the interrupt of each slot's function, intid 0: none. */
struct guest_fdt_pci {
    unsigned count; /* 0: no bridge */
    struct {
        unsigned intid;
        enum irq_trigger trigger;
    } slot[VPCI_SLOTS];
};

struct guest_shm;

struct guest_fdt_info {
    const struct guest_layout *layout;
    const struct guest_shm *shm; /* static shared memory (hv/static_shm.h) */
    unsigned nr_shm;
    unsigned vcpus;
    bool aarch32;
    unsigned gic_version; /* 2 or 3 */
    bool vpl011;
    unsigned vpl011_intid;
    const struct guest_fdt_pci *pci; /* NULL: no bridge */
    const void *devices;  /* the partial tree to be copied (hv/partial_tree.h); NULL: none */
    bool hypervisor;      /* the node through which a guest finds the Xen ABI */
    uint64_t ipa_limit;   /* the first guest physical address that cannot be mapped */
    const char *bootargs; /* "" : none */
};

/* Size in bytes, or -ENOSPC when `size` is too small (GUEST_FDT_MAX is enough for anything
 * allowed). */
int guest_fdt_make(const struct guest_fdt_info *info, void *buf, size_t size) __must_check;

#endif
