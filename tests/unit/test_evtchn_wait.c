/* clang-format off */
/* SOURCES: common/abi/evtchn.c common/abi/evtchn_port.c common/abi/evtchn_pending.c common/abi/evtchn_hv.c common/abi/event_fifo.c common/abi/vcpu_info.c common/abi/guest_atomic.c common/abi/policy.c */
/* clang-format on */
/* Who waits for another in the event channel code: a vCPU for its sibling, death for a binder. */
#include "evtchn_world.h"

#define ROUNDS 5u

static void end_change_at_last(void) {
    if (yielded == ROUNDS)
        events_change_end(doms[1]);
}

/* The other vCPU's change may be a long one, on another CPU: interrupts are let in all the time. */
static void waiting_for_a_change_is_preemptible(void **state) {
    struct evtchn_expand_array op = {.array_gfn = 0};
    struct domain *d;

    (void)state;
    world_create();
    d = dom_create(1, 100);
    assert_true(events_change_begin(d->vcpus[1]));
    preempted = yielded = 0;
    while_yielding = end_change_at_last;
    assert_int_equal(evtchn_call(d, EVTCHNOP_expand_array, &op), -EOPNOTSUPP); /* no FIFO yet */
    assert_int_equal(yielded, ROUNDS);
    assert_int_equal(preempted, ROUNDS);
    while_yielding = NULL;
    dom_destroy(1);
    world_destroy();
}

/* A domain without a port is found, too, by one who is about to bind to it. */
static void death_waits_for_binders(void **state) {
    struct domain *d;

    (void)state;
    world_create();
    d = dom_create(1, 100);
    assert_int_equal(d->abi->events.nr_ports, 0);
    bindings = 0;
    events_quiesce(d);
    assert_int_not_equal(bindings, 0);
    dom_destroy(1);
    world_destroy();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waiting_for_a_change_is_preemptible),
        cmocka_unit_test(death_waits_for_binders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
