/* What is not a row of the table: a switch between vCPUs, and many CPUs at once. */
#include "bench.h"

#include <xen/event_channel.h>
#include <xen/sched.h>

/* ---- two vCPUs on one CPU ---- */

static volatile uint64_t turn;

static int64_t yield_call(void) {
    return xen_call(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
}

static void yield_until_done(void) {
    while (turn) {
        turn++;
        EQ(yield_call(), 0);
    }
}

/* Each yield must have let the other one run: two switches. */
void bench_switch(void) {
    int64_t rc = 0;

    EQ(yield_call(), 0);
    if (failed())
        return;
    turn = 1;
    cpu_start(1, yield_until_done);
    for (unsigned i = 0; i < RUNS && !failed(); i++)
        rc |= yield_call();
    for (unsigned i = 0; i < RUNS && !failed(); i++) {
        uint64_t before = turn, cost = MEASURE(rc |= yield_call());

        EQ(turn, before + 1);
        EQ(rc, 0);
        sample("vcpu_switch", cost / 2);
    }
    turn = 0;
    cpu_join(1);
}

/* ---- many CPUs ---- */

#define TIMES 64

static struct gnttab_map_grant_ref maps[MAX_CPUS];
static struct evtchn_send sends[MAX_CPUS];
static void (*work)(unsigned cpu);
static unsigned at_work;

static void lookup(unsigned cpu) {
    struct xen_remove_from_physmap op = {.domid = DOMID_SELF, .gpfn = HOLE_GFN(100 + cpu)};

    EQ(memory_op(XENMEM_remove_from_physmap, &op), -XEN_ENOENT);
}

static void map_and_unmap(unsigned cpu) {
    struct gnttab_unmap_grant_ref unmap = {.host_addr = maps[cpu].host_addr};

    EQ(grant_table_op(GNTTABOP_map_grant_ref, &maps[cpu], 1), 0);
    EQ((int64_t)maps[cpu].status, GNTST_okay);
    unmap.handle = maps[cpu].handle;
    EQ(grant_table_op(GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
    EQ((int64_t)unmap.status, GNTST_okay);
}

static void send_event(unsigned cpu) {
    EQ(xen_call(__HYPERVISOR_event_channel_op, EVTCHNOP_send, (uint64_t)&sends[cpu], 0), 0);
}

/* After each step the next CPU has its turn: the machine has one thread. */
static void do_work(void) {
    unsigned cpu = cpu_number();

    __atomic_fetch_add(&at_work, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&at_work, __ATOMIC_SEQ_CST) < nr_cpus)
        __asm__ volatile("yield");
    for (unsigned i = 0; i < TIMES && !failed(); i++) {
        work(cpu);
        __asm__ volatile("yield");
    }
}

static void scale(const char *key, void (*what)(unsigned cpu)) {
    uint64_t start, cost;

    work = what;
    at_work = 0;
    work(0);
    for (unsigned i = 1; i < nr_cpus; i++)
        cpu_start(i, do_work);
    while (__atomic_load_n(&at_work, __ATOMIC_SEQ_CST) < nr_cpus - 1)
        __asm__ volatile("yield");
    start = counter();
    do_work();
    for (unsigned i = 1; i < nr_cpus; i++)
        while (!*(volatile bool *)&cpus[i].done)
            __asm__ volatile("yield");
    cost = counter() - start;
    for (unsigned i = 1; i < nr_cpus; i++)
        cpu_join(i);
    sample(key, cost / (TIMES * nr_cpus));
}

static void prepare(void) {
    grant_entry_v1_t *table = (grant_entry_v1_t *)(HOLE_GFN(3) << 12);

    EQ(physmap_add(XENMAPSPACE_grant_table, 0, HOLE_GFN(3)), 0);
    for (unsigned i = 0; i < nr_cpus && !failed(); i++) {
        struct evtchn_bind_ipi bind = {.vcpu = i};

        table[20 + i] = (grant_entry_v1_t){GTF_permit_access, OWN_DOMID, (uint32_t)(SPARE_GFN + i)};
        maps[i] = (struct gnttab_map_grant_ref){.host_addr = HOLE_GFN(200 + i) << 12,
                                                .flags = GNTMAP_host_map,
                                                .ref = 20 + i,
                                                .dom = OWN_DOMID};
        EQ(xen_call(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, (uint64_t)&bind, 0), 0);
        sends[i].port = bind.port;
    }
}

/* Instructions of all CPUs together for one operation: the clock counts them all. */
void bench_scaling(void) {
    prepare();
    if (failed())
        return;
    scale("lookups", lookup);
    scale("grant_maps", map_and_unmap);
    scale("event_sends", send_event);
}
