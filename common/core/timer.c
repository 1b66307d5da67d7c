/* One-shot timers on each CPU's hypervisor timer: a list sorted by expiry, the comparator set to
 * its head. */
#include <hv/bits.h>
#include <hv/cpu.h>
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/irq.h>
#include <hv/printk.h>
#include <hv/softirq.h>
#include <hv/spinlock.h>
#include <hv/timer.h>

#include <asm/barrier.h>
#include <asm/hyp_timer.h>

struct timer_queue {
    spinlock_t lock;
    struct list timers; /* ascending by expires */
};

static DEFINE_PER_CPU(struct timer_queue, timer_queue);

uint64_t timer_hz;

#define NS_PER_S 1000000000ULL

uint64_t time_ticks(void) {
    return hyp_timer_count();
}

/* Whole seconds apart from the rest: no product overflows while timer_hz is below 2^32. */
uint64_t ticks_to_ns(uint64_t ticks) {
    return ticks / timer_hz * NS_PER_S + ticks % timer_hz * NS_PER_S / timer_hz;
}

uint64_t ns_to_ticks(uint64_t ns) {
    return ns / NS_PER_S * timer_hz + ns % NS_PER_S * timer_hz / NS_PER_S;
}

uint64_t time_ns(void) {
    return timer_hz ? ticks_to_ns(time_ticks()) : 0;
}

static void program(struct timer_queue *q) {
    if (list_empty(&q->timers))
        hyp_timer_off();
    else
        hyp_timer_set(list_first(&q->timers, struct timer, link)->expires);
}

/* The comparator is switched off here, so the level line falls; expired timers run as a softirq. */
static enum irq_result timer_irq(unsigned irq, void *arg) {
    (void)irq;
    (void)arg;
    hyp_timer_off();
    softirq_raise(SOFTIRQ_TIMER);
    return IRQ_DONE;
}

/*
 * A timer that was set here while its function still runs on another CPU waits for that: the
 * comparator is then set to a time gone by, so this is tried again at once. Whoever sees cpu = -1
 * of a timer that expired sees running_on too, and fn's end before running_on = -1.
 */
static void timer_softirq(void) {
    struct timer_queue *q = &this_cpu(timer_queue);

    spin_lock(&q->lock);
    while (!list_empty(&q->timers)) {
        struct timer *t = list_first(&q->timers, struct timer, link);

        if (t->expires > time_ticks() || __atomic_load_n(&t->running_on, __ATOMIC_ACQUIRE) >= 0)
            break;
        list_del(&t->link);
        WRITE_ONCE(t->running_on, (int)cpu_id());
        __atomic_store_n(&t->cpu, -1, __ATOMIC_RELEASE);
        spin_unlock(&q->lock);
        t->fn(t->arg);
        spin_lock(&q->lock);
        __atomic_store_n(&t->running_on, -1, __ATOMIC_RELEASE);
    }
    program(q);
    spin_unlock(&q->lock);
}

void timers_init_cpu(void) {
    struct timer_queue *q = &this_cpu(timer_queue);

    spin_lock_init(&q->lock, RANK_TIMER, "timer");
    list_init(&q->timers);
    hyp_timer_off();
}

static int timer_node(const void *fdt) {
    int node = fdt_next_compatible(fdt, -1, "arm,armv8-timer");

    if (node < 0)
        node = fdt_next_compatible(fdt, -1, "arm,armv7-timer");
    if (node < 0)
        panic("device tree: no timer that is known (arm,armv8-timer, arm,armv7-timer)");
    return node;
}

unsigned timer_irq_from_fdt(const void *fdt, unsigned index, enum irq_trigger *trigger) {
    int node = timer_node(fdt);
    char path[FDT_PATH_MAX];
    unsigned irq;

    if (irq_from_fdt(fdt, node, index, &irq, trigger) || irq >= 32)
        panic("device tree: %s: interrupts: expected a private interrupt in entry %u",
              fdt_path(fdt, node, path), index);
    return irq;
}

void timers_init(const void *fdt) {
    enum irq_trigger trigger;
    unsigned irq = timer_irq_from_fdt(fdt, 3, &trigger);
    uint32_t hz = 0;

    timer_hz = hyp_timer_frequency();
    if (!fdt_u32(fdt, timer_node(fdt), "clock-frequency", &hz) && hz)
        timer_hz = hz;
    if (timer_hz < 1000000 || timer_hz > 4000000000ULL)
        panic("timer: counter frequency %llu Hz is not usable", (unsigned long long)timer_hz);
    softirq_register(SOFTIRQ_TIMER, timer_softirq);
    timers_init_cpu();
    if (irq_request(irq, trigger, timer_irq, NULL, "hypervisor timer"))
        panic("timer: interrupt %u cannot be had", irq);
}

void timer_init(struct timer *t, void (*fn)(void *), void *arg) {
    list_init(&t->link);
    t->fn = fn;
    t->arg = arg;
    t->cpu = -1;
    t->running_on = -1;
}

/*
 * Takes t off whatever CPU's queue it is on; that CPU's comparator may fire once for nothing.
 * t->cpu leaves -1 by compare-and-swap under the lock of the queue that t joins, and comes back to
 * it under the same.
 */
static void dequeue(struct timer *t) {
    for (;;) {
        int cpu = __atomic_load_n(&t->cpu, __ATOMIC_ACQUIRE);
        struct timer_queue *q;

        if (cpu < 0)
            return;
        q = &per_cpu(timer_queue, cpu);
        spin_lock(&q->lock);
        if (t->cpu == cpu) {
            list_del(&t->link);
            __atomic_store_n(&t->cpu, -1, __ATOMIC_RELEASE);
        }
        spin_unlock(&q->lock);
    }
}

void timer_set(struct timer *t, uint64_t expires) {
    struct timer_queue *q = &this_cpu(timer_queue);
    int none = -1;
    struct list *at;

    dequeue(t);
    spin_lock(&q->lock);
    while (!__atomic_compare_exchange_n(&t->cpu, &none, (int)cpu_id(), false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
        /* Set on another CPU at the same time: the later one counts. */
        spin_unlock(&q->lock);
        dequeue(t);
        spin_lock(&q->lock);
        none = -1;
    }
    t->expires = expires;
    for (at = q->timers.prev; at != &q->timers; at = at->prev)
        if (list_entry(at, struct timer, link)->expires <= expires)
            break;
    list_insert_after(at, &t->link);
    if (q->timers.next == &t->link)
        hyp_timer_set(expires);
    spin_unlock(&q->lock);
}

void timer_stop(struct timer *t) {
    int on;

    /* A function that was running may have set its timer again. */
    do {
        dequeue(t);
        while ((on = __atomic_load_n(&t->running_on, __ATOMIC_ACQUIRE)) >= 0 && on != (int)cpu_id())
            cpu_relax();
    } while (READ_ONCE(t->cpu) >= 0);
}

bool timer_is_set(const struct timer *t) {
    return READ_ONCE(t->cpu) >= 0;
}
