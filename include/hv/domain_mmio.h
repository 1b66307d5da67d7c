/*
 * Floor 6: which device registers a domain has been given. Filled while the domain is built, by
 * whoever assigns devices; read by whoever maps them on the guest's word.
 *
 * No lock: added to before the domain runs, only read while it does.
 */
#ifndef HV_DOMAIN_MMIO_H
#define HV_DOMAIN_MMIO_H

#include <hv/types.h>

struct domain;

/* Frames [m, m+nr) are the domain's from now on. -ENOMEM; a BUG once the domain runs. */
int domain_give_mmio(struct domain *d, mfn_t m, uint64_t nr) __must_check;
/* Whether it was given this frame. */
bool domain_owns_mmio(const struct domain *d, mfn_t m);
/* Forgets all of it; called by domain_destroy(). */
void domain_drop_mmio(struct domain *d);

#endif
