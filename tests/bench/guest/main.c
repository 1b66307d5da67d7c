/* Runs the rows of one mode, and says what each found. */
#include "bench.h"

#define MAX_KEYS 8
#define MAX_SAMPLES 512
#define MODE_AT 40 /* in the image's header, a reserved word: tests/bench/run.py writes it */
enum mode { MODE_TABLE, MODE_BOOT, MODE_SWITCH, MODE_SCALING, MODE_WAIT };

extern const struct test tests_start[], tests_end[];
extern const char bench_vectors[];

uint64_t empty, marked;
volatile uint64_t interrupts[MAX_CPUS];
static volatile uint8_t nowhere;
volatile uint8_t *upcall_pending = &nowhere;

/* Of the costs the one in the middle counts: the first ones may have had to allocate. */
static struct result {
    const char *key;
    unsigned nr;
    struct {
        uint64_t cost, at; /* at: which pair of marks it was */
    } taken[MAX_SAMPLES];  /* sorted by cost */
} results[MAX_KEYS];
static unsigned nr_results;

void sample(const char *key, uint64_t cost) {
    struct result *r = results;
    unsigned i;

    while (r < results + nr_results && r->key != key)
        r++;
    if (r == results + MAX_KEYS)
        return;
    if (r == results + nr_results) {
        nr_results++;
        r->key = key;
        r->nr = 0;
    }
    if (r->nr == MAX_SAMPLES)
        return;
    for (i = r->nr++; i && r->taken[i - 1].cost > cost; i--)
        r->taken[i] = r->taken[i - 1];
    r->taken[i].cost = cost;
    r->taken[i].at = marked - 1;
}

static void run(const char *name, void (*row)(void)) {
    nr_results = 0;
    cpus[0] = (struct cpu){0};
    gic_reset();
    row();
    irq_disable();
    upcall_pending = &nowhere;
    sysreg_write(cntv_ctl_el0, 0);
    if (verdict_end("BENCH error", name))
        for (unsigned i = 0; i < nr_results; i++)
            print("BENCH %s %lu %lu\n", results[i].key, results[i].taken[results[i].nr / 2].cost,
                  results[i].taken[results[i].nr / 2].at);
}

static void find_empty(void) {
    empty = ~0ULL;
    for (unsigned i = 0; i < RUNS; i++) {
        uint64_t t0 = counter(), t1 = counter();

        if (t1 - t0 < empty)
            empty = t1 - t0;
    }
}

static void run_table(void) {
    for (const struct test *t = tests_start; t < tests_end; t++)
        if (nr_cpus >= t->cpus)
            run(t->name, t->run);
}

static void run_mode(void) {
    switch (*(volatile uint8_t *)(RAM + MODE_AT)) {
    case MODE_TABLE:
        run_table();
        break;
    case MODE_SWITCH:
        run("switch", bench_switch);
        break;
    case MODE_SCALING:
        run("scaling", bench_scaling);
        break;
    case MODE_BOOT:
    case MODE_WAIT:
        break;
    }
}

void cpu_main(uint64_t number);
void cpu_main(uint64_t number) {
    struct cpu *c = &cpus[number];

    MARK(MARK_FIRST);
    sysreg_write(tpidr_el1, number);
    sysreg_write(vbar_el1, bench_vectors);
    if (!number)
        nr_cpus = gic_probe();
    gic_init_cpu();
    if (!number) {
        find_empty();
        print("BENCH on %lu CPUs\n", (uint64_t)nr_cpus);
        run_mode();
        MARK(MARK_DONE);
        print("BENCH done %lu\n", marked);
        while (*(volatile uint8_t *)(RAM + MODE_AT) == MODE_WAIT)
            wfi();
        hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
    }
    c->run();
    *(volatile bool *)&c->done = true;
    dsb();
    hvc(PSCI_CPU_OFF, 0, 0, 0);
}
