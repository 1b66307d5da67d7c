/*
 * Floor 8: what follows when a domain has died: a reboot builds it again from its original modules,
 * power off and crash leave it dead, and with the last domain the machine goes off.
 */
#ifndef HV_RESTART_H
#define HV_RESTART_H

#include <hv/types.h>

/* Takes the domains' death hook. Before the first domain is built. */
void restart_init(void);
/* A domain runs; told by guest_build() just before its first instruction. */
void restart_domain_alive(void);
struct guest_config;
/*
 * For the host console, in the domain thread: a domain ends, or ends and starts again (also one
 * that is dead or kept), whatever its node says. -ESRCH: it is not in a state for that.
 */
int restart_end(const struct guest_config *cfg) __must_check;
int restart_again(const struct guest_config *cfg) __must_check;
/* Every domain of the boot device tree has been tried: from now on "none left" counts. */
void restart_boot_done(void);

#endif
