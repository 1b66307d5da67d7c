/*
 * What waits for the UART. With an interrupt for "there is room", text goes into a ring that the
 * interrupt empties, so that nobody stands by while a line of text crawls out. Without one (early,
 * in a panic, or on a UART that has none) every character is waited for.
 */
#include <hv/console.h>
#include <hv/printk.h>
#include <hv/softirq.h>
#include <hv/timer.h>

#include "console.h"

#define STALL_NS 500000000ULL
#define RING_SIZE 16384u /* a power of two: the counters run freely */

/* All under console_lock, or the panicking CPU's alone. */
static char ring[RING_SIZE];
static uint32_t in, out;
static bool by_interrupt;
static bool irq_on;
static bool watched; /* text waits: is some of it sent in due time? */
static uint32_t stall_mark;

static struct timer stall_timer;

static void set_irq(const struct uart_ops *uart, bool on) {
    if (irq_on != on)
        uart->tx_irq(on);
    irq_on = on;
}

/* The interrupt comes when a full FIFO has emptied: it is filled before one is waited for. */
static void push(const struct uart_ops *uart) {
    while (out != in && uart->try_putc(ring[out % RING_SIZE]))
        out++;
    set_irq(uart, out != in);
    if (out != in && !watched) {
        watched = true;
        stall_mark = out;
        softirq_raise(SOFTIRQ_CONSOLE); /* which sets the timer: not under this lock */
    }
}

static void drain(const struct uart_ops *uart) {
    while (out != in)
        uart->putc(ring[out++ % RING_SIZE]);
}

/* A UART that took nothing for so long takes nothing at all: no guest is to wait for it for ever.
 */
static void stalled(void *arg) {
    (void)arg;
    spin_lock(&console_lock);
    if (out == stall_mark)
        out = in;
    stall_mark = out;
    watched = out != in;
    spin_unlock(&console_lock);
    softirq_raise(SOFTIRQ_CONSOLE);
}

void console_tx_watch(void) {
    if (READ_ONCE(watched) && !timer_is_set(&stall_timer))
        timer_set(&stall_timer, time_ticks() + ns_to_ticks(STALL_NS));
}

void console_tx_start_locked(const struct uart_ops *uart) {
    timer_init(&stall_timer, stalled, NULL);
    by_interrupt = uart->tx_irq && uart->tx_irq(false);
}

void console_tx_locked(const struct uart_ops *uart, const char *s, size_t n) {
    if (!by_interrupt || printk_panicking) {
        drain(uart);
        while (n--)
            uart->putc(*s++);
        return;
    }
    while (n--) {
        if (in - out == RING_SIZE) /* only Holdfast's own lines come so far: nothing is dropped */
            uart->putc(ring[out++ % RING_SIZE]);
        ring[in++ % RING_SIZE] = *s++;
    }
    push(uart);
}

void console_tx_drain(const struct uart_ops *uart) {
    drain(uart);
    uart->flush();
}

uint32_t console_tx_mark_locked(void) {
    return in;
}

bool console_tx_passed_locked(uint32_t mark) {
    return (int32_t)(out - mark) >= 0;
}

uint32_t console_tx_room_locked(void) {
    return RING_SIZE - (in - out);
}

void console_tx_irq(void) {
    spin_lock(&console_lock);
    push(console_uart());
    spin_unlock(&console_lock);
    softirq_raise(SOFTIRQ_CONSOLE); /* somebody may wait for room */
}
