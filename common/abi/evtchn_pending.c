/*
 * An event becomes pending: the bits of the 2-level ABI (public event_channel.h; FIFO is in
 * event_fifo.c), the upcall flag and its interrupt, and those who poll.
 *
 * The flag is read and written plainly. Whoever writes it also injects the interrupt, so it is
 * never set without one on its way; two at once cost the guest a spurious upcall.
 */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/events.h>
#include <hv/guest_map.h>
#include <hv/vcpu.h>

#include "evtchn.h"
#include "guest_atomic.h"

#define WORD_BITS (8 * sizeof(xen_ulong_t))

void evtchn_upcall(struct domain *d, unsigned vcpu) {
    struct vcpu_info *info = READ_ONCE(d->abi->events.vcpu[vcpu].info);

    /* After the selector or the ready word: the guest clears the flag, then reads those. */
    if (__atomic_load_n(&info->evtchn_upcall_pending, __ATOMIC_SEQ_CST))
        return;
    __atomic_store_n(&info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST);
    vgic_inject_edge(d, d->vcpus[vcpu], GUEST_EVTCHN_PPI);
}

/* Where the bit of e is, in words of the two arrays. False: a number that 2-level has no bit for.
 */
static inline bool place(const struct evtchn *e, unsigned *word, uint64_t *bit) {
    *word = e->port / WORD_BITS;
    *bit = 1ULL << e->port % WORD_BITS;
    return e->port < EVTCHN_2L_NR_CHANNELS;
}

static void select_word(struct domain *d, const struct evtchn *e, unsigned word) {
    unsigned vcpu = READ_ONCE(e->vcpu);
    struct vcpu_info *info = READ_ONCE(d->abi->events.vcpu[vcpu].info);

    if (!(guest_or64(d, &info->evtchn_pending_sel, 1ULL << word) >> word & 1))
        evtchn_upcall(d, vcpu);
}

static inline void set_pending_2l(struct domain *d, struct shared_info *s, const struct evtchn *e) {
    unsigned word;
    uint64_t bit;

    if (!place(e, &word, &bit) || (guest_or64(d, &s->evtchn_pending[word], bit) & bit))
        return;
    if (!(READ_ONCE(s->evtchn_mask[word]) & bit))
        select_word(d, e, word);
}

static void unmask_2l(struct domain *d, struct evtchn *e) {
    struct shared_info *s = d->abi->shared_info;
    unsigned word;
    uint64_t bit;

    if (place(e, &word, &bit) && (guest_clear64(d, &s->evtchn_mask[word], bit) & bit) &&
        (READ_ONCE(s->evtchn_pending[word]) & bit))
        select_word(d, e, word);
}

static __attribute__((noinline)) void wake_pollers(struct domain *d) {
    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (READ_ONCE(d->vcpus[i]->polling))
            vcpu_wake(d->vcpus[i]);
}

void evtchn_set_pending(struct domain *d, struct evtchn *e) {
    const struct domain_abi *abi = d->abi;

    if (unlikely(e->fifo != NULL))
        fifo_set_pending(d, e);
    else
        set_pending_2l(d, abi->shared_info, e);
    /* Ordered behind the pending bit, as a poller's look at that is behind its count. */
    if (unlikely(__atomic_load_n(&abi->events.pollers, __ATOMIC_SEQ_CST)))
        wake_pollers(d);
}

void evtchn_unmask_port(struct domain *d, struct evtchn *e) {
    ASSERT(spin_is_held(&e->lock));
    if (e->fifo)
        fifo_unmask(d, e);
    else
        unmask_2l(d, e);
}

bool evtchn_port_pending(struct domain *d, const struct evtchn *e) {
    const struct shared_info *s = d->abi->shared_info;
    unsigned word;
    uint64_t bit;

    if (e->fifo)
        return fifo_is_pending(e);
    return place(e, &word, &bit) &&
           (__atomic_load_n(&s->evtchn_pending[word], __ATOMIC_SEQ_CST) & bit);
}

void evtchn_clear_pending(struct domain *d, struct evtchn *e) {
    struct shared_info *s = d->abi->shared_info;
    unsigned word;
    uint64_t bit;

    if (e->fifo)
        fifo_clear_pending(d, e);
    else if (place(e, &word, &bit))
        guest_clear64(d, &s->evtchn_pending[word], bit);
}

/* ---- who waits ---- */

void evtchn_poll_begin(struct vcpu *v) {
    WRITE_ONCE(v->polling, true);
    __atomic_fetch_add(&v->domain->abi->events.pollers, 1, __ATOMIC_SEQ_CST);
}

void evtchn_poll_end(struct vcpu *v) {
    __atomic_fetch_sub(&v->domain->abi->events.pollers, 1, __ATOMIC_SEQ_CST);
    WRITE_ONCE(v->polling, false);
}

int evtchn_is_pending(struct domain *d, uint32_t port) {
    struct evtchn *e = evtchn_lookup(d, port);
    int rc;

    if (!e)
        return -EINVAL;
    spin_lock(&e->lock);
    rc = evtchn_port_pending(d, e);
    spin_unlock(&e->lock);
    return rc;
}

bool evtchn_upcall_pending(const struct vcpu *v) {
    const struct vcpu_info *info = READ_ONCE(v->domain->abi->events.vcpu[v->id].info);

    return READ_ONCE(info->evtchn_upcall_pending);
}
