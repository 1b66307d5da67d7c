/* GICR: a redistributor for each vCPU, of two frames of 64 KiB (IHI 0069, 12.10 and 12.11). No
 * LPIs. */
#include <hv/guest_map.h>

#include "vgic_internal.h"

#define FRAME_SIZE 0x10000u

#define GICR_IIDR 0x0004
#define GICR_TYPER 0x0008 /* 64 bits */
#define GICR_WAKER 0x0014
#define GICR_PIDR2 0xffe8

#define TYPER_LAST (1u << 4)
#define TYPER_NUMBER_SHIFT 8
#define WAKER_SHIFT 1 /* ProcessorSleep; ChildrenAsleep, the bit above, follows at once */

static uint32_t rd_read(struct domain *d, struct vcpu *v, unsigned offset) {
    switch (offset) {
    case GICR_IIDR:
        return VGIC_IIDR;
    case GICR_TYPER:
        return v->id << TYPER_NUMBER_SHIFT | (v->id + 1 == d->max_vcpus ? TYPER_LAST : 0);
    case GICR_TYPER + 4:
        return (uint32_t)vcpu_affinity(v->id);
    case GICR_WAKER:
        return v->vgic.waker * (3u << WAKER_SHIFT);
    case GICR_PIDR2:
        return VGIC_PIDR2;
    default:
        return 0;
    }
}

static void rd_write(struct domain *d, struct vcpu *v, unsigned offset, uint32_t val,
                     uint32_t mask) {
    (void)d;
    if (offset == GICR_WAKER && (mask & 1u << WAKER_SHIFT))
        v->vgic.waker = val >> WAKER_SHIFT & 1;
}

static uint32_t sgi_read(struct domain *d, struct vcpu *v, unsigned offset) {
    return vgic_is_bank_register(offset) ? vgic_bank_read(d, v, offset) : 0;
}

static void sgi_write(struct domain *d, struct vcpu *v, unsigned offset, uint32_t val,
                      uint32_t mask) {
    if (vgic_is_bank_register(offset))
        vgic_bank_write(d, v, offset, val, mask);
}

bool vgic_redist_mmio(struct vcpu *v, void *arg, struct mmio_access *a) {
    static const struct vgic_frame_ops rd = {rd_read, rd_write}, sgi = {sgi_read, sgi_write};
    struct domain *d = arg;
    unsigned id = (unsigned)(a->offset / VGIC_REDIST_SIZE);
    unsigned offset = (unsigned)(a->offset % VGIC_REDIST_SIZE);

    (void)v;
    if (id >= d->max_vcpus)
        return false;
    if (offset < FRAME_SIZE)
        vgic_frame_access(&rd, d, d->vcpus[id], offset, a);
    else
        vgic_frame_access(&sgi, d, d->vcpus[id], offset - FRAME_SIZE, a);
    return true;
}
