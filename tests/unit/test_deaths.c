/* A domain that begins to die in the middle of a hypercall: at the first point where it copies,
 * gives way or waits, at the second, and so on until the call is over before. The call ends soon,
 * and when the domain is gone nothing is missing, neither of it nor of its peer. */
/* clang-format off */
/* SOURCES: common/abi/console_io.c common/abi/event_fifo.c common/abi/evtchn.c common/abi/evtchn_hv.c common/abi/evtchn_pending.c common/abi/evtchn_port.c common/abi/grant_copy.c common/abi/grant_entry.c common/abi/grant_frames.c common/abi/grant_map.c common/abi/grant_op.c common/abi/guest_atomic.c common/abi/hvm_op.c common/abi/hypercall.c common/abi/maptrack.c common/abi/memory_op.c common/abi/multicall.c common/abi/physmap.c common/abi/policy.c common/abi/pv_console.c common/abi/reservation.c common/abi/runstate.c common/abi/sched_op.c common/abi/vcpu_info.c common/abi/vcpu_op.c common/abi/version.c common/virt/guest_copy.c common/mm/boot_mem.c common/mm/heap.c common/mm/fresh.c common/mm/xenheap.c common/mm/page_owner.c common/mm/page_ref.c common/mm/static_mem.c common/mm/pt.c common/mm/pt_page.c common/mm/pt_read.c common/mm/p2m.c common/mm/p2m_global.c common/mm/p2m_map.c common/mm/p2m_unmap.c common/mm/p2m_pool.c common/mm/p2m_populate.c common/mm/p2m_audit.c tests/fake/mm_world.c */
/* clang-format on */
#include "abi_world.h"

#include <xen/features.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/sched.h>
#include <xen/version.h>

static struct domain *peer; /* domain 2, which grants pages to domain 1 */

#define HOLE (FIRST_GFN + 32)
#define N 40u /* entries of a list */
/* Points between a death and the call's end: sixteen unmaps are done as one, with two copies each;
 * and a reset closes all ports first, as the end of the domain would. */
#define SOON 36u
#define RESET 160u

/* ---- the moment ---- */

static unsigned points, die_at, died;

static void point(void) {
    if (++points != die_at)
        return;
    domain_shutdown(d, SHUT_CRASH);
    died++;
}

static void wait_in_vain(struct vcpu *v) {
    (void)v;
    point();
    if (!abi_must_stop(v) && armed)
        armed->fn(armed->arg);
    else
        stop_vcpus(d);
}

/* ---- what is done ---- */

/* Who is dead makes no further call. */
static int64_t make(uint64_t nr, uint64_t a, uint64_t b, uint64_t c) {
    return died ? 0 : call(d, nr, a, b, c);
}

static int64_t one(uint64_t nr, uint64_t cmd, const void *op, size_t n) {
    memcpy(ram(d, ARG), op, n);
    return make(nr, cmd, ARG, 1);
}
static int64_t events(uint64_t cmd, const void *op, size_t n) {
    return one(__HYPERVISOR_event_channel_op, cmd, op, n);
}
static int64_t memory(uint64_t cmd, const void *op, size_t n) {
    return one(__HYPERVISOR_memory_op, cmd, op, n);
}
static int64_t grants(uint64_t cmd, const void *op, size_t n) {
    return one(__HYPERVISOR_grant_table_op, cmd, op, n);
}

/* Of the first pages, or of places without any. */
static void extents(uint64_t cmd, uint64_t first) {
    struct xen_memory_reservation op = {.domid = DOMID_SELF, .nr_extents = 8};

    op.extent_start.p = (void *)LIST;
    for (unsigned i = 0; i < 8; i++)
        ((xen_pfn_t *)ram(d, LIST))[i] = first + i * (first == HOLE ? 512 : 1);
    memory(cmd, &op, sizeof(op));
}
static void populate(void) {
    extents(XENMEM_populate_physmap, HOLE);
}
static void decrease(void) {
    extents(XENMEM_decrease_reservation, FIRST_GFN + 8);
}

static void add_one(unsigned space, uint64_t idx) {
    struct xen_add_to_physmap op = {
        .domid = DOMID_SELF, .space = space, .idx = idx, .gpfn = FIRST_GFN + 9};

    memory(XENMEM_add_to_physmap, &op, sizeof(op));
}
static void add_frames(void) {
    struct xen_remove_from_physmap op = {.domid = DOMID_SELF, .gpfn = FIRST_GFN + 9};

    add_one(XENMAPSPACE_shared_info, 0);
    add_one(XENMAPSPACE_grant_table, 3);
    memory(XENMEM_remove_from_physmap, &op, sizeof(op));
}
static void add_batch(void) {
    struct xen_add_to_physmap_batch op = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .size = 4};

    op.idxs.p = (void *)LIST;
    op.gpfns.p = (void *)(LIST + 512);
    op.errs.p = (void *)(LIST + 1024);
    for (unsigned i = 0; i < 4; i++) {
        ((xen_ulong_t *)ram(d, LIST))[i] = i;
        ((xen_pfn_t *)ram(d, LIST + 512))[i] = HOLE + 512 * i;
    }
    memory(XENMEM_add_to_physmap_batch, &op, sizeof(op));
}

static void map_and_unmap(void) {
    struct gnttab_map_grant_ref *m = ram(d, ARG);
    struct gnttab_unmap_grant_ref *u;

    for (unsigned i = 0; i < N; i++)
        m[i] = (struct gnttab_map_grant_ref){.host_addr = (HOLE + i) << PAGE_SHIFT,
                                             .flags = GNTMAP_host_map,
                                             .ref = 9 + i % 8,
                                             .dom = 2};
    make(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, ARG, N);
    u = ram(d, LIST);
    for (unsigned i = 0; i < N; i++)
        u[i] = (struct gnttab_unmap_grant_ref){.host_addr = m[i].host_addr, .handle = m[i].handle};
    make(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, LIST, N);
}
static void copy(void) {
    struct gnttab_copy *c = ram(d, ARG);

    for (unsigned i = 0; i < N; i++) {
        c[i] = (struct gnttab_copy){.len = 64, .flags = GNTCOPY_source_gref};
        c[i].source.domid = 2;
        c[i].source.u.ref = 9 + i % 8;
        c[i].dest.domid = DOMID_SELF;
        c[i].dest.u.gmfn = FIRST_GFN + 8;
    }
    make(__HYPERVISOR_grant_table_op, GNTTABOP_copy, ARG, N);
}
static void swap(void) {
    struct gnttab_swap_grant_ref *s = ram(d, ARG);

    for (unsigned i = 0; i < N; i++)
        s[i] = (struct gnttab_swap_grant_ref){.ref_a = 9 + i, .ref_b = 10 + i};
    make(__HYPERVISOR_grant_table_op, GNTTABOP_swap_grant_ref, ARG, N);
}
static void flush(void) {
    struct gnttab_cache_flush *f = ram(d, ARG);

    for (unsigned i = 0; i < N; i++) {
        f[i] = (struct gnttab_cache_flush){.length = 64, .op = GNTTAB_CACHE_CLEAN};
        f[i].a.dev_bus_addr = GUEST(8);
    }
    make(__HYPERVISOR_grant_table_op, GNTTABOP_cache_flush, ARG, N);
}
static void versions(void) {
    struct gnttab_set_version two = {.version = 2}, first = {.version = 1};
    struct gnttab_setup_table table = {.dom = DOMID_SELF, .nr_frames = 4};
    struct gnttab_get_status_frames status = {.dom = DOMID_SELF, .nr_frames = 1};
    struct gnttab_query_size size = {.dom = DOMID_SELF};

    table.frame_list.p = (void *)LIST;
    status.frame_list.p = (void *)LIST;
    grants(GNTTABOP_set_version, &two, sizeof(two));
    grants(GNTTABOP_setup_table, &table, sizeof(table));
    grants(GNTTABOP_get_status_frames, &status, sizeof(status));
    grants(GNTTABOP_query_size, &size, sizeof(size));
    grants(GNTTABOP_set_version, &first, sizeof(first));
}

static void ports(void) {
    struct evtchn_alloc_unbound wait = {.dom = DOMID_SELF, .remote_dom = 2};
    struct evtchn_bind_ipi ipi = {.vcpu = 1};
    struct evtchn_bind_virq virq = {.virq = VIRQ_TIMER};
    struct evtchn_reset reset = {.dom = DOMID_SELF};

    for (unsigned i = 0; i < 70; i++)
        events(EVTCHNOP_alloc_unbound, &wait, sizeof(wait));
    for (uint32_t port = 1; port < 9; port++) {
        struct evtchn_bind_vcpu to = {.port = port, .vcpu = 1};
        struct evtchn_status ask = {.dom = DOMID_SELF, .port = port};

        events(EVTCHNOP_bind_vcpu, &to, sizeof(to));
        events(EVTCHNOP_unmask, &port, sizeof(port));
        events(EVTCHNOP_status, &ask, sizeof(ask));
        events(port & 1 ? EVTCHNOP_close : EVTCHNOP_send, &port, sizeof(port));
    }
    events(EVTCHNOP_bind_ipi, &ipi, sizeof(ipi));
    events(EVTCHNOP_send, &ipi.port, sizeof(ipi.port));
    events(EVTCHNOP_bind_virq, &virq, sizeof(virq));
    events(EVTCHNOP_reset, &reset, sizeof(reset));
}
/* Bound to one of the peer's, which waits for it. */
static void bound(void) {
    struct evtchn_bind_interdomain bind = {.remote_dom = 2, .remote_port = 1};

    events(EVTCHNOP_bind_interdomain, &bind, sizeof(bind));
    events(EVTCHNOP_send, &bind.local_port, sizeof(bind.local_port));
}
static void fifo(void) {
    struct evtchn_init_control init = {.control_gfn = FIRST_GFN + 8};
    struct evtchn_expand_array more = {.array_gfn = FIRST_GFN + 9};
    struct evtchn_set_priority priority = {.port = 1, .priority = 3};

    memset(ram(d, GUEST(8)), 0, 2 * PAGE_SIZE);
    events(EVTCHNOP_init_control, &init, sizeof(init));
    events(EVTCHNOP_expand_array, &more, sizeof(more));
    ports();
    events(EVTCHNOP_set_priority, &priority, sizeof(priority));
}

static void many(void) {
    struct multicall_entry *e = ram(d, LIST);
    xen_pfn_t *page = ram(d, GUEST(5));
    struct xen_memory_reservation *op = ram(d, GUEST(6));

    *page = FIRST_GFN + 9;
    *op = (struct xen_memory_reservation){.domid = DOMID_SELF, .nr_extents = 1};
    op->extent_start.p = (void *)GUEST(5);
    for (unsigned i = 0; i < N; i++)
        e[i] = (struct multicall_entry){
            .op = __HYPERVISOR_memory_op,
            .args = {i & 1 ? XENMEM_populate_physmap : XENMEM_decrease_reservation, GUEST(6)}};
    make(__HYPERVISOR_multicall, LIST, N, 0);
}
static void print(void) {
    memset(ram(d, ARG), 'x', PAGE_SIZE);
    make(__HYPERVISOR_console_io, CONSOLEIO_write, 2048, ARG);
    make(__HYPERVISOR_console_io, CONSOLEIO_read, 64, ARG);
}
static void wait_and_end(void) {
    struct sched_poll poll = {.nr_ports = 0, .timeout = 5};
    struct sched_watchdog dog = {.timeout = 10};
    struct sched_shutdown end = {.reason = SHUTDOWN_reboot};

    one(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll, sizeof(poll));
    make(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
    one(__HYPERVISOR_sched_op, SCHEDOP_watchdog, &dog, sizeof(dog));
    make(__HYPERVISOR_sched_op, SCHEDOP_block, 0, 0);
    one(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &end, sizeof(end));
}
static void vcpus(void) {
    struct vcpu_register_vcpu_info info = {.mfn = FIRST_GFN + 8};
    struct vcpu_register_runstate_memory_area area = {.addr.p = GUEST(8)};
    struct vcpu_set_singleshot_timer timer = {.timeout_abs_ns = 1};
    static const uint64_t commands[] = {VCPUOP_register_vcpu_info,
                                        VCPUOP_register_runstate_memory_area,
                                        VCPUOP_set_singleshot_timer, VCPUOP_get_runstate_info};
    const void *const at[] = {&info, &area, &timer, &area};
    const size_t size[] = {sizeof(info), sizeof(area), sizeof(timer), sizeof(area)};

    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
        memcpy(ram(d, ARG), at[i], size[i]);
        make(__HYPERVISOR_vcpu_op, commands[i], i & 1, ARG);
    }
}
static void questions(void) {
    struct xen_hvm_param param = {.domid = DOMID_SELF, .index = HVM_PARAM_CALLBACK_IRQ};

    for (unsigned cmd = 0; cmd < 11; cmd++)
        make(__HYPERVISOR_xen_version, cmd, ARG, 0);
    one(__HYPERVISOR_hvm_op, HVMOP_get_param, &param, sizeof(param));
    make(__HYPERVISOR_vm_assist, 0, 0, 0);
}

static const struct {
    const char *name;
    uint64_t nr;
    void (*run)(void);
    unsigned soon;
} things[] = {
    {"populate", __HYPERVISOR_memory_op, populate, SOON},
    {"decrease", __HYPERVISOR_memory_op, decrease, SOON},
    {"add", __HYPERVISOR_memory_op, add_frames, SOON},
    {"batch", __HYPERVISOR_memory_op, add_batch, SOON},
    {"map and unmap", __HYPERVISOR_grant_table_op, map_and_unmap, SOON},
    {"copy", __HYPERVISOR_grant_table_op, copy, SOON},
    {"swap", __HYPERVISOR_grant_table_op, swap, SOON},
    {"cache flush", __HYPERVISOR_grant_table_op, flush, SOON},
    {"versions", __HYPERVISOR_grant_table_op, versions, SOON},
    {"ports", __HYPERVISOR_event_channel_op, ports, RESET},
    {"bound", __HYPERVISOR_event_channel_op, bound, SOON},
    {"FIFO", __HYPERVISOR_event_channel_op, fifo, RESET},
    {"multicall", __HYPERVISOR_multicall, many, SOON},
    {"console", __HYPERVISOR_console_io, print, SOON},
    {"waiting", __HYPERVISOR_sched_op, wait_and_end, SOON},
    {"vCPUs", __HYPERVISOR_vcpu_op, vcpus, SOON},
    {"questions", __HYPERVISOR_xen_version, questions, SOON},
    {"assists", __HYPERVISOR_vm_assist, questions, SOON},
    {"parameters", __HYPERVISOR_hvm_op, questions, SOON},
};

/* ---- */

static void begin(void) {
    struct evtchn_alloc_unbound wait = {.dom = DOMID_SELF, .remote_dom = 1};
    struct grant_entry_v1 *e;

    forget();
    points = died = 0;
    d = world_guest(0);
    peer = world_guest(1);
    e = (struct grant_entry_v1 *)peer->abi->grant.frame[0] + 9;
    for (unsigned i = 0; i < 8; i++)
        e[i] = (struct grant_entry_v1){
            .flags = GTF_permit_access, .domid = 1, .frame = (uint32_t)(FIRST_GFN + 4 + i)};
    memcpy(ram(peer, ARG), &wait, sizeof(wait));
    assert_int_equal(call(peer, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, ARG, 0), 0);
    while_preempted = while_yielding = while_copying = point;
    while_blocked = wait_in_vain;
}

/* The peer has all of its own back, and can go on. */
static void bury(void) {
    while_preempted = while_yielding = while_copying = NULL;
    while_blocked = NULL;
    world_check();
    world_kill(0);
    assert_null(armed);
    assert_int_equal(peer->abi->grant.uses, 0);
    assert_int_equal(call(peer, __HYPERVISOR_xen_version, XENVER_version, 0, 0), 4 << 16 | 17);
    world_check();
    world_kill(1);
    assert_int_equal(shells, 0);
}

static void die_in_each(unsigned i) {
    const char *name = things[i].name;
    uint64_t before = heap_free_pages();

    for (die_at = 1;; die_at++) {
        begin();
        things[i].run();
        if (died && points - die_at > things[i].soon)
            fail_msg("%s: %u points after death at %u", name, points - die_at, die_at);
        bury();
        if (heap_free_pages() != before)
            fail_msg("%s: pages are lost when it dies at %u", name, die_at);
        if (!died)
            break;
    }
}

static void in_each_hypercall(void **state) {
    /* The table's: numbers_nobody_has of test_hypercall says that there are no others. */
    static const uint8_t table[] = {
        __HYPERVISOR_memory_op,  __HYPERVISOR_multicall,      __HYPERVISOR_xen_version,
        __HYPERVISOR_console_io, __HYPERVISOR_grant_table_op, __HYPERVISOR_vm_assist,
        __HYPERVISOR_vcpu_op,    __HYPERVISOR_sched_op,       __HYPERVISOR_event_channel_op,
        __HYPERVISOR_hvm_op,
    };
    uint64_t done = 0;

    (void)state;
    policy_allow_pair(1, 2);
    for (unsigned i = 0; i < ARRAY_SIZE(things); i++) {
        die_in_each(i);
        done |= 1ULL << things[i].nr;
    }
    for (unsigned i = 0; i < sizeof(table); i++)
        assert_true(done >> table[i] & 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_each_hypercall),
    };

    world_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
