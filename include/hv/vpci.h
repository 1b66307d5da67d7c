/*
 * Floor 6: the PCI host bridge of a domain that owns single functions: an ECAM of one bus where its
 * functions stand in slots of their own, in the order they were given, and nothing else does.
 *
 * What a guest reads and writes there is emulated; the function's own registers are reached only
 * for its command and status. A memory BAR is mapped where the guest has put it, when it lies in
 * the guest's window (GUEST_VPCI_MEM_* of xen/arch-arm.h), as long as memory decoding is on. A BAR
 * is never smaller than a page. Hidden: I/O BARs, the expansion ROM, every capability but PCI
 * Express, which can only be read; so there is neither MSI nor a function-level reset.
 */
#ifndef HV_VPCI_H
#define HV_VPCI_H

#include <hv/irq.h>
#include <hv/types.h>

struct domain;
struct pci_function;
struct vpci;

#define VPCI_SLOTS 32u
#define VPCI_ECAM_SIZE 0x100000ULL /* one bus, at GUEST_VPCI_ECAM_BASE */

/* The function in the next slot; its BARs' frames and its interrupt are the domain's already. intid
 * 0: it has none. 0, -ENOMEM, -ENOSPC: no slot is left. The domain is being built. */
int vpci_add(struct domain *d, struct pci_function *f, unsigned intid,
             enum irq_trigger trigger) __must_check;
/* Slot i of the domain's bridge: false past the last one. *intid 0: no interrupt. */
bool vpci_slot(const struct domain *d, unsigned i, unsigned *intid, enum irq_trigger *trigger);
/* The bridge of a domain whose vCPUs are gone. Harmless without. */
void vpci_destroy(struct domain *d);

#endif
