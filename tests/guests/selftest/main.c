/* Runs every test in turn, and says how each went. */
#include "selftest.h"

extern const struct test tests_start[], tests_end[];

static const char *skipped;

void skip(const char *why) {
    skipped = why;
}

static void run(const struct test *t, uint64_t count[3]) {
    struct cpu *c = &cpus[0];

    *c = (struct cpu){0};
    skipped = 0;
    gic_reset();
    if (nr_cpus < t->cpus)
        skip("too few CPUs");
    else
        t->run();
    irq_disable();
    sysreg_write(cntv_ctl_el0, 0);
    sysreg_write(cntp_ctl_el0, 0);
    if (!verdict_end("FAIL", t->name)) {
        count[1]++;
    } else if (skipped) {
        print("SKIP %s: %s\n", t->name, skipped);
        count[2]++;
    } else {
        print("PASS %s\n", t->name);
        count[0]++;
    }
}

static void run_all(void) {
    uint64_t count[3] = {0};

    print("selftest: %lu CPUs\n", (uint64_t)nr_cpus);
    for (const struct test *t = tests_start; t < tests_end; t++)
        run(t, count);
    print("DONE passed %lu failed %lu skipped %lu\n", count[0], count[1], count[2]);
    hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
}

void cpu_main(uint64_t number);
void cpu_main(uint64_t number) {
    struct cpu *c = &cpus[number];

    sysreg_write(tpidr_el1, number);
    if (!number)
        nr_cpus = gic_probe();
    gic_init_cpu();
    if (!number)
        run_all();
    c->run();
    *(volatile bool *)&c->done = true;
    dsb();
    hvc(PSCI_CPU_OFF, 0, 0, 0);
}
