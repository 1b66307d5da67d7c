/* Floor 4: CPUs look whether each other still come by: docs/debugging.md. */
#ifndef HV_WATCHDOG_H
#define HV_WATCHDOG_H

#include <hv/types.h>

/*
 * Command line: watchdog=SECONDS. Every CPU asks the next one to pass its softirq point, which one
 * that is in a guest or idles does at once, and reports it when it has not in so many seconds.
 * `show` says what is known of such a CPU. After the CPUs were started.
 */
void watchdog_init(void (*show)(unsigned cpu));

#endif
