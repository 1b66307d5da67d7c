/* Work put off to the way back to a guest. */
#include <hv/bits.h>
#include <hv/cpu.h>
#include <hv/printk.h>
#include <hv/softirq.h>

DEFINE_PER_CPU(uint32_t, softirq_pending);

static void (*handlers[NR_SOFTIRQS])(void);

void softirq_register(enum softirq nr, void (*handler)(void)) {
    handlers[nr] = handler;
}

void softirq_raise(enum softirq nr) {
    __atomic_fetch_or(&this_cpu(softirq_pending), 1u << nr, __ATOMIC_RELAXED);
}

void softirq_raise_on(unsigned cpu, enum softirq nr) {
    uint32_t old = __atomic_fetch_or(&per_cpu(softirq_pending, cpu), 1u << nr, __ATOMIC_RELEASE);

    if (!old && cpu != cpu_id())
        cpu_kick(cpu);
}

/*
 * One pass: what a handler raises again waits for the caller's next look, so that a handler that
 * switches away (the scheduler) comes last and nothing of this pass is left behind.
 */
void softirq_run(void) {
    uint32_t pending = __atomic_exchange_n(&this_cpu(softirq_pending), 0, __ATOMIC_ACQUIRE);
    bool sched = pending & (1u << SOFTIRQ_SCHED);

    pending &= ~(1u << SOFTIRQ_SCHED);
    while (pending) {
        unsigned nr = ffs64(pending);

        pending &= pending - 1;
        handlers[nr]();
    }
    if (sched)
        handlers[SOFTIRQ_SCHED]();
}
