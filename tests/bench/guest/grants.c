/* Grants of the guest to itself. */
#include "bench.h"

#define REF 20 /* the first few are reserved */

static grant_entry_v1_t *table(void) {
    EQ(physmap_add(XENMAPSPACE_grant_table, 0, HOLE_GFN(3)), 0);
    return (grant_entry_v1_t *)(HOLE_GFN(3) << 12);
}

static void grant(grant_entry_v1_t *entry, uint64_t gfn) {
    entry->domid = OWN_DOMID;
    entry->frame = (uint32_t)gfn;
    dsb();
    entry->flags = GTF_permit_access;
    dsb();
}

static void revoke(grant_entry_v1_t *entry) {
    EQ(entry->flags & (GTF_reading | GTF_writing), 0);
    entry->flags = 0;
}

ROW(grant_map) {
    grant_entry_v1_t *entry = table() + REF;
    uint64_t gfn = SPARE_GFN + 600, at = HOLE_GFN(4);

    if (failed())
        return;
    *word_at(gfn) = 0x1234;
    for (unsigned i = 0; i < RUNS; i++) {
        struct gnttab_map_grant_ref map = {
            .host_addr = at << 12, .flags = GNTMAP_host_map, .ref = REF, .dom = OWN_DOMID};
        struct gnttab_unmap_grant_ref unmap = {.host_addr = at << 12};
        int64_t rc;
        uint64_t cost;

        grant(entry, gfn);
        cost = MEASURE(rc = grant_table_op(GNTTABOP_map_grant_ref, &map, 1));
        EQ(rc, 0);
        EQ((int64_t)map.status, GNTST_okay);
        if (failed())
            break;
        EQ(*word_at(at), 0x1234);
        sample("grant_map", cost);
        unmap.handle = map.handle;
        cost = MEASURE(rc = grant_table_op(GNTTABOP_unmap_grant_ref, &unmap, 1));
        EQ(rc, 0);
        EQ((int64_t)unmap.status, GNTST_okay);
        TRY(*word_at(at));
        EQ(me()->caught.count, 1);
        me()->caught.count = 0;
        sample("grant_unmap", cost);
        revoke(entry);
    }
    EQ(physmap_remove(HOLE_GFN(3)), 0);
}

/* What each of many in one hypercall costs. */
#define MANY 16u

ROW(grant_map_many) {
    grant_entry_v1_t *entry = table() + REF;
    uint64_t gfn = SPARE_GFN + 610, at = HOLE_GFN(4), cost;
    struct gnttab_map_grant_ref map[MANY];
    struct gnttab_unmap_grant_ref unmap[MANY];

    for (unsigned i = 0; i < RUNS && !failed(); i++) {
        for (unsigned k = 0; k < MANY; k++) {
            grant(&entry[k], gfn + k);
            map[k] = (struct gnttab_map_grant_ref){.host_addr = (at + k) << 12,
                                                   .flags = GNTMAP_host_map,
                                                   .ref = REF + k,
                                                   .dom = OWN_DOMID};
        }
        cost = MEASURE(EQ(grant_table_op(GNTTABOP_map_grant_ref, map, MANY), 0));
        sample("grant_map_each_of_16", cost / MANY);
        for (unsigned k = 0; k < MANY; k++) {
            EQ((int64_t)map[k].status, GNTST_okay);
            unmap[k] = (struct gnttab_unmap_grant_ref){.host_addr = (at + k) << 12,
                                                       .handle = map[k].handle};
        }
        cost = MEASURE(EQ(grant_table_op(GNTTABOP_unmap_grant_ref, unmap, MANY), 0));
        sample("grant_unmap_each_of_16", cost / MANY);
        for (unsigned k = 0; k < MANY; k++) {
            EQ((int64_t)unmap[k].status, GNTST_okay);
            revoke(&entry[k]);
        }
    }
    EQ(physmap_remove(HOLE_GFN(3)), 0);
}

ROW(grant_copy) {
    grant_entry_v1_t *entry = table() + REF;
    uint64_t from = SPARE_GFN + 601, to = SPARE_GFN + 602;

    if (failed())
        return;
    for (uint64_t i = 0; i < RUNS; i++) {
        struct gnttab_copy copy = {.len = 4096, .flags = GNTCOPY_source_gref};
        int64_t rc;
        uint64_t cost;

        for (unsigned k = 0; k < 512; k++) {
            word_at(from)[k] = i << 32 | k;
            word_at(to)[k] = ~0ULL;
        }
        grant(entry, from);
        copy.source.u.ref = REF;
        copy.source.domid = OWN_DOMID;
        copy.dest.u.gmfn = to;
        copy.dest.domid = DOMID_SELF;
        cost = MEASURE(rc = grant_table_op(GNTTABOP_copy, &copy, 1));
        EQ(rc, 0);
        EQ((int64_t)copy.status, GNTST_okay);
        if (failed())
            break;
        for (unsigned k = 0; k < 512; k++)
            EQ(word_at(to)[k], i << 32 | k);
        sample("grant_copy", cost);
        revoke(entry);
    }
    EQ(physmap_remove(HOLE_GFN(3)), 0);
}
