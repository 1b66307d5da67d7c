/*
 * The FIFO event ABI (public event_channel.h): an event word for each port in pages of the guest's
 * RAM, queues of linked words for each vCPU and priority, their heads in a control block.
 *
 * Everything in those pages is the guest's to spoil. Nothing is followed: the queue's tail is
 * remembered here, by port number, and a word is only ever changed at the number we know. A guest
 * that spoils its words loses its own events.
 */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/hypercall.h>
#include <hv/mapwin.h>
#include <hv/vcpu.h>

#include "evtchn.h"
#include "guest_atomic.h"

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(event_word_t))
#define ARRAY_PAGES (EVTCHN_FIFO_NR_CHANNELS / WORDS_PER_PAGE)

#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED (1u << EVTCHN_FIFO_MASKED)
#define LINKED (1u << EVTCHN_FIFO_LINKED)
#define BUSY (1u << EVTCHN_FIFO_BUSY)

struct fifo_vcpu {
    spinlock_t lock;                           /* the tails */
    struct evtchn_fifo_control_block *control; /* NULL: not there yet; atomic, set once */
    uint32_t tail[EVTCHN_FIFO_MAX_QUEUES];     /* port linked last; 0: none */
};

struct fifo {
    uint32_t nr_words; /* atomic: pages below it are there */
    event_word_t *page[ARRAY_PAGES];
    unsigned nr_vcpus;
    struct fifo_vcpu vcpu[];
};

static inline event_word_t *word_of(const struct fifo *f, uint32_t port) {
    uint32_t nr = __atomic_load_n(&f->nr_words, __ATOMIC_SEQ_CST);

    return likely(port < nr) ? &f->page[port / WORDS_PER_PAGE][port % WORDS_PER_PAGE] : NULL;
}

bool fifo_is_linked(const struct fifo *f, uint32_t port) {
    const event_word_t *w = word_of(f, port);

    return w && (READ_ONCE(*w) & LINKED);
}

/* ---- an event becomes pending ---- */

/*
 * Makes `port` the one after the tail w. False: the guest has consumed the tail, its queue is empty
 * by now. BUSY asks a guest that is about to unmask the tail to wait (public event_channel.h).
 */
static bool link_behind(struct domain *d, event_word_t *w, uint32_t port) {
    event_word_t old = READ_ONCE(*w);

    for (unsigned tries = GUEST_ATOMIC_TRIES; tries; tries--) {
        if (!(old & LINKED)) {
            if (old & BUSY)
                guest_clear32(d, w, BUSY);
            return false;
        }
        if (tries == GUEST_ATOMIC_TRIES / 2)
            old = guest_or32(d, w, BUSY) | BUSY;
        if (__atomic_compare_exchange_n(w, &old,
                                        (old & ~(BUSY | (uint32_t)EVTCHN_FIFO_LINK_MASK)) | port,
                                        true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
            return true;
    }
    domain_crash(d, "the event word of the tail changes faster than it can be linked");
    return true;
}

/* The lock of the queue where e was last, and that of the one where it goes. Returns the former. */
static struct fifo_vcpu *lock_queues(struct fifo *f, const struct evtchn *e, struct fifo_vcpu *to) {
    for (;;) {
        struct fifo_vcpu *last = &f->vcpu[READ_ONCE(e->linked_vcpu)];

        spin_lock_pair(&last->lock, &to->lock);
        if (likely(last == &f->vcpu[READ_ONCE(e->linked_vcpu)]))
            return last;
        spin_unlock_pair(&last->lock, &to->lock); /* somebody linked it elsewhere meanwhile */
    }
}

/* True: it is the first of its queue, and the guest must be told. */
static bool append(struct domain *d, struct evtchn *e, struct fifo_vcpu *last, struct fifo_vcpu *to,
                   unsigned prio) {
    struct evtchn_fifo_control_block *control = to->control;
    bool behind;

    /* It was consumed as the tail of its last queue: that one is empty. */
    if (last->tail[e->linked_prio] == e->port)
        last->tail[e->linked_prio] = 0;
    e->linked_vcpu = (uint8_t)(to - e->fifo->vcpu);
    e->linked_prio = (uint8_t)prio;
    behind = to->tail[prio] && link_behind(d, word_of(e->fifo, to->tail[prio]), e->port);
    if (!behind)
        __atomic_store_n(&control->head[prio], e->port, __ATOMIC_RELEASE);
    to->tail[prio] = e->port;
    return !behind;
}

static void link(struct domain *d, struct evtchn *e, event_word_t *w) {
    struct fifo *f = e->fifo;
    unsigned vcpu = READ_ONCE(e->vcpu), prio = READ_ONCE(e->priority);
    struct fifo_vcpu *to = &f->vcpu[vcpu], *last;
    struct evtchn_fifo_control_block *control = __atomic_load_n(&to->control, __ATOMIC_ACQUIRE);
    bool first = false;

    if (unlikely(!control)) /* a guest must not unmask before the control block is there */
        return;
    last = lock_queues(f, e, to);
    if (!(guest_or32(d, w, LINKED) & LINKED))
        first = append(d, e, last, to, prio);
    spin_unlock_pair(&last->lock, &to->lock);
    if (first && !(guest_or32(d, &control->ready, 1u << prio) >> prio & 1))
        evtchn_upcall(d, vcpu);
}

/* Its word is not there: the event is kept. Unless the array grew just now. */
static event_word_t *keep(struct evtchn *e) {
    event_word_t *w;

    __atomic_store_n(&e->kept, 1, __ATOMIC_SEQ_CST);
    w = word_of(e->fifo, e->port);
    return w && __atomic_exchange_n(&e->kept, 0, __ATOMIC_SEQ_CST) ? w : NULL;
}

void fifo_set_pending(struct domain *d, struct evtchn *e) {
    event_word_t *w = word_of(e->fifo, e->port);

    if (unlikely(!w)) {
        w = keep(e);
        if (!w)
            return;
    }
    if (!(guest_or32(d, w, PENDING) & (MASKED | LINKED)))
        link(d, e, w);
}

void fifo_unmask(struct domain *d, struct evtchn *e) {
    event_word_t *w = word_of(e->fifo, e->port);

    if (w && (guest_clear32(d, w, MASKED) & (PENDING | LINKED)) == PENDING)
        link(d, e, w);
}

bool fifo_is_pending(const struct evtchn *e) {
    event_word_t *w = word_of(e->fifo, e->port);

    return w ? __atomic_load_n(w, __ATOMIC_SEQ_CST) & PENDING
             : __atomic_load_n(&e->kept, __ATOMIC_SEQ_CST);
}

void fifo_clear_pending(struct domain *d, struct evtchn *e) {
    event_word_t *w = word_of(e->fifo, e->port);

    __atomic_store_n(&e->kept, 0, __ATOMIC_SEQ_CST);
    if (w)
        guest_clear32(d, w, PENDING);
}

/* ---- control blocks and the array ---- */

bool events_change_begin(struct vcpu *v, struct domain *d) {
    struct events *ev = &d->abi->events;

    while (__atomic_exchange_n(&ev->changing, true, __ATOMIC_ACQUIRE)) {
        if (abi_pause_or_stop(v))
            return false;
        preempt_point(); /* on another CPU the change may go on for long */
        vcpu_yield();
    }
    return true;
}

void events_change_end(struct domain *d) {
    __atomic_store_n(&d->abi->events.changing, false, __ATOMIC_RELEASE);
}

static struct fifo *fifo_create(const struct domain *d) {
    struct fifo *f = hv_zalloc(sizeof(*f) + d->max_vcpus * sizeof(f->vcpu[0]));

    if (!f)
        return NULL;
    f->nr_vcpus = d->max_vcpus;
    for (unsigned i = 0; i < d->max_vcpus; i++)
        spin_lock_init(&f->vcpu[i].lock, RANK_EVTCHN_QUEUE, "event queue");
    return f;
}

void fifo_destroy(struct fifo *f) {
    for (unsigned i = 0; i < f->nr_words / WORDS_PER_PAGE; i++)
        page_unkeep(f->page[i]);
    for (unsigned i = 0; i < f->nr_vcpus; i++)
        if (f->vcpu[i].control)
            page_unkeep(f->vcpu[i].control);
    hv_free(f);
}

static int set_control(struct domain *d, struct fifo *f, const struct evtchn_init_control *op) {
    struct fifo_vcpu *fv = &f->vcpu[index_nospec(op->vcpu, d->max_vcpus)];
    void *at;
    int rc;

    if (fv->control)
        return -EINVAL;
    rc = guest_page_keep(d, op->control_gfn, &at);
    if (!rc)
        __atomic_store_n(&fv->control, (void *)((char *)at + op->offset), __ATOMIC_RELEASE);
    return rc;
}

/* The first control block makes the domain's ports FIFO ones. */
static int init_control(struct domain *d, const struct evtchn_init_control *op) {
    struct events *ev = &d->abi->events;
    struct fifo *f = ev->fifo ? ev->fifo : fifo_create(d);
    int rc = f ? set_control(d, f, op) : -ENOMEM;

    if (!f || ev->fifo)
        return rc;
    if (rc) {
        fifo_destroy(f);
        return rc;
    }
    spin_lock(&ev->lock);
    ev->fifo = f;
    spin_unlock(&ev->lock);
    evtchn_switch_all(d, f);
    return 0;
}

int64_t evtchn_init_control(struct vcpu *v, struct evtchn_init_control *op) {
    int rc;

    op->link_bits = EVTCHN_FIFO_LINK_BITS;
    if (op->vcpu >= v->domain->max_vcpus)
        return -ENOENT;
    if (op->offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) || op->offset % 8)
        return -EINVAL;
    if (!events_change_begin(v, v->domain))
        return -EAGAIN;
    rc = init_control(v->domain, op);
    events_change_end(v->domain);
    return rc;
}

/* Events that came before their words did. */
static void raise_kept(struct domain *d, uint32_t first) {
    for (uint32_t i = 0; i < WORDS_PER_PAGE; i++) {
        struct evtchn *e = evtchn_lookup(d, first + i);

        if (!e)
            return;
        spin_lock(&e->lock);
        if (e->state != EVTCHN_FREE && e->fifo &&
            __atomic_exchange_n(&e->kept, 0, __ATOMIC_SEQ_CST))
            evtchn_set_pending(d, e);
        spin_unlock(&e->lock);
        preempt_point();
    }
}

static int expand_array(struct domain *d, uint64_t g) {
    struct fifo *f = d->abi->events.fifo;
    uint32_t nr;
    void *at;
    int rc;

    if (!f)
        return -EOPNOTSUPP;
    nr = f->nr_words;
    if (nr >= EVTCHN_FIFO_NR_CHANNELS)
        return -ENOSPC;
    rc = guest_page_keep(d, g, &at);
    if (rc)
        return rc;
    f->page[nr / WORDS_PER_PAGE] = at;
    __atomic_store_n(&f->nr_words, nr + WORDS_PER_PAGE, __ATOMIC_SEQ_CST);
    raise_kept(d, nr);
    return 0;
}

int64_t evtchn_expand_array(struct vcpu *v, const struct evtchn_expand_array *op) {
    int rc;

    if (!events_change_begin(v, v->domain))
        return -EAGAIN;
    rc = expand_array(v->domain, op->array_gfn);
    events_change_end(v->domain);
    return rc;
}

/* An event that is linked already stays where it is. */
int64_t evtchn_set_priority(struct vcpu *v, const struct evtchn_set_priority *op) {
    struct evtchn *e = evtchn_lookup(v->domain, op->port);
    int rc = 0;

    if (!e)
        return -EINVAL;
    spin_lock(&e->lock);
    if (!e->fifo)
        rc = -ENOSYS;
    else if (op->priority > EVTCHN_FIFO_PRIORITY_MIN)
        rc = -EINVAL;
    else
        WRITE_ONCE(e->priority, (uint8_t)op->priority);
    spin_unlock(&e->lock);
    return rc;
}

void fifo_leave(struct domain *d) {
    struct events *ev = &d->abi->events;
    struct fifo *f;

    if (!evtchn_lock_alive(d))
        return; /* it goes with the domain */
    spin_lock(&ev->lock);
    f = ev->left = ev->fifo;
    ev->fifo = NULL;
    spin_unlock(&ev->lock);
    evtchn_unlock_alive();
    if (!f)
        return;
    evtchn_switch_all(d, NULL);
    if (!evtchn_lock_alive(d))
        return; /* d's death may have cut that short: it goes with the domain too */
    ev->left = NULL;
    evtchn_unlock_alive();
    fifo_destroy(f);
}
