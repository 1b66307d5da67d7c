/*
 * The keyboard: which port has the focus, and its keys' way there.
 *
 * The UART's interrupt moves keys into a ring and finds the switch sequence, so that switching
 * works also when the guest with the focus takes nothing. The softirq gives keys to the port one by
 * one; a key leaves the ring when it was taken. A full ring stops the UART (the sender waits); a
 * receiver that took nothing for STALL_NS loses what waits for it, as does one that does not take
 * it when the focus goes on.
 */
#include <hv/console.h>
#include <hv/printk.h>
#include <hv/softirq.h>
#include <hv/string.h>
#include <hv/timer.h>

#include "console.h"

#define RING_SIZE 256u /* a power of two: the counters run freely */
#define STALL_NS 500000000ULL
#define SWITCH_PRESSES 3u

uint8_t console_switch_key = 1;

/* All under console_lock. */
static struct list ports = LIST_INIT(ports);
static struct console_port *focus;
static char lost_focus[32]; /* name of a port that was removed while it had the focus */
static bool (*hv_input)(void *arg, char c);
static char ring[RING_SIZE];
static uint32_t ring_in, ring_out;
static unsigned presses;         /* of the switch key in a row, not yet passed on */
static unsigned switches_wanted; /* for the softirq */
static uint32_t switch_at;       /* if so: keys up to here are for who has the focus still */
static bool rx_stopped;

/* One CPU delivers at a time; any other leaves it word to look again. */
static bool delivering, deliver_again;

static struct timer stall_timer;
static uint32_t stall_mark; /* ring_out when the timer was set */

const struct console_port *console_focus_locked(void) {
    return focus;
}

static bool ring_full(void) {
    return ring_in - ring_out >= RING_SIZE;
}

static void ring_put(char c) {
    if (!ring_full())
        ring[ring_in++ % RING_SIZE] = c;
}

static uint32_t later(uint32_t a, uint32_t b) {
    return (int32_t)(a - b) > 0 ? a : b;
}

/* A key from the UART. Keys held back while the sequence could complete follow when it does not. */
static void key_locked(char c) {
    if (console_switch_key && (uint8_t)c == console_switch_key) {
        if (++presses < SWITCH_PRESSES)
            return;
        presses = 0;
        if (switches_wanted) /* what lies between is for a port that never had the focus */
            ring_in = later(switch_at, ring_out);
        switches_wanted++;
        switch_at = ring_in;
        return;
    }
    for (; presses; presses--)
        ring_put((char)console_switch_key);
    ring_put(c);
}

/* Room for one key and those held back before it. */
static bool room_locked(void) {
    return ring_in - ring_out + SWITCH_PRESSES <= RING_SIZE;
}

static void receive(void) {
    const struct uart_ops *uart = console_uart();
    int c;

    spin_lock(&console_lock);
    while (room_locked() && (c = uart->getc()) >= 0)
        key_locked((char)c);
    rx_stopped = !room_locked();
    if (rx_stopped)
        uart->rx_irq(false);
    spin_unlock(&console_lock);
}

void console_rx_irq(void) {
    receive();
    softirq_raise(SOFTIRQ_CONSOLE);
}

static void announce(const char *name, const char *prefix) {
    int len = (int)strlen(prefix);

    while (len && prefix[len - 1] == ' ')
        len--;
    printk("*** Serial input to %s%s%.*s ***\n", name, len ? " " : "", len, prefix);
}

/* The next port in the list, Holdfast after the last one. Names are copied: ports may go away. */
static void switch_focus(void) {
    char name[sizeof(focus->name)] = "Holdfast", prefix[sizeof(focus->prefix)] = "";
    struct list *next;

    spin_lock(&console_lock);
    next = focus ? focus->link.next : ports.next;
    if (focus)
        console_port_blur_locked(focus);
    focus = next == &ports ? NULL : list_entry(next, struct console_port, link);
    lost_focus[0] = '\0';
    if (focus) {
        hv_strlcpy(name, focus->name, sizeof(name));
        hv_strlcpy(prefix, focus->prefix, sizeof(prefix));
    }
    spin_unlock(&console_lock);

    announce(name, prefix);

    spin_lock(&console_lock);
    if (focus)
        console_port_flush_locked(focus);
    spin_unlock(&console_lock);
}

/* The receiver is called without the lock; console_remove_port() waits while `delivering` is set.
 */
static bool offer_locked(char c) {
    struct console_port *to = focus;
    bool (*input)(void *arg, char c) = to ? to->input : hv_input;
    void *arg = to ? to->arg : NULL;
    bool taken;

    spin_unlock(&console_lock);
    taken = !input || input(arg, c);
    spin_lock(&console_lock);
    return taken;
}

/* What comes before a switch that is wanted, or all. */
static void deliver_keys_locked(void) {
    while ((int32_t)((switches_wanted ? switch_at : ring_in) - ring_out) > 0) {
        uint32_t at = ring_out;

        if (!offer_locked(ring[at % RING_SIZE]))
            return;
        if (ring_out == at) /* not emptied meanwhile */
            ring_out++;
    }
}

/* Tells every port once that waited for room and has some. Only while nobody delivers keys. */
static void tell_of_room_locked(void) {
    static uint32_t round;
    struct list *at = ports.next;

    round++;

    while (at != &ports) {
        struct console_port *port = list_entry(at, struct console_port, link);

        at = at->next;
        if (port->told == round || !console_port_has_room_again_locked(port) || !port->room)
            continue;
        port->told = round; /* it may be full again at once */
        spin_unlock(&console_lock);
        port->room(port->arg);
        spin_lock(&console_lock);
        at = ports.next; /* the list may have changed */
    }
}

/* Once: what comes meanwhile, which guests can see to, is the next softirq's. */
static void deliver(void) {
    spin_lock(&console_lock);
    if (delivering) {
        deliver_again = true;
        spin_unlock(&console_lock);
        return;
    }
    delivering = true;
    deliver_again = false;
    deliver_keys_locked();
    while (switches_wanted) {
        unsigned n = switches_wanted;

        switches_wanted = 0;
        ring_out = later(ring_out, switch_at);
        spin_unlock(&console_lock);
        while (n--)
            switch_focus();
        spin_lock(&console_lock);
        deliver_keys_locked();
    }
    tell_of_room_locked();
    delivering = false;
    if (deliver_again || switches_wanted)
        softirq_raise(SOFTIRQ_CONSOLE);
    spin_unlock(&console_lock);
}

/* The UART was stopped for want of room: goes on when there is some (true), else the receiver gets
 * its time. */
static bool restart_receive(void) {
    bool room, full;

    spin_lock(&console_lock);
    room = rx_stopped && room_locked();
    full = rx_stopped && !room;
    if (room) {
        rx_stopped = false;
        console_uart()->rx_irq(true);
    }
    spin_unlock(&console_lock);

    if (room) {
        timer_stop(&stall_timer);
        receive();
    } else if (full && !timer_is_set(&stall_timer)) {
        stall_mark = READ_ONCE(ring_out);
        timer_set(&stall_timer, time_ticks() + ns_to_ticks(STALL_NS));
    }
    return room;
}

static void stalled(void *arg) {
    (void)arg;
    spin_lock(&console_lock);
    if (ring_out == stall_mark)
        ring_out = ring_in;
    spin_unlock(&console_lock);
    softirq_raise(SOFTIRQ_CONSOLE);
}

static void console_softirq(void) {
    deliver();
    console_tx_watch();
    if (READ_ONCE(rx_stopped) && restart_receive())
        softirq_raise(SOFTIRQ_CONSOLE);
}

/* Keys wait, or are just being offered: in both cases the softirq looks (again). */
void console_retry(struct console_port *port) {
    (void)port;
    if (READ_ONCE(ring_in) != READ_ONCE(ring_out))
        softirq_raise(SOFTIRQ_CONSOLE);
}

void console_init(void) {
    const struct uart_ops *uart = console_uart();

    timer_init(&stall_timer, stalled, NULL);
    softirq_register(SOFTIRQ_CONSOLE, console_softirq);
    if (!uart)
        return;
    uart->rx_irq(true);
    spin_lock(&console_lock);
    console_tx_start_locked(uart);
    spin_unlock(&console_lock);
    console_rx_irq(); /* keys of before */
}

void console_set_hv_input(bool (*input)(void *arg, char c)) {
    spin_lock(&console_lock);
    hv_input = input;
    spin_unlock(&console_lock);
}

/* "(d2) " before "(d10) ". */
static bool comes_before(const struct console_port *a, const struct console_port *b) {
    size_t la = strlen(a->prefix), lb = strlen(b->prefix);

    return la != lb ? la < lb : strcmp(a->prefix, b->prefix) < 0;
}

void console_add_port(struct console_port *port) {
    struct list *at;

    spin_lock(&console_lock);
    port->len = 0;
    port->cr = false;
    port->raw = false;
    port->mark = console_tx_mark_locked();
    port->sent = 0;
    port->full = false;
    for (at = ports.next; at != &ports; at = at->next)
        if (comes_before(port, list_entry(at, struct console_port, link)))
            break;
    list_append(at, &port->link); /* before `at` */
    if (!focus && lost_focus[0] && !strcmp(lost_focus, port->name)) {
        focus = port;
        lost_focus[0] = '\0';
    }
    spin_unlock(&console_lock);
}

void console_remove_port(struct console_port *port) {
    spin_lock(&console_lock);
    list_del(&port->link);
    console_port_close_locked(port);
    if (focus == port) {
        focus = NULL;
        hv_strlcpy(lost_focus, port->name, sizeof(lost_focus));
        ring_out = ring_in;
    }
    while (delivering) {
        spin_unlock(&console_lock);
        spin_lock(&console_lock);
    }
    spin_unlock(&console_lock);
}
