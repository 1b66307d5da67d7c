/*
 * Floor 6: the virtual GIC of a domain, of the machine's version: GICv3 (Arm IHI 0069: one security
 * state, affinity routing only, no LPIs) or GICv2 (IHI 0048: no Security Extensions, two groups).
 *
 * Interrupts are kept in banks of 32, a bit for each. SGIs and PPIs are a vCPU's own (its `lock`),
 * SPIs the domain's (dist `lock`, then the lock of the vCPU where the SPI is at home). What can be
 * delivered is put into list registers at once when the vCPU is loaded on this CPU, otherwise by
 * that CPU on its way back to the guest. While an interrupt is in a list register, only the CPU
 * where its vCPU is loaded knows its state; whoever needs it there lets that CPU take the list
 * registers back (`resync`).
 */
#ifndef HV_VGIC_H
#define HV_VGIC_H

#include <hv/gic.h>
#include <hv/spinlock.h>
#include <hv/types.h>

struct vcpu;
struct domain;

#define VGIC_NR_PRIVATE 32u
#define VGIC_MAX_SPIS 988u /* INTIDs 32..1019 */
#define VGIC_MAX_SPI_BANKS 31u

/* 32 interrupts. Guarded by the vCPU's lock (its own) or the dist lock (SPIs); in_lr and lr[] also
 * by the home's. */
struct vgic_bank {
    uint32_t enabled;
    uint32_t group; /* 1: group 1 */
    uint32_t edge;  /* 1: edge, 0: level */
    uint32_t latch; /* pending by an edge, an SGI or a write to ISPENDR */
    uint32_t
        line; /* input level; of a hw interrupt: physically active and not yet taken by the guest */
    uint32_t active;
    uint32_t hw;    /* phys[] is tied to it */
    uint32_t in_lr; /* lr[] is the list register; latch and active are then as last known */
    uint8_t prio[32];
    uint8_t lr[32];
    uint16_t phys[32];
};

struct vgic_spi_bank {
    struct vgic_bank b;
    uint32_t moving;    /* home[] is to become target[] */
    uint8_t home[32];   /* vCPU where it is ready or in a list register */
    uint8_t target[32]; /* vCPU by GICD_IROUTER or GICD_ITARGETSR */
    uint32_t route[32]; /* Aff2.Aff1.Aff0, or the target bits, as written */
};

struct vgic_dist {
    spinlock_t lock;
    uint32_t ctlr;     /* EnableGrp0, EnableGrp1; read without the lock */
    uint32_t nr_banks; /* of SPIs */
    uint32_t moving;   /* banks with something moving */
    struct vgic_spi_bank *spi;
};

struct vgic_lr {
    uint64_t val;  /* as it was written */
    uint8_t marks; /* what happened to its interrupt since, from another CPU */
};

struct vgic_vcpu {
    spinlock_t lock;
    struct vgic_bank priv;
    uint32_t ready_banks;                   /* SPI banks with something in spi_ready */
    uint32_t spi_ready[VGIC_MAX_SPI_BANKS]; /* wants a list register and has none */
    uint16_t used;                          /* list registers that may hold something */
    uint16_t spi_lrs;                       /* those of them with an SPI */
    uint32_t hcr;                           /* as last written, while loaded */
    bool loaded;                            /* its state is in the hardware of vcpu.cpu */
    bool resync;                            /* that CPU must take the list registers back */
    uint32_t release;                       /* tied PPIs for that CPU to deactivate */
    uint32_t asked; /* tied PPIs the guest made pending at their source; vtimer.c takes them */
    uint16_t again; /* list registers that hold an edge which came again: see vgic_send_remote() */
    uint32_t waker; /* GICR_WAKER.ProcessorSleep */
    /* GICv2: an SGI is pending once for each vCPU that sent it, a bit here; latch is that of any.
     */
    uint8_t sgi_from[16];
    uint8_t sgi_taken_from[16]; /* whose the active one is */
    struct vgic_lr lr[VGIC_MAX_LRS];
    struct vgic_hw_state hw;
};

/* The most vCPUs that a domain can have. */
unsigned vgic_max_vcpus(void);

/* Once, after gic_probe(): takes the maintenance interrupt. */
void vgic_init_host(void);

/* nr_spis is rounded up to 32. 0, -EINVAL, -ENOMEM. Registers the GICD and GICR ranges, or GICv2's,
 * whose CPU interface it maps; d->max_vcpus is known, d->p2m is there. */
int vgic_init_domain(struct domain *d, unsigned nr_spis) __must_check;
void vgic_destroy_domain(struct domain *d);
int vgic_init_vcpu(struct vcpu *v) __must_check;
void vgic_destroy_vcpu(struct vcpu *v);
/* The CPU interface as after power-on; v is off its CPU. */
void vgic_reset_cpu_interface(struct vcpu *v);

/*
 * Lines of emulated devices, from any CPU, under any lock of a rank below RANK_VGIC_DIST. v: whose
 * PPI; NULL for an SPI. An INTID that the domain does not have is ignored.
 */
void vgic_set_level(struct domain *d, struct vcpu *v, unsigned intid, bool level);
void vgic_inject_edge(struct domain *d, struct vcpu *v, unsigned intid);
/* The line as last set. */
bool vgic_get_level(struct domain *d, struct vcpu *v, unsigned intid);

/*
 * Ties a physical interrupt: its handler calls vgic_set_level(.., true) and returns IRQ_TO_GUEST,
 * and the guest's deactivation is the physical one's. -EBUSY when tied already, -EINVAL out of
 * range.
 */
int vgic_map_hw(struct domain *d, struct vcpu *v, unsigned intid, unsigned phys_irq) __must_check;
void vgic_unmap_hw(struct domain *d, struct vcpu *v, unsigned intid);

/* An interrupt waits that ends a WFI. For the current vCPU, or one off its CPU. No lock. */
bool vgic_has_pending(const struct vcpu *v);

/* On the way back to the guest when VCPU_WORK_IRQ is set. */
void vgic_flush(struct vcpu *v);
/* On a switch of vCPUs only: everything out of the hardware, and back. */
void vgic_save(struct vcpu *v);
void vgic_load(struct vcpu *v);
/* The list registers ran low, or the guest deactivated what is in none. */
void vgic_maintenance(void);

/* Trapped writes of ICC_SGI1R_EL1 (group 1), ICC_SGI0R_EL1 and ICC_ASGI1R_EL1 (group 0). */
void vgic_sgi1r(struct vcpu *v, uint64_t value, unsigned group);
/* Trapped write of ICC_DIR_EL1 (it traps only while more is active than there are list registers).
 */
void vgic_dir(struct vcpu *v, uint64_t value);

#endif
