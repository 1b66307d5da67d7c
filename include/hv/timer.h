/*
 * Floor 4: time and one-shot timers, one hardware comparator (CNTHP) per CPU.
 *
 * Time is in counter ticks of CNTPCT; ns conversions are exact to one tick. A timer runs its
 * function on the CPU it was set on, from SOFTIRQ_TIMER, with no lock held. timer_set() may move a
 * timer to the calling CPU, and several CPUs may do so at once. timer_stop() returns with the timer
 * not set and the function not running, unless it is called from that function; the caller holds no
 * lock that the function takes. Timer lock rank RANK_TIMER.
 */
#ifndef HV_TIMER_H
#define HV_TIMER_H

#include <hv/irq.h>
#include <hv/list.h>
#include <hv/types.h>

struct timer {
    struct list link; /* sorted by expiry on its CPU; guarded by that CPU's timer lock */
    uint64_t expires; /* ticks */
    void (*fn)(void *arg);
    void *arg;
    int cpu;        /* -1: not queued */
    int running_on; /* CPU that is inside fn, -1: none */
};

extern uint64_t timer_hz; /* counter frequency */

void timers_init(const void *fdt); /* boot CPU; reads the timer node */
/* The CPUs' private interrupt in entry `index` of the timer node. Boot; panics without one. */
unsigned timer_irq_from_fdt(const void *fdt, unsigned index, enum irq_trigger *trigger);
void timers_init_cpu(void); /* each CPU */

uint64_t time_ticks(void);
uint64_t time_ns(void); /* since the counter started */
uint64_t ticks_to_ns(uint64_t ticks);
uint64_t ns_to_ticks(uint64_t ns);

void timer_init(struct timer *t, void (*fn)(void *), void *arg);
void timer_set(struct timer *t,
               uint64_t expires_ticks); /* on this CPU; replaces an earlier setting */
void timer_stop(struct timer *t);
bool timer_is_set(const struct timer *t);

#endif
