/* The virtual CPU interface of a GICv3: list registers and the state of a guest's interface (IHI
 * 0069, 12.4). */
#include <hv/bits.h>
#include <hv/printk.h>

#include <asm/barrier.h>
#include <asm/gicv3.h>

#include "gicv3_regs.h"

static unsigned nr_aprs; /* of each group: 1, 2 or 4 by the number of preemption bits */

static uint64_t read_lr(unsigned i) {
    return ich_read_lr(i);
}

static void write_lr(unsigned i, uint64_t val) {
    ich_write_lr(i, val);
}

static uint32_t read_hcr(void) {
    return (uint32_t)read_sysreg(ICH_HCR_EL2);
}

static void write_hcr(uint32_t val) {
    write_sysreg(val, ICH_HCR_EL2);
}

static uint32_t read_vmcr(void) {
    return (uint32_t)read_sysreg(ICH_VMCR_EL2);
}

static void save(struct vgic_hw_state *s) {
    s->vmcr = read_vmcr();
    s->ap0r[0] = (uint32_t)read_sysreg(ICH_AP0R0_EL2);
    s->ap1r[0] = (uint32_t)read_sysreg(ICH_AP1R0_EL2);
    if (nr_aprs > 1) {
        s->ap0r[1] = (uint32_t)read_sysreg(ICH_AP0R1_EL2);
        s->ap1r[1] = (uint32_t)read_sysreg(ICH_AP1R1_EL2);
    }
    if (nr_aprs > 2) {
        s->ap0r[2] = (uint32_t)read_sysreg(ICH_AP0R2_EL2);
        s->ap1r[2] = (uint32_t)read_sysreg(ICH_AP1R2_EL2);
        s->ap0r[3] = (uint32_t)read_sysreg(ICH_AP0R3_EL2);
        s->ap1r[3] = (uint32_t)read_sysreg(ICH_AP1R3_EL2);
    }
}

static void load(const struct vgic_hw_state *s) {
    /* The one register that a guest shares with the next; it is fixed except where GICv2
     * compatibility is. */
    write_sysreg(ICC_SRE_SRE | ICC_SRE_DFB | ICC_SRE_DIB, ICC_SRE_EL1);
    write_sysreg(s->vmcr, ICH_VMCR_EL2);
    write_sysreg(s->ap0r[0], ICH_AP0R0_EL2);
    write_sysreg(s->ap1r[0], ICH_AP1R0_EL2);
    if (nr_aprs > 1) {
        write_sysreg(s->ap0r[1], ICH_AP0R1_EL2);
        write_sysreg(s->ap1r[1], ICH_AP1R1_EL2);
    }
    if (nr_aprs > 2) {
        write_sysreg(s->ap0r[2], ICH_AP0R2_EL2);
        write_sysreg(s->ap1r[2], ICH_AP1R2_EL2);
        write_sysreg(s->ap0r[3], ICH_AP0R3_EL2);
        write_sysreg(s->ap1r[3], ICH_AP1R3_EL2);
    }
}

static struct vgic_hw_ops ops = {
    .version = 3,
    .read_lr = read_lr,
    .write_lr = write_lr,
    .read_hcr = read_hcr,
    .write_hcr = write_hcr,
    .read_vmcr = read_vmcr,
    .save = save,
    .load = load,
};

void gicv3_virt_probe(unsigned maintenance_irq) {
    uint64_t vtr = read_sysreg(ICH_VTR_EL2);
    unsigned prebits = (unsigned)bits_get(vtr, 28, 26) + 1, bpr = 7 - prebits;

    ops.nr_lrs = MIN((unsigned)bits_get(vtr, 4, 0) + 1, VGIC_MAX_LRS);
    if (ops.nr_lrs < 2) /* the underflow interrupt, at one or none in use, would never fall */
        panic("gicv3: a single list register is not enough");
    nr_aprs = 1u << (prebits - 5);
    /* VBPR0 in bits 23:21 and VBPR1, whose least value is one more, in 20:18. */
    ops.vmcr_reset = bpr << 21 | MIN(bpr + 1, 7u) << 18;
    ops.maintenance_irq = maintenance_irq;
    vgic_hw = &ops;
}

void gicv3_virt_init_cpu(void) {
    static const struct vgic_hw_state nothing;

    if (bits_get(read_sysreg(ICH_VTR_EL2), 4, 0) + 1 < ops.nr_lrs)
        panic("gicv3: CPUs differ in their list registers");
    write_hcr(0);
    for (unsigned i = 0; i < ops.nr_lrs; i++)
        ich_write_lr(i, 0);
    load(&nothing);
    isb();
}
