/*
 * Floor 6: the order in which the vCPUs of one CPU run, and on which CPU they do. Shared by
 * sched.c, runqueue.c and cpupool.c. Each rq_ function: the lock is held.
 */
#ifndef VIRT_RUNQUEUE_H
#define VIRT_RUNQUEUE_H

#include <hv/domain.h>
#include <hv/sched.h>
#include <hv/vcpu.h>

struct cpupool {
    char name[DOMAIN_NAME_MAX];
    enum sched_policy policy;
    struct cpumask cpus;
    uint32_t nr_waiting; /* atomic: on all its CPUs */
};

struct runqueue {
    spinlock_t lock; /* RANK_SCHED */
    struct cpupool *pool;
    struct list realtime;  /* waiting, without curr: by the end of their period */
    struct list fair;      /* by vtime */
    uint32_t nr_waiting;   /* written under the lock */
    uint64_t waiting_load; /* weights of the fair ones; likewise */
    uint64_t curr_load;    /* curr's, while it runs */
    uint64_t vtime;        /* that of the fair one furthest behind; never goes back */
    struct vcpu *curr;
    uint64_t since;      /* when curr's time was last accounted for, in ticks */
    struct vcpu idle;    /* no stack of its own: the CPU's boot stack */
    struct timer slice;  /* set while curr's time is limited */
    uint64_t balance_at; /* not before this; a hint: without the lock too */
    bool slice_over;
    bool idles;        /* waits for an interrupt; a hint to others */
    unsigned assigned; /* vCPUs that were given this CPU; under the assign lock */
};

void rq_init(struct runqueue *rq);
void rq_insert(struct runqueue *rq, struct vcpu *v);
void rq_remove(struct runqueue *rq, struct vcpu *v);
/* v has the CPU now, or has changed its state there. */
void rq_set_curr(struct runqueue *rq, struct vcpu *v);
/* No lock is needed. */
uint64_t rq_load(const struct runqueue *rq);
/* Who is next of those waiting; NULL: nobody. */
struct vcpu *rq_first(const struct runqueue *rq);
/* The time since the last call is curr's, if it runs. Any CPU; before vtime is used, as below. */
void rq_charge(struct runqueue *rq, uint64_t now);
/* a goes before b. */
bool rq_before(const struct vcpu *a, const struct vcpu *b);
/* `waiting` is to interrupt curr: not for every little that it is ahead. */
bool rq_preempts(const struct vcpu *waiting, const struct vcpu *curr);
/* But not before so many ticks have passed: who wakes a vCPU of its own domain mostly holds a lock
 * that the other one would spin on. */
uint64_t rq_grace(const struct vcpu *waiting, const struct vcpu *curr);
/* How long curr may run from now, in ticks; ~0: no limit. */
uint64_t rq_slice(const struct runqueue *rq);
/* v, which waits nowhere, changes its CPU: its place relative to the others is kept. rq has been
 * charged. */
void rq_leave(const struct runqueue *rq, struct vcpu *v);
void rq_join(const struct runqueue *rq, struct vcpu *v);

DECLARE_PER_CPU(struct runqueue, runqueue);

/* ---- cpupool.c; no lock needed, or as said ---- */

/* The calling CPU joins the default pool. */
void cpupool_add_cpu(struct runqueue *rq);
bool cpupool_allows(const struct vcpu *v, unsigned cpu);
/* v->cpu becomes that with the fewest vCPUs it may use; -EBUSY: a null pool has none left. */
int cpupool_assign(struct vcpu *v) __must_check;
void cpupool_unassign(struct vcpu *v);
/* A CPU that idles, or v->cpu. */
unsigned cpupool_idle_cpu(const struct vcpu *v);
/* Where v, waiting on rq, is better off; or v->cpu. rq is locked. */
unsigned cpupool_lighter_cpu(const struct runqueue *rq, const struct vcpu *v);

/* ---- what a vCPU brings to its queue; the lock of v->cpu is held ---- */

/* A new vCPU's state. */
void vcpu_sched_init(struct vcpu *v, const struct sched_params *p);
/* v starts: with those that are there already. */
void vcpu_sched_start(const struct runqueue *rq, struct vcpu *v, uint64_t now);
/* v was asleep: it is not owed all that time. */
void vcpu_sched_woken(const struct runqueue *rq, struct vcpu *v, uint64_t now);
/* A new period gives the budget back. */
void vcpu_sched_refill(struct vcpu *v, uint64_t now);
bool vcpu_sched_is_spent(const struct vcpu *v);
/* v lets the others go first. */
void vcpu_sched_yield(const struct runqueue *rq, struct vcpu *v);

#endif
