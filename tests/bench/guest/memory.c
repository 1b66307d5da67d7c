/* The guest's memory changed: pages of the hypervisor in and out, RAM given back and asked for. */
#include "bench.h"

int64_t physmap_add(unsigned space, uint64_t idx, uint64_t gfn) {
    struct xen_add_to_physmap op = {.domid = DOMID_SELF, .space = space, .idx = idx, .gpfn = gfn};

    return memory_op(XENMEM_add_to_physmap, &op);
}

int64_t physmap_remove(uint64_t gfn) {
    struct xen_remove_from_physmap op = {.domid = DOMID_SELF, .gpfn = gfn};

    return memory_op(XENMEM_remove_from_physmap, &op);
}

static int64_t reservation(unsigned cmd, uint64_t gfn, unsigned order) {
    xen_pfn_t gfns[1] = {gfn};
    struct xen_memory_reservation op = {
        .domid = DOMID_SELF, .nr_extents = 1, .extent_order = order};

    op.extent_start.p = gfns;
    return memory_op(cmd, &op);
}

/*
 * The first place is a page of RAM, another each time, since Xen does not give the displaced page
 * back; the later one has nothing.
 */
ROW(shared_info_moves) {
    uint64_t later = HOLE_GFN(1);

    for (unsigned i = 0; i < RUNS; i++) {
        uint64_t first = SPARE_GFN + 700 + i;
        int64_t rc;
        uint64_t cost;

        *word_at(first) = 0x1234;
        cost = MEASURE(rc = physmap_add(XENMAPSPACE_shared_info, 0, first));
        EQ(rc, 0);
        if (failed())
            return;
        TRUE(*word_at(first) != 0x1234);
        sample("add_shared_info_first", cost);
        EQ(physmap_remove(first), 0);
        cost = MEASURE(rc = physmap_add(XENMAPSPACE_shared_info, 0, later));
        EQ(rc, 0);
        if (failed())
            return;
        *word_at(later); /* or it aborts */
        sample("add_shared_info_later", cost);
        cost = MEASURE(rc = physmap_remove(later));
        EQ(rc, 0);
        TRY(*word_at(later));
        EQ(me()->caught.count, 1);
        me()->caught.count = 0;
        sample("remove_from_physmap", cost);
    }
}

ROW(grant_frame_moves) {
    uint64_t gfn = HOLE_GFN(2);

    for (unsigned i = 0; i < RUNS; i++) {
        int64_t rc;
        uint64_t cost = MEASURE(rc = physmap_add(XENMAPSPACE_grant_table, 0, gfn));

        EQ(rc, 0);
        if (failed())
            return;
        *word_at(gfn);
        sample("grant_frame_add", cost);
        cost = MEASURE(rc = physmap_remove(gfn));
        EQ(rc, 0);
        TRY(*word_at(gfn));
        EQ(me()->caught.count, 1);
        me()->caught.count = 0;
        sample("grant_frame_remove", cost);
    }
}

static void balloon(uint64_t gfn, unsigned order, const char *decrease, const char *populate) {
    for (unsigned i = 0; i < RUNS / 2; i++) {
        uint64_t last = gfn + (1ULL << order) - 1, cost;
        int64_t rc;

        *word_at(last) = 0x1234;
        cost = MEASURE(rc = reservation(XENMEM_decrease_reservation, gfn, order));
        EQ(rc, 1);
        TRY(*word_at(last));
        EQ(me()->caught.count, 1);
        me()->caught.count = 0;
        sample(decrease, cost);
        cost = MEASURE(rc = reservation(XENMEM_populate_physmap, gfn, order));
        EQ(rc, 1);
        if (failed())
            return;
        *word_at(last) = 0x5678; /* that it is zero is not for the bench: Xen scrubs less */
        EQ(*word_at(last), 0x5678);
        sample(populate, cost);
    }
}

ROW(balloon_2m) {
    balloon(SPARE_GFN, 9, "decrease_2m", "populate_2m");
}

ROW(balloon_4k) {
    balloon(SPARE_GFN + 513, 0, "decrease_4k", "populate_4k");
}
