/* Which interrupt controller this machine has. */
#include <hv/gic.h>
#include <hv/printk.h>

const struct vgic_hw_ops *vgic_hw;

const struct irq_chip *gic_probe(const void *fdt) {
    const struct irq_chip *chip = gicv3_probe(fdt);

    if (!chip)
        panic("device tree: no interrupt controller that is known (arm,gic-v3)");
    return chip;
}
