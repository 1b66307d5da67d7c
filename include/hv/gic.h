/*
 * Floor 5: what a driver of the physical interrupt controller gives to the rest: the struct
 * irq_chip of hv/irq.h, and its virtual CPU interface for the vGIC.
 */
#ifndef HV_GIC_H
#define HV_GIC_H

#include <hv/irq.h>
#include <hv/types.h>

/* Fields of a list register. The format is that of ICH_LR<n>_EL2 (IHI 0069, 12.4.6); another driver
 * translates. A GICv2's have the CPU that sent an SGI as well (IHI 0048, GICH_LRn.CPUID). */
#define LR_PENDING (1ULL << 62)
#define LR_ACTIVE (1ULL << 63)
#define LR_STATE (LR_PENDING | LR_ACTIVE)
#define LR_HW (1ULL << 61)
#define LR_GROUP1 (1ULL << 60)
#define LR_PRIORITY_SHIFT 48
#define LR_PHYS_SHIFT 32
#define LR_SOURCE_SHIFT 32  /* GICv2, without LR_HW: 3 bits */
#define LR_EOI (1ULL << 41) /* without LR_HW: maintenance interrupt when it is deactivated */

/* Virtual interface control, the format of ICH_HCR_EL2. */
#define VHCR_EN (1u << 0)
#define VHCR_UIE (1u << 1)     /* maintenance interrupt when at most one list register is in use */
#define VHCR_LRENPIE (1u << 2) /* ... when the guest deactivated what is in no list register */
#define VHCR_NPIE (1u << 3)    /* ... when no list register is pending */
#define VHCR_TDIR (1u << 14)   /* ICC_DIR_EL1 traps */
#define VHCR_EOICOUNT_SHIFT 27

/* The guest's CPU interface, the format of ICH_VMCR_EL2. */
#define VMCR_ENG0 (1u << 0)
#define VMCR_ENG1 (1u << 1)
#define VMCR_EOIM (1u << 9) /* EOImode 1: an EOI drops the priority and deactivates nothing */
#define VMCR_PMR_SHIFT 24

#define VGIC_MAX_LRS 16u

/* What of a vCPU's interface lives in hardware while it is loaded, besides the list registers. */
struct vgic_hw_state {
    uint32_t vmcr;
    uint32_t ap0r[4], ap1r[4];
};

/* Every operation acts on the calling CPU. */
struct vgic_hw_ops {
    unsigned version; /* 2 or 3, of the controller that guests see too */
    paddr_t gicv;     /* version 2: the page of a guest's CPU interface */
    unsigned nr_lrs;
    uint32_t vmcr_reset;      /* nothing enabled, the least binary points */
    unsigned maintenance_irq; /* PPI; 0: there is none */
    uint64_t (*read_lr)(unsigned i);
    void (*write_lr)(unsigned i, uint64_t val);
    uint32_t (*read_hcr)(void);
    void (*write_hcr)(uint32_t val);
    uint32_t (*read_vmcr)(void);
    void (*save)(struct vgic_hw_state *s);
    void (*load)(const struct vgic_hw_state *s);
};

/* Set by gic_probe(). */
extern const struct vgic_hw_ops *vgic_hw;

/* Finds and sets up the machine's interrupt controller. Boot CPU, once. Never NULL: without one it
 * panics. */
const struct irq_chip *gic_probe(const void *fdt);
/* One driver's part of it: NULL when the tree has no such device. */
const struct irq_chip *gicv2_probe(const void *fdt);
const struct irq_chip *gicv3_probe(const void *fdt);

#endif
