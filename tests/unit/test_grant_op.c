/* grant_table_op, called as a guest calls it: the table's frames and versions, and what a failure
 * in the middle leaves. Maps and copies at random are in test_grant_model.c. */
/* clang-format off */
/* SOURCES: common/abi/console_io.c common/abi/event_fifo.c common/abi/evtchn.c common/abi/evtchn_hv.c common/abi/evtchn_pending.c common/abi/evtchn_port.c common/abi/grant_copy.c common/abi/grant_entry.c common/abi/grant_frames.c common/abi/grant_map.c common/abi/grant_op.c common/abi/guest_atomic.c common/abi/hvm_op.c common/abi/hypercall.c common/abi/maptrack.c common/abi/memory_op.c common/abi/multicall.c common/abi/physmap.c common/abi/policy.c common/abi/pv_console.c common/abi/reservation.c common/abi/runstate.c common/abi/sched_op.c common/abi/vcpu_info.c common/abi/vcpu_op.c common/abi/version.c common/virt/guest_copy.c common/mm/boot_mem.c common/mm/heap.c common/mm/fresh.c common/mm/xenheap.c common/mm/page_owner.c common/mm/page_ref.c common/mm/static_mem.c common/mm/pt.c common/mm/pt_page.c common/mm/pt_read.c common/mm/p2m.c common/mm/p2m_global.c common/mm/p2m_map.c common/mm/p2m_unmap.c common/mm/p2m_pool.c common/mm/p2m_populate.c common/mm/p2m_audit.c tests/fake/mm_world.c */
/* clang-format on */
#include "abi_world.h"

static struct domain *peer; /* domain 2, which maps what domain 1 grants */

static int start_two(void **state) {
    start(state);
    peer = world_guest(1);
    policy_allow_pair(1, 2);
    return 0;
}

static int64_t op_by(struct domain *by, uint64_t cmd, vaddr_t at, uint64_t count) {
    return call(by, __HYPERVISOR_grant_table_op, cmd, at, count);
}
static int64_t op(uint64_t cmd) {
    return op_by(d, cmd, ARG, 1);
}
#define PUT(type, ...) (*(type *)ram(d, ARG) = (type){__VA_ARGS__})
#define AT(type) ((type *)ram(d, ARG))

static int64_t set_version(uint32_t version) {
    PUT(struct gnttab_set_version, .version = version);
    return op(GNTTABOP_set_version);
}
static void map_frame(uint64_t idx, uint64_t g) {
    PUT(struct xen_add_to_physmap, .domid = DOMID_SELF, .space = XENMAPSPACE_grant_table,
        .idx = idx, .gpfn = g);
    assert_int_equal(call(d, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, ARG, 0), 0);
}
#define HOLE (FIRST_GFN + 32)

/* Entry `ref` of version 1 of domain 1's table. */
static struct grant_entry_v1 *grant(unsigned ref, uint16_t flags, uint32_t frame) {
    struct grant_entry_v1 *e = (struct grant_entry_v1 *)d->abi->grant.frame[0] + ref;

    *e = (struct grant_entry_v1){.flags = flags, .domid = 2, .frame = frame};
    return e;
}

/* ---- the table's size and place ---- */

static int16_t setup(domid_t whose, uint32_t nr, vaddr_t list) {
    struct gnttab_setup_table t = {.dom = whose, .nr_frames = nr};

    t.frame_list.p = (void *)list;
    *AT(struct gnttab_setup_table) = t;
    assert_int_equal(op(GNTTABOP_setup_table), 0);
    return AT(struct gnttab_setup_table)->status;
}

static void table_grows(void **state) {
    uint64_t *list = ram(d, LIST);

    (void)state;
    memset(list, 0xee, 64);
    map_frame(0, HOLE);
    assert_int_equal(setup(DOMID_SELF, 3, LIST), GNTST_okay);
    assert_int_equal(list[0], HOLE); /* as tracked */
    assert_int_equal(list[1], INVALID_GFN.gfn);
    assert_int_equal(list[3], 0xeeeeeeeeeeeeeeee);
    assert_int_equal(d->abi->grant.nr_frames, 3);
    assert_int_equal(setup(1, 0, NOWHERE), GNTST_okay);
    assert_int_equal(setup(DOMID_SELF, 5, LIST), GNTST_general_error);
    assert_int_equal(setup(DOMID_SELF, ~0u, LIST), GNTST_general_error);
    assert_int_equal(setup(2, 1, LIST), GNTST_bad_domain);
    assert_int_equal(setup(DOMID_SELF, 1, NOWHERE), GNTST_bad_virt_addr);
    PUT(struct gnttab_query_size, .dom = DOMID_SELF);
    assert_int_equal(op(GNTTABOP_query_size), 0);
    assert_int_equal(AT(struct gnttab_query_size)->nr_frames, 3);
    assert_int_equal(AT(struct gnttab_query_size)->max_nr_frames, 4);
    PUT(struct gnttab_query_size, .dom = 3, .nr_frames = 55, .max_nr_frames = 55);
    assert_int_equal(op(GNTTABOP_query_size), 0);
    assert_int_equal(AT(struct gnttab_query_size)->status, GNTST_bad_domain);
    assert_int_equal(AT(struct gnttab_query_size)->nr_frames, 0);
}

/* A frame that does not come leaves those that did; none is lost. */
static void table_grows_without_memory(void **state) {
    struct page_list kept = PAGE_LIST_INIT;

    (void)state;
    fail_zalloc = 2;
    assert_int_equal(setup(DOMID_SELF, 4, LIST), GNTST_general_error);
    assert_int_equal(d->abi->grant.nr_frames, 2);
    hoard(&kept, 1);
    assert_int_equal(setup(DOMID_SELF, 4, LIST), GNTST_general_error);
    assert_int_equal(d->abi->grant.nr_frames, 3);
    assert_int_equal(set_version(2), -ENOMEM);
    assert_int_equal(AT(struct gnttab_set_version)->version, 1);
    spend(&kept);
    assert_int_equal(set_version(2), 0);
    assert_int_equal(setup(DOMID_SELF, 4, LIST), GNTST_okay);
}

static void one_structure_only(void **state) {
    static const uint8_t ops[] = {GNTTABOP_query_size, GNTTABOP_setup_table,
                                  GNTTABOP_get_status_frames};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
        assert_int_equal(op_by(d, ops[i], ARG, 0), -EINVAL);
        assert_int_equal(op_by(d, ops[i], ARG, 2), -EINVAL);
    }
    for (unsigned cmd = 0; cmd < 20; cmd++)
        assert_int_equal(op_by(d, cmd, ARG, 1u << 31), -EINVAL);
    assert_int_equal(op_by(d, 13, ARG, 1), -ENOSYS);
    assert_int_equal(op_by(d, 16, ARG, 1), -ENOSYS);
    assert_int_equal(op(GNTTABOP_transfer), -EOPNOTSUPP);
}

/* ---- versions ---- */

static void versions(void **state) {
    uint8_t zero[64] = "";
    struct grant_entry_v1 *e = grant(20, GTF_permit_access, FIRST_GFN);

    (void)state;
    assert_int_equal(set_version(0), -EINVAL);
    assert_int_equal(set_version(3), -EINVAL);
    assert_int_equal(set_version(1), 0);
    assert_int_equal(e->flags, GTF_permit_access); /* no change */
    assert_int_equal(set_version(2), 0);
    assert_memory_equal(d->abi->grant.frame[0], zero, sizeof(zero)); /* another shape: empty */
    assert_int_equal(e->flags, 0);
    PUT(struct gnttab_get_version, .dom = DOMID_SELF);
    assert_int_equal(op(GNTTABOP_get_version), 0);
    assert_int_equal(AT(struct gnttab_get_version)->version, 2);
    PUT(struct gnttab_get_version, .dom = 2);
    assert_int_equal(op(GNTTABOP_get_version), -EPERM);
    PUT(struct gnttab_get_version, .dom = 9);
    assert_int_equal(op(GNTTABOP_get_version), -ESRCH);
    assert_int_equal(set_version(1), 0);
    d->max_grant_version = 1;
    assert_int_equal(set_version(2), -ENOSYS);
    assert_int_equal(AT(struct gnttab_set_version)->version, 1);
}

static int16_t status_frames(domid_t whose, uint32_t nr, vaddr_t list) {
    struct gnttab_get_status_frames t = {.dom = whose, .nr_frames = nr};

    t.frame_list.p = (void *)list;
    *AT(struct gnttab_get_status_frames) = t;
    assert_int_equal(op(GNTTABOP_get_status_frames), 0);
    return AT(struct gnttab_get_status_frames)->status;
}

/* Frames of status go with their version, wherever the guest has mapped them. */
static void status_frames_come_and_go(void **state) {
    uint64_t *list = ram(d, LIST), pages = d->pages.xenheap_pages;

    (void)state;
    assert_int_equal(status_frames(DOMID_SELF, 1, LIST), GNTST_general_error);
    assert_int_equal(set_version(2), 0);
    assert_int_equal(status_frames(DOMID_SELF, 1, LIST), GNTST_okay);
    assert_int_equal(list[0], INVALID_GFN.gfn);
    map_frame(XENMAPIDX_grant_table_status, HOLE + 3);
    assert_int_equal(status_frames(1, 1, LIST), GNTST_okay);
    assert_int_equal(list[0], HOLE + 3);
    assert_int_equal(status_frames(DOMID_SELF, 2, LIST), GNTST_general_error);
    assert_int_equal(status_frames(DOMID_SELF, ~0u, LIST), GNTST_general_error);
    assert_int_equal(status_frames(2, 1, LIST), GNTST_bad_domain);
    assert_int_equal(status_frames(DOMID_SELF, 1, READ_ONLY), GNTST_bad_virt_addr);
    assert_int_equal(set_version(1), 0);
    assert_true(mfn_eq(p2m_lookup(&d->p2m, gfn(HOLE + 3), NULL, NULL), INVALID_MFN));
    assert_int_equal(d->pages.xenheap_pages, pages);
}

/* ---- maps, copies: what the guest is not told of is not done ---- */

static struct gnttab_map_grant_ref *map_at(vaddr_t at, uint64_t place) {
    struct gnttab_map_grant_ref *m = ram(peer, at);

    *m = (struct gnttab_map_grant_ref){.host_addr = place << PAGE_SHIFT,
                                       .flags = GNTMAP_host_map,
                                       .ref = 9,
                                       .dom = 1,
                                       .status = 5};
    return m;
}

static void map_that_nobody_is_told_of(void **state) {
    struct gnttab_map_grant_ref *m = map_at(ARG, HOLE);
    struct grant_entry_v1 *e = grant(9, GTF_permit_access, FIRST_GFN + 4);
    struct gnttab_unmap_grant_ref u;

    (void)state;
    fail_access = 2;
    assert_int_equal(op_by(peer, GNTTABOP_map_grant_ref, ARG, 1), -EFAULT);
    fail_access = 0;
    assert_int_equal(m->status, 5);
    assert_int_equal(e->flags, GTF_permit_access); /* neither reading nor writing */
    assert_int_equal(d->abi->grant.uses, 0);
    assert_int_equal(peer->p2m.grants, 0);
    world_check();
    assert_int_equal(op_by(peer, GNTTABOP_map_grant_ref, ARG, 1), 0);
    assert_int_equal(m->status, GNTST_okay);
    assert_int_equal(e->flags, GTF_permit_access | GTF_reading | GTF_writing);
    /* The other way round it is done, and the guest asked for it. */
    u = (struct gnttab_unmap_grant_ref){.host_addr = HOLE << PAGE_SHIFT, .handle = m->handle};
    memcpy(ram(peer, LIST), &u, sizeof(u));
    fail_access = 2;
    assert_int_equal(op_by(peer, GNTTABOP_unmap_grant_ref, LIST, 1), -EFAULT);
    fail_access = 0;
    assert_int_equal(d->abi->grant.uses, 0);
    assert_int_equal(e->flags, GTF_permit_access);
    world_check();
}

/* More than one batch, of which the last cannot be read. */
static void lists_that_leave_memory(void **state) {
    vaddr_t at = GUEST(NR_RAM) - 20 * sizeof(struct gnttab_unmap_grant_ref);
    struct gnttab_unmap_grant_ref *u = ram(peer, at);

    (void)state;
    for (unsigned i = 0; i < 20; i++)
        u[i] = (struct gnttab_unmap_grant_ref){.handle = 77, .status = 5};
    assert_int_equal(p2m_unmap(&peer->p2m, gfn(FIRST_GFN + NR_RAM), 1), 0);
    assert_int_equal(op_by(peer, GNTTABOP_unmap_grant_ref, at, 21), -EFAULT);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(u[i].status, GNTST_bad_handle);
    assert_int_equal(op_by(peer, GNTTABOP_unmap_and_replace, at, 0), 0);
}

static int16_t copy(struct gnttab_copy c) {
    memcpy(ram(peer, ARG), &c, sizeof(c));
    assert_int_equal(op_by(peer, GNTTABOP_copy, ARG, 1), 0);
    return ((struct gnttab_copy *)ram(peer, ARG))->status;
}

static void copies(void **state) {
    struct gnttab_copy c = {.len = 100, .flags = GNTCOPY_source_gref};
    struct grant_entry_v1 *e = grant(9, GTF_permit_access | GTF_readonly, FIRST_GFN + 4);

    (void)state;
    memset(ram(d, GUEST(4)), 0xa5, PAGE_SIZE);
    c.source.domid = 1;
    c.source.u.ref = 9;
    c.dest.domid = DOMID_SELF;
    c.dest.u.gmfn = FIRST_GFN + 6;
    c.dest.offset = 50;
    assert_int_equal(copy(c), GNTST_okay);
    assert_int_equal(((uint8_t *)ram(peer, GUEST(6)))[49], 0);
    assert_int_equal(((uint8_t *)ram(peer, GUEST(6)))[50], 0xa5);
    assert_int_equal(((uint8_t *)ram(peer, GUEST(6)))[149], 0xa5);
    assert_int_equal(((uint8_t *)ram(peer, GUEST(6)))[150], 0);
    c.dest.u.gmfn = FIRST_GFN + NR_RAM; /* it may only read that */
    assert_int_equal(copy(c), GNTST_general_error);
    c.dest.u.gmfn = HOLE;
    assert_int_equal(copy(c), GNTST_bad_page);
    c.dest.u.gmfn = ~0ULL;
    assert_int_equal(copy(c), GNTST_bad_page);
    c.dest.u.gmfn = FIRST_GFN + 6;
    c.dest.domid = 1; /* another's page, by its address */
    assert_int_equal(copy(c), GNTST_permission_denied);
    c.dest.domid = DOMID_SELF;
    c.dest.offset = PAGE_SIZE - 99;
    assert_int_equal(copy(c), GNTST_bad_copy_arg);
    c.dest.offset = 0;
    c.source.offset = 0xffff;
    assert_int_equal(copy(c), GNTST_bad_copy_arg);
    c.source.offset = 0;
    c.source.domid = 7;
    assert_int_equal(copy(c), GNTST_bad_domain);
    c.source.domid = 1;
    c.dest.domid = 1; /* a grant to write that is for reading */
    c.dest.u.ref = 9;
    c.flags = GNTCOPY_source_gref | GNTCOPY_dest_gref;
    assert_int_equal(copy(c), GNTST_general_error);
    assert_int_equal(e->flags, GTF_permit_access | GTF_readonly);
    assert_int_equal(d->abi->grant.uses, 0);
    assert_int_equal(
        mfn_to_page(p2m_lookup(&peer->p2m, gfn(FIRST_GFN + 6), NULL, NULL))->count_info &
            PGC_COUNT_MASK,
        1);
}

static void copy_without_rights(void **state) {
    struct domain *stranger = world_guest(2);
    struct gnttab_copy c = {.len = 8, .flags = GNTCOPY_source_gref};

    (void)state;
    grant(9, GTF_permit_access, FIRST_GFN + 4)->domid = 3;
    c.source.domid = 1;
    c.source.u.ref = 9;
    c.dest.domid = DOMID_SELF;
    c.dest.u.gmfn = FIRST_GFN + 6;
    memcpy(ram(stranger, ARG), &c, sizeof(c));
    assert_int_equal(op_by(stranger, GNTTABOP_copy, ARG, 1), 0);
    assert_int_equal(((struct gnttab_copy *)ram(stranger, ARG))->status, GNTST_permission_denied);
    assert_int_equal(d->refs, 1);
    assert_int_equal(op_by(stranger, GNTTABOP_copy, READ_ONLY, 1), -EFAULT);
}

/* ---- swap and flush ---- */

static int16_t swap(uint32_t a, uint32_t b) {
    PUT(struct gnttab_swap_grant_ref, .ref_a = a, .ref_b = b);
    assert_int_equal(op(GNTTABOP_swap_grant_ref), 0);
    return AT(struct gnttab_swap_grant_ref)->status;
}

static void swapped(void **state) {
    struct grant_entry_v1 *a = grant(9, GTF_permit_access, FIRST_GFN + 4), *b = grant(10, 0, 77);

    (void)state;
    assert_int_equal(swap(9, 10), GNTST_okay);
    assert_int_equal(b->frame, FIRST_GFN + 4);
    assert_int_equal(a->frame, 77);
    assert_int_equal(swap(9, 9), GNTST_okay);
    assert_int_equal(swap(9, 512), GNTST_bad_gntref);
    assert_int_equal(swap(~0u, 9), GNTST_bad_gntref);
    assert_int_equal(swap(9, 10), GNTST_okay);
    map_at(ARG, HOLE);
    assert_int_equal(op_by(peer, GNTTABOP_map_grant_ref, ARG, 1), 0);
    assert_int_equal(swap(9, 10), GNTST_eagain); /* it is in use */
    assert_int_equal(a->frame, FIRST_GFN + 4);
    assert_int_equal(op_by(d, GNTTABOP_swap_grant_ref, READ_ONLY, 1), -EFAULT);
}

static unsigned cleaned;
static const void *cleaned_at;
static size_t cleaned_size;
void fake_dcache_cleaned(const void *va, size_t size) {
    cleaned++;
    cleaned_at = va;
    cleaned_size = size;
}

static void caches_of_its_own_pages(void **state) {
    static const struct {
        uint64_t where;
        uint16_t offset, length;
        uint32_t op;
        int64_t rc;
        bool does;
    } rows[] = {
        {GUEST(4), 16, 32, GNTTAB_CACHE_CLEAN, 0, true},
        {GUEST(4), 0, 4096, GNTTAB_CACHE_INVAL, 0, true},
        {GUEST(4), 4095, 1, GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL, 0, true},
        {GUEST(4), 4095, 2, GNTTAB_CACHE_CLEAN, -EINVAL, false},
        {GUEST(4), 4096, 0, GNTTAB_CACHE_CLEAN, -EINVAL, false},
        {GUEST(4), 1, 0xffff, GNTTAB_CACHE_CLEAN, -EINVAL, false},
        {GUEST(4), 0, 0, GNTTAB_CACHE_CLEAN, 0, false},
        {GUEST(4), 0, 64, 0, 0, false},
        {GUEST(4), 0, 64, 1u << 31, -EINVAL, false},
        {HOLE << PAGE_SHIFT, 0, 64, GNTTAB_CACHE_CLEAN, -EINVAL, false},
        {~0ULL, 0, 64, GNTTAB_CACHE_CLEAN, -EINVAL, false},
        {GUEST(40), 0, 64, GNTTAB_CACHE_CLEAN, -EPERM, false}, /* a device */
    };

    (void)state;
    assert_int_equal(p2m_map_mmio(&d->p2m, gfn(FIRST_GFN + 40), mfn(0x9000), 1), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        PUT(struct gnttab_cache_flush, .a.dev_bus_addr = rows[i].where, .offset = rows[i].offset,
            .length = rows[i].length, .op = rows[i].op);
        cleaned = 0;
        if (op(GNTTABOP_cache_flush) != rows[i].rc || cleaned != rows[i].does)
            fail_msg("row %u", i);
        if (cleaned) {
            assert_ptr_equal(cleaned_at, ram(d, rows[i].where + rows[i].offset));
            assert_int_equal(cleaned_size, rows[i].length);
        }
    }
    assert_int_equal(op_by(d, GNTTABOP_cache_flush, NOWHERE, 0), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(table_grows, start_two, end),
        cmocka_unit_test_setup_teardown(table_grows_without_memory, start_two, end),
        cmocka_unit_test_setup_teardown(one_structure_only, start_two, end),
        cmocka_unit_test_setup_teardown(versions, start_two, end),
        cmocka_unit_test_setup_teardown(status_frames_come_and_go, start_two, end),
        cmocka_unit_test_setup_teardown(map_that_nobody_is_told_of, start_two, end),
        cmocka_unit_test_setup_teardown(lists_that_leave_memory, start_two, end),
        cmocka_unit_test_setup_teardown(copies, start_two, end),
        cmocka_unit_test_setup_teardown(copy_without_rights, start_two, end),
        cmocka_unit_test_setup_teardown(swapped, start_two, end),
        cmocka_unit_test_setup_teardown(caches_of_its_own_pages, start_two, end),
    };

    world_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
