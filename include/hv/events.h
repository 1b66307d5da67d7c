/*
 * Floor 7: event channels, for those who raise events or wait for them inside the hypervisor. What
 * guests call is in common/abi/evtchn.c.
 *
 * All of it may be called on any CPU, with no lock of rank RANK_EVTCHN or above held unless said
 * otherwise.
 */
#ifndef HV_EVENTS_H
#define HV_EVENTS_H

#include <hv/types.h>

struct domain;
struct vcpu;

/* VIRQ_ numbers of public xen.h. One that v's domain has not bound is dropped, as in Xen. */
void evtchn_raise_virq(struct vcpu *v, unsigned virq);

/*
 * Gives d a port whose other end is Holdfast itself. A send by d calls fn(d, arg) in the sender's
 * context with no lock held; it may block. EVTCHNOP_status calls it interdomain with `remote`. The
 * guest can neither close nor reset it away; it goes with its domain. 0 and *port, -ENOSPC,
 * -ENOMEM.
 */
int evtchn_alloc_internal(struct domain *d, hv_domid_t remote,
                          void (*fn)(struct domain *d, void *arg), void *arg,
                          uint32_t *port) __must_check;
/* The other direction: makes such a port pending. Nothing for any other port. */
void evtchn_notify(struct domain *d, uint32_t port);

/*
 * A channel of the device tree: d's port waits for port `to` of domain `remote`, and is connected
 * to it by events_start() of whichever of the two starts later, again after each restart. Before d
 * runs. -ENOSPC: beyond d's last port, -EEXIST, -ENOMEM.
 */
#define EVTCHN_STATIC_MAX 4095u /* of the 2-level ABI, with which every guest starts */
int evtchn_make_static(struct domain *d, uint32_t port, hv_domid_t remote,
                       uint32_t to) __must_check;

/*
 * For SCHEDOP_poll. While a vCPU is polling, every event of its domain that becomes pending, masked
 * or not, wakes it. The current vCPU: evtchn_poll_begin(), then test its ports and vcpu_block() in
 * turn (an event between the two is not lost), then evtchn_poll_end().
 */
void evtchn_poll_begin(struct vcpu *v);
void evtchn_poll_end(struct vcpu *v);
/* 1 pending, 0 not, -EINVAL: no such port. */
int evtchn_is_pending(struct domain *d, uint32_t port);

/* The upcall flag of v is set: SCHEDOP_block need not wait. */
bool evtchn_upcall_pending(const struct vcpu *v);

#endif
