/* Floor 6: what the files of the vGIC share. Locks: d->vgic.lock before v->vgic.lock; one vCPU's
 * lock at a time. */
#ifndef VGIC_INTERNAL_H
#define VGIC_INTERNAL_H

#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/mmio.h>
#include <hv/vcpu.h>
#include <hv/vgic.h>

#define GICD_CTLR_GRP0 (1u << 0)
#define GICD_CTLR_GRP1 (1u << 1)
#define GICD_CTLR_ARE (1u << 4)
#define GICD_CTLR_DS (1u << 6)

/* Arm's JEP106 code, so that drivers with per-implementer workarounds apply none of a vendor's. */
#define VGIC_IIDR 0x4800043bu
/* Architecture revision 3 in PIDR2. */
#define VGIC_PIDR2 0x3bu
/* Five bits, the least a GICv3 CPU interface has. */
#define VGIC_PRIO_MASK 0xf8u

/* What a GICv2's target fields have bits for. */
#define VGIC_V2_MAX_VCPUS 8u

/* RD_base and SGI_base of one redistributor. */
#define VGIC_REDIST_SIZE 0x20000u

/* vgic_lr.marks */
#define MARK_SET_PENDING 1u
#define MARK_SET_ACTIVE 2u
#define MARK_CLEAR_ACTIVE 4u

static inline bool vgic_is_v2(void) {
    return vgic_hw->version == 2;
}

/* The sender in a list register with an SGI of a GICv2. */
static inline unsigned vgic_lr_source(uint64_t lr) {
    return (unsigned)bits_get(lr, LR_SOURCE_SHIFT + 2, LR_SOURCE_SHIFT);
}

static inline bool vgic_local(const struct vcpu *v) {
    return v == current && v->vgic.loaded;
}

/* It waits in WFI with its state loaded, and does not see its list registers. */
static inline bool vgic_waits(const struct vcpu *v) {
    return READ_ONCE(v->state) == VCPU_BLOCKED;
}

static inline struct vgic_spi_bank *vgic_spi_bank(const struct domain *d, unsigned intid) {
    return &d->vgic.spi[intid / 32 - 1];
}

static inline struct vgic_bank *vgic_bank(struct vcpu *v, unsigned intid) {
    return intid < VGIC_NR_PRIVATE ? &v->vgic.priv : &vgic_spi_bank(v->domain, intid)->b;
}

static inline uint32_t vgic_bank_pending(const struct vgic_bank *b) {
    return b->latch | (b->line & ~b->edge);
}

/* Interrupts whose group the distributor forwards and that are enabled. */
static inline uint32_t vgic_bank_open(const struct domain *d, const struct vgic_bank *b) {
    uint32_t ctlr = READ_ONCE(d->vgic.ctlr), groups = 0;

    if (ctlr & GICD_CTLR_GRP1)
        groups = b->group;
    if (ctlr & GICD_CTLR_GRP0)
        groups |= ~b->group;
    return b->enabled & groups;
}

/* Those that belong into a list register. */
static inline uint32_t vgic_bank_wanted(const struct domain *d, const struct vgic_bank *b) {
    return b->active | (vgic_bank_pending(b) & vgic_bank_open(d, b));
}

static inline uint32_t vgic_private_ready(const struct vcpu *v) {
    const struct vgic_bank *b = &v->vgic.priv;

    return vgic_bank_wanted(v->domain, b) & ~b->in_lr;
}

/* SPIs are involved: v's list registers may be filled or taken back only with the dist lock. */
static inline bool vgic_needs_dist(const struct vcpu *v) {
    return READ_ONCE(v->vgic.spi_lrs) || READ_ONCE(v->vgic.ready_banks);
}

/* ---- vgic_lr.c; v->vgic.lock held, and the dist lock where SPIs may be met ---- */

/*
 * The frequent case: SGI or tied PPI n comes again, and the guest has emptied the list register
 * where it was. True: it is pending there again. False: nothing was done.
 */
bool vgic_refill(struct vcpu *v, unsigned n, bool line);
/*
 * The same for an SGI, or an event at a PPI that is not tied, of a vCPU that is not loaded here:
 * its CPU need not take its list registers back to make the interrupt pending again. True: done,
 * and *kick says whether to kick v.
 */
bool vgic_send_remote(struct vcpu *v, unsigned n, bool *kick);
/* What the guest did to an interrupt in a list register becomes known. v is loaded here. */
void vgic_absorb(struct vcpu *v, struct vgic_bank *b, unsigned intid);
/* One interrupt of v has changed, after vgic_absorb() where it is in a list register: which
 * follows. v is loaded here. */
void vgic_update(struct vcpu *v, struct vgic_bank *b, unsigned intid);
/* Takes all list registers back. v is loaded here. */
void vgic_fold_all(struct vcpu *v);
/* Ready interrupts into list registers. with_spis: the dist lock is held. v is loaded here. */
void vgic_fill(struct vcpu *v, bool with_spis);
/* spi_ready of v follows the state of one SPI at home there. */
void vgic_note_spi(struct vcpu *v, unsigned intid);
/* Whatever changed for v takes effect: now if v is loaded here, else true: kick v when no lock is
 * held. */
bool vgic_settle(struct vcpu *v, bool with_spis) __must_check;
/* Lowers those hw PPIs of `mask`, none with unknown state, whose device became quiet before the
 * guest took them. */
void vgic_resample(struct vcpu *v, uint32_t mask);
/* The physical interrupt tied to INTID may come again. */
void vgic_hw_release(struct vcpu *v, struct vgic_bank *b, unsigned intid);

/* ---- vgic.c ---- */

/* Give up the dist lock, after SPIs on the move have reached their new homes. */
void vgic_move_spis(struct domain *d);
static inline void vgic_dist_unlock(struct domain *d) {
    if (unlikely(d->vgic.moving))
        vgic_move_spis(d);
    else
        spin_unlock(&d->vgic.lock);
}

enum vgic_op {
    VGIC_ENABLE,
    VGIC_DISABLE,
    VGIC_SET_PENDING,
    VGIC_CLEAR_PENDING,
    VGIC_SET_ACTIVE,
    VGIC_CLEAR_ACTIVE,
    VGIC_GROUP0,
    VGIC_GROUP1,
    VGIC_EDGE,
    VGIC_LEVEL,
    VGIC_RAISE, /* the input line */
    VGIC_LOWER,
    VGIC_SGI_FROM,
    VGIC_SGI_NOT_FROM,
    VGIC_REFRESH, /* something outside the bank changed */
};
/*
 * One operation on the interrupts `mask` of the bank that starts at `first`; v: whose private ones,
 * NULL for SPIs. No lock held. With `wait` it has taken effect on other CPUs when this returns.
 */
void vgic_apply(struct domain *d, struct vcpu *v, unsigned first, uint32_t mask, enum vgic_op op,
                bool wait);
/* latch, active and line of that bank become what the guest could see now. */
void vgic_sync_bank(struct domain *d, struct vcpu *v, unsigned first);
/* route: as the guest wrote it; target: the vCPU it names, or any number that none has. */
void vgic_set_route(struct domain *d, unsigned intid, uint32_t route, unsigned target);
/* GICv2: SGI n is (or not) pending at `to` from each vCPU of the mask. */
void vgic_set_sgi_from(struct vcpu *to, unsigned n, uint8_t from, bool pending);

/* ---- vgic_bank.c: the registers that GICD and the SGI frame of GICR have in common ---- */

/* True for an offset of IGROUPR to IGRPMODR. */
static inline bool vgic_is_bank_register(unsigned offset) {
    return offset >= 0x80 && offset < 0xe00;
}
/* 32 bits at `offset`. Interrupts outside [first_intid, end_intid) read 0 and ignore writes. */
uint32_t vgic_bank_read(struct domain *d, struct vcpu *v, unsigned offset);
void vgic_bank_write(struct domain *d, struct vcpu *v, unsigned offset, uint32_t val,
                     uint32_t mask);

/* An access of 1 to 8 bytes as accesses of 32-bit registers; mask: the bytes written. */
struct vgic_frame_ops {
    uint32_t (*read)(struct domain *d, struct vcpu *v, unsigned offset);
    void (*write)(struct domain *d, struct vcpu *v, unsigned offset, uint32_t val, uint32_t mask);
};
void vgic_frame_access(const struct vgic_frame_ops *ops, struct domain *d, struct vcpu *v,
                       unsigned offset, struct mmio_access *a);

/* ---- vgic_dist.c, vgic_redist.c, vgic_v2.c ---- */
void vgic_write_ctlr(struct domain *d, uint32_t val, uint32_t mask);
bool vgic_v2_dist_mmio(struct vcpu *v, void *arg, struct mmio_access *a);
bool vgic_v2_dir_mmio(struct vcpu *v, void *arg, struct mmio_access *a);
bool vgic_dist_mmio(struct vcpu *v, void *arg, struct mmio_access *a);
bool vgic_redist_mmio(struct vcpu *v, void *arg, struct mmio_access *a);

#endif
