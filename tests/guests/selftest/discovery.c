/* What a guest learns about where it runs: xen_version, hvm_op, vm_assist, and what there is not.
 */
#include "evtchn.h"

static char page[2 * 4096] __attribute__((aligned(4096)));

static void fill(uint64_t size) {
    for (uint64_t i = 0; i < size; i++)
        page[i] = 0x55;
}

TEST(version_numbers) {
    EQ(xen_version(XENVER_version, 0), 4 << 16 | 17);
    EQ(xen_call(__HYPERVISOR_xen_version, 1ULL << 32 | XENVER_version, 0, 0), 4 << 16 | 17);
    EQ(xen_version(XENVER_pagesize, 0), 4096);
    EQ(xen_version(XENVER_pagesize, page), -XEN_EINVAL);
    EQ(xen_version(11, page), -XEN_ENOSYS);
    EQ(xen_version(~0u, page), -XEN_ENOSYS);
}

/* Each ends within its buffer, and nothing is written behind it. */
TEST(version_strings) {
    static const struct {
        unsigned cmd;
        uint64_t size;
    } strings[] = {
        {XENVER_extraversion, sizeof(xen_extraversion_t)},
        {XENVER_compile_info, sizeof(struct xen_compile_info)},
        {XENVER_capabilities, sizeof(xen_capabilities_info_t)},
        {XENVER_changeset, sizeof(xen_changeset_info_t)},
        {XENVER_commandline, sizeof(xen_commandline_t)},
    };

    for (unsigned i = 0; i < COUNT(strings); i++) {
        uint64_t length = 0;

        fill(sizeof(page));
        EQ(xen_version(strings[i].cmd, page), 0);
        while (length < strings[i].size && page[length])
            length++;
        TRUE(length < strings[i].size);
        for (uint64_t at = strings[i].size; at < sizeof(page); at++)
            TRUE(page[at] == 0x55);
        EQ(xen_version(strings[i].cmd, (void *)NOTHING_NORMAL), -XEN_EFAULT);
        EQ(xen_version(strings[i].cmd, 0), -XEN_EFAULT);
    }
}

TEST(version_capabilities) {
    const char *mine = sizeof(void *) == 8 ? "xen-3.0-aarch64 " : "xen-3.0-armv7l ";
    unsigned at = 0, same = 0;

    EQ(xen_version(XENVER_capabilities, page), 0);
    for (; page[at] && mine[same]; at++)
        same = page[at] == mine[same] ? same + 1 : 0;
    EQ(mine[same], 0);
}

TEST(version_features) {
    struct xen_feature_info info = {.submap_idx = 0};

    EQ(xen_version(XENVER_get_features, &info), 0);
    EQ(info.submap, 0x16005);
    info.submap_idx = 1;
    EQ(xen_version(XENVER_get_features, &info), -XEN_EINVAL);
    info.submap_idx = ~0u;
    EQ(xen_version(XENVER_get_features, &info), -XEN_EINVAL);
    EQ(info.submap, 0x16005); /* not touched */
    EQ(xen_version(XENVER_get_features, (void *)NOTHING_NORMAL), -XEN_EFAULT);
}

TEST(version_kept_from_guests) {
    xen_build_id_t *id = (void *)page;

    id->len = 64;
    EQ(xen_version(XENVER_build_id, id), -XEN_EPERM);
    EQ(xen_version(XENVER_build_id, 0), -XEN_EPERM);
    EQ(xen_version(XENVER_commandline, page), 0);
    EQ(page[0], '<');
}

TEST(version_handle_and_parameters) {
    xen_platform_parameters_t platform = {.virt_start = 1};

    fill(64);
    EQ(xen_version(XENVER_guest_handle, page), 0);
    for (unsigned i = 0; i < 16; i++)
        EQ(page[i], 0);
    EQ(page[16], 0x55);
    EQ(xen_version(XENVER_platform_parameters, &platform), 0);
    EQ(platform.virt_start, 0x200000);
    EQ(xen_version(XENVER_platform_parameters, (void *)NOTHING_NORMAL), -XEN_EFAULT);
}

static int64_t hvm_param(unsigned op, uint64_t domid, unsigned index, uint64_t *value) {
    struct xen_hvm_param p = {.domid = (domid_t)domid, .index = index, .value = *value};
    int64_t rc = xen_call(__HYPERVISOR_hvm_op, op, (uint64_t)&p, 0);

    *value = p.value;
    return rc;
}

/* No console ring and no xenstore for this domain: not an error, but not there. */
TEST(hvm_params) {
    uint64_t value = 0;

    for (unsigned i = 0; i < HVM_NR_PARAMS; i++) {
        bool readable = i == HVM_PARAM_CALLBACK_IRQ || i == HVM_PARAM_STORE_PFN ||
                        i == HVM_PARAM_STORE_EVTCHN || i == HVM_PARAM_CONSOLE_PFN ||
                        i == HVM_PARAM_CONSOLE_EVTCHN;
        int64_t refused = readable || i == HVM_PARAM_MONITOR_RING_PFN ? -XEN_EPERM : -XEN_EINVAL;

        value = 0x1234;
        EQ(hvm_param(HVMOP_get_param, DOMID_SELF, i, &value), readable ? 0 : refused);
        EQ(value, readable ? 0 : 0x1234);
        EQ(hvm_param(HVMOP_set_param, DOMID_SELF, i, &value), refused);
    }
}

TEST(hvm_errors) {
    uint64_t value = 0;

    EQ(hvm_param(HVMOP_get_param, DOMID_SELF, HVM_NR_PARAMS, &value), -XEN_EINVAL);
    EQ(hvm_param(HVMOP_get_param, DOMID_SELF, ~0u, &value), -XEN_EINVAL);
    EQ(hvm_param(HVMOP_get_param, 0x1234, HVM_PARAM_STORE_PFN, &value), -XEN_ESRCH);
    EQ(hvm_param(HVMOP_set_param, 0x1234, HVM_PARAM_STORE_PFN, &value), -XEN_ESRCH);
    EQ(hvm_param(HVMOP_get_param, 0x1234, ~0u, &value), -XEN_ESRCH);
    EQ(xen_call(__HYPERVISOR_hvm_op, HVMOP_get_param, NOTHING_NORMAL, 0), -XEN_EFAULT);
    EQ(xen_call(__HYPERVISOR_hvm_op, HVMOP_set_param, VPL011, 0), -XEN_EFAULT);
    EQ(xen_call(__HYPERVISOR_hvm_op, 24, 0, 0), 0); /* HVMOP_guest_request_vm_event */
    EQ(xen_call(__HYPERVISOR_hvm_op, 24, (uint64_t)page, 0), -XEN_EINVAL);
    for (unsigned op = 2; op < 40; op++)
        if (op != 24)
            EQ(xen_call(__HYPERVISOR_hvm_op, op, (uint64_t)page, 0), -XEN_ENOSYS);
}

TEST(vm_assist_types) {
    for (unsigned type = 0; type < 70; type++) {
        int64_t rc = type == VMASST_TYPE_runstate_update_flag ? 0 : -XEN_EINVAL;

        EQ(vm_assist(VMASST_CMD_enable, type), rc);
        EQ(vm_assist(VMASST_CMD_disable, type), rc);
    }
    EQ(vm_assist(2, VMASST_TYPE_runstate_update_flag), -XEN_ENOSYS);
    EQ(vm_assist(2, 3), -XEN_EINVAL);
    EQ(vm_assist(VMASST_CMD_enable, ~0ULL), -XEN_EINVAL);
}

TEST(calls_that_arm_has_not) {
    static const unsigned calls[] = {
        __HYPERVISOR_set_trap_table,
        __HYPERVISOR_mmu_update,
        __HYPERVISOR_sched_op_compat,
        __HYPERVISOR_set_timer_op,
        __HYPERVISOR_event_channel_op_compat,
        __HYPERVISOR_physdev_op_compat,
        __HYPERVISOR_mmuext_op,
        __HYPERVISOR_xsm_op,
        __HYPERVISOR_nmi_op,
        __HYPERVISOR_callback_op,
        __HYPERVISOR_xenoprof_op,
        __HYPERVISOR_kexec_op,
        __HYPERVISOR_tmem_op,
        __HYPERVISOR_argo_op,
        __HYPERVISOR_xenpmu_op,
        __HYPERVISOR_dm_op,
        __HYPERVISOR_arch_0,
        __HYPERVISOR_arch_7,
    };

    for (unsigned i = 0; i < COUNT(calls); i++)
        EQ(xen_call(calls[i], 99, (uint64_t)page, 0), -XEN_ENOSYS);
    for (unsigned op = 0; op < 40; op++)
        EQ(xen_call(__HYPERVISOR_physdev_op, op, (uint64_t)page, 0), -XEN_ENOSYS);
}

/* The machine's date is not known: it counts from its start, and the version is even. */
TEST(wallclock_of_shared_info) {
    struct xen_add_to_physmap op = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = NOTHING_NORMAL >> 12};
    struct xen_remove_from_physmap undo = {.domid = DOMID_SELF, .gpfn = op.gpfn};
    const struct shared_info *s = (void *)NOTHING_NORMAL;

    EQ(memory_op(XENMEM_add_to_physmap, &op), 0);
    EQ(s->wc_version, 2);
    TRUE(s->wc_sec < 1000);
    EQ(s->wc_nsec, 0);
    EQ(s->wc_sec_hi, 0);
    EQ(s->vcpu_info[0].time.version, 0);
    EQ(memory_op(XENMEM_remove_from_physmap, &undo), 0);
}

/*
 * What Zephyr's drivers for Xen call at start, in their order: the shared info over a page of its
 * own memory, every event masked, the grant table set up before it is mapped, and a first event
 * through the upcall.
 */
TEST(start_as_zephyr_does) {
    uint64_t info = spare_gfn(40), grants = 0x38000;
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 2};
    volatile struct shared_info *s = (void *)word_at(info);
    volatile struct vcpu_info *own = registered[0] ? &vcpu_infos[0] : &s->vcpu_info[0];
    xen_pfn_t frames[2];
    int64_t port;

    EQ(add(XENMAPSPACE_shared_info, 0, info), 0);
    for (unsigned i = 0; i < COUNT(s->evtchn_mask); i++)
        s->evtchn_mask[i] = ~0ULL;
    gic_enable(PPI_UPCALL, 0xa0);

    setup.frame_list.p = frames;
    EQ(grant_table_op(GNTTABOP_setup_table, &setup, 1), 0);
    EQ(setup.status, GNTST_okay);
    for (unsigned i = 0; i < COUNT(frames); i++) {
        EQ(add(XENMAPSPACE_grant_table, i, grants + i), 0);
        *word_at(grants + i) = 0;
    }

    port = new_ipi(0);
    TRUE(port > 0);
    EQ(unmask(port), 0);
    irq_enable();
    EQ(send(port), 0);
    WAIT(own->evtchn_upcall_pending);
    WAIT(s->evtchn_pending[port / 64] >> port % 64 & 1);
    WAIT(irq_taken(PPI_UPCALL));
    irq_disable();
    EQ(close(port), 0);
    own->evtchn_upcall_pending = 0;

    for (unsigned i = 0; i < COUNT(frames); i++)
        EQ(take(grants + i), 0);
    EQ(take(info), 0);
    restore(info);
}
