/*
 * Floor 8: what can be asked for and done on the host console: docs/debugging.md.
 *
 * A key is a question that needs no more; Enter or ":" opens a line for a command, which stays open
 * until an empty line. Commands run one after the other in the domain thread, where no domain goes
 * away meanwhile; keys that come before one is done wait.
 */
#ifndef HV_MONITOR_H
#define HV_MONITOR_H

void monitor_init(void); /* after domains_init() */
/* What can be seen of a CPU from another one: whom it runs, and what the stack holds. */
void monitor_show_cpu(unsigned cpu);

#endif
