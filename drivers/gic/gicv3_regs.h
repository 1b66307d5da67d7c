/* Registers of a GICv3 (Arm IHI 0069, chapter 12) that the driver uses, and what its files share.
 */
#ifndef GICV3_REGS_H
#define GICV3_REGS_H

#include <hv/gic.h>

/* Distributor */
#define GICD_CTLR 0x0000
#define GICD_TYPER 0x0004
#define GICD_IROUTER 0x6000
#define GICD_PIDR2 0xffe8

#define GICD_CTLR_ENABLE 0x3u /* both groups, or group 1 in both views of a secure machine */
#define GICD_CTLR_ARE 0x10u
#define GIC_CTLR_RWP_D (1u << 31)
#define GIC_CTLR_RWP_R (1u << 3)

/* The same offsets in GICD and in the SGI frame of GICR */
#define GIC_IGROUPR 0x0080
#define GIC_ISENABLER 0x0100
#define GIC_ICENABLER 0x0180
#define GIC_ISPENDR 0x0200
#define GIC_ICPENDR 0x0280
#define GIC_ISACTIVER 0x0300
#define GIC_ICACTIVER 0x0380
#define GIC_IPRIORITYR 0x0400
#define GIC_ICFGR 0x0c00

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
