/*
 * The scheduler: states of vCPUs, and the switch between them. Who is next is runqueue.c's, and on
 * which CPU cpupool.c's. Hypervisor threads are vCPUs without a guest and take their turn like the
 * rest.
 *
 * rq->curr is the truth about who has the CPU, under the queue's lock; vcpu.on_cpu lags behind
 * until the stack is really left. Guest state is saved and loaded outside the lock (the vGIC's
 * locks are taken before it), which is safe because what is on_cpu is taken by no other CPU, and
 * only this CPU changes its curr.
 *
 * A vCPU that is neither on_cpu nor in a queue changes its CPU under the lock of the old one, then
 * joins the new one's queue under that one's; in between it is runnable and nobody's.
 */
#include <hv/arch_thread.h>
#include <hv/bits.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/irq.h>
#include <hv/mapwin.h>
#include <hv/mm.h>
#include <hv/softirq.h>
#include <hv/vcpu.h>

#include <asm/barrier.h>
#include <asm/cpu_ops.h>

#include "runqueue.h"

#define BALANCE_NS 20000000ULL

DEFINE_PER_CPU(struct vcpu *, current_vcpu);
DEFINE_PER_CPU(struct runqueue, runqueue);

/* The queue of v's CPU, locked. */
static struct runqueue *lock_rq(const struct vcpu *v) {
    for (;;) {
        struct runqueue *rq = &per_cpu(runqueue, READ_ONCE(v->cpu));

        spin_lock(&rq->lock);
        if (rq == &per_cpu(runqueue, v->cpu))
            return rq;
        spin_unlock(&rq->lock);
    }
}

static void (*publish_times)(struct vcpu *v);

/* From now on its time goes into something else. Under the lock of its queue. */
static void account(struct vcpu *v, enum vcpu_time next, uint64_t now) {
    v->times.spent[v->times.state] += now - v->times.since;
    v->times.since = now;
    v->times.state = next;
}

void vcpu_get_times(struct vcpu *v, struct vcpu_times *t) {
    struct runqueue *rq = lock_rq(v);

    account(v, v->times.state, time_ticks());
    *t = v->times;
    spin_unlock(&rq->lock);
}

static void publish(struct vcpu *v) {
    if (unlikely(READ_ONCE(v->runstate_area)))
        publish_times(v);
}

void sched_set_publish(void (*fn)(struct vcpu *v)) {
    publish_times = fn;
}

static bool rq_idle(const struct runqueue *rq) {
    return rq->curr == &rq->idle || rq->curr->state != VCPU_RUNNABLE;
}

/* ---- who is next ---- */

/* One that waits for another CPU of the pool, as ours has nobody. Now it waits nowhere. */
static struct vcpu *steal_from(struct runqueue *rq, struct runqueue *victim, uint64_t now) {
    struct vcpu *found = NULL;

    if (!READ_ONCE(victim->nr_waiting) || !spin_trylock(&victim->lock))
        return NULL;
    list_for_each(e, &victim->fair) {
        struct vcpu *v = list_entry(e, struct vcpu, run_link);

        if (v->on_cpu || !cpupool_allows(v, rq->idle.cpu))
            continue;
        found = v;
        break;
    }
    if (found) {
        rq_charge(victim, now);
        rq_remove(victim, found);
        rq_leave(victim, found);
        rq_join(rq, found);
        found->cpu = rq->idle.cpu;
    }
    spin_unlock(&victim->lock);
    return found;
}

static struct vcpu *steal(struct runqueue *rq, uint64_t now) {
    struct vcpu *v = NULL;

    if (!READ_ONCE(rq->pool->nr_waiting) || rq->pool->policy == SCHED_NULL)
        return NULL;
    for (unsigned n = 1; !v && n < nr_cpus; n++) {
        unsigned cpu = (rq->idle.cpu + n) % nr_cpus;

        if (cpumask_has(&rq->pool->cpus, cpu))
            v = steal_from(rq, &per_cpu(runqueue, cpu), now);
    }
    return v;
}

/* Its budget is used up: it waits for its next period. */
static void throttle(struct vcpu *v) {
    v->sched.throttled = true;
    timer_set(&v->sched.refill, v->sched.refill_at);
}

/* The best of those waiting and the one running; one that waits in place, where it should be,
 * stays; or the idle thread. */
static struct vcpu *pick(struct runqueue *rq, uint64_t now) {
    struct vcpu *prev = rq->curr, *next = rq_first(rq);
    bool runs = prev != &rq->idle && prev->state == VCPU_RUNNABLE;

    if (runs) {
        vcpu_sched_refill(prev, now);
        if (vcpu_sched_is_spent(prev)) {
            throttle(prev);
            runs = false;
        } else if (!next || rq_before(prev, next)) {
            return prev;
        }
    }
    if (next)
        rq_remove(rq, next);
    else
        next = steal(rq, now);
    if (runs)
        rq_insert(rq, prev);
    if (next)
        return next;
    return prev->state == VCPU_BLOCKED && cpumask_has(&prev->sched.p.soft, prev->cpu) ? prev
                                                                                      : &rq->idle;
}

/* A vCPU is its domain's, which may be freed as soon as it knows; a thread is nobody's. */
static void retire(struct vcpu *v) {
    if (v->domain) {
        domain_vcpu_gone(v->domain);
    } else {
        sched_remove(v);
        hv_free(v);
    }
}

/* Who waits in WFE for another gives the CPU to those who wait for it: the other may be among them.
 */
static void trap_wfe_if_others(const struct runqueue *rq) {
    if (current->domain)
        vcpu_trap_wfe(READ_ONCE(rq->nr_waiting));
}

void sched_switched(struct vcpu *prev) {
    struct runqueue *rq = &this_cpu(runqueue);
    struct vcpu *v = current;
    bool dead;

    spin_lock(&rq->lock);
    prev->on_cpu = false;
    dead = prev->state == VCPU_DEAD;
    spin_unlock(&rq->lock);
    if (dead)
        retire(prev);
    if (v->domain) {
        vcpu_load_guest(v);
        trap_wfe_if_others(rq);
        publish(v);
    }
}

/* Where curr's time ends; ~0: nowhere. */
static uint64_t start_slice(struct runqueue *rq, uint64_t now) {
    uint64_t slice = rq_slice(rq);

    rq->slice_over = false;
    return slice == ~0ULL ? slice : now + slice;
}

static void schedule(void) {
    struct runqueue *rq = &this_cpu(runqueue);
    struct vcpu *prev, *next;
    uint64_t now, end;

    ASSERT(!locks_held());
    spin_lock(&rq->lock);
    now = time_ticks();
    rq_charge(rq, now);
    prev = rq->curr;
    next = pick(rq, now);
    if (next != prev) {
        if (prev->state == VCPU_RUNNABLE)
            account(prev, TIME_RUNNABLE, now);
        account(next, TIME_RUNNING, now);
    }
    rq_set_curr(rq, next);
    next->on_cpu = true;
    end = start_slice(rq, now);
    spin_unlock(&rq->lock);

    if (end != ~0ULL)
        timer_set(&rq->slice, end);
    if (next == prev) {
        trap_wfe_if_others(rq);
        return;
    }
    trace(TRACE_SWITCH, trace_who(next), trace_who(prev), prev->state);
    if (prev->domain) {
        publish(prev);
        vcpu_save_guest(prev);
    }
    current = next;
    sched_switched(switch_stack(prev, next));
}

/* v, runnable, waits nowhere and is on no CPU: joins the queue of `cpu`. rq, v's, is unlocked. */
static void send_to(struct runqueue *rq, struct vcpu *v, unsigned cpu) {
    if (cpu != v->cpu) {
        rq_leave(rq, v);
        WRITE_ONCE(v->cpu, cpu);
        spin_unlock(&rq->lock);
        rq = &per_cpu(runqueue, cpu);
        spin_lock(&rq->lock);
        rq_charge(rq, time_ticks());
        rq_join(rq, v);
    }
    rq_insert(rq, v);
    spin_unlock(&rq->lock);
    softirq_raise_on(cpu, SOFTIRQ_SCHED);
}

/* Who waits for too long under a heavy load goes where there is less. */
static void balance(struct runqueue *rq, uint64_t now) {
    struct vcpu *v;
    unsigned cpu;

    spin_lock(&rq->lock);
    v = list_empty(&rq->fair) ? NULL : list_first(&rq->fair, struct vcpu, run_link);
    if (!v || now < READ_ONCE(rq->balance_at) || rq->pool->policy == SCHED_NULL) {
        spin_unlock(&rq->lock);
        return;
    }
    rq->balance_at = now + ns_to_ticks(BALANCE_NS);
    cpu = cpupool_lighter_cpu(rq, v);
    if (cpu == v->cpu) {
        spin_unlock(&rq->lock);
        return;
    }
    ASSERT(!v->on_cpu); /* what is left here is left by this CPU, which is here */
    rq_remove(rq, v);
    /* v is to have a turn there before it is sent on. */
    WRITE_ONCE(per_cpu(runqueue, cpu).balance_at, rq->balance_at);
    send_to(rq, v, cpu);
}

static void slice_expired(void *arg) {
    struct runqueue *rq = arg;

    rq->slice_over = true;
    softirq_raise(SOFTIRQ_SCHED);
}

/* Somebody joined this CPU's queue, or the slice is over. */
static void sched_softirq(void) {
    struct runqueue *rq = &this_cpu(runqueue);
    uint64_t now, grace, end = ~0ULL;
    struct vcpu *first;
    bool over, go;

    spin_lock(&rq->lock);
    now = time_ticks();
    rq_charge(rq, now);
    first = rq_first(rq);
    over = rq->slice_over;
    go = over || (first && (rq_idle(rq) || rq_preempts(first, rq->curr)));
    if (go && !over && !rq_idle(rq) && (grace = rq_grace(first, rq->curr))) {
        go = false;
        end = now + grace;
        if (timer_is_set(&rq->slice) && rq->slice.expires <= end)
            end = ~0ULL;
    } else if (!go && first && !timer_is_set(&rq->slice)) {
        end = start_slice(rq, now);
    }
    spin_unlock(&rq->lock);
    if (end != ~0ULL)
        timer_set(&rq->slice, end);
    if (first && !go)
        trap_wfe_if_others(rq);
    if (over)
        balance(rq, now);
    if (go)
        schedule();
}

/* v has become runnable: to an idle CPU, if its own has somebody else or is not where it should be.
 * rq, v's, is unlocked. */
static void place(struct runqueue *rq, struct vcpu *v) {
    bool stays = v->on_cpu || (rq_idle(rq) && cpumask_has(&v->sched.p.soft, v->cpu));

    send_to(rq, v, stays ? v->cpu : cpupool_idle_cpu(v));
}

/* Of a paused one, what may let it go on is no mere event. */
static bool can_wake(const struct vcpu *v) {
    uint32_t work = READ_ONCE(v->work);

    return v->state == VCPU_BLOCKED ||
           (v->state == VCPU_PAUSED && (work & VCPU_WORK_STOP || !(work & VCPU_WORK_PAUSE)));
}

/* A thread that is not blocked yet keeps the wake-up; a vCPU looks again before it sleeps. rq, v's,
 * is unlocked. True: v was blocked, and may be gone by now. */
static bool wake_unlock(struct runqueue *rq, struct vcpu *v) {
    uint64_t now;

    if (!can_wake(v)) {
        v->wake_pending = !v->domain || READ_ONCE(v->polling);
        spin_unlock(&rq->lock);
        return false;
    }
    now = time_ticks();
    v->state = VCPU_RUNNABLE;
    trace(TRACE_WAKE, trace_who(v), v->cpu, 0);
    account(v, rq->curr == v ? TIME_RUNNING : TIME_RUNNABLE, now);
    if (rq->curr != v) {
        rq_charge(rq, now);
        vcpu_sched_woken(rq, v, now);
        place(rq, v);
    } else {
        unsigned cpu = v->cpu;

        rq->since = now;
        vcpu_sched_woken(rq, v, now);
        rq_set_curr(rq, v);
        spin_unlock(&rq->lock);
        softirq_raise_on(cpu, SOFTIRQ_SCHED);
    }
    return true;
}

void vcpu_wake(struct vcpu *v) {
    wake_unlock(lock_rq(v), v);
}

void vcpu_kick(struct vcpu *v) {
    struct runqueue *rq;
    unsigned cpu;
    bool running;

    if (v == current && v->state == VCPU_RUNNABLE)
        return;
    rq = lock_rq(v);
    cpu = v->cpu;
    running = rq->curr == v;
    if (!wake_unlock(rq, v) && running)
        cpu_kick(cpu);
}

static void refill(void *arg) {
    struct vcpu *v = arg;
    struct runqueue *rq = lock_rq(v);
    uint64_t now;

    if (!v->sched.throttled) {
        spin_unlock(&rq->lock);
        return;
    }
    v->sched.throttled = false;
    now = time_ticks();
    rq_charge(rq, now);
    vcpu_sched_woken(rq, v, now);
    place(rq, v);
}

static void idle_step(void) {
    if (!this_cpu(softirq_pending)) {
        WRITE_ONCE(this_cpu(runqueue).idles, true);
        __atomic_thread_fence(__ATOMIC_SEQ_CST); /* as in sched_stir_idle() */
        if (!heap_scrub_idle()) {
            if (irq_chip->before_wait)
                irq_chip->before_wait();
            cpu_wait_for_interrupt();
        }
        WRITE_ONCE(this_cpu(runqueue).idles, false);
        irq_dispatch();
    }
    if (this_cpu(softirq_pending))
        softirq_run();
}

/* Also one that another CPU told us of before we were BLOCKED. */
static bool interrupt_waits(struct vcpu *v) {
    uint32_t work = READ_ONCE(v->work);

    if (!v->domain)
        return false;
    if (work & VCPU_WORK_PTIMER)
        vtimer_phys_look(v);
    if (work & VCPU_WORK_IRQ)
        vgic_flush(v);
    return vgic_has_pending(v);
}

void vcpu_block(void) {
    struct vcpu *v = current;
    struct runqueue *rq = &this_cpu(runqueue);
    uint64_t now;
    bool others;

    ASSERT(v != &rq->idle && !locks_held());
    spin_lock(&rq->lock);
    if (v->wake_pending) {
        v->wake_pending = false;
        spin_unlock(&rq->lock);
        return;
    }
    now = time_ticks();
    rq_charge(rq, now);
    v->state = VCPU_BLOCKED;
    account(v, TIME_BLOCKED, now);
    trace(TRACE_BLOCK, trace_who(v), 0, 0);
    rq_set_curr(rq, v);
    /* Who waits in its place goes on there: not where it should not be. */
    others =
        rq->nr_waiting || READ_ONCE(rq->pool->nr_waiting) || !cpumask_has(&v->sched.p.soft, v->cpu);
    spin_unlock(&rq->lock);

    /* Seen only after BLOCKED is: whoever makes something pending later finds us blocked and wakes
     * us. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if ((READ_ONCE(v->work) & (VCPU_WORK_STOP | VCPU_WORK_PAUSE)) || interrupt_waits(v))
        vcpu_wake(v);
    else if (others)
        schedule();
    else
        publish(v);
    while (__atomic_load_n(&v->state, __ATOMIC_ACQUIRE) == VCPU_BLOCKED)
        idle_step();
    if (!others)
        publish(v);
}

void vcpu_pause_self(void) {
    struct vcpu *v = current;
    struct runqueue *rq = &this_cpu(runqueue);

    spin_lock(&rq->lock);
    if (READ_ONCE(v->work) & VCPU_WORK_STOP || !(READ_ONCE(v->work) & VCPU_WORK_PAUSE)) {
        spin_unlock(&rq->lock);
        return;
    }
    v->state = VCPU_PAUSED;
    account(v, TIME_OFFLINE, time_ticks());
    spin_unlock(&rq->lock);
    schedule();
}

bool vcpu_is_quiet(const struct vcpu *v) {
    struct runqueue *rq = lock_rq(v);
    bool quiet = !v->on_cpu && v->state != VCPU_RUNNABLE && v->state != VCPU_BLOCKED &&
                 v->state != VCPU_STARTING;

    spin_unlock(&rq->lock);
    return quiet;
}

void vcpu_yield(void) {
    struct runqueue *rq = &this_cpu(runqueue);

    if (!READ_ONCE(rq->nr_waiting)) {
        trap_wfe_if_others(rq); /* somebody else has taken them */
        return;
    }
    spin_lock(&rq->lock);
    rq_charge(rq, time_ticks());
    vcpu_sched_yield(rq, current);
    spin_unlock(&rq->lock);
    schedule();
}

void (*preempt_point_hook)(void);

void preempt_point(void) {
    ASSERT(!locks_held() && mapwin_none_open());
    if (HF_DEBUG && unlikely(READ_ONCE(preempt_point_hook)))
        preempt_point_hook();
    if (irq_chip->irq_waiting())
        irq_dispatch();
    if (this_cpu(softirq_pending))
        softirq_run();
}

void vcpu_stop_self(enum vcpu_state to) {
    struct vcpu *v = current;
    struct runqueue *rq = &this_cpu(runqueue);

    spin_lock(&rq->lock);
    if (READ_ONCE(v->work) & VCPU_WORK_STOP)
        to = VCPU_DEAD;
    v->state = to;
    account(v, TIME_OFFLINE, time_ticks());
    spin_unlock(&rq->lock);
    schedule();
    panic("a stopped vCPU ran on");
}

bool vcpu_claim(struct vcpu *v) {
    bool offline, leaving;

    /* One that has just gone offline may still be leaving its stack: a few instructions. */
    do {
        struct runqueue *rq = lock_rq(v);

        offline = v->state == VCPU_OFFLINE;
        leaving = offline && v->on_cpu;
        if (offline && !leaving)
            v->state = VCPU_STARTING;
        spin_unlock(&rq->lock);
        if (leaving)
            cpu_relax();
    } while (leaving);
    return offline;
}

/* v has a stack to start on. rq, v's, is unlocked. */
static void start_unlock(struct runqueue *rq, struct vcpu *v) {
    uint64_t now = time_ticks();

    v->state = VCPU_RUNNABLE;
    account(v, TIME_RUNNABLE, now);
    rq_charge(rq, now);
    vcpu_sched_start(rq, v, now);
    place(rq, v);
}

void vcpu_online(struct vcpu *v) {
    struct runqueue *rq = lock_rq(v);

    ASSERT(v->state == VCPU_STARTING);
    if (READ_ONCE(v->work) & VCPU_WORK_STOP) {
        v->state = VCPU_DEAD;
        spin_unlock(&rq->lock);
        domain_vcpu_gone(v->domain);
        return;
    }
    arch_stack_start_guest(v);
    start_unlock(rq, v);
}

void vcpu_stop(struct vcpu *v) {
    struct runqueue *rq;
    bool gone;

    vcpu_set_work(v, VCPU_WORK_STOP);
    rq = lock_rq(v);
    /* One whose stack is still being left is counted by sched_switched(). */
    gone = v->state == VCPU_OFFLINE && !v->on_cpu;
    if (v->state == VCPU_OFFLINE)
        v->state = VCPU_DEAD;
    spin_unlock(&rq->lock);
    if (gone)
        domain_vcpu_gone(v->domain);
    else
        vcpu_kick(v);
}

/* Whose stack a CPU is on is curr, or on_cpu until the CPU has had this lock. */
const struct vcpu *sched_peek(unsigned cpu) {
    return spin_trylock(&per_cpu(runqueue, cpu).lock) ? per_cpu(current_vcpu, cpu) : NULL;
}

void sched_peek_end(unsigned cpu) {
    spin_unlock(&per_cpu(runqueue, cpu).lock);
}

/* ---- setting up ---- */

int sched_add(struct vcpu *v) {
    struct sched_params usual;

    sched_params_init(&usual);
    vcpu_sched_init(v, &usual);
    if (cpupool_assign(v))
        return -EBUSY;
    v->stack = stack_alloc();
    if (!v->stack) {
        cpupool_unassign(v);
        return -ENOMEM;
    }
    list_init(&v->run_link);
    timer_init(&v->sched.refill, refill, v);
    v->state = VCPU_OFFLINE;
    v->times.state = TIME_OFFLINE;
    v->times.since = time_ticks();
    arch_stack_init(v);
    return 0;
}

int sched_configure(struct vcpu *v, const struct sched_params *p) {
    struct sched_params before = v->sched.p;
    int rc;

    ASSERT(v->state == VCPU_OFFLINE && !v->on_cpu);
    cpupool_unassign(v);
    vcpu_sched_init(v, p);
    rc = cpupool_assign(v);
    if (!rc)
        return 0;
    vcpu_sched_init(v, &before);
    BUG_ON(cpupool_assign(v)); /* it had one a moment ago */
    return rc;
}

void sched_remove(struct vcpu *v) {
    while (__atomic_load_n(&v->on_cpu, __ATOMIC_ACQUIRE))
        cpu_relax();
    timer_stop(&v->sched.refill);
    cpupool_unassign(v);
    stack_free(v->stack);
}

struct vcpu *hv_thread_create(void (*fn)(void *), void *arg) {
    struct vcpu *v = hv_zalloc(sizeof(*v));

    if (!v || sched_add(v)) {
        hv_free(v);
        return NULL;
    }
    arch_stack_start_thread(v, fn, arg);
    start_unlock(lock_rq(v), v);
    return v;
}

void thread_exit(void) {
    vcpu_stop_self(VCPU_DEAD);
    panic("a thread that ended ran on");
}

void sched_init(void) {
    softirq_register(SOFTIRQ_SCHED, sched_softirq);
}

void sched_init_cpu(void) {
    struct runqueue *rq = &this_cpu(runqueue);

    rq_init(rq);
    rq->idle.cpu = cpu_id();
    rq->idle.on_cpu = true;
    cpupool_add_cpu(rq);
    timer_init(&rq->slice, slice_expired, rq);
    current = &rq->idle;
}

void sched_stir_idle(void) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* who is not seen idle sees what was freed */
    for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
        if (READ_ONCE(per_cpu(runqueue, cpu).idles))
            cpu_kick(cpu);
}

void sched_idle(void) {
    for (;;)
        idle_step();
}
