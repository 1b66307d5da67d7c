/* The hypercall table and the small operations behind it, called as a guest calls them: results by
 * the public ABI, sizes of what is written, and nothing left after a failure. */
/* clang-format off */
/* SOURCES: common/abi/console_io.c common/abi/event_fifo.c common/abi/evtchn.c common/abi/evtchn_hv.c common/abi/evtchn_pending.c common/abi/evtchn_port.c common/abi/grant_copy.c common/abi/grant_entry.c common/abi/grant_frames.c common/abi/grant_map.c common/abi/grant_op.c common/abi/guest_atomic.c common/abi/hvm_op.c common/abi/hypercall.c common/abi/maptrack.c common/abi/memory_op.c common/abi/multicall.c common/abi/physmap.c common/abi/policy.c common/abi/pv_console.c common/abi/reservation.c common/abi/runstate.c common/abi/sched_op.c common/abi/vcpu_info.c common/abi/vcpu_op.c common/abi/version.c common/virt/guest_copy.c common/mm/boot_mem.c common/mm/heap.c common/mm/fresh.c common/mm/xenheap.c common/mm/page_owner.c common/mm/page_ref.c common/mm/static_mem.c common/mm/pt.c common/mm/pt_page.c common/mm/pt_read.c common/mm/p2m.c common/mm/p2m_global.c common/mm/p2m_map.c common/mm/p2m_unmap.c common/mm/p2m_pool.c common/mm/p2m_populate.c common/mm/p2m_audit.c tests/fake/mm_world.c */
/* clang-format on */
#include "abi_world.h"

#include <xen/features.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/sched.h>
#include <xen/version.h>

/* ---- the table ---- */

static void numbers_nobody_has(void **state) {
    static const uint8_t known[] = {
        __HYPERVISOR_memory_op,  __HYPERVISOR_multicall,      __HYPERVISOR_xen_version,
        __HYPERVISOR_console_io, __HYPERVISOR_grant_table_op, __HYPERVISOR_vm_assist,
        __HYPERVISOR_vcpu_op,    __HYPERVISOR_sched_op,       __HYPERVISOR_event_channel_op,
        __HYPERVISOR_hvm_op,
    };
    static const uint64_t beyond[] = {64, 65, 1ULL << 32, 1ULL << 32 | __HYPERVISOR_xen_version,
                                      ~0ULL};

    (void)state;
    for (unsigned nr = 0; nr < 64; nr++)
        if (!memchr(known, (int)nr, sizeof(known)))
            assert_int_equal(call(d, nr, 0, 0, 0), -ENOSYS);
    for (unsigned i = 0; i < ARRAY_SIZE(beyond); i++)
        assert_int_equal(call(d, beyond[i], 0, 0, 0), -ENOSYS);
}

struct row {
    const char *what;
    uint64_t nr, cmd;
    size_t n;
    uint64_t third;
};

#define EVTCHN(op)                                                                                 \
    { #op, __HYPERVISOR_event_channel_op, EVTCHNOP_##op, sizeof(struct evtchn_##op), 0 }
#define MEMORY(op, type)                                                                           \
    { #op, __HYPERVISOR_memory_op, XENMEM_##op, sizeof(type), 0 }
#define GNTTAB(op)                                                                                 \
    { #op, __HYPERVISOR_grant_table_op, GNTTABOP_##op, sizeof(struct gnttab_##op), 1 }
#define SCHED(op, type)                                                                            \
    { #op, __HYPERVISOR_sched_op, SCHEDOP_##op, sizeof(struct sched_##type), 0 }
#define HVM(op)                                                                                    \
    { #op, __HYPERVISOR_hvm_op, HVMOP_##op, sizeof(struct xen_hvm_param), 0 }

/* Every operation that takes a structure. */
static const struct row structures[] = {
    EVTCHN(alloc_unbound),
    EVTCHN(bind_interdomain),
    EVTCHN(bind_virq),
    EVTCHN(bind_ipi),
    EVTCHN(bind_vcpu),
    EVTCHN(close),
    EVTCHN(send),
    EVTCHN(status),
    EVTCHN(unmask),
    EVTCHN(reset),
    EVTCHN(init_control),
    EVTCHN(expand_array),
    EVTCHN(set_priority),
    MEMORY(add_to_physmap, struct xen_add_to_physmap),
    MEMORY(add_to_physmap_batch, struct xen_add_to_physmap_batch),
    MEMORY(remove_from_physmap, struct xen_remove_from_physmap),
    MEMORY(populate_physmap, struct xen_memory_reservation),
    MEMORY(decrease_reservation, struct xen_memory_reservation),
    MEMORY(increase_reservation, struct xen_memory_reservation),
    MEMORY(acquire_resource, struct xen_mem_acquire_resource),
    MEMORY(current_reservation, domid_t),
    MEMORY(maximum_reservation, domid_t),
    MEMORY(maximum_gpfn, domid_t),
    GNTTAB(map_grant_ref),
    GNTTAB(unmap_grant_ref),
    GNTTAB(unmap_and_replace),
    GNTTAB(setup_table),
    GNTTAB(copy),
    GNTTAB(query_size),
    GNTTAB(set_version),
    GNTTAB(get_version),
    GNTTAB(get_status_frames),
    GNTTAB(swap_grant_ref),
    GNTTAB(cache_flush),
    HVM(get_param),
    HVM(set_param),
    SCHED(shutdown, shutdown),
    SCHED(shutdown_code, shutdown),
    SCHED(remote_shutdown, remote_shutdown),
    SCHED(watchdog, watchdog),
    SCHED(poll, poll),
    {"get_features", __HYPERVISOR_xen_version, XENVER_get_features, sizeof(struct xen_feature_info),
     0},
};

static int64_t call_row(const struct row *r, vaddr_t at) {
    return call(d, r->nr, r->cmd, at, r->third);
}

/* Not there; its last byte not there; in a device. Nothing else comes of it. */
static void structures_that_cannot_be_read(void **state) {
    (void)state;
    given_mmio = mfn(0x9000);
    assert_int_equal(p2m_map_mmio(&d->p2m, gfn(FIRST_GFN + 32), mfn(0x9000), 1), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(structures); i++) {
        const struct row *r = &structures[i];

        if (call_row(r, NOWHERE) != -EFAULT || call_row(r, 0) != -EFAULT ||
            call_row(r, ~0ULL) != -EFAULT || call_row(r, GUEST(NR_RAM + 1) - r->n + 1) != -EFAULT ||
            call_row(r, GUEST(32)) != -EFAULT)
            fail_msg("%s", r->what);
        assert_int_equal(d->vcpus[0]->work, 0);
    }
    assert_int_equal(seen.shutdown, -1);
    assert_int_equal(seen.blocked, 0);
    assert_int_equal(d->abi->events.first_free, 1);
}

/* A structure across two pages is one structure. */
static void structures_across_pages(void **state) {
    vaddr_t at = GUEST(2) - 4;
    domid_t self = DOMID_SELF;
    struct evtchn_bind_virq op = {.virq = VIRQ_TIMER};

    (void)state;
    memcpy(ram(d, at), &op, 4);
    memcpy(ram(d, GUEST(2)), (char *)&op + 4, sizeof(op) - 4);
    assert_int_equal(call(d, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, at, 0), 0);
    assert_int_equal(*(uint32_t *)ram(d, GUEST(2) + 4), 1); /* the port */
    at = GUEST(2) - 1;
    memcpy(ram(d, at), &self, 1);
    memcpy(ram(d, at + 1), (char *)&self + 1, 1);
    assert_int_equal(call(d, __HYPERVISOR_memory_op, XENMEM_current_reservation, at, 0),
                     NR_RAM + 1);
}

/* ---- xen_version ---- */

static int64_t version(uint64_t cmd, vaddr_t at) {
    return call(d, __HYPERVISOR_xen_version, cmd, at, 0);
}

/* Exactly as long as the ABI says, zero behind the text, and not a byte further. */
static void version_strings(void **state) {
    static const struct {
        uint64_t cmd;
        size_t n;
        const char *text;
    } strings[] = {
        {XENVER_extraversion, sizeof(xen_extraversion_t), "-holdfast"},
        {XENVER_changeset, sizeof(xen_changeset_info_t), ""},
        {XENVER_commandline, sizeof("<denied>"), "<denied>"},
        {XENVER_guest_handle, sizeof(xen_domain_handle_t), ""},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(strings); i++) {
        uint8_t *at = ram(d, ARG), expected[sizeof(xen_capabilities_info_t)] = "";

        memset(at, 0xee, PAGE_SIZE);
        memcpy(expected, strings[i].text, strlen(strings[i].text));
        assert_int_equal(version(strings[i].cmd, ARG), 0);
        assert_memory_equal(at, expected, strings[i].n);
        for (size_t b = strings[i].n; b < PAGE_SIZE; b++)
            assert_int_equal(at[b], 0xee);
        assert_int_equal(version(strings[i].cmd, READ_ONLY), -EFAULT);
    }
}

static void version_numbers(void **state) {
    struct xen_feature_info *f = ram(d, ARG);
    xen_platform_parameters_t *p = ram(d, ARG);
    struct xen_compile_info *c = ram(d, ARG);

    (void)state;
    assert_int_equal(version(XENVER_version, 0), 4 << 16 | 17);
    assert_int_equal(version(XENVER_pagesize, 0), PAGE_SIZE);
    assert_int_equal(version(XENVER_pagesize, ARG), -EINVAL);
    assert_int_equal(version(XENVER_build_id, ARG), -EPERM);
    assert_int_equal(version(11, ARG), -ENOSYS);
    cpu_features.aarch64_el1 = true;
    assert_int_equal(version(XENVER_capabilities, ARG), 0);
    assert_string_equal(ram(d, ARG), "xen-3.0-aarch64 ");
    cpu_features.aarch32_el1 = true;
    assert_int_equal(version(XENVER_capabilities, ARG), 0);
    assert_string_equal(ram(d, ARG), "xen-3.0-aarch64 xen-3.0-armv7l ");
    cpu_features.aarch64_el1 = false;
    assert_int_equal(version(XENVER_capabilities, ARG), 0);
    assert_string_equal(ram(d, ARG), "xen-3.0-armv7l ");
    assert_int_equal(version(XENVER_platform_parameters, ARG), 0);
    assert_int_equal(p->virt_start, 0x200000);
    memset(c, 0xee, sizeof(*c));
    assert_int_equal(version(XENVER_compile_info, ARG), 0);
    assert_string_equal(c->compile_by, "Holdfast");
    assert_true(c->compiler[0]);
    for (size_t b = strlen(c->compiler); b < sizeof(c->compiler); b++) /* nothing from a stack */
        assert_int_equal(c->compiler[b], 0);
    *f = (struct xen_feature_info){0};
    assert_int_equal(version(XENVER_get_features, ARG), 0);
    assert_true(f->submap & 1u << XENFEAT_auto_translated_physmap);
    assert_true(f->submap & 1u << XENFEAT_not_direct_mapped);
    d->pages.direct_map = true;
    assert_int_equal(version(XENVER_get_features, ARG), 0);
    assert_true(f->submap & 1u << XENFEAT_direct_mapped);
    assert_false(f->submap & 1u << XENFEAT_not_direct_mapped);
    d->pages.direct_map = false;
    f->submap_idx = 1;
    assert_int_equal(version(XENVER_get_features, ARG), -EINVAL);
    assert_int_equal(version(XENVER_get_features, READ_ONLY), -EFAULT);
}

/* ---- hvm_op ---- */

static int64_t hvm_param(uint64_t cmd, domid_t whose, uint32_t index) {
    *(struct xen_hvm_param *)ram(d, ARG) =
        (struct xen_hvm_param){.domid = whose, .index = index, .value = 77};
    return call(d, __HYPERVISOR_hvm_op, cmd, ARG, 0);
}

static void hvm_params(void **state) {
    const struct xen_hvm_param *op = ram(d, ARG);
    static const struct {
        domid_t whose;
        uint32_t index;
        int64_t rc;
        uint64_t value;
    } rows[] = {
        {DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, 0, 0},
        {DOMID_SELF, HVM_PARAM_STORE_PFN, 0, 0},
        {DOMID_SELF, HVM_PARAM_STORE_EVTCHN, 0, 0},
        {1, HVM_PARAM_CONSOLE_PFN, 0, GUEST_MAGIC_BASE >> PAGE_SHIFT},
        {1, HVM_PARAM_CONSOLE_EVTCHN, 0, 1},
        {DOMID_SELF, HVM_PARAM_MONITOR_RING_PFN, -EPERM, 77},
        {DOMID_SELF, HVM_PARAM_IOREQ_PFN, -EINVAL, 77},
        {DOMID_SELF, HVM_NR_PARAMS, -EINVAL, 77},
        {DOMID_SELF, ~0u, -EINVAL, 77},
        {2, HVM_PARAM_CONSOLE_PFN, -EPERM, 77}, /* another's */
        {3, HVM_PARAM_CONSOLE_PFN, -ESRCH, 77},
        {DOMID_INVALID, HVM_PARAM_CONSOLE_PFN, -ESRCH, 77},
    };

    (void)state;
    world_guest(1);
    assert_int_equal(abi_pv_console_init(d), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(hvm_param(HVMOP_get_param, rows[i].whose, rows[i].index), rows[i].rc);
        assert_int_equal(op->value, rows[i].value);
        assert_int_equal(hvm_param(HVMOP_set_param, rows[i].whose, rows[i].index),
                         rows[i].rc ?: -EPERM);
        assert_int_equal(op->value, 77);
    }
    assert_int_equal(hvm_param(HVMOP_get_param, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ), 0);
    assert_int_equal(call(d, __HYPERVISOR_hvm_op, HVMOP_guest_request_vm_event, 0, 0), 0);
    assert_int_equal(call(d, __HYPERVISOR_hvm_op, HVMOP_guest_request_vm_event, ARG, 0), -EINVAL);
    assert_int_equal(call(d, __HYPERVISOR_hvm_op, HVMOP_flush_tlbs, ARG, 0), -ENOSYS);
    assert_int_equal(call(d, __HYPERVISOR_hvm_op, ~0ULL, ARG, 0), -ENOSYS);
    fail_access = 2;
    assert_int_equal(hvm_param(HVMOP_get_param, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ), -EFAULT);
}

/* ---- console_io ---- */

static int64_t console(uint64_t cmd, uint64_t count, vaddr_t at) {
    return call(d, __HYPERVISOR_console_io, cmd, count, at);
}

static void console_text(void **state) {
    char *text = ram(d, ARG);

    (void)state;
    for (unsigned i = 0; i < 300; i++)
        text[i] = (char)('a' + i % 26);
    assert_int_equal(console(CONSOLEIO_write, 300, ARG), 0);
    assert_int_equal(seen.text_len, 300);
    assert_memory_equal(seen.text, text, 300);
    assert_ptr_equal(seen.port, &d->abi->console_io.port);
    assert_string_equal(seen.port->prefix, "(d1) ");
    assert_int_equal(seen.preempted, 3); /* a guest may print as long as it likes */
    assert_int_equal(console(CONSOLEIO_write, 0, NOWHERE), 0);
    assert_int_equal(console(2, 1, ARG), -ENOSYS);
    assert_int_equal(console(~0ULL, 1, ARG), -ENOSYS);
    /* What can be read of it is written. */
    seen.text_len = 0;
    assert_int_equal(console(CONSOLEIO_write, 256, GUEST(NR_RAM + 1) - 128), -EFAULT);
    assert_int_equal(seen.text_len, 128);
}

/* A domain that ends while it prints 4 GiB. */
static void end_of_world(void) {
    if (seen.preempted == 3)
        stop_vcpus(d);
}
static void console_text_without_end(void **state) {
    (void)state;
    while_preempted = end_of_world;
    assert_int_equal(console(CONSOLEIO_write, 0xffffffff, 0), -EFAULT);
    assert_int_equal(seen.text_len, 0);
    memset(ram(d, ARG), 'x', PAGE_SIZE);
    assert_int_equal(console(CONSOLEIO_write, 1024, ARG), 0);
    assert_int_equal(seen.text_len, 3 * 128);
}

static void console_keys(void **state) {
    char *at = ram(d, ARG);

    (void)state;
    abi_console_keys(d);
    assert_ptr_equal(seen.port, &d->abi->console_io.port);
    assert_int_equal(console(CONSOLEIO_read, 10, ARG), 0);
    for (unsigned i = 0; i < CONSOLE_IO_KEYS; i++)
        assert_true(seen.port->input(seen.port->arg, (char)i));
    assert_false(seen.port->input(seen.port->arg, 'x')); /* full: the console keeps it */
    assert_int_equal(seen.retried, 0);
    memset(at, 0xee, 200);
    assert_int_equal(console(CONSOLEIO_read, 10, ARG), 10);
    assert_memory_equal(at, "\0\1\2\3\4\5\6\7\10\11", 10);
    assert_int_equal((uint8_t)at[10], 0xee);
    assert_int_equal(seen.retried, 1);
    assert_true(seen.port->input(seen.port->arg, 'x'));
    assert_int_equal(console(CONSOLEIO_read, 0x80000000, ARG), -E2BIG);
    assert_int_equal(console(CONSOLEIO_read, INT32_MAX, ARG), CONSOLE_IO_KEYS - 9);
    assert_int_equal(at[CONSOLE_IO_KEYS - 10], 'x');
    assert_true(seen.port->input(seen.port->arg, 'y'));
    assert_int_equal(console(CONSOLEIO_read, 1, READ_ONLY), -EFAULT);
    assert_int_equal(console(CONSOLEIO_read, 1, ARG), 0); /* it went with the call */
}

/* ---- vcpu_op, vm_assist and runstate ---- */

static int64_t vcpu_op(unsigned by, uint64_t cmd, uint64_t id, vaddr_t at) {
    return call_by(d->vcpus[by], __HYPERVISOR_vcpu_op, cmd, id, at);
}
static int64_t area(vaddr_t where) {
    *(uint64_t *)ram(d, LIST) = where;
    return vcpu_op(0, VCPUOP_register_runstate_memory_area, 0, LIST);
}

static void vcpu_numbers(void **state) {
    (void)state;
    assert_int_equal(vcpu_op(0, VCPUOP_register_vcpu_info, NR_VCPUS, ARG), -ENOENT);
    assert_int_equal(vcpu_op(0, VCPUOP_register_vcpu_info, ~0u, ARG), -ENOENT);
    for (unsigned cmd = 0; cmd < 20; cmd++)
        if (cmd != VCPUOP_register_runstate_memory_area && cmd != VCPUOP_register_vcpu_info)
            assert_int_equal(vcpu_op(0, cmd, 0, ARG), -EINVAL);
    assert_int_equal(vcpu_op(0, VCPUOP_register_vcpu_info, 0, NOWHERE), -EFAULT);
    assert_int_equal(vcpu_op(0, VCPUOP_register_runstate_memory_area, 0, NOWHERE), -EFAULT);
}

static void vcpu_info_places(void **state) {
    struct vcpu_register_vcpu_info *op = ram(d, ARG);
    static const struct {
        uint64_t mfn;
        uint32_t offset;
        int64_t rc;
    } rows[] = {
        {FIRST_GFN + 3, 4096 - sizeof(struct vcpu_info), 0},
        {FIRST_GFN + 3, 64, 0},
        {FIRST_GFN + 3, 4096 - sizeof(struct vcpu_info) + 8, -ENXIO},
        {FIRST_GFN + 3, 4, -ENXIO},
        {FIRST_GFN + 3, ~7u, -ENXIO},
        {FIRST_GFN + NR_RAM, 64, -EINVAL}, /* cannot be written */
        {FIRST_GFN + 20, 64, -EINVAL},     /* a hole */
        {1ULL << 60, 64, -EINVAL},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        *op = (struct vcpu_register_vcpu_info){.mfn = rows[i].mfn, .offset = rows[i].offset};
        assert_int_equal(vcpu_op(0, VCPUOP_register_vcpu_info, 0, ARG), rows[i].rc);
        assert_int_equal(
            mfn_to_page(p2m_lookup(&d->p2m, gfn(FIRST_GFN + 3), NULL, NULL))->count_info &
                PGC_COUNT_MASK,
            2); /* one place at a time, and it is held */
    }
    d->vcpus[1]->state = VCPU_RUNNABLE; /* it looks at its own place */
    assert_int_equal(vcpu_op(0, VCPUOP_register_vcpu_info, 1, ARG), -EINVAL);
}

static void runstate_areas(void **state) {
    struct vcpu *v = d->vcpus[0];
    struct vcpu_runstate_info *info = ram(d, ARG);

    (void)state;
    v->times = (struct vcpu_times){.state = TIME_RUNNING, .since = 5, .spent = {10, 20, 30, 40}};
    memset(info, 0xee, 64);
    assert_int_equal(area(ARG), 0);
    assert_int_equal(info->state, RUNSTATE_running);
    assert_int_equal(info->state_entry_time, 5);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(info->time[i], 10 * (i + 1));
    assert_int_equal(*((uint8_t *)info + 4), 0); /* padding */
    assert_int_equal(*((uint8_t *)info + sizeof(*info)), 0xee);
    /* The scheduler tells of a change; an area that is nowhere, or goes away, is not written. */
    v->times.state = TIME_BLOCKED;
    current_vcpu = v;
    publish(v);
    assert_int_equal(info->state, RUNSTATE_blocked);
    assert_int_equal(p2m_unmap(&d->p2m, gfn(ARG >> PAGE_SHIFT), 1), 0);
    publish(v);
    assert_int_equal(area(NOWHERE), 0);
    assert_int_equal(area(READ_ONLY), 0);
    assert_int_equal(*(uint32_t *)ram(d, READ_ONLY), 0);
    assert_int_equal(area(0), 0);
    assert_int_equal(v->runstate_area, 0);
}

static uint64_t told[8];
static unsigned nr_told;
static void fails_at(unsigned n) {
    struct vcpu_runstate_info *info = ram(d, ARG);

    info->state_entry_time = 1;
    fail_access = n;
    publish(d->vcpus[0]);
    fail_access = 0;
    told[nr_told++] = info->state_entry_time;
}

/* The flag is there before the rest changes, and goes after it. */
static void runstate_update_flag(void **state) {
    (void)state;
    assert_int_equal(
        call(d, __HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag, 0), 0);
    assert_int_equal(call(d, __HYPERVISOR_vm_assist, VMASST_CMD_enable, 0, 0), -EINVAL);
    assert_int_equal(call(d, __HYPERVISOR_vm_assist, 2, VMASST_TYPE_runstate_update_flag, 0),
                     -ENOSYS);
    d->vcpus[0]->times = (struct vcpu_times){.since = 9};
    assert_int_equal(area(ARG), 0);
    nr_told = 0;
    for (unsigned n = 1; n <= 4; n++)
        fails_at(n);
    assert_int_equal(told[0], 1);
    assert_int_equal(told[1], 9 | XEN_RUNSTATE_UPDATE);
    assert_int_equal(told[2], 9 | XEN_RUNSTATE_UPDATE);
    assert_int_equal(told[3], 9);
    assert_int_equal(
        call(d, __HYPERVISOR_vm_assist, VMASST_CMD_disable, VMASST_TYPE_runstate_update_flag, 0),
        0);
    fails_at(2);
    assert_int_equal(told[4], 9);
}

/* ---- multicall ---- */

static struct multicall_entry *entry(unsigned i) {
    return (struct multicall_entry *)ram(d, LIST + i * sizeof(struct multicall_entry));
}
static void fill(unsigned nr) {
    for (unsigned i = 0; i < nr; i++)
        *entry(i) = (struct multicall_entry){.op = __HYPERVISOR_xen_version, .result = 0x55};
}
static int64_t multicall(vaddr_t at, uint64_t nr) {
    return call(d, __HYPERVISOR_multicall, at, nr, 0);
}

static void multicall_each_has_its_result(void **state) {
    (void)state;
    fill(100);
    entry(3)->op = __HYPERVISOR_multicall; /* not within itself */
    entry(3)->args[0] = LIST;
    entry(3)->args[1] = 100;
    entry(7)->op = ~0ULL;
    entry(70)->args[0] = XENVER_build_id; /* in the list's second page */
    assert_int_equal(multicall(LIST, 99), 0);
    for (unsigned i = 0; i < 99; i++)
        assert_int_equal((int64_t)entry(i)->result, i == 3    ? -EINVAL
                                                    : i == 7  ? -ENOSYS
                                                    : i == 70 ? -EPERM
                                                              : 4 << 16 | 17);
    assert_int_equal(entry(99)->result, 0x55);
    assert_int_equal(seen.preempted, 99);
    assert_int_equal(multicall(NOWHERE, 0), 0);
    assert_int_equal(multicall(NOWHERE, 1), -EFAULT);
    assert_int_equal(multicall(READ_ONLY, 1), -EFAULT);
}

/* An entry that lies across two pages; a list that leaves the guest's memory. */
static void multicall_at_the_edge(void **state) {
    struct multicall_entry e = {.op = __HYPERVISOR_xen_version};
    vaddr_t at = GUEST(3) - 32;

    (void)state;
    memcpy(ram(d, at), &e, 32);
    memset(ram(d, GUEST(3)), 0, PAGE_SIZE);
    assert_int_equal(multicall(at, 1), 0);
    assert_int_equal(*(uint64_t *)ram(d, at + 8), 4 << 16 | 17);
    assert_int_equal(p2m_unmap(&d->p2m, gfn(FIRST_GFN + 5), 1), 0);
    fill(3 * 64);
    assert_int_equal(multicall(LIST, 3 * 64 + 1), -EFAULT);
    for (unsigned i = 0; i < 3 * 64; i++)
        assert_int_equal(entry(i)->result, 4 << 16 | 17);
}

static void multicall_of_32_bit(void **state) {
    (void)state;
    d->aarch32 = true;
    fill(2);
    entry(0)->args[2] = 1ULL << 32; /* what its registers could not hold */
    assert_int_equal(multicall(LIST, 2), 0);
    assert_int_equal((int64_t)entry(0)->result, -EINVAL);
    assert_int_equal(entry(1)->result, 4 << 16 | 17);
    d->aarch32 = false;
}

static void multicall_stops_with_its_domain(void **state) {
    (void)state;
    fill(20);
    while_preempted = end_of_world;
    assert_int_equal(multicall(LIST, 20), 0);
    assert_int_equal(entry(2)->result, 4 << 16 | 17);
    assert_int_equal(entry(3)->result, 0x55);
}

/* ---- sched_op ---- */

static int64_t sched_op(uint64_t cmd, uint32_t word) {
    *(uint64_t *)ram(d, ARG) = word;
    return call(d, __HYPERVISOR_sched_op, cmd, ARG, 0);
}

static void shutdown_reasons(void **state) {
    static const struct {
        uint32_t given;
        int reason;
    } rows[] = {
        {SHUTDOWN_poweroff, SHUT_POWEROFF},
        {SHUTDOWN_reboot, SHUT_REBOOT},
        {SHUTDOWN_suspend, SHUT_SUSPEND},
        {SHUTDOWN_crash, SHUT_CRASH},
        {SHUTDOWN_watchdog, SHUT_WATCHDOG},
        {SHUTDOWN_soft_reset, SHUT_SOFT_RESET},
        {0x100 | SHUTDOWN_reboot, SHUT_REBOOT},
        {SHUTDOWN_MAX + 1, SHUT_CRASH},
        {0xffffffff, SHUT_CRASH},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        forget();
        assert_int_equal(sched_op(SCHEDOP_shutdown_code, rows[i].given), 0);
        assert_int_equal(seen.latched, rows[i].reason);
        assert_int_equal(seen.shutdown, -1);
        assert_int_equal(sched_op(SCHEDOP_shutdown, rows[i].given), 0);
        assert_int_equal(seen.shutdown, rows[i].reason);
    }
    world_guest(1);
    assert_int_equal(sched_op(SCHEDOP_remote_shutdown, 1), -EPERM);
    assert_int_equal(sched_op(SCHEDOP_remote_shutdown, 2), -EPERM);
    assert_int_equal(sched_op(SCHEDOP_remote_shutdown, 3), -ESRCH);
    assert_int_equal(sched_op(SCHEDOP_pin_override, 0), -EPERM);
    assert_int_equal(sched_op(99, 0), -ENOSYS);
}

static int64_t watchdog(uint32_t id, uint32_t timeout) {
    *(struct sched_watchdog *)ram(d, ARG) = (struct sched_watchdog){.id = id, .timeout = timeout};
    return call(d, __HYPERVISOR_sched_op, SCHEDOP_watchdog, ARG, 0);
}

static void watchdogs(void **state) {
    (void)state;
    now = 7;
    assert_int_equal(watchdog(1, 1), -EINVAL); /* not asked for */
    assert_int_equal(watchdog(0, 3), 1);
    assert_ptr_equal(armed, &d->abi->watchdog[0].timer);
    assert_int_equal(armed->expires, 7 + 3 * timer_hz);
    assert_int_equal(watchdog(0, 3), 2);
    assert_int_equal(watchdog(0, 3), -ENOSPC);
    assert_int_equal(watchdog(3, 3), -EINVAL);
    assert_int_equal(watchdog(~0u, 3), -EINVAL);
    assert_int_equal(watchdog(2, 0), 0);
    assert_null(armed);
    assert_int_equal(watchdog(2, 5), -EINVAL);
    assert_int_equal(watchdog(1, 0xffffffff), 0);
    assert_int_equal(armed->expires, 7 + 0xffffffffULL * timer_hz);
    armed->fn(armed->arg);
    assert_int_equal(seen.shutdown, SHUT_WATCHDOG);
}

static void sched_gives_the_cpu_away(void **state) {
    (void)state;
    assert_int_equal(sched_op(SCHEDOP_yield, 0), 0);
    assert_int_equal(seen.yielded, 1);
    armed = NULL;
    assert_int_equal(call(d, __HYPERVISOR_sched_op, SCHEDOP_block, 0, 0), 0);
    assert_int_equal(seen.unmasked, 1);
    assert_int_equal(seen.blocked, 1);
    d->abi->events.vcpu[0].info->evtchn_upcall_pending = 1;
    assert_int_equal(call(d, __HYPERVISOR_sched_op, SCHEDOP_block, 0, 0), 0);
    assert_int_equal(seen.blocked, 1); /* an event is there already */
}

static int64_t poll(uint32_t nr, uint64_t timeout) {
    struct sched_poll *op = ram(d, ARG);

    *op = (struct sched_poll){.nr_ports = nr, .timeout = timeout};
    op->ports.p = (void *)LIST;
    return call(d, __HYPERVISOR_sched_op, SCHEDOP_poll, ARG, 0);
}

static void poll_ends(void **state) {
    (void)state;
    assert_int_equal(poll(129, 1), -EINVAL);
    assert_int_equal(poll(0, 1), 0); /* its time is over */
    assert_int_equal(seen.blocked, 1);
    assert_null(armed);
    *(uint32_t *)ram(d, LIST) = 99;
    assert_int_equal(poll(1, 1), -EINVAL); /* no such port */
    fail_access = 2;
    assert_int_equal(poll(1, 1), -EFAULT);
    fail_access = 0;
    assert_int_equal(poll(0, 0), 0); /* without end, but for the domain's */
    assert_int_equal(seen.blocked, 2);
    assert_false(d->vcpus[0]->polling);
    assert_int_equal(d->abi->events.pollers, 0);
}

/* ---- the layer's state comes and goes ---- */

/* Every allocation of a domain's creation fails in turn: those of small objects, then the pages. */
static void creation_without_memory(void **state) {
    uint64_t before;
    unsigned n, pages = 0;

    (void)state;
    world_kill(0);
    before = heap_free_pages();
    for (n = 1; fail_zalloc = n, !world_open(world_shell(1)); n++) {
        assert_int_equal(heap_free_pages(), before);
        assert_int_equal(shells, 0);
    }

    assert_true(n > 3);
    fail_zalloc = 0;
    world_kill(1);
    for (bool made = false; !made; pages++) {
        struct page_list kept = PAGE_LIST_INIT;
        struct domain *shell = world_shell(1);

        hoard(&kept, pages);
        made = world_open(shell);
        if (made)
            world_kill(1);
        spend(&kept);
        assert_int_equal(heap_free_pages(), before);
    }
    assert_true(pages >= 2); /* shared info and a frame of grants, at least */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_nobody_has, start, end),
        cmocka_unit_test_setup_teardown(structures_that_cannot_be_read, start, end),
        cmocka_unit_test_setup_teardown(structures_across_pages, start, end),
        cmocka_unit_test_setup_teardown(version_strings, start, end),
        cmocka_unit_test_setup_teardown(version_numbers, start, end),
        cmocka_unit_test_setup_teardown(hvm_params, start, end),
        cmocka_unit_test_setup_teardown(console_text, start, end),
        cmocka_unit_test_setup_teardown(console_text_without_end, start, end),
        cmocka_unit_test_setup_teardown(console_keys, start, end),
        cmocka_unit_test_setup_teardown(vcpu_numbers, start, end),
        cmocka_unit_test_setup_teardown(vcpu_info_places, start, end),
        cmocka_unit_test_setup_teardown(runstate_areas, start, end),
        cmocka_unit_test_setup_teardown(runstate_update_flag, start, end),
        cmocka_unit_test_setup_teardown(multicall_each_has_its_result, start, end),
        cmocka_unit_test_setup_teardown(multicall_at_the_edge, start, end),
        cmocka_unit_test_setup_teardown(multicall_of_32_bit, start, end),
        cmocka_unit_test_setup_teardown(multicall_stops_with_its_domain, start, end),
        cmocka_unit_test_setup_teardown(shutdown_reasons, start, end),
        cmocka_unit_test_setup_teardown(watchdogs, start, end),
        cmocka_unit_test_setup_teardown(sched_gives_the_cpu_away, start, end),
        cmocka_unit_test_setup_teardown(poll_ends, start, end),
        cmocka_unit_test_setup_teardown(creation_without_memory, start, end),
    };

    world_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
