/* Arm PL011 UART (DDI 0183), and the part of it that an SBSA generic UART (BSA, appendix B) has. */
#include <hv/bits.h>

#include "uart_model.h"

#define UARTDR 0x00
#define UARTFR 0x18
#define UARTIBRD 0x24
#define UARTFBRD 0x28
#define UARTLCR_H 0x2c
#define UARTCR 0x30
#define UARTIFLS 0x34
#define UARTIMSC 0x38
#define UARTICR 0x44

#define FR_BUSY BIT(3)
#define FR_RXFE BIT(4)
#define FR_TXFF BIT(5)
#define LCR_8BITS_FIFO 0x70u
#define CR_UARTEN BIT(0)
#define CR_ON 0x301u /* UARTEN, TXE, RXE */
#define INT_RX BIT(4)
#define INT_TX BIT(5)
#define INT_RX_TIMEOUT BIT(6)
#define INT_ALL 0x7ffu

/* 115200 baud from the 24 MHz that most boards feed it: only when nobody has set a speed before. */
#define IBRD_DEFAULT 13u
#define FBRD_DEFAULT 1u

static void pl011_irqs(bool rx, bool tx) {
    uart_write((uint32_t)((rx ? INT_RX | INT_RX_TIMEOUT : 0) | (tx ? INT_TX : 0)), UARTIMSC);
}

static void pl011_ack(void) {
    uart_write(INT_RX | INT_RX_TIMEOUT | INT_TX, UARTICR);
}

/* Has neither control nor speed registers. */
static void sbsa_setup(void) {
    uart_write(INT_ALL, UARTICR);
}

/* Speed and format are kept when firmware set them: it is firmware's text that is on the screen
 * before ours. */
static void pl011_setup(void) {
    uart_write(INT_ALL, UARTICR);
    if (!(uart_read(UARTCR) & CR_UARTEN)) {
        if (!uart_read(UARTIBRD)) {
            uart_write(IBRD_DEFAULT, UARTIBRD);
            uart_write(FBRD_DEFAULT, UARTFBRD);
        }
        uart_write(LCR_8BITS_FIFO, UARTLCR_H); /* after the divisors, which it latches */
    }
    uart_write(uart_read(UARTCR) | CR_ON, UARTCR);
    uart_write(0, UARTIFLS); /* receive interrupt at 1/8 full, the timeout brings the rest */
}

#define PL011_MODEL(setup_fn)                                                                      \
    {                                                                                              \
        .name = "PL011", .rx = UARTDR, .tx = UARTDR, .status = UARTFR, .tx_full = FR_TXFF,         \
        .rx_empty = FR_RXFE, .busy = FR_BUSY, .setup = (setup_fn), .irqs = pl011_irqs,             \
        .ack = pl011_ack,                                                                          \
    }

static const struct uart_model pl011 = PL011_MODEL(pl011_setup);
static const struct uart_model sbsa_uart = PL011_MODEL(sbsa_setup);

const struct uart_driver pl011_driver = {"arm,pl011", &pl011, 0, 4};
const struct uart_driver sbsa_uart_driver = {"arm,sbsa-uart", &sbsa_uart, 0, 4};
