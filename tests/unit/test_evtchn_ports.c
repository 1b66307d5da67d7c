/* clang-format off */
/* SOURCES: common/abi/evtchn.c common/abi/evtchn_port.c common/abi/evtchn_pending.c common/abi/evtchn_hv.c common/abi/event_fifo.c common/abi/vcpu_info.c common/abi/guest_atomic.c common/abi/policy.c */
/* clang-format on */
/* Event channels one by one: what polls, what the device tree makes, and as many as there can be.
 */
#include "evtchn_world.h"

/* While a vCPU polls, every event of its domain wakes it, a masked one too. */
static void polling(void **state) {
    struct evtchn_bind_ipi op = {.vcpu = 1};
    struct domain *d;

    (void)state;
    world_create();
    d = dom_create(1, 20);
    assert_int_equal(evtchn_call(d, EVTCHNOP_bind_ipi, &op), 0);
    shared_of(1)->evtchn_mask[0] = ~0ULL;
    notified = 0;
    assert_int_equal(evtchn_call(d, EVTCHNOP_send, &op.port), 0);
    assert_int_equal(notified, 0);
    evtchn_poll_begin(d->vcpus[0]);
    assert_int_equal(evtchn_is_pending(d, op.port), 1);
    assert_int_equal(evtchn_call(d, EVTCHNOP_send, &op.port), 0);
    assert_int_equal(notified, 1);
    evtchn_poll_end(d->vcpus[0]);
    assert_int_equal(evtchn_call(d, EVTCHNOP_send, &op.port), 0);
    assert_int_equal(notified, 1);
    assert_int_equal(evtchn_is_pending(d, 63), 0);
    assert_int_equal(evtchn_is_pending(d, 64), -EINVAL);
    dom_destroy(1);
    world_destroy();
}

/* Channels of the device tree find each other, whichever starts first, again and again. */
static void static_channels(void **state) {
    struct domain *a, *b;
    struct evtchn_status op = {.dom = DOMID_SELF, .port = 5};

    (void)state;
    world_create();
    a = dom_create(1, 20);
    assert_int_equal(evtchn_make_static(a, 5, 2, 9), 0);
    assert_int_equal(evtchn_make_static(a, 5, 2, 9), -EEXIST);
    assert_int_equal(evtchn_make_static(a, 21, 2, 9), -ENOSPC);
    assert_int_equal(evtchn_make_static(a, 0, 2, 9), -ENOSPC);
    fail_alloc = 1;
    assert_int_equal(evtchn_make_static(a, 6, 2, 9), -ENOMEM);
    events_start(a);
    for (unsigned life = 0; life < 3; life++) {
        assert_int_equal(evtchn_call(a, EVTCHNOP_status, &op), 0);
        assert_int_equal(op.status, EVTCHNSTAT_unbound);
        b = dom_create(2, 20);
        assert_int_equal(evtchn_make_static(b, 9, 1, 5), 0);
        events_start(b);
        assert_int_equal(evtchn_call(a, EVTCHNOP_status, &op), 0);
        assert_int_equal(op.status, EVTCHNSTAT_interdomain);
        assert_true(op.u.interdomain.dom == 2 && op.u.interdomain.port == 9);
        assert_int_equal(evtchn_is_pending(b, 9), 1);
        assert_int_equal(evtchn_is_pending(a, 5), 0);
        dom_destroy(2);
    }
    /* A port that its guest has closed and made something else is left alone. */
    assert_int_equal(evtchn_call(a, EVTCHNOP_close, &(struct evtchn_close){.port = 5}), 0);
    b = dom_create(2, 20);
    assert_int_equal(evtchn_make_static(b, 9, 1, 5), 0);
    events_start(b);
    op.port = 9;
    assert_int_equal(evtchn_call(b, EVTCHNOP_status, &op), 0);
    assert_int_equal(op.status, EVTCHNSTAT_unbound);
    dom_destroy(2);
    dom_destroy(1);
    world_destroy();
}

static int64_t new_ipi(struct domain *d, uint32_t *port) {
    struct evtchn_bind_ipi op = {.vcpu = 0};
    int64_t rc = evtchn_call(d, EVTCHNOP_bind_ipi, &op);

    *port = op.port;
    return rc;
}

/* 2-level has bits for 4095 ports, FIFO links for 131071. */
static void as_many_as_the_abi_has(void **state) {
    struct evtchn_init_control op = {.control_gfn = CONTROL_GFN};
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    struct domain *d;
    uint32_t port, last = 0;

    (void)state;
    world_create();
    d = dom_create(1, 131071);
    while (!new_ipi(d, &port))
        assert_int_equal(port, ++last);
    assert_int_equal(last, 4095);
    assert_int_equal(evtchn_call(d, EVTCHNOP_send, &last), 0);
    assert_true(shared_of(1)->evtchn_pending[63] >> 63);
    assert_int_equal(evtchn_call(d, EVTCHNOP_init_control, &op), 0);
    while (!new_ipi(d, &port))
        assert_int_equal(port, ++last);
    assert_int_equal(last, 131071);
    assert_int_equal(evtchn_is_pending(d, 4095), 1);
    assert_int_equal(evtchn_call(d, EVTCHNOP_send, &last), 0);
    assert_int_equal(evtchn_is_pending(d, 131071), 1);
    last = 131072;
    assert_int_equal(evtchn_call(d, EVTCHNOP_send, &last), -EINVAL);
    assert_int_equal(evtchn_call(d, EVTCHNOP_reset, &reset), 0);
    assert_int_equal(new_ipi(d, &port), 0);
    assert_int_equal(port, 1);
    dom_destroy(1);
    world_destroy();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(polling),
        cmocka_unit_test(static_channels),
        cmocka_unit_test(as_many_as_the_abi_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
