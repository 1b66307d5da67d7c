/* Between console.c (the screen) and console_input.c (the keyboard). */
#ifndef CORE_CONSOLE_H
#define CORE_CONSOLE_H

#include <hv/console.h>
#include <hv/spinlock.h>

/* RANK_CONSOLE; its holder must not print. */
extern spinlock_t console_lock;

const struct uart_ops *console_uart(void);

/* ---- console_tx.c ---- */
/* From now on the transmit interrupt is used, if there is one. */
void console_tx_start_locked(const struct uart_ops *uart);
void console_tx_locked(const struct uart_ops *uart, const char *s, size_t n);
/* From the softirq, without the lock. */
void console_tx_watch(void);
/* Until all of it is on the wire; under the lock, or in a panic. */
void console_tx_drain(const struct uart_ops *uart);
/* Where text that is given now ends; whether the UART has taken all up to there; what fits in. */
uint32_t console_tx_mark_locked(void);
bool console_tx_passed_locked(uint32_t mark);
uint32_t console_tx_room_locked(void);

/* ---- console.c ---- */
/* The port waited for room and there is some: it is told so by the caller. */
bool console_port_has_room_again_locked(struct console_port *port);

/* The port that gets the keys; NULL: Holdfast. */
const struct console_port *console_focus_locked(void);

/* The keys go from this port to another: what it did to the terminal is undone. */
void console_port_blur_locked(struct console_port *port);

/* Shows what a port has gathered; forgets a port. */
void console_port_flush_locked(struct console_port *port);
void console_port_close_locked(struct console_port *port);

#endif
