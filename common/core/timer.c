/* One-shot timers on each CPU's hypervisor timer: a list sorted by expiry, the comparator set to its head. */
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
/* ns = ticks * mult >> 32 and back: 64x64->128 multiplication keeps every tick exact */
static uint64_t ticks_to_ns_mult, ns_to_ticks_mult;

uint64_t time_ticks(void) {
    return hyp_timer_count();
}

uint64_t ticks_to_ns(uint64_t ticks) {
    return (uint64_t)(((unsigned __int128)ticks * ticks_to_ns_mult) >> 32);
}

uint64_t ns_to_ticks(uint64_t ns) {
    return (uint64_t)(((unsigned __int128)ns * ns_to_ticks_mult) >> 32);
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

static void timer_softirq(void) {
    struct timer_queue *q = &this_cpu(timer_queue);

    spin_lock(&q->lock);
    while (!list_empty(&q->timers)) {
        struct timer *t = list_first(&q->timers, struct timer, link);

        if (t->expires > time_ticks())
            break;
        list_del(&t->link);
        t->cpu = -1;
        WRITE_ONCE(t->running_on, (int)cpu_id());
        spin_unlock(&q->lock);
        t->fn(t->arg);
        spin_lock(&q->lock);
        WRITE_ONCE(t->running_on, -1);
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

void timers_init(const void *fdt) {
    int node = fdt_next_compatible(fdt, -1, "arm,armv8-timer");
    enum irq_trigger trigger;
    unsigned irq;
    uint32_t hz = 0;

    if (node < 0)
        node = fdt_next_compatible(fdt, -1, "arm,armv7-timer");
    if (node < 0 || irq_from_fdt(fdt, node, 3, &irq, &trigger))
        panic("device tree: no arm,armv8-timer node with a hypervisor timer interrupt");
    timer_hz = hyp_timer_frequency();
    if (!fdt_u32(fdt, node, "clock-frequency", &hz) && hz)
        timer_hz = hz;
    if (timer_hz < 1000000 || timer_hz > 4000000000ULL)
        panic("timer: counter frequency %llu Hz is not usable", (unsigned long long)timer_hz);
    ticks_to_ns_mult = (1000000000ULL << 32) / timer_hz;
    ns_to_ticks_mult = (timer_hz << 32) / 1000000000u;
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

/* Takes t off whatever CPU's queue it is on; that CPU's comparator may fire once for nothing. */
static void dequeue(struct timer *t) {
    for (;;) {
        int cpu = READ_ONCE(t->cpu);
        struct timer_queue *q;

        if (cpu < 0)
            return;
        q = &per_cpu(timer_queue, cpu);
        spin_lock(&q->lock);
        if (t->cpu == cpu) {
            list_del(&t->link);
            t->cpu = -1;
        }
        spin_unlock(&q->lock);
    }
}

void timer_set(struct timer *t, uint64_t expires) {
    struct timer_queue *q = &this_cpu(timer_queue);
    struct list *at;

    if (READ_ONCE(t->cpu) >= 0)
        dequeue(t);
    spin_lock(&q->lock);
    t->expires = expires;
    t->cpu = (int)cpu_id();
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

    if (READ_ONCE(t->cpu) >= 0)
        dequeue(t);
    while ((on = READ_ONCE(t->running_on)) >= 0 && on != (int)cpu_id())
        cpu_relax();
}

bool timer_is_set(const struct timer *t) {
    return READ_ONCE(t->cpu) >= 0;
}
