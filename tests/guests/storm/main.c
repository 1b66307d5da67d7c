/*
 * Storms: a guest that does one thing over and over, another every period of the machine's counter, on
 * all its vCPUs and with interrupts masked; and its neighbour, who counts the rounds of a loop that it
 * has time for in each period. The machine's counter tells both which storm it is: no word passes
 * between them. A word in the image's header says who is who (test_containment.py).
 */
#include "../selftest/evtchn.h"
#include "../selftest/physmap.h"

enum { NEIGHBOUR, ATTACKER };
#define SGI 1
#define PERIOD_SHIFT 23 /* of ticks: 134 ms at 62.5 MHz, 26 time slices */

struct vcpu_info vcpu_infos[MAX_CPUS];
bool registered[MAX_CPUS];

static int64_t port, mapped;
static struct multicall_entry calls[1024];
static xen_pfn_t sparse[256], pages[256];
static char line[128];

static uint64_t machine_counter(void) {
    isb();
    return sysreg_read(cntpct_el0);
}

static void spin(void) {
    for (unsigned i = 0; i < 1000; i++)
        __asm__ volatile("");
}
static void asleep(void) { /* for no time: the timer is due before it sleeps */
    sysreg_write(cntv_cval_el0, counter() + 50);
    sysreg_write(cntv_ctl_el0, 1);
    wfi();
    sysreg_write(cntv_ctl_el0, 0);
}
static void timers(void) {
    sysreg_write(cntv_cval_el0, 0);
    sysreg_write(cntv_ctl_el0, 1);
    isb();
    sysreg_write(cntv_ctl_el0, 0);
}
static void sgis(void) {
    for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
        gic_send_sgi(SGI, cpu);
    take_irq();
}
static void events(void) {
    consume(port, 0);
    send(port);
}
static void write_console(void) {
    console_io(CONSOLEIO_write, sizeof(line), line);
}
static void read_nothing(void) {
    TRY(read32(NOTHING));
}
static void fetch_nothing(void) {
    TRY(((void (*)(void))NOTHING_NORMAL)());
}
static void undefined(void) {
    TRY(READ_DENIED());
}
static void hypercalls(void) {
    xen_version(XENVER_version, 0);
}
static void long_hypercalls(void) {
    for (unsigned i = 0; i < COUNT(calls); i++)
        calls[i] = (struct multicall_entry){.op = __HYPERVISOR_xen_version, .args = {XENVER_version}};
    multicall(calls, COUNT(calls));
}
/* As many tables as the pool has, and more: each frame has a GiB to itself. */
static void tables(void) {
    if (cpu_number())
        return;
    reservation(XENMEM_decrease_reservation, pages, COUNT(pages), 0);
    mapped = reservation(XENMEM_populate_physmap, sparse, COUNT(sparse), 0);
    reservation(XENMEM_decrease_reservation, sparse, COUNT(sparse), 0);
    reservation(XENMEM_populate_physmap, pages, COUNT(pages), 0);
}
static void yields(void) {
    sched_op(SCHEDOP_yield, 0);
}
static void set_way(void) {
    CLEAN_BY_SET_AND_WAY();
}
static void firmware(void) {
    hvc(PSCI_VERSION, 0, 0, 0);
}

static const struct {
    const char *name;
    void (*step)(void);
} storms[] = {
    {"spin", spin},
    {"sleep", asleep},
    {"timers", timers},
    {"sgis", sgis},
    {"events", events},
    {"console", write_console},
    {"loads", read_nothing},
    {"fetches", fetch_nothing},
    {"undefined", undefined},
    {"hypercalls", hypercalls},
    {"multicalls", long_hypercalls},
    {"tables", tables},
    {"yields", yields},
    {"setway", set_way},
    {"firmware", firmware},
};

static unsigned period(void) {
    return (machine_counter() >> PERIOD_SHIFT) % (COUNT(storms) + 1); /* the last one is quiet */
}

static void attack(void) {
    unsigned before = COUNT(storms);

    gic_enable(PPI_VTIMER, 0x80);
    gic_enable(SGI, 0x80);
    for (;;) {
        unsigned p = period();

        if (p < COUNT(storms))
            storms[p].step();
        else
            spin();
        if (before != p && before == COUNT(storms) - 1 && !cpu_number())
            print("attack: all done, tables for %lu of %lu\n", (uint64_t)mapped, COUNT(sparse));
        before = p;
    }
}

static void begin_attack(void) {
    for (unsigned i = 0; i < sizeof(line); i++)
        line[i] = i + 1 < sizeof(line) ? 'x' : '\n';
    for (unsigned i = 0; i < COUNT(pages); i++) {
        pages[i] = ((RAM + 0x400000) >> 12) + i;
        sparse[i] = HOLE_GFN(0) + ((uint64_t)i << 18);
    }
    port = new_ipi(0);
    TRUE(port > 0);
    EQ(add(XENMAPSPACE_shared_info, 0, HOLE_GFN(64)), 0);
    print("attack: %s\n", verdict_end("FAIL", "attack") ? "begins" : "not possible");
    for (unsigned cpu = 1; cpu < nr_cpus; cpu++)
        cpu_start(cpu, attack);
    attack();
}

static void work(void) {
    uint64_t rounds[COUNT(storms) + 1] = {0};
    unsigned now;

    while (period() != COUNT(storms)) /* a whole cycle, from its first period on */
        ;
    while (period() == COUNT(storms))
        ;
    while ((now = period()) != COUNT(storms)) {
        for (unsigned i = 0; i < 100; i++)
            __asm__ volatile("");
        rounds[now]++;
    }
    for (unsigned i = 0; i < COUNT(storms); i++)
        print("rounds in %s: %lu\n", storms[i].name, rounds[i]);
    print("rounds: done\n");
    for (;;)
        spin();
}

void cpu_main(uint64_t number);
void cpu_main(uint64_t number) {
    sysreg_write(tpidr_el1, number);
    if (number) {
        gic_init_cpu();
        me()->run();
    }
    nr_cpus = gic_probe();
    gic_init_cpu();
    gic_reset();
    if (PARAMETER(0) == ATTACKER)
        begin_attack();
    else
        work();
}
