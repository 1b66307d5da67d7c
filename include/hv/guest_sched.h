/* Floor 8: CPU pools, and how the scheduler treats a domain, from the device tree
 * (docs/scheduling.md). */
#ifndef HV_GUEST_SCHED_H
#define HV_GUEST_SCHED_H

#include <hv/guest_config.h>

struct domain;

/* The "xen,cpupool" nodes of /chosen; one that is wrong costs a line and its domains. All CPUs are
 * online, no domain is there yet. */
void cpupools_from_fdt(const void *fdt);
/*
 * Every vCPU of a domain that is being built gets its pool, weight, budget and affinity. 0, or
 * -EINVAL after the line that tells what was wrong.
 */
int guest_sched_apply(const struct guest_config *cfg, struct domain *d) __must_check;

#endif
