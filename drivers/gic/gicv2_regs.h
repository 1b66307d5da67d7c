/* Registers of a GICv2 (Arm IHI 0048, chapters 4 and 5) that the driver uses, and what its files
 * share. */
#ifndef GICV2_REGS_H
#define GICV2_REGS_H

#include "gic_regs.h"

/* Distributor */
#define GICD_ITARGETSR 0x800 /* a byte for each interrupt */
#define GICD_SGIR 0xf00
#define SGIR_TARGETS_SHIFT 16

/* CPU interface */
#define GICC_CTLR 0x0000
#define GICC_PMR 0x0004
#define GICC_BPR 0x0008
#define GICC_IAR 0x000c
#define GICC_EOIR 0x0010
#define GICC_APR 0x00d0
#define GICC_IIDR 0x00fc
#define GICC_DIR 0x1000
#define GICC_CTLR_ENABLE (1u << 0)
#define GICC_CTLR_BYPASS 0x1e0u /* of legacy inputs: as firmware has set it */
#define GICC_CTLR_EOIMODE (1u << 9)

/* Virtual interface control */
#define GICH_HCR 0x000
#define GICH_VTR 0x004
#define GICH_VMCR 0x008
#define GICH_APR 0x0f0
#define GICH_LR 0x100

/* Once by the boot CPU, and by each CPU: the virtual interface. `gicv` is its guests' page. */
void gicv2_virt_probe(volatile char *regs, paddr_t gicv, unsigned maintenance_irq);
void gicv2_virt_init_cpu(void);

#endif
