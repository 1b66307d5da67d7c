/* Event channels of the guest to itself, by the two-level ABI. */
#include "bench.h"

#include <xen/event_channel.h>

#define PPI_EVENTS 31

static int64_t event_op(unsigned cmd, void *arg) {
    return xen_call(__HYPERVISOR_event_channel_op, cmd, (uint64_t)arg, 0);
}

/* A pair of ports; an event sent to one is pending at the other. */
static void connect(unsigned *sender, unsigned *receiver) {
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = OWN_DOMID};
    struct evtchn_bind_interdomain bind = {.remote_dom = OWN_DOMID};

    EQ(event_op(EVTCHNOP_alloc_unbound, &alloc), 0);
    bind.remote_port = alloc.port;
    EQ(event_op(EVTCHNOP_bind_interdomain, &bind), 0);
    *receiver = alloc.port;
    *sender = bind.local_port;
}

static bool test_and_clear(xen_ulong_t *words, unsigned port) {
    return __atomic_fetch_and(&words[port / 64], ~BIT(port % 64), __ATOMIC_SEQ_CST) >> port % 64 &
           1;
}

/* Nothing is pending any more, and every port but `open` is masked. */
static void clear_all(struct shared_info *s, unsigned open) {
    for (unsigned i = 0; i < COUNT(s->evtchn_pending); i++) {
        s->evtchn_pending[i] = 0;
        s->evtchn_mask[i] = ~0ULL;
    }
    s->evtchn_mask[open / 64] &= ~BIT(open % 64);
    s->vcpu_info[0].evtchn_pending_sel = 0;
    s->vcpu_info[0].evtchn_upcall_pending = 0;
    dsb();
}

static void send_events(struct shared_info *s) {
    unsigned sender, receiver;

    connect(&sender, &receiver);
    if (failed())
        return;
    upcall_pending = &s->vcpu_info[0].evtchn_upcall_pending;
    gic_enable(PPI_EVENTS, 0x80);
    irq_enable();
    for (unsigned i = 0; i < RUNS; i++) {
        struct evtchn_send send = {.port = sender};
        uint64_t before, cost;
        int64_t rc;

        clear_all(s, 0);
        before = interrupts[0];
        cost = MEASURE(rc = event_op(EVTCHNOP_send, &send));
        EQ(rc, 0);
        EQ(interrupts[0], before);
        TRUE(test_and_clear(s->evtchn_pending, receiver));
        sample("event_send_masked", cost);

        clear_all(s, receiver);
        cost = MEASURE_TO_HANDLER(rc = event_op(EVTCHNOP_send, &send));
        EQ(rc, 0);
        EQ(interrupts[0], before + 1);
        TRUE(test_and_clear(s->evtchn_pending, receiver));
        sample("event_send_to_handler", cost);
    }
    irq_disable();
}

ROW(event_send) {
    EQ(physmap_add(XENMAPSPACE_shared_info, 0, HOLE_GFN(0)), 0);
    if (!failed())
        send_events((struct shared_info *)(HOLE_GFN(0) << 12));
    physmap_remove(HOLE_GFN(0));
}
