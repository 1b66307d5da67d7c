/* The UART drivers besides the PL011's: where each finds its registers, which bits say what, and
 * what it leaves as firmware had it. */
/* SOURCES: drivers/uart/uart.c drivers/uart/ns16550.c drivers/uart/cadence.c drivers/uart/imx.c */
/* SOURCES: common/lib/fdt.c */
#include "captured_log.h"

#include <hv/console.h>
#include <hv/errno.h>
#include <hv/irq.h>
#include <hv/uart.h>

#include <libfdt.h>

/* What the registers must be like when the UART has room and nothing to read, and so on. */
struct expectation {
    const struct uart_driver *driver;
    const char *properties; /* "SW": reg-shift and reg-io-width */
    unsigned size;          /* of accesses */
    unsigned rx, tx, status;
    uint32_t idle, full, busy, data; /* status */
    unsigned irq_reg;
    uint32_t rx_irq, both_irqs, none; /* of irq_reg */
    unsigned kept_reg;                /* has firmware's settings */
    uint32_t kept, made;
};

/* Registers of a 16550 that are so many bytes apart. */
#define LIKE_16550(apart)                                                                          \
    .status = 5 * (apart), .idle = 0x60, .busy = 0x20, .data = 0x61, .irq_reg = (apart),           \
    .rx_irq = 5, .both_irqs = 7, .kept_reg = 3 * (apart)

static const struct expectation uarts[] = {
    {.driver = &ns16550_driver, .size = 1, LIKE_16550(1), .kept = 0x83, .made = 3},
    {.driver = &dw_uart_driver, .properties = "24", .size = 4, LIKE_16550(4), .kept = 3, .made = 3},
    {.driver = &ns16550_driver,
     .properties = "21",
     .size = 1,
     LIKE_16550(4),
     .kept = 0x1b,
     .made = 0x1b},
    {.driver = &bcm2835_aux_uart_driver, .size = 4, LIKE_16550(4), .kept = 3, .made = 3},
    {.driver = &cadence_driver,
     .size = 4,
     .rx = 0x30,
     .tx = 0x30,
     .status = 0x2c,
     .idle = 0xa,
     .full = 0x12,
     .busy = 0x80a,
     .data = 8,
     .irq_reg = 8,
     .rx_irq = 0x101,
     .both_irqs = 0x109,
     .kept_reg = 0,
     .kept = 0x128,
     .made = 0x114},
    {.driver = &imx_driver,
     .size = 4,
     .rx = 0,
     .tx = 0x40,
     .status = 0xb4,
     .idle = 0x60,
     .full = 0x30,
     .busy = 0x20,
     .data = 0x40,
     .irq_reg = 0x8c,
     .rx_irq = 0x8001,
     .both_irqs = 0x8001,
     .none = 0x8000,
     .kept_reg = 0x84,
     .kept = 0x4020,
     .made = 0x4026},
};

static const struct expectation *u;
static char base[0x100];
static uint32_t reg[0x100];
static uint32_t status_now;
static unsigned status_reads; /* after so many it is idle */
static char sent[16];
static uint8_t typed;
static char tree[512];

uint64_t fake_mmio_read(const volatile void *at, unsigned size) {
    unsigned offset = (unsigned)((const volatile char *)at - base);

    assert_int_equal(size, u->size);
    if (offset == u->status) {
        if (status_reads && !--status_reads)
            status_now = u->idle;
        return status_now;
    }
    if (offset == u->rx && status_now == u->data) {
        status_now = u->idle;
        return typed;
    }
    return reg[offset];
}

void fake_mmio_write(volatile void *at, uint64_t val, unsigned size) {
    unsigned offset = (unsigned)((volatile char *)at - base);

    assert_int_equal(size, u->size);
    if (offset == u->tx) {
        assert_int_not_equal(status_now, u->full);
        strncat(sent, &(char){(char)val}, 1);
        return;
    }
    reg[offset] = (uint32_t)val;
    /* The Cadence UART has a register that switches off. */
    if (u->driver == &cadence_driver && offset == 0xc)
        reg[u->irq_reg] = 0;
}

static irq_handler_t handler;
static unsigned rx_calls, tx_calls;

int irq_request(unsigned irq, enum irq_trigger trigger, irq_handler_t fn, void *arg,
                const char *name) {
    (void)arg, (void)name;
    assert_int_equal(irq, 40);
    assert_int_equal(trigger, IRQ_LEVEL);
    handler = fn;
    return 0;
}
void console_rx_irq(void) {
    rx_calls++;
}
void console_tx_irq(void) {
    tx_calls++;
}

static int make_tree(const char *properties) {
    fdt_create(tree, sizeof(tree));
    fdt_finish_reservemap(tree);
    fdt_begin_node(tree, "");
    if (properties) {
        fdt_property_u32(tree, "reg-shift", (uint32_t)(properties[0] - '0'));
        fdt_property_u32(tree, "reg-io-width", (uint32_t)(properties[1] - '0'));
    }
    fdt_end_node(tree);
    return fdt_finish(tree);
}

static const struct uart_ops *attach(const struct expectation *e) {
    u = e;
    memset(reg, 0, sizeof(reg));
    reg[0x8c] = 0x8000; /* of UCR4; it stays */
    reg[e->kept_reg] = e->kept;
    status_now = e->idle;
    status_reads = 0;
    sent[0] = '\0';
    assert_int_equal(make_tree(e->properties), 0);
    return uart_attach(e->driver, base, tree, 0);
}

static void sends_and_receives(void **state) {
    (void)state;
    for (unsigned i = 0; i < sizeof(uarts) / sizeof(uarts[0]); i++) {
        const struct uart_ops *ops = attach(&uarts[i]);

        assert_non_null(ops);
        assert_int_equal(reg[u->kept_reg], u->made);
        assert_int_equal(reg[u->irq_reg], u->none);
        ops->putc('a');
        status_now = u->full;
        assert_false(ops->try_putc('x'));
        status_reads = 5;
        ops->putc('b');
        assert_int_equal(status_now, u->idle); /* it waited */
        assert_true(ops->try_putc('c'));
        assert_string_equal(sent, "abc");
        status_now = u->busy;
        status_reads = 9;
        ops->flush();
        assert_int_equal(status_reads, 0);
        assert_int_equal(ops->getc(), -1);
        status_now = u->data;
        typed = 0xe4;
        assert_int_equal(ops->getc(), 0xe4);
        assert_int_equal(ops->getc(), -1);
    }
}

static void interrupts(void **state) {
    (void)state;
    uart_set_irq(40, false);
    for (unsigned i = 0; i < sizeof(uarts) / sizeof(uarts[0]); i++) {
        const struct uart_ops *ops = attach(&uarts[i]);

        rx_calls = tx_calls = 0;
        ops->rx_irq(true);
        assert_int_equal(reg[u->irq_reg], u->rx_irq);
        handler(40, NULL);
        assert_int_equal(rx_calls, 1);
        assert_int_equal(tx_calls, 0);
        assert_true(ops->tx_irq(true));
        assert_int_equal(reg[u->irq_reg], u->both_irqs);
        if (u->driver == &imx_driver)
            assert_int_equal(reg[0x80], 0x2001);
        handler(40, NULL);
        assert_int_equal(tx_calls, 1);
        ops->tx_irq(false);
        ops->rx_irq(false);
        assert_int_equal(reg[u->irq_reg], u->none);
    }
}

static void unknown_layouts(void **state) {
    static const char *const bad[] = {"34", "22", "08"};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(make_tree(bad[i]), 0);
        assert_null(uart_attach(&ns16550_driver, base, tree, 0));
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_and_receives),
        cmocka_unit_test(interrupts),
        cmocka_unit_test(unknown_layouts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
