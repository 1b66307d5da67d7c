/* Arm PL011 UART (DDI 0183), and the part of it that an SBSA generic UART (BSA, appendix B) has. */
#include <hv/bits.h>
#include <hv/console.h>
#include <hv/irq.h>
#include <hv/printk.h>
#include <hv/uart.h>

#include <asm/barrier.h>
#include <asm/io.h>

#define UARTDR 0x00
#define UARTFR 0x18
#define UARTIBRD 0x24
#define UARTFBRD 0x28
#define UARTLCR_H 0x2c
#define UARTCR 0x30
#define UARTIFLS 0x34
#define UARTIMSC 0x38
#define UARTMIS 0x40
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

/* Reads of UARTFR; a character takes 1 ms at 9600 baud. A UART that never has room is given up. */
#define WAIT_MAX 1000000u

static volatile char *regs;
static unsigned intid;
static uint32_t mask; /* UARTIMSC; under the console's lock */
static bool irq_edge, irq_requested;
static bool stuck;

static uint32_t reg_read(unsigned at) {
    return readl(regs + at);
}

static void reg_write(uint32_t val, unsigned at) {
    writel(val, regs + at);
}

static bool wait_clear(uint32_t bits) {
    for (unsigned i = 0; i < WAIT_MAX; i++) {
        if (!(reg_read(UARTFR) & bits))
            return true;
        cpu_relax();
    }
    return false;
}

/* Once stuck, one look per character: it may recover, but it does not stop the machine. */
static void pl011_putc(char c) {
    if (stuck && (reg_read(UARTFR) & FR_TXFF))
        return;
    stuck = !wait_clear(FR_TXFF);
    if (!stuck)
        reg_write((uint8_t)c, UARTDR);
}

static bool pl011_try_putc(char c) {
    if (reg_read(UARTFR) & FR_TXFF)
        return false;
    reg_write((uint8_t)c, UARTDR);
    return true;
}

static int pl011_getc(void) {
    if (reg_read(UARTFR) & FR_RXFE)
        return -1;
    return (int)(reg_read(UARTDR) & 0xff);
}

static void pl011_flush(void) {
    if (!stuck)
        wait_clear(FR_BUSY);
}

static void set_mask(uint64_t bits) {
    mask = (uint32_t)bits;
    reg_write(mask, UARTIMSC);
}

static enum irq_result pl011_irq(unsigned irq, void *arg) {
    (void)irq;
    (void)arg;
    reg_write(INT_RX | INT_RX_TIMEOUT | INT_TX, UARTICR);
    console_rx_irq();
    if (mask & INT_TX)
        console_tx_irq();
    return IRQ_DONE;
}

static void pl011_rx_irq(bool enable) {
    if (enable && !irq_requested) {
        int err;

        if (!intid)
            return;
        set_mask(0);
        err = irq_request(intid, irq_edge ? IRQ_EDGE : IRQ_LEVEL, pl011_irq, NULL, "uart");
        if (err) {
            printk("uart: interrupt %u cannot be had (%d): no input\n", intid, err);
            return;
        }
        irq_requested = true;
    }
    set_mask(enable ? mask | INT_RX | INT_RX_TIMEOUT : mask & INT_TX);
}

static bool pl011_tx_irq(bool enable) {
    if (!irq_requested)
        return false;
    set_mask(enable ? mask | INT_TX : mask & ~INT_TX);
    return true;
}

static const struct uart_ops pl011_ops = {
    .name = "PL011",
    .putc = pl011_putc,
    .try_putc = pl011_try_putc,
    .getc = pl011_getc,
    .flush = pl011_flush,
    .rx_irq = pl011_rx_irq,
    .tx_irq = pl011_tx_irq,
};

static void attach(volatile void *base) {
    regs = base;
    reg_write(0, UARTIMSC);
    reg_write(INT_ALL, UARTICR);
}

/* Speed and format are kept when firmware set them: it is firmware's text that is on the screen
 * before ours. */
static const struct uart_ops *pl011_init(volatile void *base) {
    attach(base);
    if (!(reg_read(UARTCR) & CR_UARTEN)) {
        if (!reg_read(UARTIBRD)) {
            reg_write(IBRD_DEFAULT, UARTIBRD);
            reg_write(FBRD_DEFAULT, UARTFBRD);
        }
        reg_write(LCR_8BITS_FIFO, UARTLCR_H); /* after the divisors, which it latches */
    }
    reg_write(reg_read(UARTCR) | CR_ON, UARTCR);
    reg_write(0, UARTIFLS); /* receive interrupt at 1/8 full, the timeout brings the rest */
    return &pl011_ops;
}

/* Has neither control nor speed registers. */
static const struct uart_ops *sbsa_uart_init(volatile void *base) {
    attach(base);
    return &pl011_ops;
}

static void pl011_set_irq(unsigned irq, bool edge) {
    intid = irq;
    irq_edge = edge;
}

const struct uart_driver pl011_driver = {"arm,pl011", pl011_init, pl011_set_irq};
const struct uart_driver sbsa_uart_driver = {"arm,sbsa-uart", sbsa_uart_init, pl011_set_irq};
