/*
 * Floor 3: the packed word page_info.type_info (docs/memory.md). Pure functions on a value.
 *
 *     top bit        PGT_none 0, PGT_writable_page 1
 *     count          PGT_COUNT_BITS bits: how many hold the page as writable
 *     GFN            PGT_GFN_BITS bits: the one guest frame where the owner has it mapped;
 *                    all ones = PGT_INVALID_GFN = not mapped
 *
 * The GFN field has one bit more than the widest legal GFN, so that no legal GFN is all ones.
 */
#ifndef HV_TYPE_INFO_H
#define HV_TYPE_INFO_H

#include <hv/types.h>

#include <asm/gfn.h>

#define PGT_GFN_MASK (((type_info_t)1 << PGT_GFN_BITS) - 1)
#define PGT_INVALID_GFN PGT_GFN_MASK
/* The widest GFN a page can have. */
#define PGT_MAX_GFN (PGT_GFN_MASK >> 1)

#define PGT_COUNT_SHIFT PGT_GFN_BITS
#define PGT_COUNT_ONE ((type_info_t)1 << PGT_COUNT_SHIFT)
#define PGT_COUNT_MASK ((((type_info_t)1 << PGT_COUNT_BITS) - 1) << PGT_COUNT_SHIFT)

#define PGT_TYPE_MASK ((type_info_t)1 << (PGT_GFN_BITS + PGT_COUNT_BITS))
#define PGT_none ((type_info_t)0)
#define PGT_writable_page PGT_TYPE_MASK

/* What a page has when it leaves its allocator: no type, no count, no GFN (invariant 13). */
#define PGT_TYPE_INFO_INITIALIZER (PGT_none | PGT_INVALID_GFN)

_Static_assert(PGT_GFN_BITS + PGT_COUNT_BITS + 1 == 8 * sizeof(type_info_t), "all bits have a use");

static inline bool type_info_has_gfn(type_info_t t) {
    return (t & PGT_GFN_MASK) != PGT_INVALID_GFN;
}

/* INVALID_GFN when there is none. */
static inline gfn_t type_info_gfn(type_info_t t) {
    return type_info_has_gfn(t) ? gfn(t & PGT_GFN_MASK) : INVALID_GFN;
}

/* The field for a GFN; INVALID_GFN gives PGT_INVALID_GFN. g is at most PGT_MAX_GFN otherwise. */
static inline type_info_t type_info_gfn_field(gfn_t g) {
    return (type_info_t)g.gfn & PGT_GFN_MASK;
}

/* t with another GFN; type and count stay (invariant 9). */
static inline type_info_t type_info_with_gfn(type_info_t t, gfn_t g) {
    return (t & ~PGT_GFN_MASK) | type_info_gfn_field(g);
}

static inline unsigned type_info_count(type_info_t t) {
    return (unsigned)((t & PGT_COUNT_MASK) >> PGT_COUNT_SHIFT);
}

/* One more writable use. False: the count is full. The first use sets the type. */
static inline bool type_info_get_writable(type_info_t t, type_info_t *out) {
    if ((t & PGT_COUNT_MASK) == PGT_COUNT_MASK)
        return false;
    *out = (t + PGT_COUNT_ONE) | PGT_writable_page;
    return true;
}

/* One less. False: there was none. The last one takes the type away. */
static inline bool type_info_put_writable(type_info_t t, type_info_t *out) {
    if (!(t & PGT_COUNT_MASK))
        return false;
    t -= PGT_COUNT_ONE;
    *out = (t & PGT_COUNT_MASK) ? t : t & ~PGT_TYPE_MASK;
    return true;
}

#endif
