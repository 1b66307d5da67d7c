/* What is the same for all stage-2 tables: their shape, the attributes of each type, and the VMIDs.
 */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/printk.h>

#include <asm/s2.h>

#include "p2m_internal.h"

struct p2m_shape p2m_shape;
bool p2m_devices_come;

pte_t p2m_attr[P2M_NR_TYPES];

static pte_t attr_of(enum p2m_type t) {
    pte_t common = pte_make_sw(t) | S2_READ;
    pte_t ram = common | s2_normal(p2m_shape.fwb);

    switch (t) {
    case P2M_RAM_RW:
        return ram | S2_WRITE;
    case P2M_RAM_RO:
        return ram;
    /* No guest has code in what it shares with others or with the hypervisor. */
    case P2M_XENHEAP_RW:
    case P2M_GRANT_RW:
    case P2M_FOREIGN_RW:
        return ram | S2_WRITE | S2_XN;
    case P2M_XENHEAP_RO:
    case P2M_GRANT_RO:
    case P2M_FOREIGN_RO:
        return ram | S2_XN;
    case P2M_MMIO_DIRECT:
        return common | s2_device() | S2_WRITE | S2_XN;
    case P2M_INVALID:
    case P2M_NR_TYPES:
        break;
    }
    BUG();
}

void p2m_global_init(void) {
    struct s2_shape s = s2_choose_shape();

    p2m_shape = (struct p2m_shape){.vtcr = s.vtcr,
                                   .hcr = s.hcr,
                                   .start_level = s.start_level,
                                   .ipa_bits = s.ipa_bits,
                                   .fwb = s.fwb};
    for (unsigned t = P2M_INVALID + 1; t < P2M_NR_TYPES; t++)
        p2m_attr[t] = attr_of((enum p2m_type)t);
    printk("stage 2: %u-bit guest addresses, %u levels, %u-bit VMIDs%s\n", s.ipa_bits,
           PT_LEVELS - s.start_level, s2_vmid_bits(), s.fwb ? ", forced write-back" : "");
}

/* ---- VMIDs: 0 is the hypervisor's own, never a guest's ---- */

#define VMID_WORDS (65536u / 64)
static spinlock_t vmid_lock = SPINLOCK_INIT(RANK_LEAF, "vmid");
static uint64_t vmid_used[VMID_WORDS] = {1}; /* guarded by vmid_lock, as is the next */
static uint32_t vmid_next = 1;

/* Round robin, so that a VMID rests before it is used again. */
int vmid_alloc(uint16_t *vmid) {
    uint32_t limit = 1u << s2_vmid_bits();
    int rc = -ENOSPC;

    spin_lock(&vmid_lock);
    for (uint32_t i = 0; i < limit; i++) {
        uint32_t v = (vmid_next + i) % limit;

        if (vmid_used[v / 64] & BIT(v % 64))
            continue;
        vmid_used[v / 64] |= BIT(v % 64);
        vmid_next = v + 1;
        *vmid = (uint16_t)v;
        rc = 0;
        break;
    }
    spin_unlock(&vmid_lock);
    return rc;
}

void vmid_free(uint16_t vmid) {
    spin_lock(&vmid_lock);
    BUG_ON(!(vmid_used[vmid / 64] & BIT(vmid % 64)));
    vmid_used[vmid / 64] &= ~BIT(vmid % 64);
    spin_unlock(&vmid_lock);
}
