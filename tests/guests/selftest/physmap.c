/* The physmap hypercalls: xenheap pages in and out of this guest's memory, RAM given back and asked
 * for. */
#include "physmap.h"

TEST(physmap_unknown_operations) {
    EQ(memory_op(63, 0), -XEN_ENOSYS);
    EQ(xen_call(60, 0, 0, 0), -XEN_ENOSYS);
    EQ(xen_call(5, 0, 0, 0), -XEN_ENOSYS);
    EQ(xen_call(~0ULL, 0, 0, 0), -XEN_ENOSYS);
}

/* Pages are traded for others only where guests know machine addresses. */
TEST(physmap_exchange) {
    xen_pfn_t in = spare_gfn(0), out = spare_gfn(1);
    struct xen_memory_exchange x = {.in = {.nr_extents = 1, .domid = DOMID_SELF},
                                    .out = {.nr_extents = 1, .domid = DOMID_SELF}};

    x.in.extent_start.p = &in;
    x.out.extent_start.p = &out;
    EQ(memory_op(XENMEM_exchange, &x), -XEN_EOPNOTSUPP);
}

/* How large the machine is is not a guest's business. */
TEST(physmap_maximum_ram_page) {
    EQ(memory_op(XENMEM_maximum_ram_page, 0), -XEN_ENOSYS);
}

/* Another domain's pages, for one that has no rights over others. */
TEST(physmap_foreign) {
    struct xen_add_to_physmap_batch op = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_gmfn_foreign, .size = 1};
    xen_ulong_t idx = spare_gfn(0);
    xen_pfn_t gpfn = HOLE_GFN(0);
    int err = 1;

    op.idxs.p = &idx;
    op.gpfns.p = &gpfn;
    op.errs.p = &err;
    op.u.foreign_domid = 0x1234;
    EQ(memory_op(XENMEM_add_to_physmap_batch, &op), 0);
    EQ((int64_t)err, -XEN_ESRCH);
    op.u.foreign_domid = DOMID_SELF;
    EQ(memory_op(XENMEM_add_to_physmap_batch, &op), 0);
    EQ((int64_t)err, -XEN_EINVAL);
    EQ(add(XENMAPSPACE_gmfn_foreign, spare_gfn(0), HOLE_GFN(0)), -XEN_ENOSYS);
    EQ(take(HOLE_GFN(0)), -XEN_ENOENT);
}

/* Registers of a device nobody gave it: the GIC's and the UART's of the machine. */
TEST(physmap_dev_mmio) {
    EQ(add(XENMAPSPACE_dev_mmio, 0x8000, HOLE_GFN(0)), -XEN_EACCES);
    EQ(add(XENMAPSPACE_dev_mmio, 0x9000, HOLE_GFN(0)), -XEN_EACCES);
    EQ(add(XENMAPSPACE_dev_mmio, RAM >> 12, HOLE_GFN(0)), -XEN_EACCES);
    EQ(add(XENMAPSPACE_dev_mmio, ~0ULL, HOLE_GFN(0)), -XEN_EACCES);
    EQ(take(HOLE_GFN(0)), -XEN_ENOENT);
}

TEST(physmap_bad_pointers) {
    EQ(memory_op(XENMEM_add_to_physmap, (void *)NOTHING_NORMAL), -XEN_EFAULT);
    EQ(memory_op(XENMEM_remove_from_physmap, (void *)(0x8000000000000000)), -XEN_EFAULT);
    EQ(memory_op(XENMEM_populate_physmap, (void *)(uint64_t)VPL011), -XEN_EFAULT);
    EQ(memory_op(XENMEM_maximum_gpfn, (void *)NOTHING), -XEN_EFAULT);
}

TEST(physmap_other_domains) {
    struct xen_add_to_physmap a = {
        .domid = 0x1234, .space = XENMAPSPACE_shared_info, .gpfn = spare_gfn(0)};
    struct xen_remove_from_physmap r = {.domid = 0x1234, .gpfn = spare_gfn(0)};

    EQ(memory_op(XENMEM_add_to_physmap, &a), -XEN_ESRCH);
    EQ(memory_op(XENMEM_remove_from_physmap, &r), -XEN_ESRCH);
}

TEST(physmap_shared_info_over_ram) {
    uint64_t g = spare_gfn(0), pages = (uint64_t)question(XENMEM_current_reservation);

    *word_at(g) = 0x1234;
    EQ(add(XENMAPSPACE_shared_info, 0, g), 0);
    EQ(*word_at(g), 0);
    EQ(question(XENMEM_current_reservation), pages - 1); /* the displaced page went back */
    EQ(add(XENMAPSPACE_shared_info, 0, g), -XEN_EBUSY);
    EQ(add(XENMAPSPACE_shared_info, 0, spare_gfn(1)), -XEN_EBUSY);
    *word_at(g) = 0x5678;
    EQ(take(g), 0);
    TRY(*(volatile uint64_t *)word_at(g));
    EQ(me()->caught.ec, EC_DATA);
    EQ(take(g), -XEN_ENOENT);
    EQ(add(XENMAPSPACE_shared_info, 0, HOLE_GFN(0)), 0); /* the same page, elsewhere */
    EQ(*word_at(HOLE_GFN(0)), 0x5678);
    *word_at(HOLE_GFN(0)) = 0;
    EQ(take(HOLE_GFN(0)), 0);
    restore(g);
    EQ(question(XENMEM_current_reservation), pages);
    EQ(*word_at(g), 0); /* scrubbed */
}

TEST(physmap_add_refuses) {
    EQ(add(XENMAPSPACE_shared_info, 1, HOLE_GFN(0)), -XEN_EINVAL);
    EQ(add(XENMAPSPACE_shared_info, 0, 1ULL << 52), -XEN_EINVAL);
    EQ(add(XENMAPSPACE_shared_info, 0, ~0ULL), -XEN_EINVAL);
    EQ(add(XENMAPSPACE_grant_table, 64, HOLE_GFN(0)), -XEN_EINVAL);
    EQ(add(XENMAPSPACE_grant_table, ~0ULL >> 1, HOLE_GFN(0)), -XEN_EINVAL);
    EQ(add(XENMAPSPACE_grant_table, XENMAPIDX_grant_table_status, HOLE_GFN(0)), -XEN_EINVAL);
    EQ(add(99, 0, HOLE_GFN(0)), -XEN_ENOSYS);
    EQ(take(HOLE_GFN(0)), -XEN_ENOENT);
    EQ(take(~0ULL), -XEN_ENOENT);
}

TEST(physmap_device_registers_stay) {
    EQ(take(VPL011 >> 12), -XEN_ENOENT);
    EQ(take(GICD >> 12), -XEN_ENOENT);
}

TEST(physmap_xenheap_page_displaced) {
    uint64_t g = HOLE_GFN(0);

    EQ(add(XENMAPSPACE_shared_info, 0, g), 0);
    *word_at(g) = 0x77;
    EQ(add(XENMAPSPACE_grant_table, 0, g), 0); /* shared_info loses its place and its GFN */
    EQ(*word_at(g), 0);
    EQ(add(XENMAPSPACE_shared_info, 0, HOLE_GFN(1)), 0);
    EQ(*word_at(HOLE_GFN(1)), 0x77);
    *word_at(HOLE_GFN(1)) = 0;
    EQ(take(HOLE_GFN(1)), 0);
    EQ(take(g), 0);
}

TEST(physmap_grant_frames_are_reported) {
    struct gnttab_query_size size = {.dom = DOMID_SELF};
    xen_pfn_t frames[4] = {1, 1, 1, 1};
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 4};

    EQ(grant_table_op(GNTTABOP_query_size, &size, 1), 0);
    EQ(size.status, GNTST_okay);
    EQ(size.max_nr_frames, 64);
    for (unsigned i = 0; i < 4; i++)
        EQ(add(XENMAPSPACE_grant_table, i, HOLE_GFN(8 + i)), 0);
    EQ(add(XENMAPSPACE_grant_table, 2, HOLE_GFN(20)), -XEN_EBUSY);
    EQ(grant_table_op(GNTTABOP_query_size, &size, 1), 0);
    EQ(size.nr_frames, 4);
    setup.frame_list.p = frames;
    EQ(take(HOLE_GFN(9)), 0);
    EQ(grant_table_op(GNTTABOP_setup_table, &setup, 1), 0);
    EQ(setup.status, GNTST_okay);
    EQ(frames[0], HOLE_GFN(8));
    EQ(frames[1], ~0ULL);
    EQ(frames[3], HOLE_GFN(11));
    setup.nr_frames = 65;
    EQ(grant_table_op(GNTTABOP_setup_table, &setup, 1), 0);
    EQ(setup.status, GNTST_general_error);
    for (unsigned i = 0; i < 4; i++)
        EQ(take(HOLE_GFN(8 + i)), i == 1 ? -XEN_ENOENT : 0);
}

TEST(physmap_grant_version_1_only) {
    struct gnttab_set_version set = {.version = 2};
    struct gnttab_get_version get = {.dom = DOMID_SELF};

    if (grant_table_op(GNTTABOP_set_version, &set, 1) != -XEN_ENOSYS) {
        EQ(set.version, 2);
        set.version = 1;
        EQ(grant_table_op(GNTTABOP_set_version, &set, 1), 0);
        skip("version 2 is there");
        return;
    }
    EQ(set.version, 1);
    set.version = 3;
    EQ(grant_table_op(GNTTABOP_set_version, &set, 1), -XEN_EINVAL);
    EQ(grant_table_op(GNTTABOP_get_version, &get, 1), 0);
    EQ(get.version, 1);
}

TEST(physmap_batch) {
    struct xen_add_to_physmap_batch op = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .size = 3};
    xen_ulong_t idxs[3] = {0, 99, 1};
    xen_pfn_t gfns[3] = {HOLE_GFN(0), HOLE_GFN(1), HOLE_GFN(2)};
    int errs[3] = {7, 7, 7};

    op.idxs.p = idxs;
    op.gpfns.p = gfns;
    op.errs.p = errs;
    EQ(memory_op(XENMEM_add_to_physmap_batch, &op), 0);
    EQ(errs[0], 0);
    EQ((int64_t)errs[1], -XEN_EINVAL);
    EQ(errs[2], 0);
    EQ(take(HOLE_GFN(0)), 0);
    EQ(take(HOLE_GFN(1)), -XEN_ENOENT);
    EQ(take(HOLE_GFN(2)), 0);
    op.size = 1;
    op.errs.p = (int *)NOTHING;
    EQ(memory_op(XENMEM_add_to_physmap_batch, &op), -XEN_EFAULT);
    take(HOLE_GFN(0));
}

TEST(physmap_balloon_small) {
    xen_pfn_t g[3] = {spare_gfn(0), spare_gfn(1), spare_gfn(2)};
    int64_t before = question(XENMEM_current_reservation);

    *word_at(g[1]) = 0x99;
    EQ(reservation(XENMEM_decrease_reservation, g, 3, 0), 3);
    EQ(question(XENMEM_current_reservation), before - 3);
    EQ(reservation(XENMEM_decrease_reservation, g, 3, 0), 0); /* holes now */
    EQ(reservation(XENMEM_populate_physmap, g, 3, 0), 3);
    EQ(question(XENMEM_current_reservation), before);
    EQ(*word_at(g[1]), 0);
    EQ(question(XENMEM_maximum_reservation), before);
}

TEST(physmap_balloon_2m) {
    xen_pfn_t g = (RAM + 0x2000000) >> 12;
    int64_t before = question(XENMEM_current_reservation);

    for (unsigned i = 0; i < 3; i++) {
        *word_at(g + 511) = i + 1;
        EQ(reservation(XENMEM_decrease_reservation, &g, 1, 9), 1);
        EQ(question(XENMEM_current_reservation), before - 512);
        EQ(reservation(XENMEM_populate_physmap, &g, 1, 9), 1);
        EQ(*word_at(g + 511), 0);
    }
    EQ(question(XENMEM_current_reservation), before);
}

TEST(physmap_extent_limits) {
    xen_pfn_t g = (RAM + 0x2000000) >> 12, odd = g + 1, far = 1ULL << 40;

    EQ(reservation(XENMEM_decrease_reservation, &g, 1, 10), 0);
    EQ(reservation(XENMEM_decrease_reservation, &g, 1, 64), 0);
    EQ(reservation(XENMEM_decrease_reservation, &odd, 1, 9), 1); /* any address will do */
    EQ(reservation(XENMEM_populate_physmap, &odd, 1, 9), 1);
    EQ(reservation(XENMEM_populate_physmap, &far, 1, 0), 0);
    EQ(reservation(XENMEM_populate_physmap, (xen_pfn_t *)NOTHING, 1, 0), 0);
    EQ(reservation(XENMEM_decrease_reservation, &g, 0, 0), 0);
}

/* No more than the domain's maximum, and what was done stays done. */
TEST(physmap_populate_past_the_maximum) {
    xen_pfn_t g[2] = {spare_gfn(0), HOLE_GFN(0)};

    EQ(reservation(XENMEM_populate_physmap, &g[1], 1, 0), 0);
    EQ(reservation(XENMEM_decrease_reservation, g, 1, 0), 1);
    g[0] = HOLE_GFN(1);
    EQ(reservation(XENMEM_populate_physmap, g, 2, 0), 1);
    EQ(*word_at(HOLE_GFN(1)), 0);
    EQ(take(HOLE_GFN(1)), 0);
    restore(spare_gfn(0));
}

/*
 * All CPUs place, remove, give back and ask for the same pages at once, singly and as the block that
 * holds them: whatever the order, nothing is lost.
 */
#define RACED_BLOCK ((RAM + 0x2000000) >> 12)

static void race_once(unsigned i) {
    uint64_t hole = HOLE_GFN(30 + i % 3);
    xen_pfn_t block = RACED_BLOCK, page = RACED_BLOCK + i * 37 % 512, frames[3];
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 3};

    setup.frame_list.p = frames;
    add(XENMAPSPACE_shared_info, 0, hole);
    add(XENMAPSPACE_grant_table, i % 3, hole);
    grant_table_op(GNTTABOP_setup_table, &setup, 1);
    reservation(XENMEM_decrease_reservation, &page, 1, 0);
    take(hole);
    add(XENMAPSPACE_grant_table, i % 3, page); /* over RAM, or where none is */
    take(page);
    reservation(XENMEM_populate_physmap, &page, 1, 0);
    if (i % 32 == 31) {
        reservation(XENMEM_decrease_reservation, &block, 1, 9);
        reservation(XENMEM_populate_physmap, &block, 1, 9);
    }
}

static void race(void) {
    for (unsigned i = 0; i < 200; i++)
        race_once(i + cpu_number());
}

static bool others_are_done(void) {
    for (unsigned cpu = 1; cpu < nr_cpus; cpu++)
        if (!*(volatile bool *)&cpus[cpu].done)
            return false;
    return true;
}

/* The block as it was, whatever holes the race left. */
static void restore_block(void) {
    xen_pfn_t block = RACED_BLOCK;

    for (xen_pfn_t g = block; g < block + 512; g++)
        reservation(XENMEM_decrease_reservation, &g, 1, 0);
    EQ(reservation(XENMEM_populate_physmap, &block, 1, 9), 1);
}

TEST_SMP(physmap_race) {
    int64_t before = question(XENMEM_current_reservation);

    for (unsigned cpu = 1; cpu < nr_cpus; cpu++)
        cpu_start(cpu, race);
    for (unsigned i = 0; i < 200 || !others_are_done(); i++)
        race_once(i);
    for (unsigned cpu = 1; cpu < nr_cpus; cpu++)
        cpu_join(cpu);
    for (unsigned i = 0; i < 3; i++)
        take(HOLE_GFN(30 + i));
    restore_block();
    EQ(question(XENMEM_current_reservation), before);
    EQ(*word_at(RACED_BLOCK + 511), 0);
    EQ(add(XENMAPSPACE_shared_info, 0, HOLE_GFN(30)), 0);
    EQ(take(HOLE_GFN(30)), 0);
}
