/*
 * Storms: a guest that does one thing over and over, another every period of the machine's counter, on
 * all its vCPUs and with interrupts masked; and its neighbour, who counts the rounds of a loop that it
 * has time for in each period. The machine's counter tells both which storm it is: no word passes
 * between them. A word in the image's header says who is who (test_containment.py).
 */
#include "../selftest/evtchn.h"
#include "../selftest/physmap.h"

enum { NEIGHBOUR, ATTACKER, ELSEWHERE };
#define ROLE PARAMETER(0)
#define PERIOD_SHIFT PARAMETER(1) /* of ticks of 16 ns */
#define ATTACKER_DOMID 2
#define SGI 1
#define PAGE_GFN ((RAM + 0x800000) >> 12) /* to give away and to grant */
#define REF 20 /* the first few are reserved */

struct vcpu_info vcpu_infos[MAX_CPUS];
bool registered[MAX_CPUS];

static int64_t port, mapped;
static struct multicall_entry calls[1024], nested[1024];
static struct gnttab_map_grant_ref granted;
static xen_pfn_t sparse[256], pages[256];
static char line[128];

static uint64_t machine_counter(void) {
    isb();
    return sysreg_read(cntpct_el0);
}

/* To the machine's next CPU: QEMU runs them in turns, and so they are mingled step by step. */
static void next_cpu(void) {
    __asm__ volatile("yield");
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
static void nested_multicalls(void) {
    for (unsigned i = 0; i < COUNT(nested); i++)
        nested[i] = (struct multicall_entry){.op = __HYPERVISOR_multicall,
                                             .args = {(uintptr_t)nested, COUNT(nested)}};
    multicall(nested, COUNT(nested));
}
/* A page of its own, by a grant to itself. */
static void grants(void) {
    struct gnttab_unmap_grant_ref unmap = {.host_addr = granted.host_addr};

    if (cpu_number())
        return;
    grant_table_op(GNTTABOP_map_grant_ref, &granted, 1);
    unmap.handle = granted.handle;
    grant_table_op(GNTTABOP_unmap_grant_ref, &unmap, 1);
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
static void tlbis(void) {
    FLUSH_ALL_TLBS();
}
static void emulated(void) {
    read32(GICD + 4); /* GICD_TYPER */
    read32(VPL011 + 0x18);
}
static void debug(void) {
    WRITE_BREAKPOINT();
}
static void firmware(void) {
    hvc(PSCI_VERSION, 0, 0, 0);
}
static void cpus_on_and_off(void) {
    if (cpu_number())
        hvc(PSCI_CPU_OFF, 0, 0, 0);
    for (unsigned cpu = 1; cpu < nr_cpus; cpu++)
        hvc(PSCI_CPU_ON, cpu_affinity(cpu), (uintptr_t)secondary, cpu);
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
    {"nests", nested_multicalls},
    {"grants", grants},
    {"tables", tables},
    {"yields", yields},
    {"setway", set_way},
    {"tlbis", tlbis},
    {"emulated", emulated},
    {"debug", debug},
    {"firmware", firmware},
    {"cpus", cpus_on_and_off}, /* the last one: a vCPU may stay off */
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
            print("attack: all done, tables for %lu of %lu\n", (uint64_t)mapped, (uint64_t)COUNT(sparse));
        before = p;
        next_cpu();
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
    EQ(add(XENMAPSPACE_grant_table, 0, HOLE_GFN(65)), 0);
    *((grant_entry_v1_t *)word_at(HOLE_GFN(65)) + REF) =
        (grant_entry_v1_t){GTF_permit_access, ATTACKER_DOMID, (uint32_t)PAGE_GFN};
    granted = (struct gnttab_map_grant_ref){.host_addr = HOLE_GFN(66) << 12,
                                            .flags = GNTMAP_host_map,
                                            .ref = REF,
                                            .dom = ATTACKER_DOMID};
    grants();
    EQ(granted.status, GNTST_okay);
    print("attack: %s\n", verdict_end("FAIL", "attack") ? "begins" : "not possible");
    for (unsigned cpu = 1; cpu < nr_cpus; cpu++)
        cpu_start(cpu, attack);
    attack();
}

static void wait_for_the_first(void) {
    while (period() != COUNT(storms))
        ;
    while (period() == COUNT(storms))
        ;
}

static void end(void) {
    print("rounds: done\n");
    for (;;)
        spin();
}

static void work(void) {
    uint64_t rounds[COUNT(storms) + 1] = {0};
    unsigned now;

    wait_for_the_first();
    while ((now = period()) != COUNT(storms)) {
        for (unsigned i = 0; i < 100; i++)
            __asm__ volatile("");
        rounds[now]++;
    }
    for (unsigned i = 0; i < COUNT(storms); i++)
        print("rounds in %s: %lu\n", storms[i].name, rounds[i]);
    end();
}

/* What takes locks, memory and interrupts. */
static void operations(void) {
    xen_pfn_t gfn = PAGE_GFN;

    xen_version(XENVER_version, 0);
    next_cpu();
    reservation(XENMEM_decrease_reservation, &gfn, 1, 0);
    next_cpu();
    reservation(XENMEM_populate_physmap, &gfn, 1, 0);
    next_cpu();
    consume(port, 0);
    send(port);
    next_cpu();
    gic_send_sgi(SGI, 0);
    take_irq();
    next_cpu();
    read32(GICD + 4);
    next_cpu();
}

static void work_elsewhere(void) {
    unsigned until[COUNT(storms) + 1] = {0}, samples = 0, now;

    gic_enable(SGI, 0x80);
    port = new_ipi(0);
    EQ(add(XENMAPSPACE_shared_info, 0, HOLE_GFN(64)), 0);
    operations();
    TRUE(!failed());
    wait_for_the_first();
    MARK(MARK_FIRST);
    while ((now = period()) != COUNT(storms)) {
        MARK(MARK_BEGIN);
        operations();
        MARK(MARK_END);
        until[now] = ++samples;
    }
    MARK(MARK_DONE);
    for (unsigned i = 0; i < COUNT(storms); i++)
        print("rounds in %s: %lu\n", storms[i].name, (uint64_t)until[i]);
    end();
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
    if (ROLE == ATTACKER)
        begin_attack();
    else if (ROLE == ELSEWHERE)
        work_elsewhere();
    else
        work();
}
