/* Events the hypervisor itself raises or receives (include/hv/events.h). */
#include <hv/errno.h>
#include <hv/events.h>
#include <hv/vcpu.h>

#include "evtchn.h"

void evtchn_raise_virq(struct vcpu *v, unsigned virq) {
    struct domain *d = v->domain;
    bool global = evtchn_virq_is_global(virq);
    uint32_t port = READ_ONCE(d->abi->events.vcpu[global ? 0 : v->id].virq_port[virq]);
    struct evtchn *e = port ? evtchn_lookup(d, port) : NULL;

    if (!e)
        return;
    spin_lock(&e->lock);
    /* It may have been closed, and become another, since the port was read. */
    if (e->state == EVTCHN_VIRQ && e->u.virq == virq && (global || e->vcpu == v->id))
        evtchn_set_pending(d, e);
    spin_unlock(&e->lock);
}

int evtchn_alloc_internal(struct domain *d, hv_domid_t remote,
                          void (*fn)(struct domain *d, void *arg), void *arg, uint32_t *port) {
    struct evtchn *e;
    int rc = evtchn_alloc(d, &e);

    if (rc)
        return rc;
    spin_lock(&e->lock);
    e->u.internal.fn = fn;
    e->u.internal.arg = arg;
    e->u.internal.remote = remote;
    e->state = EVTCHN_INTERNAL;
    spin_unlock(&e->lock);
    *port = e->port;
    return 0;
}

void evtchn_notify(struct domain *d, uint32_t port) {
    struct evtchn *e = evtchn_lookup(d, port);

    if (!e)
        return;
    spin_lock(&e->lock);
    if (e->state == EVTCHN_INTERNAL)
        evtchn_set_pending(d, e);
    spin_unlock(&e->lock);
}
