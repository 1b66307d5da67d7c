/*
 * Does what a letter on its console says; numbers are decimal, and end with what is no digit:
 *
 *   n      a sum over memory of its own, which nobody else may change
 *   g D    domain D may map pages of this one
 *   a      every operation once; what is refused is asked for again, and must then be granted
 *   d O U R  operation O again and again, until after U microseconds the other vCPU ends the domain
 *          for reason R (SHUTDOWN_), by a watchdog of one second if that is SHUTDOWN_watchdog, or
 *          says that it is about to be ended, with any other R
 *
 * With a seed in its image's header it does operations at random instead, until it ends itself;
 * with a device (QEMU's edu) it lets that copy meanwhile. soak.py writes seed and the domains'
 * numbers there; with numbers and no seed it says every 20 ms that its sum is right, for good.
 */
#include "calls.h"

struct vcpu_info vcpu_infos[MAX_CPUS];
bool registered[MAX_CPUS];

#define SEED PARAMETER(0)
#define PEERS PARAMETER(1) /* whose grants are mapped, and who gets ours */
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

static volatile uint64_t last_us, last_reason;

static void end_domain(void) {
    struct sched_shutdown op = {.reason = (unsigned)last_reason};
    struct sched_watchdog dog = {.timeout = 1};

    delay_us(last_us);
    if (last_reason < SHUTDOWN_watchdog)
        sched_op(SCHEDOP_shutdown, &op);
    else if (last_reason == SHUTDOWN_watchdog)
        TRUE(sched_op(SCHEDOP_watchdog, &dog) > 0);
    else
        print("calls: goes on\n");
    for (;;)
        wfi();
}

static void die_in(uint64_t operation, uint64_t us, uint64_t reason) {
    last_us = us, last_reason = reason;
    cpu_start(1, end_domain);
    for (;;)
        operations[operation % nr_operations].run();
}

static void watch(void) {
    uint64_t first = sum();

    for (;;) {
        doze(20000);
        print(sum() == first ? "calls: well\n" : "FAIL sum\n");
    }
}

/* ---- at random ---- */

#define ECAM 0x10000000UL
#define BAR 0x23000000UL
#define EDU 0x11e81234

static bool have_device(void) {
    uint32_t id = 0;

    TRY(id = read32(ECAM));
    if (id != EDU)
        return false;
    write32(ECAM + 0x10, BAR);
    write32(ECAM + 4, 6); /* memory and bus master */
    return true;
}

/* From or to anywhere in the memory that comes and goes, grants of others among it, and beyond. */
static void copy_by_device(void) {
    bool store = below(2);
    uint64_t at =
        (below(4) ? RAM + 0x200000 + below(0x600000) : 0x78200000 + below(0x40000)) & ~7UL;

    if (read64(BAR + 0x98) & 1)
        return;
    write64(BAR + 0x80, store ? 0x40000 : at);
    write64(BAR + 0x88, store ? at : 0x40000);
    write64(BAR + 0x90, 8 + (below(4088) & ~7UL));
    write64(BAR + 0x98, store ? 3 : 1);
}

static void soak(void) {
    uint64_t first = sum();
    bool device = have_device();

    random_state = SEED ^ counter();
    peer = (unsigned)(PEERS & 0xff);
    give((unsigned)(PEERS >> 8));
    while (below(300)) {
        operations[below(nr_operations)].run();
        if (device)
            copy_by_device();
        if (sum() != first)
            print("FAIL sum\n");
    }
    if (below(2))
        die_in(below(nr_operations), below(1000), SHUTDOWN_reboot);
    sched_op(SCHEDOP_shutdown, &(struct sched_shutdown){.reason = (unsigned)below(4)});
}

static void obey(char letter) {
    uint64_t operation, us;

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
        us = number();
        die_in(operation, us, number());
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
    if (SEED)
        soak();
    if (PEERS)
        watch();
    print("calls: %lu operations\n", (uint64_t)nr_operations);
    for (;;)
        obey(key());
}
