/* The test guest's own small runtime: console, interrupts, other CPUs. */
#include <stdarg.h>
#include <stddef.h>

#include "selftest.h"

struct cpu cpus[MAX_CPUS];
unsigned nr_cpus;

/* ---- what the compiler may call ---- */

void *memset(void *to, int value, size_t size);
void *memset(void *to, int value, size_t size) {
    for (size_t i = 0; i < size; i++)
        ((volatile uint8_t *)to)[i] = (uint8_t)value;
    return to;
}

void *memcpy(void *to, const void *from, size_t size);
void *memcpy(void *to, const void *from, size_t size) {
    for (size_t i = 0; i < size; i++)
        ((volatile uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    return to;
}

/* ---- console ---- */

#define UART_FR_FULL BIT(5)

static void put(char c) {
    while (read32(VPL011 + 0x18) & UART_FR_FULL)
        ;
    write32(VPL011, (uint8_t)c);
}

static void put_number(uint64_t value, unsigned base) {
    char digits[20];
    unsigned n = 0;

    do
        digits[n++] = "0123456789abcdef"[value % base];
    while (value /= base);
    while (n)
        put(digits[--n]);
}

void print(const char *format, ...) {
    va_list args;

    va_start(args, format);
    for (; *format; format++) {
        if (*format != '%') {
            put(*format);
            continue;
        }
        while (*++format == 'l')
            ;
        if (*format == 's')
            for (const char *s = va_arg(args, const char *); *s; s++)
                put(*s);
        else
            put_number(va_arg(args, uint64_t), *format == 'x' ? 16 : 10);
    }
    va_end(args);
}

/* ---- CPUs ---- */

void cpu_start(unsigned cpu, void (*run)(void)) {
    cpus[cpu].run = run;
    cpus[cpu].done = false;
    dsb();
    EQ(hvc(PSCI_CPU_ON, cpu_affinity(cpu), (uint64_t)secondary, cpu), 0);
}

void nap(void) {
    gic_enable(PPI_VTIMER, 0x80);
    sysreg_write(cntv_cval_el0, counter() + ticks_us(20));
    sysreg_write(cntv_ctl_el0, 1);
    wfi();
    sysreg_write(cntv_ctl_el0, 0);
}

void cpu_join(unsigned cpu) {
    irq_disable();
    /* Also when the test has failed: nobody else looks after a CPU that runs on. */
    WAIT_FOR(PATIENCE_US, *(volatile bool *)&cpus[cpu].done, nap());
    WAIT_FOR(PATIENCE_US, hvc(PSCI_AFFINITY_INFO, cpu_affinity(cpu), 0, 0) == 1, nap());
}

void everywhere(void (*run)(void)) {
    for (unsigned i = 1; i < nr_cpus; i++)
        cpu_start(i, run);
    run();
    for (unsigned i = 1; i < nr_cpus; i++)
        cpu_join(i);
}

/* ---- interrupts ---- */

static void silence(unsigned intid) {
    if (intid == PPI_VTIMER)
        sysreg_write(cntv_ctl_el0, 2);
    else if (intid == PPI_PTIMER)
        sysreg_write(cntp_ctl_el0, 2);
    else if (intid == SPI_CONSOLE)
        write32(VPL011 + 0x38, 0);
}

void take_irq(void) {
    struct cpu *c = me();
    uint64_t iar = icc_read(ICC_IAR1_EL1);
    unsigned intid = iar_intid(iar);

    if (intid >= 1020) {
        c->spurious++;
        return;
    }
    c->order[c->irqs++ % COUNT(c->order)] = (uint16_t)intid;
    if (intid < MAX_INTID)
        c->taken[intid]++;
    if (c->on_irq)
        c->on_irq(intid);
    else
        silence(intid);
    icc_write(ICC_EOIR1_EL1, iar);
    if (gic_eoi_mode() && !c->keep_active)
        icc_write(ICC_DIR_EL1, iar);
}
