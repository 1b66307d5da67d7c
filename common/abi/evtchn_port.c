/*
 * The ports of a domain: a table that grows by buckets and never shrinks while the domain lives, a
 * bitmap of those in use, and how two of them become one channel and part again.
 */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/events.h>
#include <hv/mm.h>
#include <hv/policy.h>
#include <hv/vcpu.h>

#include "evtchn.h"

/* Taken before anything else: domains are looked up with it held. */
static spinlock_t bind_lock = SPINLOCK_INIT(RANK_EVTCHN_BIND, "event binding");

bool evtchn_lock_alive(const struct domain *d) {
    spin_lock(&bind_lock);
    if (likely(domain_by_id(d->id) == d))
        return true;
    spin_unlock(&bind_lock);
    return false;
}

void evtchn_unlock_alive(void) {
    spin_unlock(&bind_lock);
}

/* ---- the table ---- */

/* One more than the highest number that a new port may have. */
static uint32_t port_limit(const struct domain *d) {
    uint32_t abi = d->abi->events.fifo ? EVTCHN_FIFO_NR_CHANNELS : EVTCHN_2L_NR_CHANNELS;

    return MIN(d->max_evtchn_port + 1, abi);
}

static struct evtchn *bucket_create(uint32_t first) {
    struct evtchn *b = hv_zalloc(EVTCHNS_PER_BUCKET * sizeof(*b));

    for (uint32_t i = 0; b && i < EVTCHNS_PER_BUCKET; i++) {
        spin_lock_init(&b[i].lock, RANK_EVTCHN_PORT, "event port");
        b[i].port = first + i;
    }
    return b;
}

/* So that `port` is in the table. */
static int grow(struct events *ev, uint32_t port) {
    ASSERT(spin_is_held(&ev->lock));
    while (port >= ev->nr_ports) {
        struct evtchn *b = bucket_create(ev->nr_ports);

        if (!b)
            return -ENOMEM;
        ev->bucket[ev->nr_ports / EVTCHNS_PER_BUCKET] = b;
        __atomic_store_n(&ev->nr_ports, ev->nr_ports + EVTCHNS_PER_BUCKET, __ATOMIC_RELEASE);
    }
    return 0;
}

static uint64_t *used_word(struct events *ev, uint32_t port) {
    return &ev->used[port / 64];
}

/* With the first port: only then is it known how many there may be. */
static int tables_create(struct domain *d) {
    struct events *ev = &d->abi->events;
    uint32_t n = d->max_evtchn_port / EVTCHNS_PER_BUCKET + 1;

    _Static_assert(EVTCHNS_PER_BUCKET == 64, "a word of the bitmap for each bucket");
    if (!ev->used)
        ev->used = hv_zalloc(n * sizeof(ev->used[0]));
    if (!ev->bucket)
        ev->bucket = hv_zalloc(n * sizeof(ev->bucket[0]));
    return ev->used && ev->bucket ? 0 : -ENOMEM;
}

/* The lowest port from *from on that is not in use, or the limit. Moves *from past full words. */
static uint32_t find_free(struct events *ev, uint32_t from, uint32_t limit) {
    while (from < limit) {
        uint64_t free = ~*used_word(ev, from) >> from % 64;

        if (free)
            return from + ffs64(free);
        from = ALIGN_DOWN(from, 64) + 64;
    }
    return limit;
}

/* ev->lock is held, port is below the limit and free. */
static int take(struct domain *d, uint32_t port, struct evtchn **e) {
    struct events *ev = &d->abi->events;
    int rc = grow(ev, port);

    if (rc)
        return rc;
    *used_word(ev, port) |= 1ULL << port % 64;
    if (port == ev->first_free)
        ev->first_free++;
    *e = &ev->bucket[port / EVTCHNS_PER_BUCKET][port % EVTCHNS_PER_BUCKET];
    (*e)->fifo = ev->fifo;
    (*e)->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
    return 0;
}

/* From *from on; -EAGAIN: that port's event is still on a queue of its guest, go on behind it. */
static int try_alloc(struct domain *d, uint32_t *from, struct evtchn **e) {
    struct events *ev = &d->abi->events;
    uint32_t limit;
    int rc;

    spin_lock(&ev->lock);
    rc = tables_create(d);
    if (!rc) {
        limit = port_limit(d);
        *from = find_free(ev, MAX(*from, ev->first_free), limit);
        if (*from >= limit)
            rc = -ENOSPC;
        else if (ev->fifo && fifo_is_linked(ev->fifo, *from))
            rc = -EAGAIN;
        else
            rc = take(d, *from, e);
    }
    spin_unlock(&ev->lock);
    return rc;
}

int evtchn_alloc(struct domain *d, struct evtchn **e) {
    uint32_t from = 1; /* 0 is nobody's */
    int rc;

    for (;;) {
        rc = try_alloc(d, &from, e);
        if (rc != -EAGAIN)
            return rc;
        from++;
        preempt_point();
    }
}

int evtchn_alloc_at(struct domain *d, uint32_t port, struct evtchn **e) {
    struct events *ev = &d->abi->events;
    int rc;

    spin_lock(&ev->lock);
    rc = port && port < port_limit(d) ? tables_create(d) : -ENOSPC;
    if (!rc)
        rc = *used_word(ev, port) >> port % 64 & 1 ? -EEXIST : take(d, port, e);
    spin_unlock(&ev->lock);
    return rc;
}

void evtchn_unused(struct domain *d, struct evtchn *e) {
    struct events *ev = &d->abi->events;

    spin_lock(&ev->lock);
    *used_word(ev, e->port) &= ~(1ULL << e->port % 64);
    ev->first_free = MIN(ev->first_free, e->port);
    spin_unlock(&ev->lock);
}

/* ---- two ends ---- */

/* The bind lock and both locks are held. */
static void connect(struct domain *d, struct evtchn *e, struct domain *rd, struct evtchn *r) {
    e->u.remote.domain = rd;
    e->u.remote.port = r;
    r->u.remote.domain = d;
    r->u.remote.port = e;
    e->state = r->state = EVTCHN_INTERDOMAIN;
    /* Whoever waits for the other end may have missed what was sent before. */
    evtchn_set_pending(d, e);
}

/* Both ends of what is unbound change under the bind lock only, which is held. */
static bool waits_for(const struct evtchn *e, const struct domain *d) {
    return e && READ_ONCE(e->state) == EVTCHN_UNBOUND && e->u.unbound == d->id;
}

int evtchn_bind(struct domain *d, struct evtchn *e, hv_domid_t domid, uint32_t to) {
    struct domain *rd;
    struct evtchn *r = NULL;
    int rc = -ESRCH;

    spin_lock(&bind_lock);
    rd = domain_by_id(domid);
    if (rd) {
        r = evtchn_lookup(rd, to);
        if (!waits_for(r, d))
            rc = -EINVAL;
        else
            rc = domains_may_share(d, rd) ? 0 : -EPERM;
    }
    if (!rc) {
        spin_lock_pair(&e->lock, &r->lock);
        connect(d, e, rd, r);
        spin_unlock_pair(&e->lock, &r->lock);
    }
    spin_unlock(&bind_lock);
    return rc;
}

int evtchn_make_static(struct domain *d, uint32_t port, hv_domid_t remote, uint32_t to) {
    struct static_evtchn *s = hv_zalloc(sizeof(*s));
    struct evtchn *e;
    int rc = s ? evtchn_alloc_at(d, port, &e) : -ENOMEM;

    if (rc) {
        hv_free(s);
        return rc;
    }
    *s = (struct static_evtchn){.port = port, .to = to, .remote = remote};
    list_append(&d->abi->events.fixed, &s->link);
    spin_lock(&e->lock);
    e->u.unbound = remote;
    e->state = EVTCHN_UNBOUND;
    spin_unlock(&e->lock);
    return 0;
}

/* Unless the other end is not there, or its guest has made something else of it. */
static void start_static(struct domain *d, const struct static_evtchn *s) {
    struct evtchn *e = evtchn_lookup(d, s->port), *r = NULL;
    struct domain *rd;

    spin_lock(&bind_lock);
    rd = domain_by_id(s->remote);
    if (rd)
        r = evtchn_lookup(rd, s->to);
    if (waits_for(r, d) && waits_for(e, rd)) {
        spin_lock_pair(&e->lock, &r->lock);
        connect(d, e, rd, r);
        spin_unlock_pair(&e->lock, &r->lock);
    }
    spin_unlock(&bind_lock);
}

void events_start(struct domain *d) {
    list_for_each(l, &d->abi->events.fixed)
        start_static(d, list_entry(l, struct static_evtchn, link));
}

/* The bind lock is held. -EAGAIN as try_alloc(). */
static int try_alloc_unbound(struct domain *d, hv_domid_t domid, uint32_t *from) {
    const struct domain *rd = domain_by_id(domid);
    struct evtchn *e;
    int rc = !rd ? -ESRCH : domains_may_share(d, rd) ? try_alloc(d, from, &e) : -EPERM;

    if (rc)
        return rc;
    spin_lock(&e->lock);
    e->u.unbound = domid;
    e->state = EVTCHN_UNBOUND;
    spin_unlock(&e->lock);
    return 0;
}

int evtchn_alloc_unbound(struct domain *d, hv_domid_t domid, uint32_t *port) {
    uint32_t from = 1;
    int rc;

    for (;; from++, preempt_point()) {
        if (!evtchn_lock_alive(d))
            return -ESRCH;
        rc = try_alloc_unbound(d, domid, &from);
        spin_unlock(&bind_lock);
        if (rc != -EAGAIN)
            break;
    }
    *port = from;
    return rc;
}

static void forget_virq(struct domain *d, const struct evtchn *e) {
    struct vcpu_events *ve = &d->abi->events.vcpu[evtchn_virq_is_global(e->u.virq) ? 0 : e->vcpu];

    WRITE_ONCE(ve->virq_port[e->u.virq], 0);
}

/* e->lock is held, and that of its other end; the bind lock too. */
static void make_free(struct domain *d, struct evtchn *e) {
    if (e->state == EVTCHN_INTERDOMAIN) {
        struct evtchn *r = e->u.remote.port;

        r->u.unbound = d->id;
        r->state = EVTCHN_UNBOUND;
    } else if (e->state == EVTCHN_VIRQ) {
        forget_virq(d, e);
    }
    evtchn_clear_pending(d, e);
    WRITE_ONCE(e->state, EVTCHN_FREE);
    WRITE_ONCE(e->vcpu, 0);
}

/* The bind lock is held. */
static int close_locked(struct domain *d, uint32_t port, bool by_guest) {
    struct evtchn *e = evtchn_lookup(d, port), *r;
    int rc = 0;

    if (!e)
        return -EINVAL;
    r = READ_ONCE(e->state) == EVTCHN_INTERDOMAIN ? e->u.remote.port : e;
    spin_lock_pair(&e->lock, &r->lock);
    if (e->state == EVTCHN_FREE || (by_guest && e->state == EVTCHN_INTERNAL))
        rc = -EINVAL;
    else
        make_free(d, e);
    spin_unlock_pair(&e->lock, &r->lock);
    if (!rc)
        evtchn_unused(d, e);
    return rc;
}

int evtchn_close(struct domain *d, uint32_t port) {
    int rc;

    if (!evtchn_lock_alive(d))
        return -ESRCH;
    rc = close_locked(d, port, true);
    spin_unlock(&bind_lock);
    return rc;
}

/* The bind lock is held. */
static void switch_one(struct domain *d, struct evtchn *e, struct fifo *to) {
    struct evtchn *r = READ_ONCE(e->state) == EVTCHN_INTERDOMAIN ? e->u.remote.port : e;

    spin_lock_pair(&e->lock, &r->lock);
    if (e->fifo != to) {
        bool pending = e->state != EVTCHN_FREE && evtchn_port_pending(d, e);

        evtchn_clear_pending(d, e);
        e->fifo = to;
        e->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
        if (pending)
            evtchn_set_pending(d, e);
    }
    spin_unlock_pair(&e->lock, &r->lock);
}

void evtchn_switch_all(struct domain *d, struct fifo *to) {
    for (uint32_t port = 1; port < READ_ONCE(d->abi->events.nr_ports); port++) {
        if (!evtchn_lock_alive(d))
            return; /* its ports are closed */
        switch_one(d, evtchn_lookup(d, port), to);
        spin_unlock(&bind_lock);
        preempt_point();
    }
}

/* ---- life ---- */

int events_create(struct domain *d) {
    struct events *ev = &d->abi->events;
    struct shared_info *s = d->abi->shared_info;

    spin_lock_init(&ev->lock, RANK_EVTCHN, "events");
    list_init(&ev->fixed);
    ev->vcpu = hv_zalloc(d->max_vcpus * sizeof(ev->vcpu[0]));
    ev->first_free = 1;
    if (!ev->vcpu)
        return -ENOMEM;
    for (unsigned i = 0; i < d->max_vcpus; i++)
        ev->vcpu[i].info = i < XEN_LEGACY_MAX_VCPUS ? &s->vcpu_info[i] : &ev->vcpu[i].own;
    return 0;
}

void events_quiesce(struct domain *d) {
    for (uint32_t port = 1; port < d->abi->events.nr_ports; port++) {
        spin_lock(&bind_lock);
        (void)close_locked(d, port, false); /* -EINVAL: there is none */
        spin_unlock(&bind_lock);
        preempt_point();
    }
    /* Also with no port at all: who found d just before it left the list is done with it now. */
    spin_lock(&bind_lock);
    spin_unlock(&bind_lock);
}

void events_destroy(struct domain *d) {
    struct events *ev = &d->abi->events;

    if (ev->fifo)
        fifo_destroy(ev->fifo);
    if (ev->left)
        fifo_destroy(ev->left);
    for (uint32_t i = 0; i < ev->nr_ports / EVTCHNS_PER_BUCKET; i++)
        hv_free(ev->bucket[i]);
    for (unsigned i = 0; i < d->max_vcpus; i++)
        vcpu_info_release(&ev->vcpu[i]);
    list_for_each_safe(l, next, &ev->fixed) hv_free(list_entry(l, struct static_evtchn, link));
    hv_free(ev->vcpu);
    hv_free(ev->used);
    hv_free(ev->bucket);
}
