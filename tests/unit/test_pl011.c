/* The PL011 driver against a model of the registers: what firmware left, a full FIFO, a stuck one,
 * receiving. */
/* SOURCES: drivers/uart/pl011.c drivers/uart/uart.c common/lib/fdt.c */
#include "captured_log.h"

#include <hv/bits.h>
#include <hv/console.h>
#include <hv/errno.h>
#include <hv/irq.h>
#include <hv/uart.h>

#define DR 0x00
#define FR 0x18
#define IBRD 0x24
#define FBRD 0x28
#define LCR_H 0x2c
#define CR 0x30
#define IFLS 0x34
#define IMSC 0x38
#define ICR 0x44

static char base[0x1000];
static uint32_t reg[0x400];
static char sent[64];
static const char *typed = "";
static unsigned busy_reads; /* reads of FR until there is room */
static bool sbsa;
static unsigned reads;

uint64_t fake_mmio_read(const volatile void *at, unsigned size) {
    unsigned offset = (unsigned)((const volatile char *)at - base);

    assert_int_equal(size, 4);
    reads++;
    if (sbsa)
        assert_true(offset == DR || offset == FR || (offset >= IMSC && offset <= ICR));
    if (offset == FR) {
        bool full = busy_reads > 0;

        busy_reads -= full;
        return (full ? 0x28 : 0) | (*typed ? 0 : 0x10);
    }
    if (offset == DR)
        return 0x500 | (unsigned char)*typed++; /* with error bits */
    return reg[offset / 4];
}

void fake_mmio_write(volatile void *at, uint64_t val, unsigned size) {
    unsigned offset = (unsigned)((volatile char *)at - base);

    assert_int_equal(size, 4);
    if (sbsa)
        assert_true(offset == DR || (offset >= IMSC && offset <= ICR));
    if (offset == DR) {
        assert_int_equal(busy_reads, 0);
        strncat(sent, &(char){(char)val}, 1);
    }
    /* the line may be changed only while the UART is off */
    if (offset == IBRD || offset == FBRD || offset == LCR_H)
        assert_false(reg[CR / 4] & 1);
    reg[offset / 4] = (uint32_t)val;
}

static irq_handler_t handler;
static int request_result;
static unsigned rx_calls, tx_calls;

int irq_request(unsigned irq, enum irq_trigger trigger, irq_handler_t fn, void *arg,
                const char *name) {
    (void)arg;
    (void)name;
    assert_int_equal(irq, 33);
    assert_int_equal(trigger, IRQ_LEVEL);
    assert_int_equal(reg[IMSC / 4], 0);
    handler = fn;
    return request_result;
}

void console_rx_irq(void) {
    rx_calls++;
}

void console_tx_irq(void) {
    tx_calls++;
}

static int start(void **state) {
    (void)state;
    memset(reg, 0xff, sizeof(reg));
    memset(reg + IBRD / 4, 0, 16);
    sent[0] = '\0';
    typed = "";
    busy_reads = 0;
    sbsa = false;
    return 0;
}

static void never_enabled(void **state) {
    const struct uart_ops *ops = uart_attach(&pl011_driver, base, NULL, 0);

    (void)state;
    assert_int_equal(reg[IBRD / 4], 13);
    assert_int_equal(reg[FBRD / 4], 1);
    assert_int_equal(reg[LCR_H / 4], 0x70);
    assert_int_equal(reg[CR / 4] & 0x301, 0x301);
    assert_int_equal(reg[IMSC / 4], 0);
    ops->putc('x');
    assert_string_equal(sent, "x");
    /* switched off, but with a speed set */
    reg[CR / 4] = 0;
    reg[IBRD / 4] = 26;
    uart_attach(&pl011_driver, base, NULL, 0);
    assert_int_equal(reg[IBRD / 4], 26);
}

/* The speed and control bits of firmware stay. */
static void set_up_by_firmware(void **state) {
    (void)state;
    reg[IBRD / 4] = 26;
    reg[LCR_H / 4] = 0x60;
    reg[CR / 4] = 0xf01;
    uart_attach(&pl011_driver, base, NULL, 0);
    assert_int_equal(reg[IBRD / 4], 26);
    assert_int_equal(reg[LCR_H / 4], 0x60);
    assert_int_equal(reg[CR / 4], 0xf01);
}

static void sbsa_subset(void **state) {
    const struct uart_ops *ops;

    (void)state;
    sbsa = true;
    ops = uart_attach(&sbsa_uart_driver, base, NULL, 0);
    ops->putc('y');
    assert_string_equal(sent, "y");
    assert_int_equal(ops->getc(), -1);
    ops->flush();
}

static void waits_for_room(void **state) {
    const struct uart_ops *ops = uart_attach(&pl011_driver, base, NULL, 0);

    (void)state;
    busy_reads = 100;
    ops->putc('a');
    busy_reads = 100;
    ops->flush();
    assert_int_equal(busy_reads, 0);
    /* never any room: given up after a while, then quickly, until there is room again */
    busy_reads = ~0u;
    ops->putc('b');
    reads = 0;
    for (unsigned i = 0; i < 100; i++)
        ops->putc('c');
    ops->flush();
    assert_true(reads <= 101);
    busy_reads = 0;
    ops->putc('d');
    assert_string_equal(sent, "ad");
}

static void tries(void **state) {
    const struct uart_ops *ops = uart_attach(&pl011_driver, base, NULL, 0);

    (void)state;
    assert_true(ops->try_putc('a'));
    busy_reads = 2;
    reads = 0;
    assert_false(ops->try_putc('b'));
    assert_int_equal(reads, 1); /* looked once, waited for nothing */
    busy_reads = 0;
    assert_true(ops->try_putc('c'));
    assert_string_equal(sent, "ac");
}

static void receives(void **state) {
    const struct uart_ops *ops = uart_attach(&pl011_driver, base, NULL, 0);

    (void)state;
    typed = "k\xff";
    assert_int_equal(ops->getc(), 'k');
    assert_int_equal(ops->getc(), 0xff);
    assert_int_equal(ops->getc(), -1);
    uart_set_irq(0, false);
    ops->rx_irq(true); /* has no interrupt */
    assert_false(ops->tx_irq(true));
    assert_null(handler);
    assert_int_equal(reg[IMSC / 4], 0);
    uart_set_irq(33, false);
    request_result = -EBUSY;
    ops->rx_irq(true);
    assert_logged("interrupt 33 cannot be had");
    assert_int_equal(reg[IMSC / 4], 0);
    request_result = 0;
    ops->rx_irq(true);
    assert_int_equal(reg[IMSC / 4], 0x50);
    handler(33, NULL);
    assert_int_equal(reg[ICR / 4], 0x70);
    assert_int_equal(rx_calls, 1);
    assert_int_equal(tx_calls, 0); /* not asked for */
    assert_true(ops->tx_irq(true));
    assert_int_equal(reg[IMSC / 4], 0x70);
    handler(33, NULL);
    assert_int_equal(tx_calls, 1);
    ops->rx_irq(false);
    assert_int_equal(reg[IMSC / 4], 0x20);
    ops->tx_irq(false);
    ops->rx_irq(false);
    assert_int_equal(reg[IMSC / 4], 0);
    handler = NULL;
    ops->rx_irq(true);
    assert_null(handler); /* taken once */
    assert_int_equal(reg[IMSC / 4], 0x50);
}

int main(void) {
#define T(f) cmocka_unit_test_setup(f, start)
    const struct CMUnitTest tests[] = {
        T(never_enabled), T(set_up_by_firmware), T(sbsa_subset), T(waits_for_room),
        T(tries),         T(receives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
