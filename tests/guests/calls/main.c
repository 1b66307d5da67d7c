/*
 * Does what a letter on its console says; numbers are decimal, and end with what is no digit:
 *
 *   n      a sum over memory of its own, which nobody else may change
 *   g D    domain D may map pages of this one
 *   a      every operation once; what is refused is asked for again, and must then be granted
 *   d O U  operation O again and again, until after U microseconds the other vCPU ends the domain
 */
#include "calls.h"

struct vcpu_info vcpu_infos[MAX_CPUS];
bool registered[MAX_CPUS];

static uint64_t *const mine = (uint64_t *)(RAM + 0xc00000UL);
#define WORDS 8192

static void fill_mine(void) {
    for (unsigned i = 0; i < WORDS; i++)
        mine[i] = below(~0UL);
}

static uint64_t sum(void) {
    uint64_t s = 0;

    for (unsigned i = 0; i < WORDS; i++)
        s = (s ^ mine[i]) * 1099511628211UL;
    return s;
}

static void doze(uint64_t us) {
    gic_enable(PPI_VTIMER, 0x80);
    sysreg_write(cntv_cval_el0, counter() + ticks_us(us));
    sysreg_write(cntv_ctl_el0, 1);
    wfi();
    sysreg_write(cntv_ctl_el0, 0);
}

static char key(void) {
    while (read32(VPL011 + 0x18) & BIT(4))
        doze(1000);
    return (char)read32(VPL011);
}

static uint64_t number(void) {
    uint64_t n = 0;
    char c;

    for (c = key(); c == ' '; c = key())
        ;
    for (; c >= '0' && c <= '9'; c = key())
        n = 10 * n + (uint64_t)(c - '0');
    return n;
}

static void all_once(void) {
    strict = true;
    for (unsigned i = 0; i < nr_operations; i++) {
        refused = 0;
        operations[i].run();
        if (refused)
            print("calls: refused in %s\n", operations[i].name);
        verdict_end("FAIL", operations[i].name);
    }
    strict = false;
    print("calls: all made\n");
}

static volatile uint64_t last_us;

static void end_domain(void) {
    struct sched_shutdown op = {.reason = SHUTDOWN_poweroff};

    delay_us(last_us);
    sched_op(SCHEDOP_shutdown, &op);
}

static void die_in(uint64_t operation, uint64_t us) {
    last_us = us;
    cpu_start(1, end_domain);
    for (;;)
        operations[operation % nr_operations].run();
}

static void obey(char letter) {
    uint64_t operation;

    switch (letter) {
    case 'n':
        print("calls: sum %lx\n", sum());
        break;
    case 'g':
        give((unsigned)number());
        print("calls: granted\n");
        break;
    case 'a':
        all_once();
        break;
    case 'd':
        operation = number();
        die_in(operation, number());
    }
}

void cpu_main(uint64_t number_of_cpu);
void cpu_main(uint64_t number_of_cpu) {
    sysreg_write(tpidr_el1, number_of_cpu);
    if (!number_of_cpu)
        nr_cpus = gic_probe();
    gic_init_cpu();
    if (number_of_cpu)
        cpus[number_of_cpu].run();
    gic_reset();
    fill_mine();
    prepare();
    print("calls: %lu operations\n", (uint64_t)nr_operations);
    for (;;)
        obey(key());
}
