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

static void add(const char *key, uint64_t gfn) {
    int64_t rc;
    uint64_t cost = MEASURE(rc = physmap_add(XENMAPSPACE_shared_info, 0, gfn));

    EQ(rc, 0);
    if (failed())
        return;
    *word_at(gfn); /* or it aborts */
    sample(key, cost);
}

static void take_out(const char *key, uint64_t gfn) {
    int64_t rc;
    uint64_t cost;

    if (failed())
        return;
    cost = MEASURE(rc = physmap_remove(gfn));
    EQ(rc, 0);
    TRY(*word_at(gfn));
    EQ(me()->caught.count, 1);
    me()->caught.count = 0;
    sample(key, cost);
}

/*
 * First to where a table has to be made, then next to a page that is there, then over a page of
 * RAM, another each time, since Xen does not give the displaced page back.
 */
ROW(shared_info_moves) {
    EQ(physmap_add(XENMAPSPACE_grant_table, 1, HOLE_GFN(0)), 0);
    for (unsigned i = 0; i < RUNS && !failed(); i++) {
        uint64_t first = HOLE_GFN(512 * (1 + i)), later = HOLE_GFN(1), ram = SPARE_GFN + 700 + i;

        add("add_shared_info_first", first);
        EQ(physmap_remove(first), 0);
        add("add_shared_info_later", later);
        take_out("remove_from_physmap", later);
        *word_at(ram) = 0x1234;
        add("add_shared_info_over_ram", ram);
        TRUE(*word_at(ram) != 0x1234);
        EQ(physmap_remove(ram), 0);
    }
    EQ(physmap_remove(HOLE_GFN(0)), 0);
}

ROW(grant_frame_moves) {
    uint64_t gfn = HOLE_GFN(2);

    EQ(physmap_add(XENMAPSPACE_shared_info, 0, HOLE_GFN(0)), 0);
    for (unsigned i = 0; i < RUNS && !failed(); i++) {
        int64_t rc;
        uint64_t cost = MEASURE(rc = physmap_add(XENMAPSPACE_grant_table, 0, gfn));

        EQ(rc, 0);
        if (failed())
            return;
        *word_at(gfn);
        sample("grant_frame_add", cost);
        take_out("grant_frame_remove", gfn);
    }
    EQ(physmap_remove(HOLE_GFN(0)), 0);
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
