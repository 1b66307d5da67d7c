/* The physmap hypercalls in short, for tests. */
#ifndef PHYSMAP_H
#define PHYSMAP_H

#include "xen.h"

/* RAM pages of our own that tests may give away, and addresses where there is nothing. */
static inline uint64_t spare_gfn(unsigned n) {
    return (RAM + 0x3000000 + n * 0x1000) >> 12;
}
#define HOLE_GFN(n) ((uint64_t)((NOTHING_NORMAL >> 12) + (n)))

static inline uint64_t *word_at(uint64_t gfn) {
    return (uint64_t *)(gfn << 12);
}

static inline int64_t add(unsigned space, uint64_t idx, uint64_t gfn) {
    struct xen_add_to_physmap op = {.domid = DOMID_SELF, .space = space, .idx = idx, .gpfn = gfn};

    return memory_op(XENMEM_add_to_physmap, &op);
}

static inline int64_t take(uint64_t gfn) {
    struct xen_remove_from_physmap op = {.domid = DOMID_SELF, .gpfn = gfn};

    return memory_op(XENMEM_remove_from_physmap, &op);
}

static inline int64_t reservation(unsigned cmd, xen_pfn_t *gfns, uint64_t nr, unsigned order) {
    struct xen_memory_reservation op = {
        .domid = DOMID_SELF, .nr_extents = nr, .extent_order = order};

    op.extent_start.p = gfns;
    return memory_op(cmd, &op);
}

static inline int64_t question(unsigned cmd) {
    domid_t self = DOMID_SELF;

    return memory_op(cmd, &self);
}

/* Whatever a test left there is a hole, then RAM again. */
static inline void restore(uint64_t gfn) {
    xen_pfn_t g = gfn;

    take(gfn);
    EQ(reservation(XENMEM_populate_physmap, &g, 1, 0), 1);
}

#endif
