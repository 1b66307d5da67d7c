/* Floor 8: what a domain node asks for in devices of the machine: checked, and given to the domain.
 */
#ifndef HV_GUEST_DEVICES_H
#define HV_GUEST_DEVICES_H

#include <hv/guest_config.h>
#include <hv/iommu.h>
#include <hv/types.h>

struct domain;

#define FUNCTIONS_PROP "holdfast,pci-functions" /* a list of strings */

struct guest_devices {
    const void *tree;       /* the partial device tree; NULL: none */
    unsigned nr_spis;       /* its interrupts end below so many SPIs */
    unsigned console_intid; /* an SPI no device has */
    uint32_t p2m_pages;     /* of table memory, for the mappings */
    enum iommu_mode iommu_mode;
};

/* Reads it all. 0, or -EINVAL after one line; guest_devices_done() is due in any case. */
int guest_devices_read(const struct guest_config *cfg, struct guest_devices *dev) __must_check;
/* Gives them to a domain being built whose RAM and emulated devices are in place. 0, or -EINVAL
 * after one line; what was given already goes with the domain. */
int guest_devices_give(const struct guest_config *cfg, const struct guest_devices *dev,
                       struct domain *d) __must_check;
/* The tree is read no more. */
void guest_devices_done(const struct guest_config *cfg, struct guest_devices *dev);

#endif
