/* The test guest's own small runtime: console, exceptions, firmware calls, other CPUs. */
#include <stdarg.h>

#include "selftest.h"

struct cpu cpus[MAX_CPUS];
unsigned nr_cpus;
uint64_t run_at;

/* ---- what the compiler may call ---- */

void *memset(void *to, int value, uint64_t size);
void *memset(void *to, int value, uint64_t size) {
    for (uint64_t i = 0; i < size; i++)
        ((volatile uint8_t *)to)[i] = (uint8_t)value;
    return to;
}

void *memcpy(void *to, const void *from, uint64_t size);
void *memcpy(void *to, const void *from, uint64_t size) {
    for (uint64_t i = 0; i < size; i++)
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

/* ---- firmware ---- */

#define DEFINE_CALL(conduit)                                                                       \
    int64_t conduit(uint64_t function, uint64_t a1, uint64_t a2, uint64_t a3) {                    \
        register uint64_t x0 __asm__("x0") = function;                                             \
        register uint64_t x1 __asm__("x1") = a1;                                                   \
        register uint64_t x2 __asm__("x2") = a2;                                                   \
        register uint64_t x3 __asm__("x3") = a3;                                                   \
                                                                                                   \
        __asm__ volatile(#conduit " #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");       \
        return (int32_t)x0;                                                                        \
    }
DEFINE_CALL(hvc)
DEFINE_CALL(smc)

/* ---- CPUs ---- */

unsigned cpu_number(void) {
    return (unsigned)sysreg_read(tpidr_el1);
}

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
    WAIT_FOR(2000000, *(volatile bool *)&cpus[cpu].done, nap());
    WAIT_FOR(2000000, hvc(PSCI_AFFINITY_INFO, cpu_affinity(cpu), 0, 0) == 1, nap());
}

/* ---- one instruction ---- */

void probe(uint64_t x[4]);
extern uint32_t probe_slot[];

static void patch(uint32_t *slot, uint32_t word) {
    *(volatile uint32_t *)slot = word;
    __asm__ volatile("dc cvau, %0\n\tdsb ish\n\tic ivau, %0\n\tdsb ish\n\tisb" ::"r"(slot)
                     : "memory");
}

void run_word(uint32_t word, uint64_t r[4]) {
    patch(probe_slot, word);
    run_at = (uint64_t)probe_slot;
    probe(r);
}

uint64_t run_word_el0(uint32_t word, uint64_t x0) {
    patch((uint32_t *)(uint64_t)probe_el0, word);
    return el0_call(probe_el0, x0);
}

/* ---- exceptions ---- */

static void silence(unsigned intid) {
    if (intid == PPI_VTIMER)
        sysreg_write(cntv_ctl_el0, 2);
    else if (intid == PPI_PTIMER)
        sysreg_write(cntp_ctl_el0, 2);
    else if (intid == SPI_CONSOLE)
        write32(VPL011 + 0x38, 0);
}

static void take_irq(struct cpu *c) {
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

static void resume(struct frame *f, unsigned ec) {
    switch (ec) {
    case EC_SVC: /* of EL0: it ends there */
        f->elr = (uint64_t)el0_done;
        f->spsr = 0x3c5;
        break;
    case EC_FETCH:
    case EC_FETCH_EL0:
        f->elr = f->x[30];
        break;
    case EC_BREAKPOINT_EL0 ... EC_WATCHPOINT:
        f->spsr = (f->spsr | SPSR_D) & ~SPSR_SS;
        break;
    default:
        f->elr += 4;
        break;
    }
}

static void take_sync(struct cpu *c, struct frame *f) {
    uint64_t esr = sysreg_read(esr_el1);
    unsigned ec = (unsigned)FIELD(esr, 31, 26);

    if (ec == EC_SVC) {
        resume(f, ec);
        return;
    }
    if (!c->trying) {
        print("FAIL unexpected exception: cpu %lu esr 0x%lx far 0x%lx elr 0x%lx\n",
              (uint64_t)cpu_number(), esr, sysreg_read(far_el1), f->elr);
        hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
    }
    c->caught =
        (struct caught){c->caught.count + 1, ec, esr, sysreg_read(far_el1), f->elr, f->spsr};
    if (!c->on_exception || !c->on_exception(f, ec))
        resume(f, ec);
}

void exception(struct frame *f, uint64_t vector);
void exception(struct frame *f, uint64_t vector) {
    struct cpu *c = me();

    switch (vector) {
    case 4: /* from EL1 with its own stack pointer, and from EL0 */
    case 8:
        take_sync(c, f);
        break;
    case 5:
    case 9:
        take_irq(c);
        break;
    default:
        print("FAIL exception by vector %lu: esr 0x%lx elr 0x%lx\n", vector, sysreg_read(esr_el1),
              f->elr);
        hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
    }
}
