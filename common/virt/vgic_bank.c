/*
 * Registers of one bank of 32 interrupts, which GICD (SPIs) and the SGI frame of GICR (private
 * ones) have at the same offsets (IHI 0069, tables 12-25 and 12-27), and accesses of every size
 * made of 32-bit ones.
 */
#include <hv/irq.h>

#include "vgic_internal.h"

/* Register groups by offset / 0x80. */
enum {
    G_IGROUPR = 1,
    G_ISENABLER,
    G_ICENABLER,
    G_ISPENDR,
    G_ICPENDR,
    G_ISACTIVER,
    G_ICACTIVER,
    G_IPRIORITYR, /* to 0x7ff; to 0xbff ITARGETSR, which affinity routing makes RES0 */
    G_ICFGR_LO = 0xc00 / 0x80,
    G_ICFGR_HI
};

/* Where a register's first interrupt is; *bank NULL when the register has none of this domain or
 * vCPU. */
static struct vgic_bank *find(struct domain *d, struct vcpu *v, unsigned intid) {
    unsigned banks = d->vgic.nr_banks;

    if (v)
        return intid < VGIC_NR_PRIVATE ? &v->vgic.priv : NULL;
    if (intid < VGIC_NR_PRIVATE || intid >= 32 * (banks + 1))
        return NULL;
    return &vgic_spi_bank(d, intid)->b;
}

/* The bits of a bank that are interrupts: INTIDs from 1020 on are special. */
static uint32_t real(unsigned first) {
    return first + 32 > NR_IRQS ? (1u << NR_IRQS % 32) - 1 : ~0u;
}

/* ---- one bit for each interrupt ---- */

static uint32_t read_bits(struct domain *d, struct vcpu *v, unsigned group, unsigned first) {
    struct vgic_bank *b = find(d, v, first);

    if (!b)
        return 0;
    switch (group) {
    case G_IGROUPR:
        return b->group & real(first);
    case G_ISENABLER:
    case G_ICENABLER:
        return b->enabled;
    case G_ISPENDR:
    case G_ICPENDR:
        vgic_sync_bank(d, v, first);
        return READ_ONCE(b->latch) | (READ_ONCE(b->line) & ~READ_ONCE(b->edge));
    default:
        vgic_sync_bank(d, v, first);
        return READ_ONCE(b->active);
    }
}

static __noinline void write_group(struct domain *d, struct vcpu *v, const struct vgic_bank *b,
                                   unsigned first, uint32_t val, uint32_t mask) {
    vgic_apply(d, v, first, val & ~b->group, VGIC_GROUP1, true);
    vgic_apply(d, v, first, mask & ~val & b->group, VGIC_GROUP0, true);
}

static void write_bits(struct domain *d, struct vcpu *v, unsigned group, unsigned first,
                       uint32_t val, uint32_t mask) {
    static const enum vgic_op op[] = {
        [G_ISENABLER] = VGIC_ENABLE,     [G_ICENABLER] = VGIC_DISABLE,
        [G_ISPENDR] = VGIC_SET_PENDING,  [G_ICPENDR] = VGIC_CLEAR_PENDING,
        [G_ISACTIVER] = VGIC_SET_ACTIVE, [G_ICACTIVER] = VGIC_CLEAR_ACTIVE,
    };
    struct vgic_bank *b = find(d, v, first);

    if (!b)
        return;
    mask &= real(first);
    val &= mask;
    if (group == G_IGROUPR) {
        write_group(d, v, b, first, val, mask);
        return;
    }
    if (group == G_ISENABLER)
        val &= ~b->enabled;
    else if (group == G_ICENABLER)
        val &= b->enabled;
    vgic_apply(d, v, first, val, op[group], true);
}

/* ---- two bits for each interrupt: bit 1 says edge ---- */

static uint32_t read_cfg(struct domain *d, struct vcpu *v, unsigned first) {
    struct vgic_bank *b = find(d, v, first);
    uint32_t val = 0;

    for (unsigned i = 0; b && i < 16; i++)
        if (b->edge >> (first % 32 + i) & 1)
            val |= 2u << 2 * i;
    return val;
}

static __noinline void write_cfg(struct domain *d, struct vcpu *v, unsigned first, uint32_t val,
                                 uint32_t mask) {
    struct vgic_bank *b = find(d, v, first);
    uint32_t to_edge = 0, to_level = 0;

    if (!b || first < 16)
        return; /* SGIs are edges */
    for (unsigned i = 0; i < 16; i++) {
        if (!(mask & 2u << 2 * i))
            continue;
        if (val & 2u << 2 * i)
            to_edge |= 1u << (first % 32 + i);
        else
            to_level |= 1u << (first % 32 + i);
    }
    first &= ~31u;
    vgic_apply(d, v, first, to_edge & ~b->edge & real(first), VGIC_EDGE, false);
    vgic_apply(d, v, first, to_level & b->edge, VGIC_LEVEL, false);
}

/* ---- eight bits for each interrupt ---- */

static uint32_t read_prio(struct domain *d, struct vcpu *v, unsigned first) {
    struct vgic_bank *b = find(d, v, first);
    uint32_t val = 0;

    for (unsigned i = 0; b && i < 4; i++)
        val |= (uint32_t)b->prio[first % 32 + i] << 8 * i;
    return val;
}

/* Takes effect when the interrupt is next put into a list register, as the architecture allows. */
static void write_prio(struct domain *d, struct vcpu *v, unsigned first, uint32_t val,
                       uint32_t mask) {
    struct vgic_bank *b = find(d, v, first);

    for (unsigned i = 0; b && i < 4; i++)
        if ((mask >> 8 * i & 0xff) && (real(first & ~31u) >> (first % 32 + i) & 1))
            WRITE_ONCE(b->prio[first % 32 + i], (uint8_t)(val >> 8 * i & VGIC_PRIO_MASK));
}

uint32_t vgic_bank_read(struct domain *d, struct vcpu *v, unsigned offset) {
    unsigned group = offset / 0x80;

    if (group <= G_ICACTIVER)
        return read_bits(d, v, group, offset % 0x80 * 8);
    if (offset < 0x800)
        return read_prio(d, v, offset - 0x400);
    if (group == G_ICFGR_LO || group == G_ICFGR_HI)
        return read_cfg(d, v, (offset - 0xc00) * 4);
    return 0;
}

void vgic_bank_write(struct domain *d, struct vcpu *v, unsigned offset, uint32_t val,
                     uint32_t mask) {
    unsigned group = offset / 0x80;

    if (group <= G_ICACTIVER)
        write_bits(d, v, group, offset % 0x80 * 8, val, mask);
    else if (offset < 0x800)
        write_prio(d, v, offset - 0x400, val, mask);
    else if (group == G_ICFGR_LO || group == G_ICFGR_HI)
        write_cfg(d, v, (offset - 0xc00) * 4, val, mask);
}

/* ---- accesses of other sizes ---- */

void vgic_frame_access(const struct vgic_frame_ops *ops, struct domain *d, struct vcpu *v,
                       unsigned offset, struct mmio_access *a) {
    unsigned at = offset & ~3u, shift = 8 * (offset & 3);
    uint32_t mask = a->size < 4 ? ((1u << 8 * a->size) - 1) << shift : ~0u;

    if (a->write) {
        ops->write(d, v, at, (uint32_t)a->value << shift, mask);
        if (a->size == 8)
            ops->write(d, v, at + 4, (uint32_t)(a->value >> 32), ~0u);
        return;
    }
    a->value = (ops->read(d, v, at) & mask) >> shift;
    if (a->size == 8)
        a->value |= (uint64_t)ops->read(d, v, at + 4) << 32;
}
