/* The virtual CPU interface of a GICv2: list registers and the state of a guest's interface (IHI
 * 0048, 5.3). */
#include <hv/bits.h>
#include <hv/printk.h>

#include <asm/barrier.h>
#include <asm/io.h>

#include "gicv2_regs.h"

/*
 * GICH_LRn: the interrupt in 9:0, the physical one (or EOI in 19 and the sender in 12:10) in 19:10,
 * five bits of priority in 27:23, the state in 29:28, group and HW in 31:30.
 */
static uint32_t to_v2(uint64_t lr) {
    return (uint32_t)(bits_get(lr, 9, 0) | bits_get(lr, 41, 32) << 10 | bits_get(lr, 55, 51) << 23 |
                      bits_get(lr, 63, 62) << 28 | bits_get(lr, 61, 60) << 30);
}

static uint64_t from_v2(uint32_t lr) {
    return bits_get(lr, 9, 0) | bits_get(lr, 19, 10) << 32 | bits_get(lr, 27, 23) << 51 |
           bits_get(lr, 29, 28) << 62 | bits_get(lr, 31, 30) << 60;
}

static volatile char *gich;

static uint64_t read_lr(unsigned i) {
    return from_v2(readl(gich + GICH_LR + 4 * i));
}

static void write_lr(unsigned i, uint64_t val) {
    writel(to_v2(val), gich + GICH_LR + 4 * i);
}

static uint32_t read_hcr(void) {
    return readl(gich + GICH_HCR);
}

/* VHCR_TDIR has no counterpart and no need of one: a guest's GICC_DIR is emulated. */
static void write_hcr(uint32_t val) {
    writel(val & ~VHCR_TDIR, gich + GICH_HCR);
}

/* GICH_VMCR has its fields where ICH_VMCR_EL2 has them. */
static uint32_t read_vmcr(void) {
    return readl(gich + GICH_VMCR);
}

static void save(struct vgic_hw_state *s) {
    s->vmcr = read_vmcr();
    s->ap0r[0] = readl(gich + GICH_APR);
}

static void load(const struct vgic_hw_state *s) {
    writel(s->vmcr, gich + GICH_VMCR);
    writel(s->ap0r[0], gich + GICH_APR);
}

static struct vgic_hw_ops ops = {
    .version = 2,
    .read_lr = read_lr,
    .write_lr = write_lr,
    .read_hcr = read_hcr,
    .write_hcr = write_hcr,
    .read_vmcr = read_vmcr,
    .save = save,
    .load = load,
};

void gicv2_virt_probe(volatile char *regs, paddr_t gicv, unsigned maintenance_irq) {
    uint32_t vtr;
    unsigned bpr;

    gich = regs;
    vtr = readl(gich + GICH_VTR);
    bpr = 6 - (unsigned)bits_get(vtr, 28, 26);
    ops.nr_lrs = MIN((unsigned)bits_get(vtr, 5, 0) + 1, VGIC_MAX_LRS);
    if (ops.nr_lrs < 2) /* the underflow interrupt, at one or none in use, would never fall */
        panic("gicv2: a single list register is not enough");
    ops.gicv = gicv;
    /* Binary points: that of group 0 in bits 23:21; group 1's, at least one more, in 20:18. */
    ops.vmcr_reset = bpr << 21 | MIN(bpr + 1, 7u) << 18;
    ops.maintenance_irq = maintenance_irq;
    vgic_hw = &ops;
}

void gicv2_virt_init_cpu(void) {
    static const struct vgic_hw_state nothing;

    write_hcr(0);
    for (unsigned i = 0; i < ops.nr_lrs; i++)
        write_lr(i, 0);
    load(&nothing);
}
