/*
 * Floor 6: a domain's serial port, a PL011 (Arm DDI 0183) as far as software can tell, which the
 * device tree calls an SBSA UART. At GUEST_PL011_BASE of xen/arch-arm.h, whose GUEST_VPL011_SPI is
 * its interrupt unless a device of the domain has that one.
 *
 * Its transmit FIFO is full while the console lags behind, and a character that is sent all the
 * same waits; received keys wait in a FIFO of 32. The registers that set speed and format keep what
 * is written and have no effect.
 */
#ifndef HV_VPL011_H
#define HV_VPL011_H

struct domain;

/* Makes d->vpl011 with its console port and that SPI's INTID; after vgic_init_domain(). 0, -ENOMEM,
 * or mmio_register()'s error. */
int vpl011_init(struct domain *d, unsigned intid) __attribute__((warn_unused_result));
/* None of the domain's vCPUs runs any more. Harmless without a vpl011. */
void vpl011_destroy(struct domain *d);

#endif
