/* Small steps shared by the files of the page tables and p2m.c. */
#ifndef MM_PT_INTERNAL_H
#define MM_PT_INTERNAL_H

#include <hv/page.h>
#include <hv/pt.h>

#include <asm/s2.h>

static inline pte_t *pt_root(const struct pt *pt) {
    return phys_to_virt(pt->root);
}
static inline pte_t *pt_child(pte_t e) {
    return phys_to_virt(paddr(pte_addr(e)));
}
static inline uint64_t pt_entry_size(unsigned level) {
    return 1ULL << pt_level_shift(level);
}
/* A root of several tables is one with as many entries; addresses are below the limit. */
static inline unsigned pt_index(const struct pt *pt, unsigned level, uint64_t va) {
    bool long_root = S2_ROOT_ORDER && level == 1 && pt->start_level == 1;
    unsigned entries = long_root ? PT_ENTRIES << S2_ROOT_ORDER : PT_ENTRIES;

    return (unsigned)(va >> pt_level_shift(level)) & (entries - 1);
}
/* Where the entry of va ends, or the range. */
static inline uint64_t pt_next_entry(unsigned level, uint64_t va, uint64_t end) {
    uint64_t next = (va | (pt_entry_size(level) - 1)) + 1;

    return next < end ? next : end;
}
static inline enum pt_have pt_kind(pte_t e, unsigned level) {
    return !pte_is_valid(e) ? PT_HOLE : pte_is_table(e, level) ? PT_TABLE : PT_LEAF;
}
static inline bool pt_in_range(const struct pt *pt, uint64_t va, uint64_t size) {
    uint64_t limit = 1ULL << pt->addr_bits;

    return va <= limit && size <= limit - va;
}

/* An entry of a live table has changed. */
static inline void pt_written(struct pt *pt, const pte_t *e) {
    if (pt->ops->written)
        pt->ops->written(pt, e, sizeof(*e));
}

/* One level: true when the walk ends here. Constant levels make constant shifts. */
static __force_inline bool pt_ends_at(const struct pt *pt, const pte_t **table, unsigned level,
                                      uint64_t va, pte_t *e) {
    *e = READ_ONCE((*table)[pt_index(pt, level, va)]);
    if (!pte_is_table(*e, level))
        return true;
    *table = pt_child(*e);
    return false;
}
/* pt_lookup() of an address below the limit. */
static __force_inline pte_t pt_lookup_inside(const struct pt *pt, uint64_t va, unsigned *level) {
    const pte_t *table = pt_root(pt);
    pte_t e;

    *level = 0;
    if (pt->start_level == 0 && pt_ends_at(pt, &table, 0, va, &e))
        return e;
    *level = 1;
    if (pt_ends_at(pt, &table, 1, va, &e))
        return e;
    *level = 2;
    if (pt_ends_at(pt, &table, 2, va, &e))
        return e;
    *level = 3;
    return READ_ONCE(table[pt_index(pt, 3, va)]);
}

/* Links a table that is complete: the walkers see its entries before they see the table. */
static inline void pt_link_table(pte_t *e, const pte_t *table) {
    __atomic_thread_fence(__ATOMIC_RELEASE);
    WRITE_ONCE(*e, pte_make_table(virt_to_phys(table).pa));
}

/* ---- counts of entries ---- */
static inline uint32_t pt_used(const pte_t *table) {
    return virt_to_page(table)->u.used;
}
static inline void pt_used_add(const struct pt *pt, const pte_t *table, unsigned n) {
    if (pt->counted)
        virt_to_page(table)->u.used += n;
}
static inline void pt_used_sub(const struct pt *pt, const pte_t *table, unsigned n) {
    if (pt->counted)
        virt_to_page(table)->u.used -= n;
}

/* Where an unlinked table was: first frame and level in one word of its page_info. */
static inline type_info_t pt_pack_place(uint64_t va, unsigned level) {
    return (type_info_t)((va >> PAGE_SHIFT) << 2 | level);
}
static inline uint64_t pt_place_va(type_info_t place) {
    return (uint64_t)(place >> 2) << PAGE_SHIFT;
}
static inline unsigned pt_place_level(type_info_t place) {
    return (unsigned)place & 3;
}

/* ---- pt_find_slot() and pt_fill_slot(), for the p2m ---- */
/* One level down: true when there is a table. With a constant level this is seven instructions. */
static __force_inline bool pt_descend(const struct pt *pt, pte_t **table, unsigned level,
                                      uint64_t va, struct pt_gap *gap) {
    pte_t e = (*table)[pt_index(pt, level, va)];

    if (unlikely(!pte_is_table(e, level))) {
        gap->missing = PT_LEVELS - 1 - level;
        gap->blocked = pte_is_valid(e);
        return false;
    }
    *table = pt_child(e);
    return true;
}
static __force_inline pte_t *pt_slot_of(const struct pt *pt, uint64_t va, struct pt_gap *gap) {
    pte_t *table = pt_root(pt);

    if (pt->start_level == 0 && !pt_descend(pt, &table, 0, va, gap))
        return NULL;
    if (!pt_descend(pt, &table, 1, va, gap) || !pt_descend(pt, &table, 2, va, gap))
        return NULL;
    return &table[pt_index(pt, PT_LEVELS - 1, va)];
}
static __force_inline void pt_fill(struct pt *pt, pte_t *entry, pte_t value) {
    pt_used_add(pt, entry, 1);
    WRITE_ONCE(*entry, value);
}

#endif
