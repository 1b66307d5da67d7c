/* Reading translation tables: lookup, walks and counts. */
#include "pt_internal.h"

pte_t pt_lookup(const struct pt *pt, uint64_t va, unsigned *level) {
    if (likely(!(va >> pt->addr_bits)))
        return pt_lookup_inside(pt, va, level);
    *level = pt->start_level;
    return 0;
}

static int walk_level(const struct pt *pt, unsigned level, const pte_t *table, uint64_t va,
                      uint64_t end, pt_visit_fn fn, void *arg) {
    for (uint64_t next; va < end; va = next) {
        pte_t e = table[pt_index(pt, level, va)];
        int rc;

        next = pt_next_entry(level, va, end);
        if (pte_is_table(e, level))
            rc = walk_level(pt, level + 1, pt_child(e), va, next, fn, arg);
        else
            rc = fn(arg, va, next - va, pte_is_valid(e) ? e : 0, level);
        if (rc)
            return rc;
    }
    return 0;
}

int pt_walk(const struct pt *pt, uint64_t va, uint64_t size, pt_visit_fn fn, void *arg) {
    uint64_t limit = 1ULL << pt->addr_bits;

    if (va >= limit)
        return size ? fn(arg, va, size, 0, pt->start_level) : 0;
    if (size > limit - va) {
        int rc = walk_level(pt, pt->start_level, pt_root(pt), va, limit, fn, arg);

        return rc ? rc : fn(arg, limit, size - (limit - va), 0, pt->start_level);
    }
    return walk_level(pt, pt->start_level, pt_root(pt), va, va + size, fn, arg);
}

static bool next_in(const struct pt *pt, unsigned level, const pte_t *table, uint64_t va,
                    uint64_t end, uint64_t *found) {
    for (uint64_t next; va < end; va = next) {
        pte_t e = table[pt_index(pt, level, va)];

        next = pt_next_entry(level, va, end);
        if (pte_is_leaf(e, level)) {
            *found = va;
            return true;
        }
        if (pte_is_table(e, level) && next_in(pt, level + 1, pt_child(e), va, next, found))
            return true;
    }
    return false;
}

bool pt_next_mapped(const struct pt *pt, uint64_t va, uint64_t *found) {
    uint64_t limit = 1ULL << pt->addr_bits;

    return va < limit && next_in(pt, pt->start_level, pt_root(pt), va, limit, found);
}

/* ---- audits ---- */

struct table_counts {
    uint64_t tables, bad;
};

static void count_tables(const struct pt *pt, unsigned level, const pte_t *table,
                         struct table_counts *n) {
    bool is_root = level == pt->start_level;
    unsigned entries = is_root ? 1u << (pt->addr_bits - pt_level_shift(level)) : PT_ENTRIES;
    uint32_t used = 0;

    n->tables += DIV_ROUND_UP(entries, PT_ENTRIES);
    for (unsigned i = 0; i < entries; i++) {
        if (pte_is_valid(table[i]))
            used++;
        else if (table[i])
            n->bad++; /* parked, and the lock is free */
        if (pte_is_table(table[i], level))
            count_tables(pt, level + 1, pt_child(table[i]), n);
    }
    if (pt->counted && (pt_used(table) != used || (!used && !is_root)))
        n->bad++;
}

uint64_t pt_count_tables(const struct pt *pt) {
    struct table_counts n = {0, 0};

    count_tables(pt, pt->start_level, pt_root(pt), &n);
    return n.tables;
}

uint64_t pt_count_bad_tables(const struct pt *pt) {
    struct table_counts n = {0, 0};

    count_tables(pt, pt->start_level, pt_root(pt), &n);
    return n.bad;
}
