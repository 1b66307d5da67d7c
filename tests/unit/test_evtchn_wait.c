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
    assert_true(events_change_begin(d->vcpus[1], d));
    preempted = yielded = paused = 0;
    while_yielding = end_change_at_last;
    assert_int_equal(evtchn_call(d, EVTCHNOP_expand_array, &op), -EOPNOTSUPP); /* no FIFO yet */
    assert_int_equal(yielded, ROUNDS);
    assert_int_equal(preempted, ROUNDS);
    assert_int_equal(paused, 0);

    /* And who pauses the domain need not wait for it either. */
    assert_true(events_change_begin(d->vcpus[1], d));
    yielded = 0;
    d->vcpus[0]->work = VCPU_WORK_PAUSE;
    assert_int_equal(evtchn_call(d, EVTCHNOP_expand_array, &op), -EOPNOTSUPP);
    assert_int_equal(paused, ROUNDS);
    d->vcpus[0]->work = 0;
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

/* Who resets another domain goes on when that has died meanwhile, and touches nothing of it. */
static struct domain *victim;
static void die_while_waiting(void) {
    doms[2] = NULL; /* as domain_destroy() does */
    events_quiesce(victim);
    events_destroy(victim);
    events_change_end(victim);
}

static void reset_of_a_dying_domain(void **state) {
    struct evtchn_reset op;
    struct evtchn_status status = {.port = 1};
    struct evtchn_alloc_unbound alloc = {.remote_dom = DOMID_SELF};

    (void)state;
    world_create();
    dom_create(1, 100);
    victim = dom_create(2, 100);
    assert_int_equal(evtchn_call_about(victim, victim, EVTCHNOP_alloc_unbound, &alloc, &alloc.dom),
                     0);
    assert_true(events_change_begin(victim->vcpus[0], victim));
    while_yielding = die_while_waiting;
    assert_int_equal(evtchn_call_about(victim, doms[1], EVTCHNOP_reset, &op, &op.dom), 0);
    while_yielding = NULL;
    assert_int_equal(evtchn_call_about(victim, doms[1], EVTCHNOP_status, &status, &status.dom),
                     -ESRCH);
    assert_int_equal(evtchn_call_about(victim, doms[1], EVTCHNOP_alloc_unbound, &alloc, &alloc.dom),
                     -ESRCH);
    memset(&victim->abi->events, 0, sizeof(victim->abi->events));
    assert_int_equal(events_create(victim), 0); /* for the rest of it to be taken down */
    doms[2] = victim;
    dom_destroy(2);
    dom_destroy(1);
    world_destroy();
}

/* The domain leaves the list when its first port is back at 2-level: the others have its FIFO until
 * they are closed, and those who are bound to them raise events there. */
static void vanish_while_leaving(void) {
    if (!victim->abi->events.fifo)
        doms[2] = NULL; /* as domain_destroy() does */
}

static void reset_overtaken_by_death(void **state) {
    struct evtchn_reset op;
    struct evtchn_init_control init = {.control_gfn = 0};
    struct evtchn_expand_array expand = {.array_gfn = 1};
    struct evtchn_bind_virq bind = {.virq = VIRQ_TIMER};
    uint32_t port;

    (void)state;
    world_create();
    dom_create(1, 100);
    victim = dom_create(2, 100);
    assert_int_equal(evtchn_call(victim, EVTCHNOP_init_control, &init), 0);
    assert_int_equal(evtchn_call(victim, EVTCHNOP_expand_array, &expand), 0);
    assert_int_equal(evtchn_call(victim, EVTCHNOP_bind_virq, &bind), 0);
    for (unsigned i = 0; i < 3; i++) /* a reset leaves these */
        assert_int_equal(evtchn_alloc_internal(victim, 1, NULL, NULL, &port), 0);
    while_preempted = vanish_while_leaving;
    assert_int_equal(evtchn_call_about(victim, doms[1], EVTCHNOP_reset, &op, &op.dom), 0);
    while_preempted = NULL;
    evtchn_notify(victim, port);
    doms[2] = victim;
    dom_destroy(2); /* closes them, and gives the pages back */
    dom_destroy(1);
    world_destroy();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reset_of_a_dying_domain),
        cmocka_unit_test(reset_overtaken_by_death),
        cmocka_unit_test(waiting_for_a_change_is_preemptible),
        cmocka_unit_test(death_waits_for_binders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
