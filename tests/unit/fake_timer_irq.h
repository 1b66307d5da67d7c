/* The timer's interrupt and its node of the boot device tree, for tests of what runs on timers. */
#ifndef FAKE_TIMER_IRQ_H
#define FAKE_TIMER_IRQ_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/irq.h>

static irq_handler_t timer_handler; /* what timer.c asked for */
static unsigned timer_irq = 26;     /* 0: the node has none */

int fdt_next_compatible(const void *fdt, int start, const char *compat) {
    (void)fdt;
    (void)start;
    (void)compat;
    return 1;
}

/* No clock-frequency: the counter's own register says it. */
int fdt_u32(const void *fdt, int node, const char *prop, uint32_t *out) {
    (void)fdt;
    (void)node;
    (void)prop;
    (void)out;
    return -ENOENT;
}

const char *fdt_path(const void *fdt, int node, char path[FDT_PATH_MAX]) {
    (void)fdt;
    (void)node;
    return strcpy(path, "/timer");
}

int irq_from_fdt(const void *fdt, int node, unsigned index, unsigned *irq, enum irq_trigger *t) {
    (void)fdt;
    (void)node;
    assert_int_equal(index, 3); /* the hypervisor's */
    *irq = timer_irq;
    *t = IRQ_LEVEL;
    return timer_irq ? 0 : -ENOENT;
}

int irq_request(unsigned irq, enum irq_trigger t, irq_handler_t fn, void *arg, const char *name) {
    (void)t;
    (void)arg;
    (void)name;
    assert_int_equal(irq, 26);
    timer_handler = fn;
    return 0;
}

#endif
