/* Floor 8: the table that is printed when the domains of the device tree have been built. */
#ifndef HV_BOOT_SUMMARY_H
#define HV_BOOT_SUMMARY_H

#include <hv/guest_config.h>

/* CPUs, memory and SMMUs in one line, and the head of the table. */
void boot_summary_machine(void);
/* A domain's row: what it has, or that it was not started (a line before said why). */
void boot_summary_domain(const struct guest_config *cfg, hv_domid_t domid, bool started);

#endif
