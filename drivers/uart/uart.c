/* The console's UART, whichever it is: characters, waiting, interrupts. */
#include <hv/console.h>
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/irq.h>
#include <hv/printk.h>

#include <asm/barrier.h>
#include <asm/io.h>

#include "uart_model.h"

/* Reads of the status; a character takes 1 ms at 9600 baud. A UART that never has room is given up.
 */
#define WAIT_MAX 1000000u

static const struct uart_model *model;
static volatile char *regs;
static uint32_t shift, width; /* as reg-shift and reg-io-width */
static unsigned intid;
static bool irq_edge, irq_requested;
static bool rx_on, tx_on; /* under the console's lock */
static bool stuck;

uint32_t uart_read(unsigned at) {
    const volatile char *reg = regs + (at << shift);

    return width == 1 ? readb(reg) : readl(reg);
}

void uart_write(uint32_t val, unsigned at) {
    volatile char *reg = regs + (at << shift);

    if (width == 1)
        writeb((uint8_t)val, reg);
    else
        writel(val, reg);
}

static bool status(uint32_t bits) {
    return (uart_read(model->status) ^ model->inverted) & bits;
}

static bool wait_clear(uint32_t bits) {
    for (unsigned i = 0; i < WAIT_MAX; i++) {
        if (!status(bits))
            return true;
        cpu_relax();
    }
    return false;
}

/* Once stuck, one look per character: it may recover, but it does not stop the machine. */
static void uart_putc(char c) {
    if (stuck && status(model->tx_full))
        return;
    stuck = !wait_clear(model->tx_full);
    if (!stuck)
        uart_write((uint8_t)c, model->tx);
}

static bool uart_try_putc(char c) {
    if (status(model->tx_full))
        return false;
    uart_write((uint8_t)c, model->tx);
    return true;
}

static int uart_getc(void) {
    if (status(model->rx_empty))
        return -1;
    return (int)(uart_read(model->rx) & 0xff);
}

static void uart_flush(void) {
    if (!stuck)
        wait_clear(model->busy);
}

static enum irq_result uart_irq(unsigned irq, void *arg) {
    (void)irq;
    (void)arg;
    if (model->ack)
        model->ack();
    console_rx_irq();
    if (tx_on)
        console_tx_irq();
    return IRQ_DONE;
}

static void uart_rx_irq(bool enable) {
    if (enable && !irq_requested) {
        int err;

        if (!intid)
            return;
        err = irq_request(intid, irq_edge ? IRQ_EDGE : IRQ_LEVEL, uart_irq, NULL, "uart");
        if (err) {
            printk("uart: interrupt %u cannot be had (%d): no input\n", intid, err);
            return;
        }
        irq_requested = true;
    }
    rx_on = enable;
    model->irqs(rx_on, tx_on);
}

static bool uart_tx_irq(bool enable) {
    if (!irq_requested)
        return false;
    tx_on = enable;
    model->irqs(rx_on, tx_on);
    return true;
}

void uart_set_irq(unsigned irq, bool edge) {
    intid = irq;
    irq_edge = edge;
}

const struct uart_ops *uart_attach(const struct uart_driver *d, volatile void *base,
                                   const void *fdt, int node) {
    static struct uart_ops ops = {
        .putc = uart_putc,
        .try_putc = uart_try_putc,
        .getc = uart_getc,
        .flush = uart_flush,
        .rx_irq = uart_rx_irq,
        .tx_irq = uart_tx_irq,
    };

    model = d->model;
    regs = base;
    shift = d->reg_shift;
    width = d->io_width;
    if (d->io_width == 1 &&
        (fdt_u32(fdt, node, "reg-shift", &shift) == -EINVAL || shift > 2 ||
         fdt_u32(fdt, node, "reg-io-width", &width) == -EINVAL || (width != 1 && width != 4)))
        return NULL;
    model->irqs(false, false);
    model->setup();
    ops.name = model->name;
    return &ops;
}
