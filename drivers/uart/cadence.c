/* Cadence UART, as in AMD's Zynq devices (UG1085, chapter 21). */
#include <hv/bits.h>

#include "uart_model.h"

#define CR 0x00
#define IER 0x08
#define IDR 0x0c
#define ISR 0x14 /* writing a 1 clears it */
#define RXTOUT 0x1c
#define RXWM 0x20
#define SR 0x2c
#define FIFO 0x30

#define CR_TX_DISABLE BIT(5)
#define CR_TX_ENABLE BIT(4)
#define CR_RX_DISABLE BIT(3)
#define CR_RX_ENABLE BIT(2)
#define SR_TX_ACTIVE BIT(11)
#define SR_TX_FULL BIT(4)
#define SR_TX_EMPTY BIT(3)
#define SR_RX_EMPTY BIT(1)
#define INT_RX_TIMEOUT BIT(8)
#define INT_TX_EMPTY BIT(3)
#define INT_RX_TRIGGER BIT(0)
#define INT_ALL 0x1fffu

/* The speed is firmware's. */
static void setup(void) {
    uint32_t cr = uart_read(CR) & (uint32_t) ~(CR_TX_DISABLE | CR_RX_DISABLE);

    uart_write(INT_ALL, ISR);
    uart_write(cr | CR_TX_ENABLE | CR_RX_ENABLE, CR);
    uart_write(1, RXWM);    /* an interrupt for each character, */
    uart_write(10, RXTOUT); /* and for those that are left, after 40 bits' time */
}

static void irqs(bool rx, bool tx) {
    uart_write(INT_ALL, IDR);
    uart_write((uint32_t)((rx ? INT_RX_TRIGGER | INT_RX_TIMEOUT : 0) | (tx ? INT_TX_EMPTY : 0)),
               IER);
}

static void ack(void) {
    uart_write(INT_RX_TRIGGER | INT_RX_TIMEOUT | INT_TX_EMPTY, ISR);
}

static const struct uart_model cadence = {
    .name = "Cadence UART",
    .rx = FIFO,
    .tx = FIFO,
    .status = SR,
    .inverted = SR_TX_EMPTY,
    .tx_full = SR_TX_FULL,
    .rx_empty = SR_RX_EMPTY,
    .busy = SR_TX_EMPTY | SR_TX_ACTIVE,
    .setup = setup,
    .irqs = irqs,
    .ack = ack,
};

const struct uart_driver cadence_driver = {"cdns,uart-r1p12", &cadence, 0, 4};
