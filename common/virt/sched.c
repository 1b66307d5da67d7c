/*
 * The scheduler: a round-robin queue for each CPU with a time slice. A vCPU stays on the CPU it was
 * given. Hypervisor threads are vCPUs without a guest and take their turn like the rest.
 *
 * rq->curr is the truth about who has the CPU, under the queue's lock; vcpu.on_cpu lags behind
 * until the stack is really left. Guest state is saved and loaded outside the lock (the vGIC's
 * locks are taken before it), which is safe because only this CPU takes anything off its own queue.
 */
#include <hv/arch_thread.h>
#include <hv/bits.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/irq.h>
#include <hv/mm.h>
#include <hv/softirq.h>
#include <hv/vcpu.h>

#include <asm/barrier.h>
#include <asm/cpu_ops.h>

#define SLICE_NS 5000000ULL

struct runqueue {
    spinlock_t lock;   /* RANK_SCHED */
    struct list queue; /* runnable, without curr */
    struct vcpu *curr;
    struct vcpu idle;   /* no stack of its own: the CPU's boot stack */
    struct timer slice; /* set while somebody waits for curr */
    bool slice_over;
    unsigned assigned; /* vCPUs given to this CPU */
};

DEFINE_PER_CPU(struct vcpu *, current_vcpu);
static DEFINE_PER_CPU(struct runqueue, runqueue);
static spinlock_t assign_lock = SPINLOCK_INIT(RANK_DOMAIN, "assign");

static struct runqueue *rq_of(const struct vcpu *v) {
    return &per_cpu(runqueue, v->cpu);
}

static void (*publish_times)(struct vcpu *v);

/* From now on its time goes into something else. Under the lock of its queue. */
static void account(struct vcpu *v, enum vcpu_time next) {
    uint64_t now = time_ticks();

    v->times.spent[v->times.state] += now - v->times.since;
    v->times.since = now;
    v->times.state = next;
}

void vcpu_get_times(struct vcpu *v, struct vcpu_times *t) {
    struct runqueue *rq = rq_of(v);

    spin_lock(&rq->lock);
    account(v, v->times.state);
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

static void enqueue(struct runqueue *rq, struct vcpu *v) {
    ASSERT(!v->in_queue);
    list_append(&rq->queue, &v->run_link);
    v->in_queue = true;
}

/* Whoever comes next: the queue's head, or the one running if it may go on, or the idle thread. */
static struct vcpu *pick(struct runqueue *rq) {
    struct vcpu *prev = rq->curr, *next;

    if (list_empty(&rq->queue))
        return prev->state == VCPU_RUNNABLE || prev->state == VCPU_BLOCKED ? prev : &rq->idle;
    next = list_first(&rq->queue, struct vcpu, run_link);
    list_del(&next->run_link);
    next->in_queue = false;
    if (prev != &rq->idle && prev->state == VCPU_RUNNABLE)
        enqueue(rq, prev);
    return next;
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
        publish(v);
    }
}

static void schedule(void) {
    struct runqueue *rq = &this_cpu(runqueue);
    struct vcpu *prev, *next;
    bool waiting;

    ASSERT(!locks_held());
    spin_lock(&rq->lock);
    prev = rq->curr;
    next = pick(rq);
    if (next != prev) {
        if (prev->state == VCPU_RUNNABLE)
            account(prev, TIME_RUNNABLE);
        account(next, TIME_RUNNING);
    }
    rq->curr = next;
    next->on_cpu = true;
    rq->slice_over = false;
    waiting = !list_empty(&rq->queue);
    spin_unlock(&rq->lock);

    if (waiting)
        timer_set(&rq->slice, time_ticks() + ns_to_ticks(SLICE_NS));
    if (next == prev)
        return;
    if (prev->domain) {
        publish(prev);
        vcpu_save_guest(prev);
    }
    current = next;
    sched_switched(switch_stack(prev, next));
}

static void slice_expired(void *arg) {
    struct runqueue *rq = arg;

    rq->slice_over = true;
    softirq_raise(SOFTIRQ_SCHED);
}

/* Somebody joined this CPU's queue, or the slice is over. */
static void sched_softirq(void) {
    struct runqueue *rq = &this_cpu(runqueue);
    bool go;

    spin_lock(&rq->lock);
    go = !list_empty(&rq->queue) && (rq->slice_over || rq_idle(rq));
    spin_unlock(&rq->lock);
    if (go)
        schedule();
    else if (!list_empty(&rq->queue) && !timer_is_set(&rq->slice))
        timer_set(&rq->slice, time_ticks() + ns_to_ticks(SLICE_NS));
}

/*
 * True when v's CPU must look at its queue. Once the lock is given back, v may run, end and be
 * freed: the callers touch it no more.
 */
static bool wake_locked(struct runqueue *rq, struct vcpu *v) {
    if (v->state != VCPU_BLOCKED) {
        v->wake_pending = !v->domain || READ_ONCE(v->polling);
        return false;
    }
    v->state = VCPU_RUNNABLE;
    account(v, rq->curr == v ? TIME_RUNNING : TIME_RUNNABLE);
    if (rq->curr != v)
        enqueue(rq, v);
    return true;
}

void vcpu_wake(struct vcpu *v) {
    struct runqueue *rq = rq_of(v);
    unsigned cpu = v->cpu;
    bool woken;

    spin_lock(&rq->lock);
    woken = wake_locked(rq, v);
    spin_unlock(&rq->lock);
    if (woken)
        softirq_raise_on(cpu, SOFTIRQ_SCHED);
}

void vcpu_kick(struct vcpu *v) {
    struct runqueue *rq = rq_of(v);
    unsigned cpu = v->cpu;
    bool woken, running;

    if (v == current && v->state == VCPU_RUNNABLE)
        return;
    spin_lock(&rq->lock);
    woken = wake_locked(rq, v);
    running = rq->curr == v;
    spin_unlock(&rq->lock);
    if (woken)
        softirq_raise_on(cpu, SOFTIRQ_SCHED);
    else if (running)
        cpu_kick(cpu);
}

static void idle_step(void) {
    if (!this_cpu(softirq_pending)) {
        cpu_wait_for_interrupt();
        irq_dispatch();
    }
    if (this_cpu(softirq_pending))
        softirq_run();
    /* Another vCPU may wait for what only we know of our list registers. */
    if (current->domain && (READ_ONCE(current->work) & VCPU_WORK_IRQ))
        vgic_flush(current);
}

/* Also one that another CPU asked us to put into a list register, before we were BLOCKED. */
static bool interrupt_waits(struct vcpu *v) {
    if (!v->domain)
        return false;
    if (READ_ONCE(v->work) & VCPU_WORK_IRQ)
        vgic_flush(v);
    return vgic_has_pending(v);
}

void vcpu_block(void) {
    struct vcpu *v = current;
    struct runqueue *rq = &this_cpu(runqueue);
    bool others;

    ASSERT(v != &rq->idle && !locks_held());
    spin_lock(&rq->lock);
    if (v->wake_pending) {
        v->wake_pending = false;
        spin_unlock(&rq->lock);
        return;
    }
    v->state = VCPU_BLOCKED;
    account(v, TIME_BLOCKED);
    others = !list_empty(&rq->queue);
    spin_unlock(&rq->lock);

    /* Seen only after BLOCKED is: whoever makes something pending later finds us blocked and wakes
     * us. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if ((READ_ONCE(v->work) & VCPU_WORK_STOP) || interrupt_waits(v))
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

void vcpu_yield(void) {
    schedule();
}

void preempt_point(void) {
    ASSERT(!locks_held());
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
    account(v, TIME_OFFLINE);
    spin_unlock(&rq->lock);
    schedule();
    panic("a stopped vCPU ran on");
}

bool vcpu_claim(struct vcpu *v) {
    struct runqueue *rq = rq_of(v);
    bool offline, leaving;

    /* One that has just gone offline may still be leaving its stack: a few instructions. */
    do {
        spin_lock(&rq->lock);
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

void vcpu_online(struct vcpu *v) {
    struct runqueue *rq = rq_of(v);
    unsigned cpu = v->cpu;
    bool gone;

    spin_lock(&rq->lock);
    ASSERT(v->state == VCPU_STARTING);
    gone = READ_ONCE(v->work) & VCPU_WORK_STOP;
    if (gone) {
        v->state = VCPU_DEAD;
    } else {
        arch_stack_start_guest(v);
        v->state = VCPU_RUNNABLE;
        account(v, TIME_RUNNABLE);
        enqueue(rq, v);
    }
    spin_unlock(&rq->lock);
    if (gone)
        domain_vcpu_gone(v->domain);
    else
        softirq_raise_on(cpu, SOFTIRQ_SCHED);
}

void vcpu_stop(struct vcpu *v) {
    struct runqueue *rq = rq_of(v);
    bool gone;

    vcpu_set_work(v, VCPU_WORK_STOP);
    spin_lock(&rq->lock);
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

/* ---- setting up ---- */

static unsigned least_loaded_cpu(void) {
    unsigned best = 0;

    for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
        if (cpu_is_online(cpu) &&
            per_cpu(runqueue, cpu).assigned < per_cpu(runqueue, best).assigned)
            best = cpu;
    return best;
}

int sched_add(struct vcpu *v) {
    v->stack = stack_alloc();
    if (!v->stack)
        return -ENOMEM;
    list_init(&v->run_link);
    v->state = VCPU_OFFLINE;
    v->times.state = TIME_OFFLINE;
    v->times.since = time_ticks();
    arch_stack_init(v);
    spin_lock(&assign_lock);
    v->cpu = least_loaded_cpu();
    per_cpu(runqueue, v->cpu).assigned++;
    spin_unlock(&assign_lock);
    return 0;
}

void sched_remove(struct vcpu *v) {
    spin_lock(&assign_lock);
    per_cpu(runqueue, v->cpu).assigned--;
    spin_unlock(&assign_lock);
    while (__atomic_load_n(&v->on_cpu, __ATOMIC_ACQUIRE))
        cpu_relax();
    stack_free(v->stack);
}

struct vcpu *hv_thread_create(void (*fn)(void *), void *arg) {
    struct vcpu *v = hv_zalloc(sizeof(*v));
    struct runqueue *rq;
    unsigned cpu;

    if (!v || sched_add(v)) {
        hv_free(v);
        return NULL;
    }
    arch_stack_start_thread(v, fn, arg);
    rq = rq_of(v);
    cpu = v->cpu;
    spin_lock(&rq->lock);
    v->state = VCPU_RUNNABLE;
    enqueue(rq, v);
    spin_unlock(&rq->lock);
    softirq_raise_on(cpu, SOFTIRQ_SCHED);
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

    spin_lock_init(&rq->lock, RANK_SCHED, "runqueue");
    list_init(&rq->queue);
    rq->idle.state = VCPU_RUNNABLE;
    rq->idle.cpu = cpu_id();
    rq->idle.on_cpu = true;
    rq->curr = &rq->idle;
    timer_init(&rq->slice, slice_expired, rq);
    current = &rq->idle;
}

void sched_idle(void) {
    for (;;)
        idle_step();
}
