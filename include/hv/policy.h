/*
 * Floor 7: which domains may have anything in common: grants, event channels, shared pages.
 *
 * As Xen's SILO: a domain with itself, anybody with a privileged domain, and no others but the
 * pairs that /chosen names (holdfast,allow-pairs). It is fixed at boot, by domain number, so it
 * holds across a domain's restarts.
 */
#ifndef HV_POLICY_H
#define HV_POLICY_H

#include <hv/types.h>

struct domain;

#define POLICY_DOMIDS 65u /* numbers 0 to 64: every domain of the device tree has a smaller one */

/* No lock, any context. Both pointers must stay valid meanwhile, which is the caller's business. */
bool domains_may_share(const struct domain *a, const struct domain *b);

/* Boot only, before the first domain starts; both below POLICY_DOMIDS. */
void policy_allow_pair(hv_domid_t a, hv_domid_t b);

#endif
