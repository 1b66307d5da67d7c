/*
 * Floor 8: static memory of the boot device tree: ranges that are one domain's RAM
 * (xen,static-mem), and ranges that are all the heap there is (xen,static-heap).
 */
#ifndef HV_STATIC_MEM_H
#define HV_STATIC_MEM_H

#include <hv/guest_config.h>

/* Reads xen,static-mem and direct-map of a domain, its memory and modules being known. 0, or
 * -EINVAL after one line. */
int static_mem_parse(struct guest_config *cfg) __must_check;
/*
 * Whether the ranges are free for the domain: RAM, and not in a module, the static heap, reserved
 * memory or the static memory of one of the `nr` others. 0, or -EINVAL after one line.
 */
int static_mem_check(const struct guest_config *cfg, const struct guest_config *others,
                     unsigned nr) __must_check;
/* Reserves what was checked, now and for ever. 0, or -EINVAL after one line. */
int static_mem_claim(const struct guest_config *cfg) __must_check;

/*
 * Leaves only the ranges of /chosen's xen,static-heap free, if there are any; what is reserved in
 * them, now or later, stays reserved. After boot_mem_from_fdt(), before guests_init(). What is
 * wrong costs one line and the property.
 */
void static_heap_init(const void *fdt);

#endif
