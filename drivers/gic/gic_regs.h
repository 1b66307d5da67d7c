/*
 * What the drivers of GICv2 (Arm IHI 0048) and GICv3 (IHI 0069) share: registers at the same
 * offsets in GICD and in the SGI frame of GICR, and what is done with them alike.
 */
#ifndef GIC_REGS_H
#define GIC_REGS_H

#include <hv/gic.h>

#define GICD_CTLR 0x0000
#define GICD_TYPER 0x0004

#define GIC_IGROUPR 0x0080
#define GIC_ISENABLER 0x0100
#define GIC_ICENABLER 0x0180
#define GIC_ISPENDR 0x0200
#define GIC_ICPENDR 0x0280
#define GIC_ISACTIVER 0x0300
#define GIC_ICACTIVER 0x0380
#define GIC_IPRIORITYR 0x0400
#define GIC_ICFGR 0x0c00

/* Interrupts 32 * bank and on as after reset: in `group`, off, neither pending nor active. */
void gic_reset_bank(volatile char *frame, unsigned bank, unsigned group);
/* `frame` has the interrupt; SGIs are left as they are. */
void gic_frame_set_trigger(volatile char *frame, uint32_t irq, enum irq_trigger trigger);
/* Sets bit `irq` of a register array. */
void gic_frame_write_bit(volatile char *frame, uint32_t irq, unsigned reg);
/* Maps entry `index` of the node's reg; panics when it is missing or smaller than min_size. */
void *gic_map_reg(const void *fdt, int node, unsigned index, uint64_t min_size, uint64_t *size);
/* The PPI of the virtual interface's maintenance; panics when the node has none. */
unsigned gic_maintenance_irq(const void *fdt, int node);

#endif
