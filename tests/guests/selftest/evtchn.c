/* Event channels with the 2-level ABI, and every operation's errors. */
#include "evtchn.h"

struct vcpu_info vcpu_infos[MAX_CPUS] __attribute__((aligned(64)));
bool registered[MAX_CPUS];

void events_begin(void) {
    EQ(reset_events(), 0);
    EQ(add(XENMAPSPACE_shared_info, 0, HOLE_GFN(64)), 0);
    for (unsigned i = 0; i < 64; i++)
        shared->evtchn_pending[i] = shared->evtchn_mask[i] = 0;
    info_of(0)->evtchn_pending_sel = 0;
    info_of(0)->evtchn_upcall_pending = 0;
    gic_enable(PPI_UPCALL, 0x80);
    irq_enable(); /* one may be there from before */
    irq_disable();
    irq_forget();
}

void events_end(void) {
    EQ(reset_events(), 0);
    info_of(0)->evtchn_pending_sel = 0;
    info_of(0)->evtchn_upcall_pending = 0;
    EQ(take(HOLE_GFN(64)), 0);
    gic_disable(PPI_UPCALL);
}

/* How many upcalls there were since the last look. */
static unsigned upcalls(void) {
    unsigned n;

    irq_enable();
    delay_us(20);
    irq_disable();
    n = irq_taken(PPI_UPCALL);
    irq_forget();
    return n;
}

/* A port of ours bound to another one of ours. */
static int64_t loop[2];
static void make_loop(void) {
    loop[0] = new_unbound(DOMID_SELF);
    TRUE(loop[0] > 0);
    loop[1] = new_bound(DOMID_SELF, (uint32_t)loop[0]);
    TRUE(loop[1] > 0 && loop[1] != loop[0]);
    consume(loop[1], 0);
    upcalls();
}

TEST(evtchn_unknown_operations) {
    uint64_t nothing[4] = {0};

    EQ(evtchn_op(15, nothing), -XEN_ENOSYS);
    EQ(evtchn_op(0x10004, nothing), -XEN_ENOSYS);
    EQ(evtchn_op(~0u, nothing), -XEN_ENOSYS);
    EQ(xen_call(16, EVTCHNOP_send, (uint64_t)nothing, 0), -XEN_ENOSYS); /* as it was once */
}

/* A guest's physical interrupts come by its GIC. */
TEST(evtchn_no_pirqs) {
    struct evtchn_bind_pirq op = {.pirq = 40};

    EQ(evtchn_op(EVTCHNOP_bind_pirq, &op), -XEN_ENOSYS);
}

static void nowhere(void *at) {
    static const unsigned ops[] = {
        EVTCHNOP_bind_interdomain, EVTCHNOP_bind_virq,    EVTCHNOP_close,
        EVTCHNOP_send,             EVTCHNOP_status,       EVTCHNOP_alloc_unbound,
        EVTCHNOP_bind_ipi,         EVTCHNOP_bind_vcpu,    EVTCHNOP_unmask,
        EVTCHNOP_reset,            EVTCHNOP_init_control, EVTCHNOP_expand_array,
        EVTCHNOP_set_priority};

    for (unsigned i = 0; i < COUNT(ops); i++)
        EQ(evtchn_op(ops[i], at), -XEN_EFAULT);
}

TEST(evtchn_bad_pointers) {
    nowhere((void *)NOTHING_NORMAL);
    nowhere((void *)(uint64_t)VPL011);
    nowhere((void *)0xffff000000000000);
    nowhere(0);
}

TEST(evtchn_unbound) {
    int64_t a, b;
    struct evtchn_status s;
    unsigned self;

    events_begin();
    a = new_unbound(DOMID_SELF);
    TRUE(a > 0);
    s = status_of(a);
    EQ(s.status, EVTCHNSTAT_unbound);
    self = s.u.unbound.dom; /* this is how a guest learns its number */
    TRUE(self > 0 && self < 100);
    EQ(s.vcpu, 0);
    b = new_unbound(self);
    TRUE(b > a);
    EQ(send(a), 0); /* nobody hears it */
    EQ(send(b), 0);
    EQ(close(a), 0);
    EQ(status_of(a).status, EVTCHNSTAT_closed);
    EQ(close(a), -XEN_EINVAL);
    EQ(send(a), -XEN_EINVAL);
    EQ(to_vcpu(a, 0), -XEN_EINVAL);
    EQ(unmask(a), 0);
    EQ(new_unbound(DOMID_SELF), a); /* the lowest there is */
    EQ(upcalls(), 0);
    events_end();
}

TEST(evtchn_interdomain) {
    struct evtchn_status s;

    events_begin();
    loop[0] = new_unbound(DOMID_SELF);
    loop[1] = new_bound(DOMID_SELF, (uint32_t)loop[0]);
    TRUE(loop[1] > 0);
    /* Pending from the start: what was sent before nobody knows. */
    TRUE(pending(loop[1]) && !pending(loop[0]));
    EQ(info_of(0)->evtchn_upcall_pending, 1);
    EQ(info_of(0)->evtchn_pending_sel, 1);
    EQ(upcalls(), 1);
    consume(loop[1], 0);
    s = status_of(loop[0]);
    EQ(s.status, EVTCHNSTAT_interdomain);
    EQ(s.u.interdomain.port, loop[1]);
    s = status_of(loop[1]);
    EQ(s.status, EVTCHNSTAT_interdomain);
    EQ(s.u.interdomain.port, loop[0]);
    EQ(new_bound(DOMID_SELF, (uint32_t)loop[0]), -XEN_EINVAL);
    EQ(new_bound(DOMID_SELF, (uint32_t)loop[1]), -XEN_EINVAL);
    for (unsigned i = 0; i < 2; i++) {
        EQ(send(loop[i]), 0);
        TRUE(pending(loop[!i]) && !pending(loop[i]));
        EQ(upcalls(), 1);
        EQ(send(loop[i]), 0);
        EQ(upcalls(), 0); /* it was pending */
        consume(loop[!i], 0);
    }
    EQ(close(loop[1]), 0);
    EQ(status_of(loop[0]).status, EVTCHNSTAT_unbound);
    EQ(send(loop[0]), 0);
    loop[1] = new_bound(DOMID_SELF, (uint32_t)loop[0]); /* again */
    TRUE(loop[1] > 0 && pending(loop[1]));
    EQ(close(loop[0]), 0);
    EQ(status_of(loop[1]).status, EVTCHNSTAT_unbound);
    events_end();
}

TEST(evtchn_masked) {
    events_begin();
    make_loop();
    mask(loop[1]);
    EQ(send(loop[0]), 0);
    TRUE(pending(loop[1]));
    EQ(info_of(0)->evtchn_upcall_pending, 0);
    EQ(info_of(0)->evtchn_pending_sel, 0);
    EQ(upcalls(), 0);
    EQ(unmask(loop[1]), 0);
    EQ(info_of(0)->evtchn_pending_sel, 1);
    EQ(upcalls(), 1);
    EQ(unmask(loop[1]), 0); /* it is not masked */
    EQ(upcalls(), 0);
    consume(loop[1], 0);
    mask(loop[1]);
    EQ(unmask(loop[1]), 0); /* nothing is pending */
    EQ(upcalls(), 0);
    /* While the flag is up there is no second upcall. */
    EQ(send(loop[0]), 0);
    EQ(send(loop[1]), 0);
    EQ(upcalls(), 1);
    EQ(info_of(0)->evtchn_upcall_pending, 1);
    events_end();
}

TEST(evtchn_bind_errors) {
    int64_t a;

    events_begin();
    EQ(new_bound(0x1234, 1), -XEN_ESRCH);
    EQ(new_bound(DOMID_SELF, 0), -XEN_EINVAL);
    EQ(new_bound(DOMID_SELF, 1000000), -XEN_EINVAL);
    EQ(new_bound(DOMID_SELF, ~0u), -XEN_EINVAL);
    EQ(new_bound(DOMID_SELF, 7), -XEN_EINVAL);
    EQ(new_unbound(0x1234), -XEN_ESRCH);
    a = new_ipi(0);
    EQ(new_bound(DOMID_SELF, (uint32_t)a), -XEN_EINVAL);
    EQ(close(a), 0);
    EQ(new_unbound(DOMID_SELF), a); /* what failed has kept no port */
    events_end();
}

TEST(evtchn_wrong_domains_and_ports) {
    struct evtchn_alloc_unbound a = {.dom = 0x1234, .remote_dom = DOMID_SELF};
    struct evtchn_status s = {.dom = 0x1234, .port = 1};
    struct evtchn_reset r = {.dom = 0x1234};

    EQ(evtchn_op(EVTCHNOP_alloc_unbound, &a), -XEN_ESRCH);
    EQ(evtchn_op(EVTCHNOP_status, &s), -XEN_ESRCH);
    EQ(evtchn_op(EVTCHNOP_reset, &r), -XEN_ESRCH);
    for (unsigned i = 0; i < 3; i++) {
        static const uint32_t ports[] = {1 << 17, 0x80000001, ~0u};

        EQ(send(ports[i]), -XEN_EINVAL);
        EQ(close(ports[i]), -XEN_EINVAL);
        EQ(unmask(ports[i]), -XEN_EINVAL);
        EQ(to_vcpu(ports[i], 0), -XEN_EINVAL);
        s = (struct evtchn_status){.dom = DOMID_SELF, .port = ports[i]};
        EQ(evtchn_op(EVTCHNOP_status, &s), -XEN_EINVAL);
    }
    EQ(close(0), -XEN_EINVAL);
    EQ(send(0), -XEN_EINVAL);
}

TEST(evtchn_ipi) {
    int64_t p;

    events_begin();
    EQ(new_ipi(nr_cpus), -XEN_ENOENT);
    EQ(new_ipi(~0u), -XEN_ENOENT);
    p = new_ipi(0);
    TRUE(p > 0);
    EQ(status_of(p).status, EVTCHNSTAT_ipi);
    EQ(send(p), 0);
    TRUE(pending(p));
    EQ(upcalls(), 1);
    EQ(to_vcpu(p, 0), -XEN_EINVAL);
    EQ(close(p), 0);
    TRUE(!pending(p)); /* whoever gets this number next starts with nothing */
    events_end();
}

TEST(evtchn_virq) {
    int64_t timer, debug, global;

    events_begin();
    EQ(new_virq(NR_VIRQS, 0), -XEN_EINVAL);
    EQ(new_virq(~0u, 0), -XEN_EINVAL);
    EQ(new_virq(VIRQ_TIMER, nr_cpus), -XEN_ENOENT);
    EQ(new_virq(VIRQ_CONSOLE, 1), -XEN_EINVAL);
    timer = new_virq(VIRQ_TIMER, 0);
    TRUE(timer > 0);
    EQ(new_virq(VIRQ_TIMER, 0), -XEN_EEXIST);
    debug = new_virq(VIRQ_DEBUG, 0);
    EQ(debug, timer + 1); /* what failed has kept no port */
    EQ(status_of(debug).status, EVTCHNSTAT_virq);
    EQ(status_of(debug).u.virq, VIRQ_DEBUG);
    EQ(send(debug), -XEN_EINVAL);
    EQ(to_vcpu(debug, 0), -XEN_EINVAL);
    EQ(close(timer), 0);
    EQ(new_virq(VIRQ_TIMER, 0), timer);
    global = new_virq(VIRQ_ARCH_0, 0);
    TRUE(global > 0);
    EQ(to_vcpu(global, nr_cpus - 1), 0);
    EQ(status_of(global).vcpu, nr_cpus - 1);
    EQ(to_vcpu(global, nr_cpus), -XEN_ENOENT);
    events_end();
    events_begin();
    EQ(new_virq(VIRQ_TIMER, 0), timer); /* reset has given it back */
    events_end();
}

/* 1023 is the highest number, from both ends. */
TEST(evtchn_all_ports) {
    unsigned n = 0;
    int64_t p;

    events_begin();
    while ((p = new_unbound(DOMID_SELF)) > 0 && n < 2000)
        EQ(p, ++n);
    EQ(p, -XEN_ENOSPC);
    EQ(n, 1023);
    EQ(new_ipi(0), -XEN_ENOSPC);
    EQ(new_virq(VIRQ_TIMER, 0), -XEN_ENOSPC);
    EQ(close(1023), 0);
    EQ(close(64), 0);
    EQ(close(700), 0);
    EQ(new_ipi(0), 64);
    EQ(new_ipi(0), 700);
    EQ(new_ipi(0), 1023);
    EQ(new_ipi(0), -XEN_ENOSPC);
    EQ(send(1023), 0);
    TRUE(pending(1023));
    EQ(info_of(0)->evtchn_pending_sel, BIT(15));
    EQ(upcalls(), 1);
    EQ(reset_events(), 0);
    for (unsigned i = 1; i <= 1023; i++)
        EQ(status_of(i).status, EVTCHNSTAT_closed);
    events_end();
}

/* FIFO only. */
TEST(evtchn_fifo_operations_without_it) {
    struct evtchn_expand_array expand = {.array_gfn = spare_gfn(0)};
    struct evtchn_set_priority priority = {.port = 1, .priority = 3};

    events_begin();
    EQ(new_ipi(0), 1);
    EQ(evtchn_op(EVTCHNOP_expand_array, &expand), -XEN_EOPNOTSUPP);
    EQ(evtchn_op(EVTCHNOP_set_priority, &priority), -XEN_ENOSYS);
    events_end();
}

/* ---- other CPUs ---- */

static volatile bool stop;
static volatile unsigned arrived;

static void take_upcalls(void) {
    unsigned self = cpu_number();

    if (!registered[self])
        EQ(register_info(self), 0);
    registered[self] = true;
    gic_enable(PPI_UPCALL, 0x80);
    irq_enable();
    delay_us(20); /* a registration is told */
    consume(0, self);
    arrived++;
    WAIT(stop);
    irq_disable();
}

static unsigned taken_by(unsigned cpu) {
    return *(volatile uint16_t *)&cpus[cpu].taken[PPI_UPCALL];
}

static void start_cpu_1(void) {
    stop = false;
    arrived = 0;
    cpus[1] = (struct cpu){0};
    cpu_start(1, take_upcalls);
    WAIT(arrived);
    *(volatile uint16_t *)&cpus[1].taken[PPI_UPCALL] = 0;
}

static void end_cpu_1(void) {
    stop = true;
    cpu_join(1);
}

TEST_SMP(evtchn_to_another_cpu) {
    int64_t p;

    events_begin();
    make_loop();
    start_cpu_1();
    p = new_ipi(1);
    EQ(status_of(p).vcpu, 1);
    EQ(send(p), 0);
    WAIT(taken_by(1) == 1);
    EQ(upcalls(), 0);
    EQ(info_of(1)->evtchn_upcall_pending, 1);
    EQ(info_of(0)->evtchn_upcall_pending, 0);
    consume(p, 1);
    /* A port moves. */
    EQ(to_vcpu(loop[1], 1), 0);
    EQ(status_of(loop[1]).vcpu, 1);
    EQ(send(loop[0]), 0);
    WAIT(taken_by(1) == 2);
    EQ(upcalls(), 0);
    consume(loop[1], 1);
    EQ(to_vcpu(loop[1], 0), 0);
    EQ(send(loop[0]), 0);
    EQ(upcalls(), 1);
    EQ(taken_by(1), 2);
    consume(loop[1], 0);
    EQ(to_vcpu(loop[1], nr_cpus), -XEN_ENOENT);
    EQ(new_virq(VIRQ_TIMER, 1) > 0, 1);
    EQ(new_virq(VIRQ_TIMER, 1), -XEN_EEXIST);
    EQ(new_virq(VIRQ_TIMER, 0) > 0, 1);
    end_cpu_1();
    events_end();
}

/* Many ports made, used and closed on two CPUs at once: none is had twice, none is lost. */
static volatile uint8_t owner[1024];
static void churn(void) {
    int64_t mine[64];
    unsigned self = cpu_number();

    for (unsigned round = 0; round < 20 && !failed(); round++) {
        for (unsigned i = 0; i < COUNT(mine); i++) {
            mine[i] = i % 2 ? new_ipi(0) : new_unbound(DOMID_SELF);
            TRUE(mine[i] > 0 && mine[i] < 1024);
            EQ(owner[mine[i]], 0);
            owner[mine[i]] = (uint8_t)(self + 1);
        }
        for (unsigned i = 0; i < COUNT(mine); i++) {
            EQ(send(mine[i]), 0);
            EQ(owner[mine[i]], self + 1);
            owner[mine[i]] = 0;
            EQ(close(mine[i]), 0);
        }
    }
}

TEST_SMP(evtchn_churn) {
    events_begin();
    for (unsigned i = 1; i < nr_cpus; i++)
        cpu_start(i, churn);
    churn();
    for (unsigned i = 1; i < nr_cpus; i++)
        cpu_join(i);
    EQ(new_ipi(0), 1);
    events_end();
}
