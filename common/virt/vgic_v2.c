/*
 * GICD of a GICv2 (IHI 0048, 4.3): no Security Extensions. The registers of private interrupts are
 * those of the vCPU that accesses them, and SGIs are told apart by who sent them. An SPI with
 * several targets goes to the first of them.
 */
#include <hv/irq.h>

#include "vgic_internal.h"

#define GICD_CTLR 0x000
#define GICD_TYPER 0x004
#define GICD_IIDR 0x008
#define GICD_ITARGETSR 0x800
#define GICD_ICFGR 0xc00
#define GICD_SGIR 0xf00
#define GICD_CPENDSGIR 0xf10
#define GICD_SPENDSGIR 0xf20
#define GICD_SGI_END 0xf30
#define GICD_ICPIDR2 0xfe8
#define GICC_DIR 0 /* in its page */

#define TYPER_CPUS_SHIFT 5
#define PIDR2 0x2bu /* architecture version 2 */

/* GICD_SGIR.TargetListFilter */
enum { FILTER_LIST, FILTER_OTHERS, FILTER_SELF };

static uint32_t all_vcpus(const struct domain *d) {
    return (1u << d->max_vcpus) - 1;
}

/* ---- targets: a byte of vCPU bits for each interrupt; those of private ones say who reads ---- */

static uint32_t read_targets(struct domain *d, struct vcpu *v, unsigned first) {
    uint32_t val = 0;

    if (d->max_vcpus == 1) /* on a uniprocessor the registers are reserved */
        return 0;
    if (first < VGIC_NR_PRIVATE)
        return 0x01010101u << v->id;
    for (unsigned i = 0; i < 4 && first < 32 * (d->vgic.nr_banks + 1); i++)
        val |= vgic_spi_bank(d, first)->route[first % 32 + i] << 8 * i;
    return val;
}

static void write_targets(struct domain *d, unsigned first, uint32_t val, uint32_t mask) {
    if (d->max_vcpus == 1 || first < VGIC_NR_PRIVATE || first >= 32 * (d->vgic.nr_banks + 1))
        return;
    for (unsigned i = 0; i < 4 && first + i < NR_IRQS; i++) {
        uint32_t targets = val >> 8 * i & all_vcpus(d);

        if (mask >> 8 * i & 0xff)
            vgic_set_route(d, first + i, targets, targets ? ffs64(targets) : MAX_VCPUS);
    }
}

/* ---- SGIs ---- */

static void write_sgir(struct vcpu *v, uint32_t val) {
    struct domain *d = v->domain;
    uint32_t self = 1u << v->id, to;

    switch (bits_get(val, 25, 24)) {
    case FILTER_LIST:
        to = (uint32_t)bits_get(val, 23, 16);
        break;
    case FILTER_OTHERS:
        to = ~self;
        break;
    case FILTER_SELF:
        to = self;
        break;
    default:
        return;
    }
    for (to &= all_vcpus(d); to; to &= to - 1)
        vgic_set_sgi_from(d->vcpus[ffs64(to)], val & 15, (uint8_t)self, true);
}

/* CPENDSGIR and SPENDSGIR: a byte of senders for each SGI. */
static uint32_t read_senders(struct domain *d, struct vcpu *v, unsigned first) {
    uint32_t val = 0;

    vgic_sync_bank(d, v, 0);
    for (unsigned i = 0; i < 4; i++)
        val |= (uint32_t)READ_ONCE(v->vgic.sgi_from[first + i]) << 8 * i;
    return val;
}

static void write_senders(struct vcpu *v, unsigned first, uint32_t val, bool pending) {
    for (unsigned i = 0; i < 4; i++) {
        uint8_t from = (uint8_t)(val >> 8 * i & all_vcpus(v->domain));

        if (from)
            vgic_set_sgi_from(v, first + i, from, pending);
    }
}

/* ---- the frame ---- */

/* Whose the register of that bank is: a vCPU's own, or the domain's (NULL). */
static struct vcpu *owner(struct vcpu *v, unsigned offset) {
    unsigned bits = offset < 0x400 ? 1 : offset < GICD_ICFGR ? 8 : 2;

    return offset % (0x80 * bits) < 4 * bits ? v : NULL;
}

static bool has_targets(unsigned offset) {
    return offset >= GICD_ITARGETSR && offset < GICD_ICFGR;
}

static uint32_t read(struct domain *d, struct vcpu *v, unsigned offset) {
    switch (offset) {
    case GICD_CTLR:
        return d->vgic.ctlr;
    case GICD_TYPER:
        return d->vgic.nr_banks | (d->max_vcpus - 1) << TYPER_CPUS_SHIFT;
    case GICD_IIDR:
        return VGIC_IIDR;
    case GICD_CPENDSGIR ... GICD_SGI_END - 1:
        return read_senders(d, v, offset & 0xf);
    case GICD_ICPIDR2:
        return PIDR2;
    default:
        break;
    }
    if (has_targets(offset))
        return read_targets(d, v, offset - GICD_ITARGETSR);
    return vgic_is_bank_register(offset) ? vgic_bank_read(d, owner(v, offset), offset) : 0;
}

/* SGIs are made pending by their senders only. */
static bool is_sgi_pending(unsigned offset) {
    return offset == 0x200 || offset == 0x280;
}

static void write(struct domain *d, struct vcpu *v, unsigned offset, uint32_t val, uint32_t mask) {
    switch (offset) {
    case GICD_CTLR:
        vgic_write_ctlr(d, val, mask);
        return;
    case GICD_SGIR:
        if (mask == ~0u)
            write_sgir(v, val);
        return;
    case GICD_CPENDSGIR ... GICD_SPENDSGIR - 1:
        write_senders(v, offset & 0xf, val & mask, false);
        return;
    case GICD_SPENDSGIR ... GICD_SGI_END - 1:
        write_senders(v, offset & 0xf, val & mask, true);
        return;
    default:
        break;
    }
    if (has_targets(offset))
        write_targets(d, offset - GICD_ITARGETSR, val, mask);
    else if (vgic_is_bank_register(offset))
        vgic_bank_write(d, owner(v, offset), offset, val,
                        is_sgi_pending(offset) ? mask & ~0xffffu : mask);
}

bool vgic_v2_dist_mmio(struct vcpu *v, void *arg, struct mmio_access *a) {
    static const struct vgic_frame_ops ops = {read, write};

    vgic_frame_access(&ops, arg, v, (unsigned)a->offset, a);
    return true;
}

/* Names the sender of an SGI too; which of them is active is known here. */
bool vgic_v2_dir_mmio(struct vcpu *v, void *arg, struct mmio_access *a) {
    (void)arg;
    if (a->size != 4)
        return false;
    if (!a->write)
        a->value = 0;
    else if (a->offset == GICC_DIR)
        vgic_dir(v, a->value & 0x3ff);
    return true;
}
