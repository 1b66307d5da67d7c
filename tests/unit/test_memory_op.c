/* memory_op, called as a guest calls it, over the real P2M: results by the public ABI, nothing
 * changed after a failure, and whose page it was. */
/* clang-format off */
/* SOURCES: common/abi/console_io.c common/abi/event_fifo.c common/abi/evtchn.c common/abi/evtchn_hv.c common/abi/evtchn_pending.c common/abi/evtchn_port.c common/abi/grant_copy.c common/abi/grant_entry.c common/abi/grant_frames.c common/abi/grant_map.c common/abi/grant_op.c common/abi/guest_atomic.c common/abi/hvm_op.c common/abi/hypercall.c common/abi/maptrack.c common/abi/memory_op.c common/abi/multicall.c common/abi/physmap.c common/abi/policy.c common/abi/pv_console.c common/abi/reservation.c common/abi/runstate.c common/abi/sched_op.c common/abi/vcpu_info.c common/abi/vcpu_op.c common/abi/version.c common/virt/guest_copy.c common/mm/boot_mem.c common/mm/heap.c common/mm/fresh.c common/mm/xenheap.c common/mm/page_owner.c common/mm/page_ref.c common/mm/static_mem.c common/mm/pt.c common/mm/pt_page.c common/mm/pt_read.c common/mm/p2m.c common/mm/p2m_global.c common/mm/p2m_map.c common/mm/p2m_unmap.c common/mm/p2m_pool.c common/mm/p2m_populate.c common/mm/p2m_audit.c tests/fake/mm_world.c */
/* clang-format on */
#include "abi_world.h"

/* A structure at ARG. */
#define PUT(type, ...) (*(type *)ram(d, ARG) = (type){__VA_ARGS__})

static int64_t memory_op(uint64_t cmd) {
    return call(d, __HYPERVISOR_memory_op, cmd, ARG, 0);
}
static mfn_t at(uint64_t g) {
    return p2m_lookup(&d->p2m, gfn(g), NULL, NULL);
}
static bool is_hole(uint64_t g) {
    return mfn_eq(at(g), INVALID_MFN);
}
static enum p2m_type type_at(uint64_t g) {
    enum p2m_type t = P2M_INVALID;

    return is_hole(g) ? t : (p2m_lookup(&d->p2m, gfn(g), &t, NULL), t);
}
static uint64_t references(uint64_t g) {
    return mfn_to_page(at(g))->count_info & PGC_COUNT_MASK;
}

/* ---- questions ---- */

static void questions(void **state) {
    static const struct {
        uint64_t cmd;
        int64_t answer;
    } rows[] = {{XENMEM_current_reservation, NR_RAM + 1},
                {XENMEM_maximum_reservation, MAX_PAGES},
                {XENMEM_maximum_gpfn, FIRST_GFN + NR_RAM}};

    (void)state;
    world_guest(1);
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        PUT(domid_t, DOMID_SELF);
        assert_int_equal(memory_op(rows[i].cmd), rows[i].answer);
        PUT(domid_t, 1);
        assert_int_equal(memory_op(rows[i].cmd), rows[i].answer);
        PUT(domid_t, 2);
        assert_int_equal(memory_op(rows[i].cmd), -EPERM);
        PUT(domid_t, 3);
        assert_int_equal(memory_op(rows[i].cmd), -ESRCH);
    }
    assert_int_equal(memory_op(XENMEM_exchange), -EOPNOTSUPP);
    assert_int_equal(memory_op(XENMEM_machphys_mapping), -ENOSYS);
    assert_int_equal(memory_op(63), -ENOSYS);
}

static int64_t resource(domid_t whose, uint32_t pad) {
    PUT(struct xen_mem_acquire_resource, .domid = whose, .pad = pad);
    return memory_op(XENMEM_acquire_resource);
}

static void resources_are_the_toolstacks(void **state) {
    (void)state;
    world_guest(1);
    assert_int_equal(resource(2, 0), -EPERM);
    assert_int_equal(resource(1, 0), -EPERM);
    assert_int_equal(resource(3, 0), -ESRCH);
    assert_int_equal(resource(DOMID_SELF, 0), -ESRCH);
    assert_int_equal(resource(2, 1), -EINVAL);
}

/* ---- add_to_physmap, remove_from_physmap ---- */

static int64_t add(unsigned space, uint64_t idx, uint64_t g) {
    PUT(struct xen_add_to_physmap, .domid = DOMID_SELF, .space = space, .idx = idx, .gpfn = g);
    return memory_op(XENMEM_add_to_physmap);
}
static int64_t take_out(uint64_t g) {
    PUT(struct xen_remove_from_physmap, .domid = DOMID_SELF, .gpfn = g);
    return memory_op(XENMEM_remove_from_physmap);
}

#define HOLE (FIRST_GFN + 32)
#define STATUS(n) (XENMAPIDX_grant_table_status | (n))

static void spaces(void **state) {
    static const struct {
        unsigned space;
        uint64_t idx, g;
        int64_t rc;
    } rows[] = {
        {XENMAPSPACE_shared_info, 0, HOLE, 0},
        {XENMAPSPACE_shared_info, 0, HOLE, -EBUSY}, /* it has an address already */
        {XENMAPSPACE_shared_info, 0, HOLE + 1, -EBUSY},
        {XENMAPSPACE_shared_info, 1, HOLE + 1, -EINVAL},
        {XENMAPSPACE_grant_table, 0, HOLE + 2, 0},
        {XENMAPSPACE_grant_table, 0, HOLE + 1, -EBUSY},
        {XENMAPSPACE_grant_table, 3, HOLE + 3, 0}, /* the table grows */
        {XENMAPSPACE_grant_table, 4, HOLE + 4, -EINVAL},
        {XENMAPSPACE_grant_table, ~0ULL, HOLE + 4, -EINVAL},
        {XENMAPSPACE_grant_table, STATUS(0), HOLE + 4, -EINVAL}, /* version 1 has none */
        {XENMAPSPACE_gmfn, 0, HOLE + 4, -ENOSYS},
        {XENMAPSPACE_gmfn_range, 0, HOLE + 4, -ENOSYS},
        {XENMAPSPACE_gmfn_foreign, 0, HOLE + 4, -ENOSYS},
        {XENMAPSPACE_dev_mmio, 0x9000, HOLE + 4, 0},
        {XENMAPSPACE_dev_mmio, 0x9001, HOLE + 5, -EACCES},
        {XENMAPSPACE_dev_mmio + 1, 0, HOLE + 5, -ENOSYS},
        {XENMAPSPACE_shared_info, 0, 1ULL << 32, -EINVAL}, /* beyond its addresses */
        {XENMAPSPACE_grant_table, 1, ~0ULL, -EINVAL},
        {99, 0, ~0ULL, -ENOSYS},
    };

    (void)state;
    given_mmio = mfn(0x9000);
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        if (add(rows[i].space, rows[i].idx, rows[i].g) != rows[i].rc)
            fail_msg("row %u", i);
        if (rows[i].rc && rows[i].g > HOLE && rows[i].g < HOLE + 32)
            assert_true(i == 1 || is_hole(rows[i].g));
        world_check();
    }
    assert_int_equal(type_at(HOLE), P2M_XENHEAP_RW);
    assert_int_equal(type_at(HOLE + 4), P2M_MMIO_DIRECT);
    assert_ptr_equal(ram(d, HOLE << PAGE_SHIFT), d->abi->shared_info);
    assert_int_equal(take_out(HOLE), 0);
    assert_int_equal(take_out(HOLE), -ENOENT);
    assert_int_equal(take_out(HOLE + 2), 0);
    assert_int_equal(take_out(~0ULL), -ENOENT);
    assert_int_equal(add(XENMAPSPACE_shared_info, 0, HOLE + 1), 0);
}

/* RAM at the place goes back to the heap, and a page of Holdfast's loses its address. */
static void what_was_at_the_place(void **state) {
    uint64_t owned = d->pages.tot_pages;
    struct page_info *info = virt_to_page(d->abi->shared_info);

    (void)state;
    assert_int_equal(add(XENMAPSPACE_shared_info, 0, FIRST_GFN + 5), 0);
    assert_int_equal(d->pages.tot_pages, owned - 1);
    assert_int_equal(page_get_gfn(info).gfn, FIRST_GFN + 5);
    assert_int_equal(add(XENMAPSPACE_grant_table, 0, FIRST_GFN + 5), 0);
    assert_true(gfn_eq(page_get_gfn(info), INVALID_GFN));
    assert_int_equal(info->count_info & PGC_COUNT_MASK, 1);
    world_check();
}

static void an_empty_pool_changes_nothing(void **state) {
    uint64_t g = HOLE;

    (void)state;
    /* Each in a table of its own, until there is none. */
    while (!add(XENMAPSPACE_shared_info, 0, g)) {
        assert_int_equal(take_out(g), 0);
        assert_int_equal(p2m_populate(&d->p2m, gfn(g += 512), 1), 0);
        if (d->p2m.pool_free == 1)
            break;
        g += 512;
    }
    assert_int_equal(add(XENMAPSPACE_shared_info, 0, g + 1024), -ENOMEM);
    assert_int_equal(references(FIRST_GFN), 1);
    assert_int_equal(virt_to_page(d->abi->shared_info)->count_info & PGC_COUNT_MASK, 1);
    world_check();
}

/* ---- foreign pages ---- */

static int32_t err_of_batch;
/* One entry: index, place and result lie in LIST. */
static int64_t batch(unsigned space, domid_t whose, uint64_t idx, uint64_t g) {
    uint64_t *list = ram(d, LIST);
    int64_t rc;

    list[0] = idx, list[1] = g, list[2] = 0x5555;
    struct xen_add_to_physmap_batch op = {
        .domid = DOMID_SELF, .space = (uint16_t)space, .size = 1, .u.foreign_domid = whose};
    op.idxs.p = (void *)LIST;
    op.gpfns.p = (void *)(LIST + 8);
    op.errs.p = (void *)(LIST + 16);
    *(struct xen_add_to_physmap_batch *)ram(d, ARG) = op;
    rc = memory_op(XENMEM_add_to_physmap_batch);
    err_of_batch = (int32_t)list[2];
    return rc;
}

static void foreign_pages(void **state) {
    struct domain *other = world_guest(1);
    struct page_info *page = mfn_to_page(p2m_lookup(&other->p2m, gfn(FIRST_GFN + 3), NULL, NULL));
    struct rows {
        bool privileged;
        domid_t whose;
        uint64_t idx;
        int err;
        enum p2m_type type;
    } rows[] = {
        {false, 2, FIRST_GFN + 3, -EPERM, P2M_INVALID},
        {true, 2, FIRST_GFN + 3, 0, P2M_FOREIGN_RW},
        {true, 2, FIRST_GFN + NR_RAM, 0, P2M_FOREIGN_RO}, /* what it may only read */
        {true, 2, HOLE, -EINVAL, P2M_INVALID},
        {true, 2, ~0ULL, -EINVAL, P2M_INVALID},
        {true, DOMID_SELF, FIRST_GFN + 3, -EINVAL, P2M_INVALID},
        {true, 1, FIRST_GFN + 3, -EINVAL, P2M_INVALID},
        {true, 3, FIRST_GFN + 3, -ESRCH, P2M_INVALID},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        d->privileged = rows[i].privileged;
        assert_int_equal(batch(XENMAPSPACE_gmfn_foreign, rows[i].whose, rows[i].idx, HOLE + 8), 0);
        assert_int_equal(err_of_batch, rows[i].err);
        assert_int_equal(type_at(HOLE + 8), rows[i].type);
        if (!rows[i].err)
            assert_int_equal(take_out(HOLE + 8), 0);
        assert_int_equal(page->count_info & PGC_COUNT_MASK, 1);
    }
    /* It cannot be placed over what is not the guest's to give away; the reference goes back. */
    assert_int_equal(batch(XENMAPSPACE_gmfn_foreign, 2, FIRST_GFN + 3, HOLE + 8), 0);
    assert_int_equal(batch(XENMAPSPACE_gmfn_foreign, 2, FIRST_GFN + 4, HOLE + 8), 0);
    assert_int_equal(err_of_batch, -EBUSY);
    assert_int_equal(page->count_info & PGC_COUNT_MASK, 2);
    assert_int_equal(other->refs, 1);
    /* Its owner dies first: the page lives as long as the mapping. */
    world_kill(1);
    assert_int_equal(type_at(HOLE + 8), P2M_FOREIGN_RW);
    assert_int_equal(shells, 2);
    assert_int_equal(take_out(HOLE + 8), 0);
    assert_int_equal(shells, 1);
}

/* ---- lists ---- */

static void batches(void **state) {
    (void)state;
    assert_int_equal(batch(XENMAPSPACE_shared_info, 0, 0, HOLE), 0);
    assert_int_equal(err_of_batch, 0);
    assert_int_equal(batch(XENMAPSPACE_shared_info, 0, 7, HOLE), 0);
    assert_int_equal(err_of_batch, -EINVAL);
    assert_int_equal(batch(XENMAPSPACE_shared_info, 1, 0, HOLE), -ENOSYS);
    /* The list can be read and its results not written: what was done is done, and said nowhere. */
    for (unsigned n = 2; n <= 4; n++) {
        if (!is_hole(HOLE))
            assert_int_equal(take_out(HOLE), 0);
        fail_access = n;
        assert_int_equal(batch(XENMAPSPACE_shared_info, 0, 0, HOLE), -EFAULT);
        fail_access = 0;
        assert_int_equal(err_of_batch, 0x5555);
        assert_int_equal(is_hole(HOLE), n < 4);
        world_check();
    }
}

static void end_of_world(void) {
    if (seen.preempted == 3)
        stop_vcpus(d);
}

/* A list as long as memory, in a domain that ends; one that was interrupted goes on where it was.
 */
static void batches_are_cut_short(void **state) {
    uint64_t *list = ram(d, LIST);
    struct xen_add_to_physmap_batch op = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .size = 0xffff};

    (void)state;
    op.idxs.p = (void *)LIST;
    op.gpfns.p = (void *)(LIST + 128);
    op.errs.p = (void *)(LIST + 256);
    for (unsigned i = 0; i < 8; i++)
        list[i] = i, list[16 + i] = HOLE + i, list[32 + i] = ~0ULL;
    *(struct xen_add_to_physmap_batch *)ram(d, ARG) = op;
    while_preempted = end_of_world;
    assert_int_equal(memory_op(XENMEM_add_to_physmap_batch | 1 << 6), 0);
    assert_true(is_hole(HOLE)); /* it began with the second */
    assert_int_equal(type_at(HOLE + 3), P2M_XENHEAP_RW);
    assert_int_equal((int32_t)(list[32] & ~0u), -1);
    assert_int_equal(((int32_t *)&list[32])[1], 0);
    assert_int_equal(((int32_t *)&list[32])[4], -1);
}

/* ---- reservations ---- */

static int64_t reserve(uint64_t cmd, uint64_t nr, unsigned order) {
    struct xen_memory_reservation op = {
        .domid = DOMID_SELF, .nr_extents = nr, .extent_order = order};

    op.extent_start.p = (void *)LIST;
    *(struct xen_memory_reservation *)ram(d, ARG) = op;
    return memory_op(cmd);
}
static void extents(uint64_t first, uint64_t step, unsigned nr) {
    for (unsigned i = 0; i < nr; i++)
        ((uint64_t *)ram(d, LIST))[i] = first + i * step;
}

static void memory_goes_and_comes_back_clear(void **state) {
    uint8_t zero[PAGE_SIZE] = "";

    (void)state;
    memset(ram(d, GUEST(8)), 0xee, PAGE_SIZE);
    extents(FIRST_GFN + 8, 1, 4);
    assert_int_equal(reserve(XENMEM_decrease_reservation, 4, 0), 4);
    assert_true(is_hole(FIRST_GFN + 8) && is_hole(FIRST_GFN + 11));
    assert_int_equal(d->pages.tot_pages, NR_RAM + 1 - 4);
    assert_int_equal(reserve(XENMEM_decrease_reservation, 4, 0), 0); /* it is gone already */
    assert_int_equal(reserve(XENMEM_populate_physmap, 4, 0), 4);
    for (unsigned i = 8; i < 12; i++)
        assert_memory_equal(ram(d, GUEST(i)), zero, PAGE_SIZE);
    assert_int_equal(d->pages.tot_pages, NR_RAM + 1);
    world_check();
}

static void reservation_numbers(void **state) {
    (void)state;
    extents(HOLE, 1, 16);
    assert_int_equal(reserve(XENMEM_populate_physmap, 1, 10), 0); /* more than 2 MiB at once */
    assert_int_equal(reserve(XENMEM_populate_physmap, 1, ~0u), 0);
    assert_int_equal(reserve(XENMEM_populate_physmap, 0, 0), 0);
    assert_int_equal(reserve(XENMEM_populate_physmap | 5 << 6, 8, 0), 8); /* goes on behind 5 */
    assert_true(is_hole(HOLE + 4) && !is_hole(HOLE + 5) && !is_hole(HOLE + 7));
    assert_int_equal(reserve(XENMEM_populate_physmap | 9 << 6, 8, 0), 9); /* behind the end */
    assert_true(is_hole(HOLE + 8));
    assert_int_equal(reserve(XENMEM_increase_reservation, 8, 0), 0);
    assert_int_equal(reserve(XENMEM_increase_reservation | 3 << 6, 8, 0), 3);
    assert_int_equal(reserve(XENMEM_increase_reservation | 9 << 6, 8, 0), 8);
    extents(1ULL << 32, 1, 1); /* beyond its addresses */
    assert_int_equal(reserve(XENMEM_populate_physmap, 1, 0), 0);
    assert_int_equal(reserve(XENMEM_decrease_reservation, 1, 0), 0);
    extents((1ULL << 32) - 1, 1, 1);
    assert_int_equal(reserve(XENMEM_populate_physmap, 1, 1), 0); /* in part */
    assert_true(is_hole((1ULL << 32) - 1));
    /* A list that leaves memory in the middle. */
    ((uint64_t *)ram(d, GUEST(NR_RAM + 1) - 8))[0] = HOLE + 20;
    struct xen_memory_reservation op = {.domid = DOMID_SELF, .nr_extents = 4};
    op.extent_start.p = (void *)(GUEST(NR_RAM + 1) - 8);
    *(struct xen_memory_reservation *)ram(d, ARG) = op;
    assert_int_equal(memory_op(XENMEM_populate_physmap), 1);
    op.domid = 2;
    *(struct xen_memory_reservation *)ram(d, ARG) = op;
    assert_int_equal(memory_op(XENMEM_populate_physmap), -ESRCH);
    assert_int_equal(memory_op(XENMEM_increase_reservation), -ESRCH);
}

/* An extent that cannot be had whole is not had at all: by the domain's limit, by the heap, by what
 * is there already. */
static void extents_whole_or_not(void **state) {
    struct page_list kept = PAGE_LIST_INIT;
    uint64_t owned = d->pages.tot_pages;

    (void)state;
    extents(FIRST_GFN + 64, 64, 4);
    d->pages.max_pages = owned + 23;
    assert_int_equal(reserve(XENMEM_populate_physmap, 4, 4), 1);
    assert_int_equal(d->pages.tot_pages, owned + 16);
    d->pages.max_pages = 10000;
    extents(FIRST_GFN + 128, 64, 4);
    hoard(&kept, 20);
    assert_int_equal(reserve(XENMEM_populate_physmap, 4, 4), 1);
    spend(&kept);
    assert_int_equal(d->pages.tot_pages, owned + 32);
    for (unsigned i = 0; i < 16; i++)
        assert_true(is_hole(FIRST_GFN + 192 + i));
    assert_int_equal(reserve(XENMEM_populate_physmap, 1, 4), 1); /* over RAM: it is replaced */
    assert_int_equal(d->pages.tot_pages, owned + 32);
    world_check();
    extents(FIRST_GFN + NR_RAM - 8, 1, 1); /* the end of it is a hole */
    assert_int_equal(reserve(XENMEM_decrease_reservation, 1, 4), 0);
    assert_false(is_hole(FIRST_GFN + NR_RAM - 8));
}

/* Nothing that is not RAM goes by it, and nobody else's page. */
static void what_cannot_be_given_back(void **state) {
    struct domain *other = world_guest(1);

    (void)state;
    (void)other;
    d->privileged = true;
    assert_int_equal(add(XENMAPSPACE_shared_info, 0, HOLE), 0);
    assert_int_equal(batch(XENMAPSPACE_gmfn_foreign, 2, FIRST_GFN + 3, HOLE + 1), 0);
    extents(HOLE, 1, 2);
    assert_int_equal(reserve(XENMEM_decrease_reservation, 2, 0), 2); /* as remove_from_physmap */
    assert_true(is_hole(HOLE) && is_hole(HOLE + 1));
    assert_int_equal(other->pages.tot_pages, NR_RAM + 1);
    assert_int_equal(virt_to_page(d->abi->shared_info)->count_info & PGC_COUNT_MASK, 1);
    world_check();
}

static void reservations_are_cut_short(void **state) {
    (void)state;
    extents(HOLE, 1, 16);
    while_preempted = end_of_world;
    assert_int_equal(reserve(XENMEM_populate_physmap, 16, 0), 4);
    d->vcpus[0]->work = VCPU_WORK_PAUSE; /* a pause takes effect within */
    while_preempted = NULL;
    assert_int_equal(reserve(XENMEM_decrease_reservation, 4, 0), 4);
    assert_int_equal(seen.paused, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(questions, start, end),
        cmocka_unit_test_setup_teardown(resources_are_the_toolstacks, start, end),
        cmocka_unit_test_setup_teardown(spaces, start, end),
        cmocka_unit_test_setup_teardown(what_was_at_the_place, start, end),
        cmocka_unit_test_setup_teardown(an_empty_pool_changes_nothing, start, end),
        cmocka_unit_test_setup_teardown(foreign_pages, start, end),
        cmocka_unit_test_setup_teardown(batches, start, end),
        cmocka_unit_test_setup_teardown(batches_are_cut_short, start, end),
        cmocka_unit_test_setup_teardown(memory_goes_and_comes_back_clear, start, end),
        cmocka_unit_test_setup_teardown(reservation_numbers, start, end),
        cmocka_unit_test_setup_teardown(extents_whole_or_not, start, end),
        cmocka_unit_test_setup_teardown(what_cannot_be_given_back, start, end),
        cmocka_unit_test_setup_teardown(reservations_are_cut_short, start, end),
    };

    world_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
