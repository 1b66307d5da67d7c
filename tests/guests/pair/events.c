/* Event channels between two domains. */
#include "pair.h"

/* They are as the device tree has them. */
TEST(pair_static) {
    struct evtchn_status s = status_of(CALL);

    EQ(s.status, EVTCHNSTAT_interdomain);
    EQ(s.u.interdomain.dom, other());
    EQ(s.u.interdomain.port, CALL);
    s = status_of(SPARE);
    EQ(s.status, EVTCHNSTAT_interdomain);
    EQ(s.u.interdomain.dom, other());
    EQ(s.u.interdomain.port, role() ? 12 : 20);
}

static volatile unsigned pings;
static void answer(unsigned intid) {
    if (intid != PPI_UPCALL)
        return;
    info_of(0)->evtchn_upcall_pending = 0;
    dsb();
    info_of(0)->evtchn_pending_sel = 0;
    if (took(SPARE)) {
        pings++;
        if (pings < 100 || role() == 0)
            EQ(send(SPARE), 0);
    }
}

/* A hundred events there and back, each by an upcall. */
TEST(pair_ping_pong) {
    took(SPARE);
    info_of(0)->evtchn_pending_sel = 0;
    info_of(0)->evtchn_upcall_pending = 0;
    pings = 0;
    barrier();
    me()->on_irq = answer;
    gic_enable(PPI_UPCALL, 0x80);
    if (role() == 0)
        EQ(send(SPARE), 0);
    while (pings < (role() ? 100 : 99)) {
        wfi(); /* one that is pending already ends it */
        irq_enable();
        irq_disable();
    }
    gic_disable(PPI_UPCALL);
    barrier();
    took(SPARE);
}

/* The first makes port 1 for the second, which binds to it; either end closes. */
TEST(pair_bind) {
    int64_t p = role() ? 0 : new_unbound(other());

    if (role() == 0)
        EQ(p, 1);
    barrier();
    for (unsigned i = 0; i < 3 && role(); i++) {
        p = new_bound(other(), 1);
        EQ(p, 1);
        TRUE(took(p));
        EQ(new_bound(other(), 1), -XEN_EINVAL); /* it is bound */
        EQ(status_of(p).u.interdomain.dom, other());
        EQ(status_of(p).u.interdomain.port, 1);
        if (i < 2)
            EQ(close(p), 0);
    }
    barrier();
    EQ(status_of(p).status, EVTCHNSTAT_interdomain);
    EQ(status_of(p).u.interdomain.dom, other());
    EQ(send(p), 0);
    WAIT_LONG(took(p));
    barrier();
    if (role() == 0)
        EQ(close(p), 0);
    barrier();
    if (role()) {
        EQ(status_of(p).status, EVTCHNSTAT_unbound);
        EQ(status_of(p).u.unbound.dom, other());
        EQ(send(p), 0);
        EQ(close(p), 0);
    }
    barrier();
    TRUE(!took(1));
}

/* Who may manage the other domain makes a port there, and binds to it. */
static void manage(void) {
    struct evtchn_alloc_unbound a = {.dom = (domid_t)other(), .remote_dom = DOMID_SELF};
    struct evtchn_status s = {.dom = (domid_t)other()};
    int64_t p;

    EQ(evtchn_op(EVTCHNOP_alloc_unbound, &a), 0);
    p = new_bound(other(), a.port);
    EQ(status_of(p).u.interdomain.port, a.port);
    s.port = a.port;
    EQ(evtchn_op(EVTCHNOP_status, &s), 0);
    EQ(s.status, EVTCHNSTAT_interdomain);
    EQ(s.u.interdomain.dom, self());
    EQ(s.u.interdomain.port, p);
    EQ(close(p), 0);
}

/* Ports of the other domain that do not wait for this one, and what is none of our business. */
TEST(pair_refused) {
    struct evtchn_alloc_unbound a = {.dom = (domid_t)other(), .remote_dom = DOMID_SELF};
    struct evtchn_status s = {.dom = (domid_t)other(), .port = CALL};
    struct evtchn_reset r = {.dom = (domid_t)other()};
    int64_t mine = new_unbound(DOMID_SELF), ipi = new_ipi(0), third;
    bool manages;

    EQ(mine, 1);
    EQ(ipi, 2);
    barrier();
    EQ(new_bound(other(), 1), -XEN_EINVAL); /* it waits for its own domain */
    EQ(new_bound(other(), 2), -XEN_EINVAL);
    EQ(new_bound(other(), 3), -XEN_EINVAL);
    EQ(new_bound(other(), CALL), -XEN_EINVAL);
    EQ(new_bound(other(), ~0u), -XEN_EINVAL);
    manages = !evtchn_op(EVTCHNOP_status, &s);
    print("manages: %lu\n", (uint64_t)manages); /* likewise */
    barrier();
    if (manages) {
        manage();
    } else {
        EQ(evtchn_op(EVTCHNOP_status, &s), -XEN_EPERM);
        EQ(evtchn_op(EVTCHNOP_alloc_unbound, &a), -XEN_EPERM);
        EQ(evtchn_op(EVTCHNOP_reset, &r), -XEN_EPERM);
    }
    /* A third domain, if there is one: the system test knows what this should be. */
    third = new_unbound(3);
    print("third: %lu\n", (uint64_t)-third);
    if (third > 0)
        EQ(close(third), 0);
    barrier();
    close(3); /* what the other one has made here, if it may */
    EQ(close(mine), 0);
    EQ(close(ipi), 0);
}

/* ---- many at once ---- */

#define CHANNELS 8
static int64_t channel[CHANNELS];

static void send_much(void) {
    for (unsigned i = 0; i < 400; i++)
        EQ(send(channel[i % CHANNELS]), 0);
}

/* Both ends send on all CPUs while their ports move between vCPUs; then one last event arrives. */
TEST(pair_load) {
    for (unsigned i = 0; i < CHANNELS; i++) {
        if (role() == 0)
            channel[i] = new_unbound(other());
        barrier();
        if (role() == 1)
            channel[i] = new_bound(other(), i + 1);
        EQ(channel[i], i + 1);
    }
    barrier();
    for (unsigned cpu = 1; cpu < nr_cpus; cpu++)
        cpu_start(cpu, send_much);
    for (unsigned i = 0; i < 200; i++) {
        EQ(to_vcpu(channel[i % CHANNELS], i % nr_cpus), 0);
        EQ(send(channel[(i * 3) % CHANNELS]), 0);
        took(channel[(i * 5) % CHANNELS]);
    }
    for (unsigned cpu = 1; cpu < nr_cpus; cpu++)
        cpu_join(cpu);
    barrier();
    for (unsigned i = 0; i < CHANNELS; i++) {
        took(channel[i]);
        EQ(to_vcpu(channel[i], 0), 0);
    }
    barrier();
    for (unsigned i = 0; i < CHANNELS; i++)
        EQ(send(channel[i]), 0);
    for (unsigned i = 0; i < CHANNELS; i++)
        WAIT_LONG(took(channel[i]));
    barrier();
    /* Both close the same channel at the same time. */
    for (unsigned i = 0; i < CHANNELS; i++)
        EQ(close(channel[i]), 0);
}
