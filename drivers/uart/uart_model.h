/*
 * What a UART is to its driver: two data registers, a status register, and how interrupts are
 * switched. uart.c does the rest alike for all of them.
 */
#ifndef UART_MODEL_H
#define UART_MODEL_H

#include <hv/types.h>
#include <hv/uart.h>

struct uart_model {
    const char *name;
    uint16_t rx, tx, status; /* registers, before reg-shift */
    uint32_t inverted;       /* bits of the status that say the opposite of what is named below */
    uint32_t tx_full, rx_empty, busy;
    void (*setup)(void);            /* ready to send and to receive; interrupts are off already */
    void (*irqs)(bool rx, bool tx); /* these interrupts are on, and no others */
    void (*ack)(void);              /* in the handler, before it looks; NULL: nothing to do */
};

/* Registers of the UART that is attached. */
uint32_t uart_read(unsigned at);
void uart_write(uint32_t val, unsigned at);

#endif
