/*
 * The order in which vCPUs run: real-time ones by the end of their period, the others by the time
 * they have had, divided by their weight. Contract: runqueue.h.
 */
#include <hv/bits.h>

#include "runqueue.h"

#define SLICE_NS 5000000ULL   /* among fair ones that wait for each other */
#define SLEEPER_NS 5000000ULL /* how much of the time it slept a vCPU is still owed */
#define PREEMPT_NS 1000000ULL /* ahead by less does not interrupt */
#define SIBLING_NS 200000ULL  /* until then one that wakes lets its sibling run */
#define INVERSE_SHIFT 16
#define RAN_MAX (1ULL << 38) /* at once: times the largest inverse it fits into 64 bits */

static uint64_t slice, sleeper, preempt, sibling; /* in ticks */

void rq_init(struct runqueue *rq) {
    slice = ns_to_ticks(SLICE_NS);
    sleeper = ns_to_ticks(SLEEPER_NS);
    preempt = ns_to_ticks(PREEMPT_NS);
    sibling = ns_to_ticks(SIBLING_NS);
    spin_lock_init(&rq->lock, RANK_SCHED, "runqueue");
    list_init(&rq->realtime);
    list_init(&rq->fair);
    rq->idle.state = VCPU_RUNNABLE;
    rq->curr = &rq->idle;
}

/* Wrap-safe: times that lie apart by less than half of what 64 bits hold. */
static bool earlier(uint64_t a, uint64_t b) {
    return (int64_t)(a - b) < 0;
}

static uint64_t weight_of(const struct vcpu *v) {
    return v->sched.p.realtime ? 0 : v->sched.p.weight;
}

uint64_t rq_load(const struct runqueue *rq) {
    return READ_ONCE(rq->waiting_load) + READ_ONCE(rq->curr_load);
}

bool rq_before(const struct vcpu *a, const struct vcpu *b) {
    const struct vcpu_sched *x = &a->sched, *y = &b->sched;

    if (x->p.realtime != y->p.realtime)
        return x->p.realtime;
    return x->p.realtime ? earlier(x->refill_at, y->refill_at) : earlier(x->vtime, y->vtime);
}

bool rq_preempts(const struct vcpu *waiting, const struct vcpu *curr) {
    const struct vcpu_sched *x = &waiting->sched, *y = &curr->sched;

    if (x->p.realtime || y->p.realtime)
        return rq_before(waiting, curr);
    return earlier(x->vtime + preempt, y->vtime);
}

uint64_t rq_grace(const struct vcpu *waiting, const struct vcpu *curr) {
    bool related = curr->domain && curr->domain == waiting->domain;

    return related && !waiting->sched.p.realtime ? sibling : 0;
}

/* Time has passed for the queue when it has for the last of those who want to run, curr among them:
 * also if it is alone, so that who comes to it later is not owed what it had. */
static void advance(struct runqueue *rq) {
    const struct vcpu *last = rq->curr;

    if (!list_empty(&rq->fair)) {
        const struct vcpu *first = list_first(&rq->fair, struct vcpu, run_link);

        if (!rq_before(last, first))
            last = first;
    }
    if (!last->sched.p.realtime && earlier(rq->vtime, last->sched.vtime))
        rq->vtime = last->sched.vtime;
}

void rq_set_curr(struct runqueue *rq, struct vcpu *v) {
    rq->curr = v;
    WRITE_ONCE(rq->curr_load, v != &rq->idle && v->state == VCPU_RUNNABLE ? weight_of(v) : 0);
}

void rq_insert(struct runqueue *rq, struct vcpu *v) {
    struct list *head = v->sched.p.realtime ? &rq->realtime : &rq->fair, *at = head->prev;

    ASSERT(spin_is_held(&rq->lock) && !v->in_queue && v->state == VCPU_RUNNABLE);
    ASSERT(rq == &per_cpu(runqueue, v->cpu));
    while (at != head && rq_before(v, list_entry(at, struct vcpu, run_link)))
        at = at->prev;
    list_insert_after(at, &v->run_link);
    v->in_queue = true;
    WRITE_ONCE(rq->nr_waiting, rq->nr_waiting + 1);
    __atomic_fetch_add(&rq->pool->nr_waiting, 1, __ATOMIC_RELAXED);
    WRITE_ONCE(rq->waiting_load, rq->waiting_load + weight_of(v));
}

void rq_remove(struct runqueue *rq, struct vcpu *v) {
    ASSERT(spin_is_held(&rq->lock) && v->in_queue);
    list_del(&v->run_link);
    v->in_queue = false;
    WRITE_ONCE(rq->nr_waiting, rq->nr_waiting - 1);
    __atomic_fetch_sub(&rq->pool->nr_waiting, 1, __ATOMIC_RELAXED);
    WRITE_ONCE(rq->waiting_load, rq->waiting_load - weight_of(v));
}

struct vcpu *rq_first(const struct runqueue *rq) {
    if (!list_empty(&rq->realtime))
        return list_first(&rq->realtime, struct vcpu, run_link);
    return list_empty(&rq->fair) ? NULL : list_first(&rq->fair, struct vcpu, run_link);
}

void rq_charge(struct runqueue *rq, uint64_t now) {
    struct vcpu_sched *s = &rq->curr->sched;
    uint64_t ran = earlier(rq->since, now) ? now - rq->since : 0;

    rq->since += ran; /* another CPU may have charged it a moment later than now */
    if (rq->curr == &rq->idle || rq->curr->state == VCPU_BLOCKED)
        return;
    if (!s->p.realtime)
        s->vtime += MIN(ran, RAN_MAX) * s->inverse >> INVERSE_SHIFT;
    if (s->budget)
        s->left -= MIN(s->left, ran);
    advance(rq);
}

uint64_t rq_slice(const struct runqueue *rq) {
    const struct vcpu *v = rq->curr, *next = rq_first(rq);
    uint64_t limit = ~0ULL;

    if (v == &rq->idle || v->state != VCPU_RUNNABLE)
        return limit;
    if (v->sched.budget)
        limit = v->sched.left;
    if (next && !next->sched.p.realtime && !v->sched.p.realtime)
        limit = MIN(limit, slice);
    return limit;
}

void rq_leave(const struct runqueue *rq, struct vcpu *v) {
    v->sched.vtime -= rq->vtime;
}

void rq_join(const struct runqueue *rq, struct vcpu *v) {
    v->sched.vtime += rq->vtime;
}

void sched_params_init(struct sched_params *p) {
    *p = (struct sched_params){.pool = cpupool_default(), .weight = SCHED_WEIGHT_USUAL};
    cpumask_fill(&p->hard);
    cpumask_fill(&p->soft);
}

void vcpu_sched_init(struct vcpu *v, const struct sched_params *p) {
    struct vcpu_sched *s = &v->sched;

    s->p = *p;
    s->budget = ns_to_ticks(p->budget_us * 1000ULL);
    s->period = ns_to_ticks(p->period_us * 1000ULL);
    s->inverse = ((uint64_t)SCHED_WEIGHT_USUAL << INVERSE_SHIFT) / p->weight;
}

static void not_before(struct vcpu *v, uint64_t least) {
    if (earlier(v->sched.vtime, least))
        v->sched.vtime = least;
}

void vcpu_sched_start(const struct runqueue *rq, struct vcpu *v, uint64_t now) {
    not_before(v, rq->vtime);
    vcpu_sched_refill(v, now);
}

void vcpu_sched_woken(const struct runqueue *rq, struct vcpu *v, uint64_t now) {
    not_before(v, rq->vtime - sleeper);
    vcpu_sched_refill(v, now);
}

void vcpu_sched_refill(struct vcpu *v, uint64_t now) {
    struct vcpu_sched *s = &v->sched;

    if (!s->budget || earlier(now, s->refill_at))
        return;
    s->left = s->budget;
    s->refill_at += s->period;
    if (!earlier(now, s->refill_at)) /* it slept through more than one */
        s->refill_at = now + s->period;
}

bool vcpu_sched_is_spent(const struct vcpu *v) {
    return v->sched.budget && !v->sched.left;
}

void vcpu_sched_yield(const struct runqueue *rq, struct vcpu *v) {
    const struct vcpu *next = rq_first(rq);

    if (next && !v->sched.p.realtime && !earlier(next->sched.vtime, v->sched.vtime))
        v->sched.vtime = next->sched.vtime + 1;
}
