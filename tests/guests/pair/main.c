/* Runs every test in both domains, life after life of the second one. */
#include "pair.h"

#define LIVES 3
#define PSCI_SYSTEM_RESET 0x84000009

extern const struct test tests_start[], tests_end[];

struct vcpu_info vcpu_infos[MAX_CPUS] __attribute__((aligned(64)));
bool registered[MAX_CPUS];

static unsigned my_id;
unsigned self(void) {
    return my_id;
}

unsigned role(void) {
    return my_id - 1;
}

unsigned other(void) {
    return 3 - my_id;
}

bool took(int64_t port) {
    uint64_t bit = BIT(port % 64);

    return __atomic_fetch_and(&shared->evtchn_pending[port / 64], ~bit, __ATOMIC_SEQ_CST) & bit;
}

static bool odd;

void barrier(void) {
    unsigned port = odd ? SYNC_ODD : SYNC_EVEN;

    odd = !odd;
    EQ(send(port), 0);
    WAIT_LONG(took(port));
}

static void learn_number(void) {
    int64_t p = new_unbound(DOMID_SELF);

    my_id = status_of(p).u.unbound.dom;
    close(p);
}

/*
 * The second one calls until the first answers, which it does once. Whatever was pending before is
 * from the making of the channels, or from the other's last life.
 */
static void meet(void) {
    odd = false;
    took(SYNC_EVEN);
    took(SYNC_ODD);
    took(AGAIN);
    took(CALL);
    if (role() == 0) {
        WAIT_LONG(took(CALL));
        EQ(send(CALL), 0);
        return;
    }
    WAIT_LONG(({
        EQ(send(CALL), 0);
        took(CALL);
    }));
}

static void run_tests(void) {
    for (const struct test *t = tests_start; t < tests_end; t++) {
        cpus[0] = (struct cpu){0};
        gic_reset();
        barrier();
        if (nr_cpus >= t->cpus)
            t->run();
        irq_disable();
        sysreg_write(cntv_ctl_el0, 0);
        if (verdict_end("FAIL", t->name))
            print("PASS %s\n", t->name);
    }
    barrier();
}

static bool connected(void) {
    return status_of(CALL).status == EVTCHNSTAT_interdomain;
}

/* The second domain's end comes when the first says so: off, or, bound to its port 1, on again. */
static void die(void) {
    bool off = false;

    WAIT_LONG(took(AGAIN) || (off = took(CALL)));
    if (!off)
        EQ(send(new_bound(other(), 1)), 0);
    print("DONE %s\n", verdict_end("FAIL", "die") ? off ? "off" : "again" : "FAIL");
    hvc(off ? PSCI_SYSTEM_OFF : PSCI_SYSTEM_RESET, 0, 0, 0);
}

static void *volatile keep_sending; /* as long as it is not NULL */
static void send_always(void) {
    while (keep_sending) {
        EQ(send(SPARE), 0);
        EQ(send(1), 0);
    }
}

/*
 * Ends the other one, while events are sent to it, and waits for its next life. Only port 1 tells
 * of the end: the static channels may be bound again by the time anybody looks.
 */
static void next_life(void) {
    int64_t p = new_unbound(other());

    EQ(p, 1);
    took(p);
    if (nr_cpus > 1) {
        keep_sending = &p;
        cpu_start(1, send_always);
    }
    EQ(send(AGAIN), 0);
    WAIT_LONG(took(p));
    WAIT_LONG(status_of(p).status == EVTCHNSTAT_unbound);
    EQ(status_of(p).u.unbound.dom, other());
    meet();
    if (nr_cpus > 1) {
        keep_sending = 0;
        cpu_join(1);
    }
    EQ(close(p), 0);
}

static void run_all(void) {
    unsigned lives = 1;
    bool well;

    EQ(add(XENMAPSPACE_shared_info, 0, HOLE_GFN(64)), 0);
    gic_reset(); /* nothing ends a nap while the distributor is off */
    learn_number();
    print("pair: domain %lu of 2\n", (uint64_t)self());
    WAIT_LONG(connected());
    meet();
    run_tests();
    if (role() == 1)
        die();
    /* Where nobody starts a domain again there is one CPU and one life. */
    for (; lives < LIVES && nr_cpus > 1 && !failed(); lives++) {
        next_life();
        run_tests();
    }
    EQ(send(CALL), 0);
    well = verdict_end("FAIL", "lives");
    print("DONE %s after %lu lives\n", well ? "well" : "FAIL", (uint64_t)lives);
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
