/* Which interrupt controller this machine has, and what the drivers do alike. */
#include <hv/bits.h>
#include <hv/fdt.h>
#include <hv/mm.h>
#include <hv/printk.h>
#include <hv/spinlock.h>

#include <asm/io.h>

#include "gic_regs.h"

#define PRIORITY_WORD 0xa0a0a0a0u

const struct vgic_hw_ops *vgic_hw;
static spinlock_t gic_lock = SPINLOCK_INIT(RANK_GIC, "gic");

const struct irq_chip *gic_probe(const void *fdt) {
    const struct irq_chip *chip = gicv3_probe(fdt);

    if (!chip)
        chip = gicv2_probe(fdt);
    if (!chip)
        panic("device tree: no interrupt controller that is known (docs/boards.md)");
    return chip;
}

void gic_frame_write_bit(volatile char *frame, uint32_t irq, unsigned reg) {
    writel(1u << irq % 32, frame + reg + irq / 32 * 4);
}

void gic_frame_set_trigger(volatile char *frame, uint32_t irq, enum irq_trigger trigger) {
    volatile char *reg = frame + GIC_ICFGR + irq / 16 * 4;
    uint32_t edge = 2u << 2 * (irq % 16), old, cfg;

    if (irq < 16)
        return;
    spin_lock(&gic_lock);
    old = readl(reg);
    cfg = trigger == IRQ_EDGE ? old | edge : old & ~edge;
    if (cfg != old)
        writel(cfg, reg);
    spin_unlock(&gic_lock);
}

void gic_reset_bank(volatile char *frame, unsigned bank, unsigned group) {
    writel(~0u, frame + GIC_ICENABLER + 4 * bank);
    writel(group ? ~0u : 0, frame + GIC_IGROUPR + 4 * bank);
    writel(~0u, frame + GIC_ICPENDR + 4 * bank);
    writel(~0u, frame + GIC_ICACTIVER + 4 * bank);
    for (unsigned i = 0; i < 8; i++)
        writel(PRIORITY_WORD, frame + GIC_IPRIORITYR + 32 * bank + 4 * i);
}

void *gic_map_reg(const void *fdt, int node, unsigned index, uint64_t min_size, uint64_t *size) {
    char path[FDT_PATH_MAX];
    uint64_t addr;
    volatile void *va;

    if (fdt_reg(fdt, node, index, &addr, size) || *size < min_size)
        panic("device tree: %s: reg: entry %u missing or too small", fdt_path(fdt, node, path),
              index);
    va = ioremap(paddr(addr), *size);
    if (!va)
        panic("gic: no room to map registers at 0x%llx", (unsigned long long)addr);
    return (void *)va;
}

unsigned gic_maintenance_irq(const void *fdt, int node) {
    enum irq_trigger trigger;
    char path[FDT_PATH_MAX];
    unsigned irq;

    if (irq_from_fdt(fdt, node, 0, &irq, &trigger) || irq >= 32)
        panic("device tree: %s: interrupts: expected the private maintenance interrupt",
              fdt_path(fdt, node, path));
    return irq;
}
