/* Floor 1: attributes of the hypervisor's own leaves. Nothing is writable and executable. */
#ifndef ASM_HYP_PTE_H
#define ASM_HYP_PTE_H

#include <asm/memattr.h>
#include <asm/pte.h>

#include <hv/mm.h>

static inline pte_t hyp_pte_attr(enum hyp_prot prot) {
    pte_t normal = PTE_AF | PTE_SH_INNER | S1_AP1 | S1_ATTR(MATTR_NORMAL_WB);

    switch (prot) {
    case HYP_RX:
        return normal | S1_RO;
    case HYP_RO:
        return normal | S1_RO | S1_XN;
    case HYP_RW:
        return normal | S1_XN;
    case HYP_DEVICE:
        break;
    }
    return PTE_AF | S1_AP1 | S1_XN | S1_ATTR(MATTR_DEVICE_nGnRE);
}

#endif
