/*
 * The screen: text of Holdfast and of all guests on one UART, line by line. The keyboard's half is
 * in console_input.c.
 *
 * Text of the source that owns the line on the screen goes out at once; any other source gathers
 * its line in its port and breaks in, on a line of its own, when that line is complete (or long).
 *
 * Only who has the keys may give commands to the terminal, as a shell must: control characters of
 * the others are shown as ^X, and so hide or forge nothing. Whoever breaks into the line of a port
 * that gave such commands first ends what it left unfinished.
 */
#include <hv/bits.h>
#include <hv/console.h>
#include <hv/printk.h>
#include <hv/spinlock.h>
#include <hv/string.h>

#include "console.h"

/*
 * Characters of one port that may wait for the UART, and what the ring of waiting text must have
 * room for beyond: a character can become a prefix or complete a line.
 */
#define PORT_BUDGET 512u
#define RESERVE (PORT_BUDGET * 20)

spinlock_t console_lock = SPINLOCK_INIT(RANK_CONSOLE, "console");

/* All under console_lock, or the panicking CPU's alone. */
static const struct uart_ops *uart;
static bool midline;                     /* the cursor is not at the start of a line */
static const struct console_port *owner; /* whose line it is; NULL: Holdfast's */

#define ABORT_COMMAND "\x18\x1b[0m" /* CAN; and text is plain again */
#define SOFT_RESET "\x18\x1b[!p"    /* CAN; DECSTR */

/* Newlines get their carriage return here. */
static void screen_write(const char *s, size_t n) {
    while (n) {
        const char *newline = memchr(s, '\n', n);
        size_t text = newline ? (size_t)(newline - s) : n;

        console_tx_locked(uart, s, text);
        if (newline)
            console_tx_locked(uart, "\r\n", 2);
        s += text + !!newline;
        n -= text + !!newline;
    }
}

/* Makes the line on the screen this source's, after which what it says may follow. */
static void take_line(const struct console_port *port) {
    if (midline && owner == port)
        return;
    if (owner && owner->raw)
        screen_write(ABORT_COMMAND, strlen(ABORT_COMMAND));
    if (midline)
        screen_write("\n", 1);
    midline = false;
    owner = port;
}

void console_port_blur_locked(struct console_port *port) {
    if (uart && port->raw)
        screen_write(SOFT_RESET, strlen(SOFT_RESET));
    port->raw = false;
}

static void screen_text(const struct console_port *port, const char *s, size_t n) {
    if (!uart || !n)
        return;
    take_line(port);
    if (!midline && port)
        screen_write(port->prefix, strlen(port->prefix));
    screen_write(s, n);
    midline = s[n - 1] != '\n';
}

/* The log's sink: text comes with its own prefix. */
static void log_sink(const char *s, size_t n) {
    if (printk_panicking) {
        screen_text(NULL, s, n);
        return;
    }
    spin_lock(&console_lock);
    screen_text(NULL, s, n);
    spin_unlock(&console_lock);
}

void console_set_uart(const struct uart_ops *ops) {
    spin_lock(&console_lock);
    uart = ops;
    spin_unlock(&console_lock);
    printk_set_sink(log_sink);
}

const struct uart_ops *console_uart(void) {
    return uart;
}

void console_flush(void) {
    if (!uart)
        return;
    if (!printk_panicking)
        spin_lock(&console_lock);
    console_tx_drain(uart);
    if (!printk_panicking)
        spin_unlock(&console_lock);
}

void console_port_flush_locked(struct console_port *port) {
    screen_text(port, port->line, port->len);
    port->len = 0;
}

static void gather(struct console_port *port, char c) {
    port->line[port->len++] = c;
    if (c == '\n' || port->len == sizeof(port->line))
        console_port_flush_locked(port);
}

/* C0 and DEL are shown as ^X, C1 (ESC and a character in one) as ^[X; not tabs and newlines. */
static void visible(struct console_port *port, char c) {
    uint8_t u = (uint8_t)c;
    bool control = (u < 0x20 && c != '\n' && c != '\t') || (u >= 0x7f && u < 0xa0);

    if (control && console_focus_locked() == port) {
        port->raw |= c != '\a' && c != '\b';
    } else if (control) {
        gather(port, '^');
        if (u >= 0x80)
            gather(port, '[');
        c = (char)(u >= 0x80 ? u - 0x40 : u ^ 0x40);
    }
    gather(port, c);
}

/*
 * A carriage return before a newline is dropped (the screen adds its own); a lone one starts the
 * line again behind the prefix, so that no guest can write over it.
 */
static void port_char(struct console_port *port, char c) {
    if (c == '\r') {
        port->cr = true;
        return;
    }
    if (port->cr && c != '\n') {
        gather(port, '\r');
        for (const char *p = port->prefix; *p; p++)
            gather(port, *p);
    }
    port->cr = false;
    if (c)
        visible(port, c);
}

/* How much of n the port may say now. */
static size_t allowance(struct console_port *port, size_t n) {
    if (console_tx_passed_locked(port->mark))
        port->sent = 0;
    if (port->sent >= PORT_BUDGET || console_tx_room_locked() < RESERVE)
        return 0;
    return MIN(n, PORT_BUDGET - port->sent);
}

bool console_port_has_room_again_locked(struct console_port *port) {
    if (!port->full || !allowance(port, 1))
        return false;
    WRITE_ONCE(port->full, false);
    return true;
}

size_t console_port_write(struct console_port *port, const char *s, size_t n) {
    size_t taken;

    if (printk_panicking)
        return n;
    spin_lock(&console_lock);
    taken = port->input ? allowance(port, n) : n;
    for (size_t i = 0; i < taken; i++)
        port_char(port, s[i]);
    if (console_focus_locked() == port || !port->input)
        console_port_flush_locked(port);
    port->sent = (uint16_t)(port->sent + taken);
    if (taken)
        port->mark = console_tx_mark_locked();
    WRITE_ONCE(port->full, !allowance(port, 1));
    spin_unlock(&console_lock);
    return taken;
}

/* What it said last is shown, and the line is ended so that nothing refers to the port any more. */
void console_port_close_locked(struct console_port *port) {
    console_port_flush_locked(port);
    if (owner == port)
        take_line(NULL);
    console_port_blur_locked(port);
}
