/* Registers of a GICv3 (Arm IHI 0069, chapter 12) that the driver uses, and what its files share.
 */
#ifndef GICV3_REGS_H
#define GICV3_REGS_H

#include "gic_regs.h"

/* Distributor */
#define GICD_IROUTER 0x6000

#define GICD_CTLR_ENABLE 0x3u /* both groups, or group 1 in both views of a secure machine */
#define GICD_CTLR_ARE 0x10u
#define GIC_CTLR_RWP_D (1u << 31)
#define GIC_CTLR_RWP_R (1u << 3)

/* Redistributor */
#define GICR_CTLR 0x0000
#define GICR_TYPER 0x0008
#define GICR_WAKER 0x0014
#define GICR_SGI_FRAME 0x10000
#define GICR_TYPER_VLPIS (1u << 1)
#define GICR_TYPER_LAST (1u << 4)
#define WAKER_SLEEP 2u
#define WAKER_CHILDREN_ASLEEP 4u

/* This CPU's virtual interface, with all CPUs alike; once by the boot CPU before its first vgic
 * use. */
void gicv3_virt_probe(unsigned maintenance_irq);
void gicv3_virt_init_cpu(void);

#endif
