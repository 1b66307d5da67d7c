/*
 * Floor 4: the one real console: output of Holdfast and of all guests line by line, each line with
 * its source's prefix, and the switch that says whose keys the user is typing.
 *
 * Lines from several sources never mix within a line, except that the source that has the input
 * focus is written through at once (so a prompt without newline is seen).
 */
#ifndef HV_CONSOLE_H
#define HV_CONSOLE_H

#include <hv/list.h>
#include <hv/types.h>

/*
 * What a UART driver offers. putc waits for room, try_putc does not (false); getc returns -1 when
 * there is nothing.
 */
struct uart_ops {
    const char *name;
    void (*putc)(char c);
    bool (*try_putc)(char c);
    int (*getc)(void);
    void (*flush)(void); /* returns when the last character is on the wire */
    /* Unmasks or masks the receive interrupt; the first call takes the interrupt. */
    void (*rx_irq)(bool enable);
    /* Likewise for the transmit interrupt, which comes after a try_putc() that failed, when there
     * is room again. False: there is no such interrupt. After the first rx_irq(). */
    bool (*tx_irq)(bool enable);
};

/* Output only, at any time; what was logged before is shown. A later call replaces the driver. */
void console_set_uart(const struct uart_ops *ops);
/* Input on: registers SOFTIRQ_CONSOLE; after irq_init() and timers_init(). The driver's interrupt
 * handler calls console_rx_irq() and console_tx_irq(). */
void console_init(void);
void console_rx_irq(void);
void console_tx_irq(void);

/* A place keys can go to and text can come from: one per guest console. */
struct console_port {
    struct list link;
    char name[32];   /* "domU1" */
    char prefix[16]; /* "(d1) " */
    /* Takes one key; false when the receiver is full (the console keeps it and retries on
     * console_retry()). NULL: it is Holdfast's own voice, and never waits for the end of a line. */
    bool (*input)(void *arg, char c);
    /* There is room for text again, after a write that was cut short. May be NULL. No lock held. */
    void (*room)(void *arg);
    void *arg;
    char line[128]; /* output gathered until newline; guarded by the console lock */
    uint16_t len;
    bool cr;       /* a carriage return waits: is it the end of a line? */
    bool raw;      /* it has given commands to the terminal since it got the keys */
    uint16_t sent; /* characters taken since all was on the wire */
    uint32_t mark; /* the last of them, in what the UART is to send */
    bool full;     /* it has to wait; read without the lock */
    uint32_t told; /* the round in which it was told of room last */
};

/*
 * Ports take their turns in the order of their prefixes. A port with the name of one that was
 * removed while it had the focus gets it back (a domain that restarts). After console_remove_port()
 * returns, input() and room() are not running and will not be called.
 */
void console_add_port(struct console_port *port);
void console_remove_port(struct console_port *port);
/*
 * Returns how many characters were taken. A port may have no more than some lines before the UART,
 * so that it neither keeps the caller nor the others' text waiting; the rest can be tried again
 * after room().
 */
size_t console_port_write(struct console_port *port, const char *s, size_t n);
static inline bool console_port_full(const struct console_port *port) {
    return READ_ONCE(port->full);
}
/* The port has room for keys again. */
void console_retry(struct console_port *port);
/* Waits until the UART has sent everything (before power off). No lock of the console is held. */
void console_flush(void);

/* Key that switches when pressed three times in a row; 0 turns switching off. Default Ctrl-A (1).
 */
extern uint8_t console_switch_key;

/* Console input while the focus is on Holdfast itself; NULL until a monitor registers. */
void console_set_hv_input(bool (*input)(void *arg, char c));

#endif
