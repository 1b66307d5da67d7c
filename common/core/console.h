/* Between console.c (the screen) and console_input.c (the keyboard). */
#ifndef CORE_CONSOLE_H
#define CORE_CONSOLE_H

#include <hv/console.h>
#include <hv/spinlock.h>

/* RANK_CONSOLE; its holder must not print. */
extern spinlock_t console_lock;

const struct uart_ops *console_uart(void);

/* The port that gets the keys; NULL: Holdfast. */
const struct console_port *console_focus_locked(void);

/* Shows what a port has gathered; forgets a port. */
void console_port_flush_locked(struct console_port *port);
void console_port_close_locked(struct console_port *port);

#endif
