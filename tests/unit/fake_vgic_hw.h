/*
 * A virtual CPU interface for host tests, as IHI 0069 describes it: list registers, running
 * priority, EOImode 0, maintenance conditions; one for each CPU. The vCPU with number i runs on CPU
 * i. Included by the test's one file.
 */
#ifndef FAKE_VGIC_HW_H
#define FAKE_VGIC_HW_H

#include <string.h>

#include <hv/domain.h>
#include <hv/gic.h>
#include <hv/vcpu.h>

#define FAKE_CPUS 20
#define FAKE_LRS 4

struct fake_cpu {
    uint64_t lr[VGIC_MAX_LRS];
    uint32_t hcr, vmcr;
    uint8_t running[64]; /* priorities of what was taken and not ended, the last one on top */
    unsigned depth;
    bool phys_active[32]; /* PPIs */
    unsigned writes;      /* of list registers */
};

static struct fake_cpu fake_cpu[FAKE_CPUS];
static bool fake_spi_active[NR_IRQS];

DEFINE_PER_CPU(struct vcpu *, current_vcpu);
DEFINE_PER_CPU(uint32_t, cpu_number);
uintptr_t percpu_offsets[MAX_CPUS];

static struct fake_cpu *fake_this(void) {
    return &fake_cpu[cpu_number];
}

static uint64_t fake_read_lr(unsigned i) {
    return fake_this()->lr[i];
}
static void fake_write_lr(unsigned i, uint64_t val) {
    fake_this()->lr[i] = val;
    fake_this()->writes++;
}
static uint32_t fake_read_hcr(void) {
    return fake_this()->hcr;
}
static void fake_write_hcr(uint32_t val) {
    fake_this()->hcr = val;
}
static uint32_t fake_read_vmcr(void) {
    return fake_this()->vmcr;
}
static void fake_save(struct vgic_hw_state *s) {
    s->vmcr = fake_this()->vmcr;
}
static void fake_load(const struct vgic_hw_state *s) {
    fake_this()->vmcr = s->vmcr;
}

static struct vgic_hw_ops fake_ops = {
    .version = 3,
    .gicv = {0x8040000},
    .nr_lrs = FAKE_LRS,
    .vmcr_reset = VMCR_ENG0 | VMCR_ENG1 | 0xf8u << VMCR_PMR_SHIFT,
    .maintenance_irq = 25,
    .read_lr = fake_read_lr,
    .write_lr = fake_write_lr,
    .read_hcr = fake_read_hcr,
    .write_hcr = fake_write_hcr,
    .read_vmcr = fake_read_vmcr,
    .save = fake_save,
    .load = fake_load,
};
const struct vgic_hw_ops *vgic_hw = &fake_ops;

/* ---- the physical controller ---- */

static void fake_set_active(uint32_t irq, bool active) {
    if (irq < 32)
        fake_this()->phys_active[irq] = active;
    else
        fake_spi_active[irq] = active;
}
static uint32_t fake_pended;
static void fake_set_pending(uint32_t irq, bool pending) {
    fake_pended = pending ? irq : 0;
}
static const struct irq_chip fake_chip = {
    .nr_irqs = NR_IRQS, .set_active = fake_set_active, .set_pending = fake_set_pending};
const struct irq_chip *irq_chip = &fake_chip;

/* ---- what a guest on this CPU does ---- */

static uint8_t fake_prio(uint64_t lr) {
    return (uint8_t)(lr >> LR_PRIORITY_SHIFT);
}

static uint32_t fake_id(uint64_t lr) {
    uint32_t id = (uint32_t)lr;

    return id < 16 ? id | (uint32_t)(lr >> LR_SOURCE_SHIFT & 7) << 10 : id;
}

static uint8_t fake_running(void) {
    return fake_this()->depth ? fake_this()->running[fake_this()->depth - 1] : 0xff;
}

/* What IAR reads as: the INTID taken, with the sender of a GICv2's SGI in 12:10; or 1023. A pending
 * interrupt whose list register also says active is not signalled. */
static unsigned fake_ack(void) {
    struct fake_cpu *c = fake_this();
    int best = -1;

    for (unsigned i = 0; i < fake_ops.nr_lrs; i++)
        if ((c->lr[i] & LR_STATE) == LR_PENDING && (c->hcr & VHCR_EN) &&
            fake_prio(c->lr[i]) < fake_running() &&
            (best < 0 || fake_prio(c->lr[i]) < fake_prio(c->lr[best])))
            best = (int)i;
    if (best < 0)
        return 1023;
    c->lr[best] = (c->lr[best] & ~LR_PENDING) | LR_ACTIVE;
    c->running[c->depth++] = fake_prio(c->lr[best]);
    return fake_id(c->lr[best]);
}

static void fake_deactivate(unsigned intid) {
    struct fake_cpu *c = fake_this();

    for (unsigned i = 0; i < fake_ops.nr_lrs; i++)
        if ((c->lr[i] & LR_ACTIVE) && fake_id(c->lr[i]) == intid) {
            c->lr[i] &= ~LR_ACTIVE;
            if (c->lr[i] & LR_HW)
                fake_set_active((c->lr[i] >> LR_PHYS_SHIFT) & 0x3ff, false);
            return;
        }
    c->hcr += 1u << VHCR_EOICOUNT_SHIFT;
}

static void fake_eoi(unsigned intid) {
    fake_this()->depth--;
    fake_deactivate(intid);
}

static bool fake_maintenance(void) {
    const struct fake_cpu *c = fake_this();
    unsigned valid = 0, pending = 0;

    if (!(c->hcr & VHCR_EN))
        return false;
    for (unsigned i = 0; i < fake_ops.nr_lrs; i++) {
        pending += (c->lr[i] & LR_STATE) == LR_PENDING;
        if (c->lr[i] & LR_STATE)
            valid++;
        else if ((c->lr[i] & LR_EOI) && !(c->lr[i] & LR_HW))
            return true;
    }
    return ((c->hcr & VHCR_UIE) && valid <= 1) || ((c->hcr & VHCR_NPIE) && !pending) ||
           ((c->hcr & VHCR_LRENPIE) && c->hcr >> VHCR_EOICOUNT_SHIFT);
}

#endif
