/* GICD: the distributor's registers (IHI 0069, 12.9), one security state, affinity routing always
 * on. */
#include <hv/guest_map.h>
#include <hv/irq.h>

#include "vgic_internal.h"

#define GICD_CTLR 0x0000
#define GICD_TYPER 0x0004
#define GICD_IIDR 0x0008
#define GICD_IROUTER 0x6000 /* 8 bytes for each INTID; those below 32 do not exist */
#define GICD_IROUTER_END (GICD_IROUTER + 8 * NR_IRQS)
#define GICD_PIDR2 0xffe8

#define TYPER_IDBITS (9u << 19) /* INTIDs have 10 bits */
#define TYPER_NO1N (1u << 25)   /* an SPI goes to one vCPU, never to any of them */

#define ROUTE_MASK 0x00ffffffu /* Aff2.Aff1.Aff0 */

void vgic_write_ctlr(struct domain *d, uint32_t val, uint32_t mask) {
    uint32_t groups = GICD_CTLR_GRP0 | GICD_CTLR_GRP1, old;

    spin_lock(&d->vgic.lock);
    old = d->vgic.ctlr;
    WRITE_ONCE(d->vgic.ctlr, ((old & ~mask) | (val & mask)) & groups);
    old ^= d->vgic.ctlr;
    vgic_dist_unlock(d);
    if (!old)
        return;
    for (unsigned i = 0; i < d->max_vcpus; i++)
        vgic_apply(d, d->vcpus[i], 0, ~0u, VGIC_REFRESH, true);
    for (unsigned first = 32; first <= 32 * d->vgic.nr_banks; first += 32)
        vgic_apply(d, NULL, first, ~0u, VGIC_REFRESH, true);
}

/* Aff3, in the upper half, is not implemented. */
static void write_route(struct domain *d, unsigned intid, uint32_t val, uint32_t mask) {
    uint32_t old = vgic_spi_bank(d, intid)->route[intid % 32];
    uint32_t route = ((old & ~mask) | (val & mask)) & ROUTE_MASK;
    unsigned target = 0;

    while (target < d->max_vcpus && vcpu_affinity(target) != route)
        target++;
    vgic_set_route(d, intid, route, target);
}

static bool has_route(const struct domain *d, unsigned offset, unsigned *intid) {
    *intid = (offset - GICD_IROUTER) / 8;
    return offset >= GICD_IROUTER && offset < GICD_IROUTER_END && *intid >= VGIC_NR_PRIVATE &&
           *intid < 32 * (d->vgic.nr_banks + 1);
}

static uint32_t read_other(struct domain *d, unsigned offset) {
    unsigned intid;

    if (has_route(d, offset, &intid) && !(offset & 4))
        return vgic_spi_bank(d, intid)->route[intid % 32];
    return offset == GICD_PIDR2 ? VGIC_PIDR2 : 0;
}

static uint32_t dist_read(struct domain *d, struct vcpu *v, unsigned offset) {
    (void)v;
    switch (offset) {
    case GICD_CTLR:
        return d->vgic.ctlr | GICD_CTLR_ARE | GICD_CTLR_DS;
    case GICD_TYPER:
        return d->vgic.nr_banks | TYPER_IDBITS | TYPER_NO1N;
    case GICD_IIDR:
        return VGIC_IIDR;
    default:
        return vgic_is_bank_register(offset) ? vgic_bank_read(d, NULL, offset)
                                             : read_other(d, offset);
    }
}

static void dist_write(struct domain *d, struct vcpu *v, unsigned offset, uint32_t val,
                       uint32_t mask) {
    unsigned intid;

    (void)v;
    if (offset == GICD_CTLR) {
        vgic_write_ctlr(d, val, mask);
    } else if (vgic_is_bank_register(offset)) {
        vgic_bank_write(d, NULL, offset, val, mask);
    } else if (has_route(d, offset, &intid) && !(offset & 4)) {
        write_route(d, intid, val, mask);
    }
}

bool vgic_dist_mmio(struct vcpu *v, void *arg, struct mmio_access *a) {
    static const struct vgic_frame_ops ops = {dist_read, dist_write};

    (void)v;
    if (a->size == 4 && !(a->offset & 3)) { /* nearly every access */
        if (a->write)
            dist_write(arg, NULL, (unsigned)a->offset, (uint32_t)a->value, ~0u);
        else
            a->value = dist_read(arg, NULL, (unsigned)a->offset);
        return true;
    }
    vgic_frame_access(&ops, arg, NULL, (unsigned)a->offset, a);
    return true;
}
