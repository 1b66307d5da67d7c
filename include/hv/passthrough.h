/*
 * Floor 6: devices of the machine that belong to a domain: their registers, their interrupts and
 * what they may reach by DMA.
 *
 * Everything of the machine is given at most once: to a domain, or kept by Holdfast. A domain gets
 * its devices while it is built and keeps them until it is destroyed; then DMA stops first, then
 * the interrupts, and only then anything of its memory is freed.
 *
 * The functions return 0, or an error after a text of the form "expected ..." was put into *why.
 * Thread context.
 */
#ifndef HV_PASSTHROUGH_H
#define HV_PASSTHROUGH_H

#include <hv/errno.h>
#include <hv/iommu.h>
#include <hv/irq.h>
#include <hv/types.h>

struct domain;

struct passthrough_why {
    char text[128];
};
int passthrough_refuse(struct passthrough_why *why, const char *fmt, ...) __printf(2, 3);

/* Keeps what Holdfast itself needs: interrupt controllers, IOMMUs, timers. Boot CPU, once. */
void passthrough_init(const void *fdt);

/* Registers [host, host + size) appear at `guest`: device memory, never executable. */
int passthrough_give_mmio(struct domain *d, uint64_t host, uint64_t guest, uint64_t size,
                          struct passthrough_why *why) __must_check;
/* The SPI arrives under its own number; the guest's end of interrupt is the physical one. Fine when
 * the domain has it already. */
int passthrough_give_irq(struct domain *d, unsigned irq, enum irq_trigger trigger,
                         struct passthrough_why *why) __must_check;
/*
 * The device of a node of the host's tree: its interrupts, and its DMA through the IOMMU. A PCI
 * host bridge comes with everything behind it. `force`: a device behind no IOMMU may go as well.
 */
int passthrough_give_node(struct domain *d, int node, bool force, enum iommu_fault_policy faults,
                          struct passthrough_why *why) __must_check;

/*
 * A single PCI function, by segment and requester ID: its BARs, its INTx and its DMA. The domain
 * finds it behind a bridge of its own (hv/vpci.h). Functions that share an interrupt line go to one
 * domain.
 */
int passthrough_give_function(struct domain *d, uint32_t segment, uint32_t rid,
                              enum iommu_fault_policy faults,
                              struct passthrough_why *why) __must_check;

/* Interrupt `index` of that node or, of a PCI host bridge, of its interrupt-map. -ENOENT past the
 * last, -EINVAL: malformed or not the GIC's. */
int passthrough_node_irq(int node, unsigned index, unsigned *irq,
                         enum irq_trigger *trigger) __must_check;

/* DMA and interrupts of a domain end; called by domain_destroy() while its vCPUs still exist. */
void passthrough_stop(struct domain *d);
/* Its devices are nobody's again. */
void passthrough_release(struct domain *d);

#endif
