/*
 * GICv3 (Arm IHI 0069): distributor, redistributors and CPU interface as the hypervisor's own
 * interrupt controller. Every interrupt is group 1; EOI drops the priority, and deactivation is a
 * step of its own (EOImode 1), so that a guest can do it.
 */
#include <hv/bits.h>
#include <hv/cpu.h>
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/percpu.h>
#include <hv/printk.h>

#include <asm/barrier.h>
#include <asm/cpu_ops.h>
#include <asm/gicv3.h>
#include <asm/io.h>

#include "gicv3_regs.h"

#define MAX_REGIONS 8
#define SPIN_MAX 10000000u /* reads of a register; longer than any hardware needs */

struct region {
    volatile char *base;
    uint64_t size;
};

static volatile char *gicd;
static struct region regions[MAX_REGIONS];
static unsigned nr_regions;
static uint64_t fixed_stride; /* of the device tree; 0: by GICR_TYPER */
static DEFINE_PER_CPU(volatile char *, redist);
static DEFINE_PER_CPU(uint64_t, sgi_to_me);

static struct irq_chip chip;

/* ---- finding the registers of one interrupt ---- */

/* The frame that has it: GICD, or the SGI frame of this CPU's redistributor, with the same offsets.
 */
static volatile char *frame_of(uint32_t irq) {
    return irq < 32 ? this_cpu(redist) + GICR_SGI_FRAME : gicd;
}

static void write_bit(uint32_t irq, unsigned reg) {
    gic_frame_write_bit(frame_of(irq), irq, reg);
}

static void wait_clear(volatile char *reg, uint32_t bit, const char *what) {
    for (unsigned i = 0; readl(reg) & bit; i++)
        if (i == SPIN_MAX)
            panic("gicv3: %s does not come to rest", what);
}

static void wait_rwp(uint32_t irq) {
    if (irq < 32)
        wait_clear(this_cpu(redist) + GICR_CTLR, GIC_CTLR_RWP_R, "a redistributor");
    else
        wait_clear(gicd + GICD_CTLR, GIC_CTLR_RWP_D, "the distributor");
}

/* ---- struct irq_chip ---- */

static uint32_t gicv3_ack(void) {
    uint32_t irq = (uint32_t)read_sysreg(ICC_IAR1_EL1) & 0xffffff;

    dsb(sy); /* the acknowledge is seen by the device's side before its handler looks */
    return irq < NR_IRQS ? irq : IRQ_SPURIOUS;
}

static void gicv3_eoi(uint32_t irq) {
    write_sysreg(irq, ICC_EOIR1_EL1);
    isb();
}

static void gicv3_deactivate(uint32_t irq) {
    write_sysreg(irq, ICC_DIR_EL1);
    isb();
}

static void gicv3_enable(uint32_t irq) {
    write_bit(irq, GIC_ISENABLER);
}

static void gicv3_disable(uint32_t irq) {
    write_bit(irq, GIC_ICENABLER);
    wait_rwp(irq);
}

static void gicv3_set_trigger(uint32_t irq, enum irq_trigger trigger) {
    gic_frame_set_trigger(frame_of(irq), irq, trigger);
}

static void gicv3_set_target(uint32_t irq, unsigned cpu) {
    if (irq >= 32)
        writeq(cpu_mpidr(cpu) & MPIDR_AFFINITY_MASK, gicd + GICD_IROUTER + irq * 8);
}

static void gicv3_set_active(uint32_t irq, bool active) {
    write_bit(irq, active ? GIC_ISACTIVER : GIC_ICACTIVER);
}

static void gicv3_set_pending(uint32_t irq, bool pending) {
    write_bit(irq, pending ? GIC_ISPENDR : GIC_ICPENDR);
}

/* The fields of ICC_SGI1R_EL1 that name a CPU. */
static uint64_t sgi_target(uint64_t mpidr) {
    uint64_t aff0 = mpidr & 0xff;

    return 1ULL << (aff0 & 15) | (aff0 >> 4) << 44 | bits_get(mpidr, 15, 8) << 16 |
           bits_get(mpidr, 23, 16) << 32 | bits_get(mpidr, 39, 32) << 48;
}

static void gicv3_send_sgi(unsigned cpu, uint32_t sgi) {
    uint64_t target = per_cpu(sgi_to_me, cpu);

    if (unlikely(!target)) /* it has not come up yet */
        target = sgi_target(cpu_mpidr(cpu));
    dsb(ishst); /* what the SGI is about is seen before it */
    write_sysreg(target | (uint64_t)sgi << 24, ICC_SGI1R_EL1);
    isb();
}

/* ---- redistributors ---- */

static uint64_t stride_of(uint64_t typer) {
    if (fixed_stride)
        return fixed_stride;
    return typer & GICR_TYPER_VLPIS ? 0x40000 : 0x20000;
}

/* Affinity Aff3.Aff2.Aff1.Aff0 as GICR_TYPER has it in its upper half. */
static uint32_t own_affinity(void) {
    uint64_t mpidr = cpu_own_mpidr();

    return (uint32_t)(mpidr & 0xffffff) | (uint32_t)(mpidr >> 32 & 0xff) << 24;
}

static volatile char *find_redist(void) {
    for (unsigned i = 0; i < nr_regions; i++) {
        uint64_t at = 0, typer;

        do {
            typer = readq(regions[i].base + at + GICR_TYPER);
            if (typer >> 32 == own_affinity())
                return regions[i].base + at;
            at += stride_of(typer);
        } while (!(typer & GICR_TYPER_LAST) && at + 0x20000 <= regions[i].size);
    }
    panic("gicv3: no redistributor for CPU %u (affinity 0x%x)", cpu_id(), own_affinity());
}

static void wake_redist(void) {
    volatile char *waker = this_cpu(redist) + GICR_WAKER;

    writel(readl(waker) & ~WAKER_SLEEP, waker);
    wait_clear(waker, WAKER_CHILDREN_ASLEEP, "a redistributor that was woken");
}

static void clear_active_priorities(void) {
    /* The boot loader may have left an interrupt unfinished. Registers beyond the first by
     * ICC_CTLR.PRIbits. */
    unsigned pribits = (unsigned)bits_get(read_sysreg(ICC_CTLR_EL1), 10, 8) + 1;

    write_sysreg(0, ICC_AP1R0_EL1);
    if (pribits > 5)
        write_sysreg(0, ICC_AP1R1_EL1);
    if (pribits > 6) {
        write_sysreg(0, ICC_AP1R2_EL1);
        write_sysreg(0, ICC_AP1R3_EL1);
    }
}

/* Before any other register of the CPU interface, also those of its virtual side. */
static void enable_sysregs(void) {
    write_sysreg(ICC_SRE_SRE | ICC_SRE_DFB | ICC_SRE_DIB | ICC_SRE_ENABLE, ICC_SRE_EL2);
    isb();
    if (!(read_sysreg(ICC_SRE_EL2) & ICC_SRE_SRE))
        panic("gicv3: firmware keeps the system-register interface off");
}

static void init_cpu_interface(void) {
    write_sysreg(0, ICC_IGRPEN1_EL1);
    clear_active_priorities();
    write_sysreg(0xff, ICC_PMR_EL1);
    write_sysreg(0, ICC_BPR1_EL1);
    write_sysreg(ICC_CTLR_EOIMODE, ICC_CTLR_EL1);
    write_sysreg(1, ICC_IGRPEN1_EL1);
    isb();
}

static void gicv3_init_cpu(void) {
    this_cpu(redist) = find_redist();
    this_cpu(sgi_to_me) = sgi_target(cpu_mpidr(cpu_id()));
    wake_redist();
    gic_reset_bank(this_cpu(redist) + GICR_SGI_FRAME, 0, 1);
    wait_rwp(0);
    enable_sysregs();
    init_cpu_interface();
    gicv3_virt_init_cpu();
}

/* ---- probing ---- */

static void init_dist(void) {
    uint32_t typer = readl(gicd + GICD_TYPER);
    unsigned banks = (typer & 31) + 1;

    writel(0, gicd + GICD_CTLR);
    wait_rwp(32);
    for (unsigned bank = 1; bank < banks; bank++)
        gic_reset_bank(gicd, bank, 1);
    wait_rwp(32);
    writel(GICD_CTLR_ARE | GICD_CTLR_ENABLE, gicd + GICD_CTLR);
    wait_rwp(32);
    chip.nr_irqs = MIN(32 * banks, NR_IRQS);
}

static void map_regions(const void *fdt, int node) {
    char path[FDT_PATH_MAX];
    uint32_t count = 1;

    if (fdt_u32(fdt, node, "#redistributor-regions", &count) == -EINVAL || !count ||
        count > MAX_REGIONS)
        panic("device tree: %s: #redistributor-regions: expected 1 to %u",
              fdt_path(fdt, node, path), MAX_REGIONS);
    if (fdt_u32_or_u64(fdt, node, "redistributor-stride", &fixed_stride) == -EINVAL ||
        (fixed_stride & 0xffff) || (fixed_stride && fixed_stride < 0x20000))
        panic("device tree: %s: redistributor-stride: expected a multiple of 64 KiB, at least two",
              fdt_path(fdt, node, path));
    for (unsigned i = 0; i < count; i++)
        regions[i].base = gic_map_reg(fdt, node, 1 + i, 0x20000, &regions[i].size);
    nr_regions = count;
}

static struct irq_chip chip = {
    .name = "GICv3",
    .init_cpu = gicv3_init_cpu,
    .ack = gicv3_ack,
    .eoi = gicv3_eoi,
    .deactivate = gicv3_deactivate,
    .enable = gicv3_enable,
    .disable = gicv3_disable,
    .set_trigger = gicv3_set_trigger,
    .set_target = gicv3_set_target,
    .set_active = gicv3_set_active,
    .set_pending = gicv3_set_pending,
    .send_sgi = gicv3_send_sgi,
    .irq_waiting = cpu_irq_waiting,
};

const struct irq_chip *gicv3_probe(const void *fdt) {
    int node = fdt_next_compatible(fdt, -1, "arm,gic-v3");
    uint64_t size;

    if (node < 0)
        return NULL;
    gicd = gic_map_reg(fdt, node, 0, 0x10000, &size);
    map_regions(fdt, node);
    init_dist();
    enable_sysregs();
    gicv3_virt_probe(gic_maintenance_irq(fdt, node));
    printk("GICv3: %u interrupts, %u redistributor region%s, %u list registers\n", chip.nr_irqs,
           nr_regions, nr_regions == 1 ? "" : "s", vgic_hw->nr_lrs);
    return &chip;
}
