/*
 * GICv2 (Arm IHI 0048): distributor and CPU interface as the hypervisor's own interrupt controller.
 * Seen from the non-secure side of a secure machine every interrupt is group 1 and the registers
 * look as those of group 0 do elsewhere, so both are one case. EOI drops the priority, and
 * deactivation is a step of its own (EOImode 1), so that a guest can do it.
 */
#include <hv/bits.h>
#include <hv/cpu.h>
#include <hv/fdt.h>
#include <hv/percpu.h>
#include <hv/printk.h>

#include <asm/barrier.h>
#include <asm/cpu_ops.h>
#include <asm/io.h>

#include "gicv2_regs.h"

/* A GIC-400 on a bus that leaves four address bits out: each page of 4 KiB fills 64 KiB. */
#define ALIASED_SIZE 0x20000u
#define ALIASED_OFFSET 0xf000u /* the last copy of page 0; page 1 follows it */
#define IIDR_MASK 0xff0fffu    /* architecture version and implementer */
#define IIDR_GICV2_ARM 0x02043bu

static volatile char *gicd, *gicc;
static DEFINE_PER_CPU(uint8_t, interface); /* this CPU's bit in target fields */
static DEFINE_PER_CPU(uint32_t, sgi_iar);  /* of the SGI in progress: its end names the sender */

static struct irq_chip chip;

/* ---- struct irq_chip ---- */

static uint32_t gicv2_ack(void) {
    uint32_t iar = readl(gicc + GICC_IAR), irq = iar & 0x3ff;

    dsb(sy); /* the acknowledge is seen by the device's side before its handler looks */
    if (irq < 16)
        this_cpu(sgi_iar) = iar;
    return irq < NR_IRQS ? irq : IRQ_SPURIOUS;
}

static uint32_t as_acked(uint32_t irq) {
    return irq < 16 ? this_cpu(sgi_iar) : irq;
}

static void gicv2_eoi(uint32_t irq) {
    writel(as_acked(irq), gicc + GICC_EOIR);
}

static void gicv2_deactivate(uint32_t irq) {
    writel(as_acked(irq), gicc + GICC_DIR);
}

static void gicv2_enable(uint32_t irq) {
    gic_frame_write_bit(gicd, irq, GIC_ISENABLER);
}

static void gicv2_disable(uint32_t irq) {
    gic_frame_write_bit(gicd, irq, GIC_ICENABLER);
    readl(gicd + GICD_CTLR); /* the write has arrived when a later read is answered */
    dsb(sy);
}

static void gicv2_set_trigger(uint32_t irq, enum irq_trigger trigger) {
    gic_frame_set_trigger(gicd, irq, trigger);
}

static void gicv2_set_target(uint32_t irq, unsigned cpu) {
    if (irq >= 32)
        writeb(per_cpu(interface, cpu), gicd + GICD_ITARGETSR + irq);
}

static void gicv2_set_active(uint32_t irq, bool active) {
    gic_frame_write_bit(gicd, irq, active ? GIC_ISACTIVER : GIC_ICACTIVER);
}

static void gicv2_set_pending(uint32_t irq, bool pending) {
    gic_frame_write_bit(gicd, irq, pending ? GIC_ISPENDR : GIC_ICPENDR);
}

static void gicv2_send_sgi(unsigned cpu, uint32_t sgi) {
    dsb(ishst); /* what the SGI is about is seen before it */
    writel((uint32_t)per_cpu(interface, cpu) << SGIR_TARGETS_SHIFT | sgi, gicd + GICD_SGIR);
}

/* ---- each CPU ---- */

/* A CPU finds its own bit in the target fields of its private interrupts; a lone CPU has none. */
static uint8_t own_interface(void) {
    uint32_t targets = 0;

    for (unsigned i = 0; i < 8; i++)
        targets |= readl(gicd + GICD_ITARGETSR + 4 * i);
    targets |= targets >> 16;
    targets |= targets >> 8;
    return targets & 0xff ? (uint8_t)targets : 1;
}

static void gicv2_init_cpu(void) {
    uint32_t ctlr = readl(gicc + GICC_CTLR) & GICC_CTLR_BYPASS;

    this_cpu(interface) = own_interface();
    gic_reset_bank(gicd, 0, 0);
    writel(ctlr, gicc + GICC_CTLR);
    writel(0, gicc + GICC_APR); /* the boot loader may have left an interrupt unfinished */
    writel(0xff, gicc + GICC_PMR);
    writel(0, gicc + GICC_BPR);
    writel(ctlr | GICC_CTLR_EOIMODE | GICC_CTLR_ENABLE, gicc + GICC_CTLR);
    gicv2_virt_init_cpu();
}

/*
 * QEMU 10's GICv2 does not look again at a physical interrupt that came while it was active when a
 * guest's end of interrupt deactivates it: a timer that is due again by then would wake nobody.
 * Any write to the CPU interface makes it look; to a real one this is a store.
 */
static void gicv2_before_wait(void) {
    writel(0xff, gicc + GICC_PMR);
}

/* ---- probing ---- */

static void init_dist(void) {
    unsigned banks = (readl(gicd + GICD_TYPER) & 31) + 1;

    writel(0, gicd + GICD_CTLR);
    this_cpu(interface) = own_interface();
    for (unsigned bank = 1; bank < banks; bank++)
        gic_reset_bank(gicd, bank, 0);
    chip.nr_irqs = MIN(32 * banks, NR_IRQS);
    for (unsigned irq = 32; irq < chip.nr_irqs; irq++)
        gicv2_set_target(irq, cpu_id());
    writel(1, gicd + GICD_CTLR);
}

static bool is_gicv2(volatile char *at) {
    return (readl(at + GICC_IIDR) & IIDR_MASK) == IIDR_GICV2_ARM;
}

/* How far into its region of `size` bytes an interface of two adjacent pages begins. */
static uint32_t interface_offset(volatile char *region, uint64_t size) {
    return size == ALIASED_SIZE && is_gicv2(region) && is_gicv2(region + ALIASED_OFFSET)
               ? ALIASED_OFFSET
               : 0;
}

static struct irq_chip chip = {
    .name = "GICv2",
    .init_cpu = gicv2_init_cpu,
    .ack = gicv2_ack,
    .eoi = gicv2_eoi,
    .deactivate = gicv2_deactivate,
    .enable = gicv2_enable,
    .disable = gicv2_disable,
    .set_trigger = gicv2_set_trigger,
    .set_target = gicv2_set_target,
    .set_active = gicv2_set_active,
    .set_pending = gicv2_set_pending,
    .send_sgi = gicv2_send_sgi,
    .irq_waiting = cpu_irq_waiting,
    .before_wait = gicv2_before_wait,
};

static int find_node(const void *fdt) {
    static const char *const names[] = {"arm,gic-400", "arm,cortex-a15-gic", "arm,cortex-a7-gic"};
    int node = -1;

    for (unsigned i = 0; i < ARRAY_SIZE(names) && node < 0; i++)
        node = fdt_next_compatible(fdt, -1, names[i]);
    return node;
}

const struct irq_chip *gicv2_probe(const void *fdt) {
    int node = find_node(fdt);
    char path[FDT_PATH_MAX];
    uint64_t size, gicv;
    uint32_t offset;

    if (node < 0)
        return NULL;
    gicd = gic_map_reg(fdt, node, 0, 0x1000, &size);
    gicc = gic_map_reg(fdt, node, 1, 0x2000, &size);
    offset = interface_offset(gicc, size);
    gicc += offset;
    if (fdt_reg(fdt, node, 3, &gicv, &size) || size < 0x1000 || (gicv & (PAGE_SIZE - 1)))
        panic("device tree: %s: reg: entry 3 (GICV) missing or not a page",
              fdt_path(fdt, node, path));
    init_dist();
    gicv2_virt_probe(gic_map_reg(fdt, node, 2, 0x200, &size), paddr(gicv),
                     gic_maintenance_irq(fdt, node));
    printk("GICv2: %u interrupts, %u list registers%s\n", chip.nr_irqs, vgic_hw->nr_lrs,
           offset ? ", aliased pages" : "");
    return &chip;
}
