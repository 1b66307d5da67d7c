/* Floor 6: text of a guest on its way to the console. */
#ifndef HV_GUEST_CONSOLE_H
#define HV_GUEST_CONSOLE_H

#include <hv/console.h>

/*
 * All of it; the current vCPU sleeps while its port has more before the UART than it may. What is
 * left when its domain ends is lost with it. No lock held.
 */
void guest_console_write(struct console_port *port, const char *s, size_t n);

#endif
