/*
 * Floor 7: event channels, what their files share.
 *
 * Locks, in the order they may be taken:
 * - bind lock (RANK_EVTCHN_BIND, one): ports become bound to another domain's, or closed. With it
 *   held, a domain found by number cannot go through events_quiesce().
 * - events.lock (RANK_EVTCHN, a domain's): which ports are in use, and the ABI of new ones.
 * - evtchn.lock (RANK_EVTCHN_PORT): one port. An interdomain port changes only with the locks of
 *   both ends held, so whoever holds one end's may raise the event at the other.
 * - fifo_vcpu.lock (RANK_EVTCHN_QUEUE): the FIFO queues of one vCPU.
 */
#ifndef ABI_EVTCHN_H
#define ABI_EVTCHN_H

#include <hv/domain.h>
#include <hv/spinlock.h>
#include <hv/types.h>
#include <hv/xen_abi.h>

#include <asm/nospec.h>

#include "abi.h"

#define EVTCHNS_PER_BUCKET 64u

enum evtchn_state {
    EVTCHN_FREE, /* also while a port is being made; nothing can be done with it */
    EVTCHN_UNBOUND,
    EVTCHN_INTERDOMAIN,
    EVTCHN_VIRQ,
    EVTCHN_IPI,
    EVTCHN_INTERNAL, /* the other end is Holdfast */
};

struct evtchn {
    spinlock_t lock;
    uint32_t port; /* its own number; never changes */
    uint8_t state;
    uint8_t priority;    /* FIFO: of the next link */
    uint8_t vcpu;        /* who is told */
    uint8_t linked_vcpu; /* FIFO: the queue where it was linked last, under that vCPU's lock */
    uint8_t linked_prio; /* FIFO: likewise */
    uint8_t kept;        /* FIFO: pending while its event word does not exist; atomic */
    struct fifo *fifo;   /* NULL: 2-level */
    union {
        hv_domid_t unbound; /* who may bind to it */
        struct {
            struct domain *domain;
            struct evtchn *port;
        } remote;
        uint32_t virq;
        struct {
            void (*fn)(struct domain *d, void *arg);
            void *arg;
            hv_domid_t remote;
        } internal;
    } u;
};

/* Bound once for the domain, on vCPU 0, and told to whichever vCPU it was moved to. */
static inline bool evtchn_virq_is_global(uint32_t virq) {
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

/* NULL: beyond the last. No lock. */
static inline struct evtchn *evtchn_lookup(const struct domain *d, uint32_t port) {
    const struct events *ev = &d->abi->events;
    uint32_t nr = __atomic_load_n(&ev->nr_ports, __ATOMIC_ACQUIRE);
    struct evtchn *bucket;

    if (unlikely(port >= nr))
        return NULL;
    port = (uint32_t)index_nospec(port, nr);
    bucket = ev->bucket[port / EVTCHNS_PER_BUCKET];
    if (!bucket)
        __builtin_unreachable(); /* so that callers' tests for NULL cost nothing here */
    return &bucket[port % EVTCHNS_PER_BUCKET];
}

/* ---- evtchn_port.c: ports come and go ---- */

/* 0 or -ENOMEM. The shared info is there. */
int events_create(struct domain *d) __must_check;
/* d can be found by its number, none of its vCPUs runs yet: its static channels are connected. */
void events_start(struct domain *d);
/* Everything others could reach: every port is closed. No vCPU of d runs any more. Preempts. */
void events_quiesce(struct domain *d);
void events_destroy(struct domain *d);
/*
 * A port in state FREE that nobody else gets; the lowest there is. -ENOSPC, -ENOMEM. The caller
 * makes it something, with its lock held, or gives it back with evtchn_unused().
 */
int evtchn_alloc(struct domain *d, struct evtchn **e) __must_check;
/* The same for a given number; -EEXIST: in use. */
int evtchn_alloc_at(struct domain *d, uint32_t port, struct evtchn **e) __must_check;
void evtchn_unused(struct domain *d, struct evtchn *e);
/* True: d's ports stay as long as the bind lock, taken now, is held. False: d is being destroyed.
 */
bool evtchn_lock_alive(const struct domain *d) __must_check;
void evtchn_unlock_alive(void);
/* -EINVAL: no port, a free one, or an internal one. -ESRCH: d is being destroyed. */
int evtchn_close(struct domain *d, uint32_t port);
/*
 * Binds e (just allocated) of d to port `to` of domain `domid`: its event is pending then. -ESRCH,
 * -EPERM, -EINVAL: that port does not wait for d.
 */
int evtchn_bind(struct domain *d, struct evtchn *e, hv_domid_t domid, uint32_t to) __must_check;
/*
 * A new port of d waits for `domid`. -ESRCH: no such domain, or d is being destroyed; -EPERM,
 * -ENOSPC, -ENOMEM. Preempts.
 */
int evtchn_alloc_unbound(struct domain *d, hv_domid_t domid, uint32_t *port) __must_check;
/*
 * Every port of d takes `to` as its ABI, with what is pending. Whoever was raising one of d's
 * events before is done with it. Preempts.
 */
void evtchn_switch_all(struct domain *d, struct fifo *to);

/* ---- evtchn_pending.c: both ABIs, and the upcall ---- */

/* The lock of e or of the port it is bound to is held. */
void evtchn_set_pending(struct domain *d, struct evtchn *e);
/* e->lock is held. */
void evtchn_unmask_port(struct domain *d, struct evtchn *e);
bool evtchn_port_pending(struct domain *d, const struct evtchn *e);
void evtchn_clear_pending(struct domain *d, struct evtchn *e);
void evtchn_upcall(struct domain *d, unsigned vcpu);

/* ---- event_fifo.c ---- */

int64_t evtchn_init_control(struct vcpu *v, struct evtchn_init_control *op);
int64_t evtchn_expand_array(struct vcpu *v, const struct evtchn_expand_array *op);
int64_t evtchn_set_priority(struct vcpu *v, const struct evtchn_set_priority *op);
void fifo_set_pending(struct domain *d, struct evtchn *e);
void fifo_unmask(struct domain *d, struct evtchn *e);
bool fifo_is_pending(const struct evtchn *e);
void fifo_clear_pending(struct domain *d, struct evtchn *e);
/* Its event word is on a queue still: a new event of this number would be lost. */
bool fifo_is_linked(const struct fifo *f, uint32_t port);
/* Nobody uses f any more. */
void fifo_destroy(struct fifo *f);
/* Back to 2-level, once everything is closed. Preempts. */
void fifo_leave(struct domain *d);
/* One change of how d's events are told at a time, by v. False: v must stop, nothing was begun. */
bool events_change_begin(struct vcpu *v, struct domain *d) __must_check;
void events_change_end(struct domain *d);

/* ---- vcpu_info.c ---- */

/*
 * VCPUOP_register_vcpu_info by v for target. -ENXIO: not within a page, or not aligned; -EINVAL:
 * not writable RAM, or target runs; -EAGAIN: v must stop. Preempts.
 */
int64_t vcpu_info_register(struct vcpu *v, struct vcpu *target, vaddr_t arg);
/* Gives the guest's page back, if there is one. */
void vcpu_info_release(struct vcpu_events *ve);
/* The page of a guest's RAM at `g`, referenced and mapped until page_unkeep(*at). -EINVAL: it is
 * not writable RAM; -ENOMEM. */
int guest_page_keep(struct domain *d, uint64_t g, void **at) __must_check;

#endif
