/*
 * Floor 4: work put off until just before a CPU returns to a guest (or in its idle loop).
 * Raising is a bit in a per-CPU word that the return path tests.
 */
#ifndef HV_SOFTIRQ_H
#define HV_SOFTIRQ_H

#include <hv/percpu.h>

enum softirq { SOFTIRQ_TIMER, SOFTIRQ_SCHED, SOFTIRQ_CONSOLE, SOFTIRQ_WATCHDOG, NR_SOFTIRQS };

DECLARE_PER_CPU(uint32_t, softirq_pending);

void softirq_register(enum softirq nr, void (*handler)(void));
void softirq_raise(enum softirq nr);                  /* on this CPU */
void softirq_raise_on(unsigned cpu, enum softirq nr); /* and kicks it */
void softirq_run(void);                               /* runs what is pending on this CPU */

#endif
