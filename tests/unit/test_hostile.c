/* What has gone wrong in other hypervisors, by hypercalls of two guests; docs/security.md has the
 * table. */
/* clang-format off */
/* SOURCES: common/abi/console_io.c common/abi/event_fifo.c common/abi/evtchn.c common/abi/evtchn_hv.c common/abi/evtchn_pending.c common/abi/evtchn_port.c common/abi/grant_copy.c common/abi/grant_entry.c common/abi/grant_frames.c common/abi/grant_map.c common/abi/grant_op.c common/abi/guest_atomic.c common/abi/hvm_op.c common/abi/hypercall.c common/abi/maptrack.c common/abi/memory_op.c common/abi/multicall.c common/abi/physmap.c common/abi/policy.c common/abi/pv_console.c common/abi/reservation.c common/abi/runstate.c common/abi/sched_op.c common/abi/vcpu_info.c common/abi/vcpu_op.c common/abi/version.c common/virt/guest_copy.c common/mm/boot_mem.c common/mm/heap.c common/mm/fresh.c common/mm/xenheap.c common/mm/page_owner.c common/mm/page_ref.c common/mm/static_mem.c common/mm/pt.c common/mm/pt_page.c common/mm/pt_read.c common/mm/p2m.c common/mm/p2m_global.c common/mm/p2m_map.c common/mm/p2m_unmap.c common/mm/p2m_pool.c common/mm/p2m_populate.c common/mm/p2m_audit.c tests/fake/mm_world.c */
/* clang-format on */
#include "abi_world.h"

#include <xen/sched.h>
#include <xen/version.h>

static struct domain *peer; /* domain 2 */

static int start_two(void **state) {
    start(state);
    peer = world_guest(1);
    policy_allow_pair(1, 2);
    return 0;
}

#define HOLE (FIRST_GFN + 32)

static int64_t evtchn(struct domain *by, unsigned cmd, const void *op, size_t n) {
    int64_t rc;

    memcpy(ram(by, ARG), op, n);
    rc = call(by, __HYPERVISOR_event_channel_op, cmd, ARG, 0);
    return rc;
}
static int64_t memory_op(struct domain *by, unsigned cmd, const void *op, size_t n) {
    memcpy(ram(by, ARG), op, n);
    return call(by, __HYPERVISOR_memory_op, cmd, ARG, 0);
}
static int64_t populate(struct domain *by, uint64_t g) {
    struct xen_memory_reservation op = {.domid = DOMID_SELF, .nr_extents = 1};

    op.extent_start.p = (void *)LIST;
    *(uint64_t *)ram(by, LIST) = g;
    return memory_op(by, XENMEM_populate_physmap, &op, sizeof(op));
}
static int64_t add(struct domain *by, unsigned space, uint64_t idx, uint64_t g) {
    struct xen_add_to_physmap op = {.domid = DOMID_SELF, .space = space, .idx = idx, .gpfn = g};

    return memory_op(by, XENMEM_add_to_physmap, &op, sizeof(op));
}

/* Domain 1 grants its pages from 4 on to domain 2, by references from 9 on. */
static void grant(unsigned nr) {
    struct grant_entry_v1 *e = (struct grant_entry_v1 *)d->abi->grant.frame[0] + 9;

    for (unsigned i = 0; i < nr; i++)
        e[i] = (struct grant_entry_v1){
            .flags = GTF_permit_access, .domid = 2, .frame = (uint32_t)(FIRST_GFN + 4 + i)};
}
static int64_t map(unsigned nr) {
    struct gnttab_map_grant_ref *m = ram(peer, ARG);

    for (unsigned i = 0; i < nr; i++)
        m[i] = (struct gnttab_map_grant_ref){.host_addr = (HOLE + i) << PAGE_SHIFT,
                                             .flags = GNTMAP_host_map,
                                             .ref = 9 + i,
                                             .dom = 1,
                                             .status = 99};
    return call(peer, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, ARG, nr);
}
static int16_t map_status(unsigned i) {
    return ((struct gnttab_map_grant_ref *)ram(peer, ARG))[i].status;
}

/* ---- memory that was not cleared ---- */

#define BOOT_GARBAGE 0xa5

static bool is_zero(const uint8_t *p, size_t n) {
    while (n && !*p)
        p++, n--;
    return !n;
}

/* All of RAM is garbage at first: none of it is in the first pages that guests get. */
static void what_was_in_memory_at_boot(void **state) {
    (void)state;
    for (unsigned i = 0; i < NR_RAM; i++)
        assert_true(is_zero(ram(peer, GUEST(i)), PAGE_SIZE));
    assert_true(is_zero(d->abi->grant.frame[0], PAGE_SIZE));
    assert_int_equal(add(d, XENMAPSPACE_grant_table, 3, HOLE), 0);
    assert_true(is_zero(ram(d, HOLE << PAGE_SHIFT), PAGE_SIZE));
    ((struct shared_info *)d->abi->shared_info)->wc_version = 0;
    assert_true(is_zero(d->abi->shared_info, PAGE_SIZE));
}

/* What a domain leaves behind in every kind of page, for the next one. */
static void what_the_last_domain_left(void **state) {
    (void)state;
    for (unsigned i = 0; i < NR_RAM; i++)
        memset(ram(peer, GUEST(i)), BOOT_GARBAGE, PAGE_SIZE);
    memset(peer->abi->shared_info, BOOT_GARBAGE, PAGE_SIZE);
    memset(peer->abi->grant.frame[0], BOOT_GARBAGE, PAGE_SIZE);
    world_kill(1);
    peer = world_guest(1);
    what_was_in_memory_at_boot(NULL);
}

/* A stack full of a pattern, then none of it in what a call wrote. */
static __attribute__((noinline)) void paint(void) {
    volatile uint8_t stack[24576];

    for (unsigned i = 0; i < sizeof(stack); i++)
        stack[i] = 0x6b;
}
static void no_stack_in(const char *what) {
    for (unsigned i = 0; i < NR_RAM; i++) {
        const uint8_t *at = ram(d, GUEST(i));

        for (unsigned b = 0; b + 2 <= PAGE_SIZE; b++)
            if (at[b] == 0x6b && at[b + 1] == 0x6b)
                fail_msg("%s: at byte %u of page %u", what, b, i);
        memset(ram(d, GUEST(i)), 0, PAGE_SIZE);
    }
}

/* Padding in structures, what of a union is not meant, ends of strings. */
static void no_stack_shown_in_structures(void **state) {
    static const struct {
        const char *what;
        uint64_t nr, cmd, third;
    } calls[] = {
        {"compile_info", __HYPERVISOR_xen_version, XENVER_compile_info, 0},
        {"capabilities", __HYPERVISOR_xen_version, XENVER_capabilities, 0},
        {"changeset", __HYPERVISOR_xen_version, XENVER_changeset, 0},
        {"extraversion", __HYPERVISOR_xen_version, XENVER_extraversion, 0},
        {"commandline", __HYPERVISOR_xen_version, XENVER_commandline, 0},
        {"platform", __HYPERVISOR_xen_version, XENVER_platform_parameters, 0},
        {"features", __HYPERVISOR_xen_version, XENVER_get_features, 0},
        {"status", __HYPERVISOR_event_channel_op, EVTCHNOP_status, 0},
        {"alloc_unbound", __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, 0},
        {"bind_ipi", __HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, 0},
        {"bind_virq", __HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, 0},
        {"query_size", __HYPERVISOR_grant_table_op, GNTTABOP_query_size, 1},
        {"setup_table", __HYPERVISOR_grant_table_op, GNTTABOP_setup_table, 1},
        {"get_version", __HYPERVISOR_grant_table_op, GNTTABOP_get_version, 1},
        {"map", __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, 1},
        {"copy", __HYPERVISOR_grant_table_op, GNTTABOP_copy, 1},
        {"multicall", __HYPERVISOR_multicall, ARG, 0},
        {"runstate", __HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, ARG},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
        uint64_t arg = calls[i].nr == __HYPERVISOR_vcpu_op ? 0 : ARG;

        arg = calls[i].nr == __HYPERVISOR_multicall ? 20 : arg;
        *(uint64_t *)ram(d, ARG) = calls[i].nr == __HYPERVISOR_vcpu_op          ? LIST
                                   : calls[i].nr == __HYPERVISOR_grant_table_op ? DOMID_SELF
                                                                                : 0;
        if (calls[i].cmd == EVTCHNOP_status || calls[i].cmd == EVTCHNOP_alloc_unbound)
            *(uint64_t *)ram(d, ARG) = DOMID_SELF;
        paint();
        (void)call(d, calls[i].nr, calls[i].cmd, arg, calls[i].third);
        no_stack_in(calls[i].what);
    }
}

/* ---- event channels: a number that comes again ---- */

static uint64_t pending(struct domain *who, uint32_t port) {
    return ((struct shared_info *)who->abi->shared_info)->evtchn_pending[port / 64] >> port % 64 &
           1;
}

static void port_taken_again_has_nothing_of_the_old_one(void **state) {
    struct evtchn_bind_ipi ipi = {0};
    struct evtchn_alloc_unbound wait = {.dom = DOMID_SELF, .remote_dom = 2};
    struct evtchn_bind_interdomain bind = {.remote_dom = 1};
    struct evtchn_send send;
    struct evtchn_close closing;
    uint32_t port, theirs;

    (void)state;
    assert_int_equal(evtchn(d, EVTCHNOP_bind_ipi, &ipi, sizeof(ipi)), 0);
    port = ((struct evtchn_bind_ipi *)ram(d, ARG))->port;
    send.port = closing.port = port;
    assert_int_equal(evtchn(d, EVTCHNOP_send, &send, sizeof(send)), 0);
    assert_true(pending(d, port));
    assert_int_equal(evtchn(d, EVTCHNOP_close, &closing, sizeof(closing)), 0);
    /* The same number again, for another use. */
    assert_int_equal(evtchn(d, EVTCHNOP_alloc_unbound, &wait, sizeof(wait)), 0);
    assert_int_equal(((struct evtchn_alloc_unbound *)ram(d, ARG))->port, port);
    assert_false(pending(d, port));
    bind.remote_port = port;
    assert_int_equal(evtchn(peer, EVTCHNOP_bind_interdomain, &bind, sizeof(bind)), 0);
    theirs = ((struct evtchn_bind_interdomain *)ram(peer, ARG))->local_port;
    assert_int_equal(evtchn(d, EVTCHNOP_close, &closing, sizeof(closing)), 0);
    assert_int_equal(evtchn(d, EVTCHNOP_bind_ipi, &ipi, sizeof(ipi)), 0);
    assert_int_equal(((struct evtchn_bind_ipi *)ram(d, ARG))->port, port);
    /* Who was at the other end does not reach the new one. */
    send.port = theirs;
    assert_int_equal(evtchn(peer, EVTCHNOP_send, &send, sizeof(send)), 0);
    assert_false(pending(d, port));
    bind.remote_port = port;
    assert_int_equal(evtchn(peer, EVTCHNOP_bind_interdomain, &bind, sizeof(bind)), -EINVAL);
}

/* ---- memory on behalf of a guest ---- */

static void ask_for_all(void) {
    struct evtchn_alloc_unbound wait = {.dom = DOMID_SELF, .remote_dom = 2};
    struct gnttab_setup_table table = {.dom = DOMID_SELF, .nr_frames = 4};
    struct gnttab_set_version two = {.version = 2};

    for (unsigned i = 0; i < 2000; i++)
        (void)evtchn(d, EVTCHNOP_alloc_unbound, &wait, sizeof(wait));
    memcpy(ram(d, ARG), &two, sizeof(two));
    (void)call(d, __HYPERVISOR_grant_table_op, GNTTABOP_set_version, ARG, 1);
    table.frame_list.p = (void *)LIST;
    memcpy(ram(d, ARG), &table, sizeof(table));
    (void)call(d, __HYPERVISOR_grant_table_op, GNTTABOP_setup_table, ARG, 1);
    for (uint64_t g = 0; g < 200; g++)
        (void)populate(d, HOLE + g * 512);
}

/* Ports, frames of grants and status, RAM, tables of translations: all of them end, and asking on
 * takes nothing more. */
static void memory_for_a_guest_ends(void **state) {
    uint64_t left;

    (void)state;
    ask_for_all();
    assert_int_equal(d->abi->events.first_free, d->max_evtchn_port + 1);
    assert_int_equal(d->abi->grant.nr_frames, d->max_grant_frames);
    assert_true(d->pages.tot_pages <= MAX_PAGES);
    left = heap_free_pages();
    seen.allocations = 0;
    ask_for_all();
    assert_int_equal(heap_free_pages(), left);
    assert_int_equal(seen.allocations, 0);
}

static void handles_end(void **state) {
    int64_t n = 0;

    (void)state;
    grant(1);
    for (unsigned i = 0; i < 2; i++) {
        for (; n < 1000; n++) {
            struct gnttab_map_grant_ref m = {.host_addr = (HOLE + (uint64_t)n) << PAGE_SHIFT,
                                             .flags = GNTMAP_host_map | GNTMAP_readonly,
                                             .ref = 9,
                                             .dom = 1};

            memcpy(ram(peer, ARG), &m, sizeof(m));
            assert_int_equal(
                call(peer, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, ARG, 1), 0);
            if (map_status(0))
                break;
        }
        assert_int_equal(n, 256 * peer->max_maptrack_frames);
        assert_int_equal(d->abi->grant.uses, n);
        seen.allocations = 0;
    }
    assert_int_equal(seen.allocations, 0);
}

/* ---- long lists ---- */

/* Each passes a point where others run for every entry but the last, with no lock held. */
static void long_lists_give_way(void **state) {
    static const struct {
        uint64_t nr, cmd;
    } lists[] = {
        {__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref},
        {__HYPERVISOR_grant_table_op, GNTTABOP_copy},
        {__HYPERVISOR_grant_table_op, GNTTABOP_swap_grant_ref},
        {__HYPERVISOR_grant_table_op, GNTTABOP_cache_flush},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(lists); i++) {
        memset(ram(d, ARG), 0, PAGE_SIZE);
        seen.preempted = 0;
        (void)call(d, lists[i].nr, lists[i].cmd, ARG, 40);
        assert_in_range(seen.preempted, 39, 80);
    }
    seen.preempted = 0; /* unmaps go by sixteen */
    (void)call(d, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, ARG, 40);
    assert_in_range(seen.preempted, 2, 80);
}

/* ---- the end of a domain, in the middle of what others do ---- */

static unsigned die_at;
static void peer_dies(void) {
    if (seen.preempted == die_at && dom[0]) {
        struct vcpu *before = current_vcpu;

        world_kill(0);
        current_vcpu = before;
    }
}

/* The granter goes after each of the list's maps: those before stand, those after fail, and nothing
 * is lost of either. */
static void granter_dies_during_a_list(void **state) {
    (void)state;
    for (die_at = 1; die_at < 6; die_at++) {
        grant(6);
        seen.preempted = 0;
        while_preempted = peer_dies;
        assert_int_equal(map(6), 0);
        while_preempted = NULL;
        assert_null(dom[0]);
        for (unsigned i = 0; i < 6; i++)
            assert_int_equal(map_status(i), i < die_at ? GNTST_okay : GNTST_bad_domain);
        assert_int_equal(peer->p2m.grants, die_at);
        world_check();
        world_kill(1);
        assert_int_equal(shells, 0); /* the last mapping was what kept it */
        d = world_guest(0);
        peer = world_guest(1);
    }
}

/* It has been told to go, and some of it still stands. */
static void nothing_new_with_the_dying(void **state) {
    struct evtchn_bind_interdomain bind = {.remote_dom = 1};
    struct evtchn_alloc_unbound wait = {.dom = DOMID_SELF, .remote_dom = 2};
    struct xen_add_to_physmap_batch op = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_gmfn_foreign, .size = 1, .u.foreign_domid = 1};
    struct page_info *shared = virt_to_page(d->abi->shared_info);

    (void)state;
    grant(1);
    assert_int_equal(evtchn(d, EVTCHNOP_alloc_unbound, &wait, sizeof(wait)), 0);
    bind.remote_port = ((struct evtchn_alloc_unbound *)ram(d, ARG))->port;
    ops->die(d);
    d->pages.dying = d->p2m.dying = true;
    /* By itself: its vCPUs are gone, but not by this alone. */
    assert_int_equal(populate(d, HOLE), 0);
    assert_int_equal(add(d, XENMAPSPACE_shared_info, 0, HOLE), -EPERM);
    assert_int_equal(shared->count_info & PGC_COUNT_MASK, 1);
    /* By others. */
    assert_int_equal(map(1), 0);
    assert_int_not_equal(map_status(0), GNTST_okay);
    assert_int_equal(peer->p2m.grants, 0);
    assert_int_not_equal(evtchn(peer, EVTCHNOP_bind_interdomain, &bind, sizeof(bind)), 0);
    peer->privileged = true;
    op.idxs.p = op.gpfns.p = (void *)LIST;
    op.errs.p = (void *)(LIST + 64);
    *(uint64_t *)ram(peer, LIST) = FIRST_GFN + 4;
    assert_int_equal(memory_op(peer, XENMEM_add_to_physmap_batch, &op, sizeof(op)), 0);
    assert_int_equal(*(int32_t *)ram(peer, LIST + 64), -EINVAL);
    peer->privileged = false;
    assert_int_equal(d->refs, 1);
}

/* ---- grants: pins, handles, versions ---- */

static void version_kept_and_handle_used_once(void **state) {
    struct gnttab_unmap_grant_ref u, *at = ram(peer, LIST);
    struct gnttab_set_version two = {.version = 2};

    (void)state;
    grant(1);
    assert_int_equal(map(1), 0);
    assert_int_equal(map_status(0), GNTST_okay);
    u = (struct gnttab_unmap_grant_ref){
        .host_addr = HOLE << PAGE_SHIFT,
        .handle = ((struct gnttab_map_grant_ref *)ram(peer, ARG))->handle};
    memcpy(ram(d, ARG), &two, sizeof(two));
    assert_int_equal(call(d, __HYPERVISOR_grant_table_op, GNTTABOP_set_version, ARG, 1), -EBUSY);
    /* At another place, where there is RAM; then as it is; then once more. */
    for (unsigned i = 0; i < 3; i++) {
        *at = u;
        at->host_addr = i ? u.host_addr : GUEST(5);
        assert_int_equal(call(peer, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, LIST, 1),
                         0);
        assert_int_equal(at->status == GNTST_okay, i == 1);
        assert_int_equal(d->abi->grant.uses, i == 0);
        assert_int_equal(peer->p2m.grants, i == 0);
    }
    memcpy(ram(d, ARG), &two, sizeof(two));
    assert_int_equal(call(d, __HYPERVISOR_grant_table_op, GNTTABOP_set_version, ARG, 1), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_in_memory_at_boot, start_two, end),
        cmocka_unit_test_setup_teardown(what_the_last_domain_left, start_two, end),
        cmocka_unit_test_setup_teardown(no_stack_shown_in_structures, start_two, end),
        cmocka_unit_test_setup_teardown(port_taken_again_has_nothing_of_the_old_one, start_two,
                                        end),
        cmocka_unit_test_setup_teardown(memory_for_a_guest_ends, start_two, end),
        cmocka_unit_test_setup_teardown(handles_end, start_two, end),
        cmocka_unit_test_setup_teardown(long_lists_give_way, start_two, end),
        cmocka_unit_test_setup_teardown(granter_dies_during_a_list, start_two, end),
        cmocka_unit_test_setup_teardown(nothing_new_with_the_dying, start_two, end),
        cmocka_unit_test_setup_teardown(version_kept_and_handle_used_once, start_two, end),
    };

    world_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
