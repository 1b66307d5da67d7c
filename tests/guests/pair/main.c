/* Runs every test in both domains, life after life of the second one. */
#include "pair.h"

#define LIVES 2
#define PSCI_SYSTEM_RESET 0x84000009

extern const struct test tests_start[], tests_end[];

struct vcpu_info vcpu_infos[MAX_CPUS] __attribute__((aligned(64)));
bool registered[MAX_CPUS];

static unsigned my_id;
static struct {
    const char *what;
    unsigned line;
    uint64_t got, expected;
} verdict;

void check_equal(const char *what, unsigned line, uint64_t got, uint64_t expected) {
    if (got == expected || verdict.what)
        return;
    verdict.line = line;
    verdict.got = got;
    verdict.expected = expected;
    verdict.what = what;
}

bool failed(void) {
    return verdict.what;
}

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
        verdict.what = 0;
        barrier();
        if (nr_cpus >= t->cpus)
            t->run();
        irq_disable();
        sysreg_write(cntv_ctl_el0, 0);
        if (verdict.what)
            print("FAIL %s: line %lu: %s: got 0x%lx expected 0x%lx\n", t->name,
                  (uint64_t)verdict.line, verdict.what, verdict.got, verdict.expected);
        else
            print("PASS %s\n", t->name);
    }
    verdict.what = 0;
    barrier();
}

static bool connected(void) {
    return status_of(CALL).status == EVTCHNSTAT_interdomain;
}

/* The second domain's end comes when the first says so: off, or on again. */
static void die(void) {
    bool off = false;

    WAIT_LONG(took(AGAIN) || (off = took(CALL)));
    print("DONE %s\n", failed() ? "FAIL" : off ? "off" : "again");
    hvc(off ? PSCI_SYSTEM_OFF : PSCI_SYSTEM_RESET, 0, 0, 0);
}

static void *volatile keep_sending; /* as long as it is not NULL */
static void send_always(void) {
    while (keep_sending) {
        send(SPARE);
        send(1);
    }
}

/* Ends the other one, while events are sent to it, and waits for its next life. */
static void next_life(void) {
    int64_t p = new_unbound(other());
    struct evtchn_status spare;

    EQ(p, 1);
    if (nr_cpus > 1) {
        keep_sending = &p;
        cpu_start(1, send_always);
    }
    EQ(send(AGAIN), 0);
    WAIT_LONG(!connected());
    spare = status_of(SPARE);
    if (!connected()) { /* else it is back already, and CALL is bound before SPARE */
        EQ(spare.status, EVTCHNSTAT_unbound);
        EQ(spare.u.unbound.dom, other());
    }
    WAIT_LONG(connected());
    if (nr_cpus > 1) {
        keep_sending = 0;
        cpu_join(1);
    }
    EQ(close(p), 0);
    EQ(status_of(SPARE).status, EVTCHNSTAT_interdomain);
}

static void run_all(void) {
    unsigned lives = 0;

    while (!(read64(GICR + 0x20000 * nr_cpus++ + 8) & BIT(4)) && nr_cpus < MAX_CPUS)
        ;
    EQ(add(XENMAPSPACE_shared_info, 0, HOLE_GFN(64)), 0);
    gic_reset(); /* nothing ends a nap while the distributor is off */
    learn_number();
    print("pair: domain %lu of 2\n", (uint64_t)self());
    WAIT_LONG(connected());
    for (;;) {
        meet();
        run_tests();
        if (role() == 1)
            die();
        /* Where nobody starts a domain again there is one CPU and one life. */
        if (++lives == LIVES || nr_cpus == 1 || failed())
            break;
        next_life();
    }
    EQ(send(CALL), 0);
    print("DONE %s after %lu lives\n", failed() ? "FAIL" : "well", (uint64_t)lives);
    hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
}

void cpu_main(uint64_t number);
void cpu_main(uint64_t number) {
    struct cpu *c = &cpus[number];

    sysreg_write(tpidr_el1, number);
    gic_init_cpu();
    if (!number)
        run_all();
    c->run();
    *(volatile bool *)&c->done = true;
    dsb();
    hvc(PSCI_CPU_OFF, 0, 0, 0);
}
