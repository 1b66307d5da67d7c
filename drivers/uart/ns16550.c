/* The 16550 and what is programmed like it: DesignWare's, the Raspberry Pi's mini UART. */
#include <hv/bits.h>

#include "uart_model.h"

#define DATA 0
#define IER 1
#define IIR 2 /* read */
#define FCR 2 /* write */
#define LCR 3
#define LSR 5

#define IER_RX 5u /* data, and line errors: the mini UART receives only with both */
#define IER_TX 2u
#define FCR_FIFO 1u
#define LCR_DLAB BIT(7)
#define LSR_DATA BIT(0)
#define LSR_THR_EMPTY BIT(5)
#define LSR_IDLE BIT(6)

/* The speed is firmware's. */
static void setup(void) {
    uart_write(uart_read(LCR) & (uint32_t)~LCR_DLAB, LCR);
    uart_write(FCR_FIFO, FCR);
}

static void irqs(bool rx, bool tx) {
    uart_write((rx ? IER_RX : 0) | (tx ? IER_TX : 0), IER);
}

static void ack(void) {
    uart_read(IIR);
}

static const struct uart_model ns16550 = {
    .name = "16550",
    .rx = DATA,
    .tx = DATA,
    .status = LSR,
    .inverted = LSR_DATA | LSR_THR_EMPTY | LSR_IDLE,
    .tx_full = LSR_THR_EMPTY,
    .rx_empty = LSR_DATA,
    .busy = LSR_IDLE,
    .setup = setup,
    .irqs = irqs,
    .ack = ack,
};

const struct uart_driver ns16550_driver = {"ns16550a", &ns16550, 0, 1};
const struct uart_driver dw_uart_driver = {"snps,dw-apb-uart", &ns16550, 0, 1};
const struct uart_driver bcm2835_aux_uart_driver = {"brcm,bcm2835-aux-uart", &ns16550, 2, 4};
