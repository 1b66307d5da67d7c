/* The page-table engine: choosing, preparing and committing (contract in hv/pt.h). */
#include "pt_internal.h"

#include <hv/errno.h>
#include <hv/printk.h>

enum pt_action pt_choose_action(enum pt_have have, enum pt_want want, bool whole, bool leaf_ok,
                                bool keep_tables) {
    if (want == PT_MAP) {
        switch (have) {
        case PT_HOLE:
            return whole && leaf_ok ? PT_WRITE : PT_ADD_TABLE;
        case PT_TABLE:
            return PT_DESCEND;
        case PT_LEAF:
            return PT_REFUSE;
        }
    }
    switch (have) {
    case PT_LEAF:
        return whole ? PT_CLEAR : PT_SPLIT;
    case PT_TABLE:
        return whole && !keep_tables ? PT_UNLINK : PT_DESCEND;
    case PT_HOLE:
        break;
    }
    return PT_SKIP;
}

/* ---- prepare ---- */

static bool leaf_allowed(const struct pt *pt, unsigned level, uint64_t va, uint64_t pa) {
    return level >= PT_MIN_BLOCK_LEVEL && level >= pt->leaf_level &&
           !((va | pa) & (pt_entry_size(level) - 1));
}

static enum pt_action choose(const struct pt *pt, const struct pt_request *rq, enum pt_have have,
                             unsigned level, uint64_t va, uint64_t end) {
    return pt_choose_action(have, rq->want, end - va == pt_entry_size(level),
                            leaf_allowed(pt, level, va, rq->pa + (va - rq->va)), !pt->counted);
}

/* A missing table is thought full of `have`. */
static int64_t count_needed(const struct pt *pt, const struct pt_request *rq, unsigned level,
                            const pte_t *table, enum pt_have have, uint64_t va, uint64_t end) {
    int64_t needed = 0, below;

    for (uint64_t next; va < end; va = next) {
        pte_t e = table ? table[pt_index(pt, level, va)] : 0;
        enum pt_have here = table ? pt_kind(e, level) : have;
        const pte_t *child = NULL;
        enum pt_action act;

        next = pt_next_entry(level, va, end);
        act = choose(pt, rq, here, level, va, next);
        switch (act) {
        case PT_REFUSE:
            return -EEXIST;
        case PT_DESCEND:
            child = pt_child(e);
            break;
        case PT_ADD_TABLE:
        case PT_SPLIT:
            needed++;
            break;
        default:
            continue;
        }
        below = count_needed(pt, rq, level + 1, child, here, va, next);
        if (below < 0)
            return below;
        needed += below;
    }
    return needed;
}

int64_t pt_tables_needed(const struct pt *pt, const struct pt_request *rq) {
    if (!pt_in_range(pt, rq->va, rq->size))
        return -EINVAL;
    return count_needed(pt, rq, pt->start_level, pt_root(pt), PT_HOLE, rq->va, rq->va + rq->size);
}

/* ---- map ---- */

static void write_entry(struct pt *pt, pte_t *e, pte_t value) {
    WRITE_ONCE(*e, value);
    pt_written(pt, e);
}

static void link_table(struct pt *pt, pte_t *e, const pte_t *table) {
    pt_link_table(e, table);
    pt_written(pt, e);
}

static void map_level(struct pt *pt, const struct pt_request *rq, unsigned level, pte_t *table,
                      uint64_t va, uint64_t end) {
    unsigned added = 0;

    for (uint64_t next; va < end; va = next) {
        pte_t *e = &table[pt_index(pt, level, va)], *child;

        next = pt_next_entry(level, va, end);
        switch (choose(pt, rq, pt_kind(*e, level), level, va, next)) {
        case PT_WRITE:
            write_entry(pt, e, pte_make_leaf(rq->pa + (va - rq->va), level, rq->attr));
            added++;
            break;
        case PT_ADD_TABLE:
            child = pt->ops->take(pt);
            map_level(pt, rq, level + 1, child, va, next);
            link_table(pt, e, child);
            added++;
            break;
        case PT_DESCEND:
            map_level(pt, rq, level + 1, pt_child(*e), va, next);
            break;
        default:
            BUG();
        }
    }
    if (added)
        pt_used_add(pt, table, added);
}

void pt_map(struct pt *pt, const struct pt_request *rq) {
    map_level(pt, rq, pt->start_level, pt_root(pt), rq->va, rq->va + rq->size);
}

/* ---- unmap, first phase ---- */

/* One leaf becomes a table of leaves that say the same; the old entry is gone everywhere in
 * between, unless the walkers do without. */
static pte_t *split_leaf(struct pt *pt, pte_t *e, unsigned level, uint64_t va) {
    uint64_t step = pt_entry_size(level + 1), pa = pte_addr(*e);
    pte_t attr = *e & ~(PTE_ADDR | PTE_VALID | PTE_TABLE);
    pte_t *child = pt->ops->take(pt);

    for (unsigned i = 0; i < PT_ENTRIES; i++)
        child[i] = pte_make_leaf(pa + i * step, level + 1, attr);
    pt_used_add(pt, child, PT_ENTRIES);
    if (pt->ops->written)
        pt->ops->written(pt, child, PAGE_SIZE);
    if (pt->ops->flush) {
        write_entry(pt, e, 0);
        pt->ops->flush(pt, ALIGN_DOWN(va, pt_entry_size(level)), pt_entry_size(level));
    }
    link_table(pt, e, child);
    return child;
}

/* The table stays as it is until pt_reap(); its page_info remembers where it was. */
static void unlink_table(struct pt *pt, pte_t *e, unsigned level, uint64_t va,
                         struct pt_parked *out) {
    struct page_info *page = virt_to_page(pt_child(*e));

    page->type_info = pt_pack_place(ALIGN_DOWN(va, pt_entry_size(level)), level + 1);
    write_entry(pt, e, 0);
    page_list_append(&out->tables, page);
    out->any = true;
}

static void park_level(struct pt *pt, const struct pt_request *rq, unsigned level, pte_t *table,
                       uint64_t va, uint64_t end, struct pt_parked *out) {
    unsigned removed = 0;

    for (uint64_t next; va < end; va = next) {
        pte_t *e = &table[pt_index(pt, level, va)], *child;

        next = pt_next_entry(level, va, end);
        switch (choose(pt, rq, pt_kind(*e, level), level, va, next)) {
        case PT_SKIP:
            continue;
        case PT_CLEAR:
            write_entry(pt, e, pte_park(*e));
            if (!out->leaves++)
                out->first_leaf = va;
            out->any = true;
            removed++;
            continue;
        case PT_UNLINK:
            unlink_table(pt, e, level, va, out);
            removed++;
            continue;
        case PT_SPLIT:
            child = split_leaf(pt, e, level, va);
            break;
        case PT_DESCEND:
            child = pt_child(*e);
            break;
        default:
            BUG();
        }
        park_level(pt, rq, level + 1, child, va, next, out);
        if (pt->counted && !pt_used(child)) {
            unlink_table(pt, e, level, va, out);
            removed++;
        }
    }
    if (removed)
        pt_used_sub(pt, table, removed);
}

void pt_park(struct pt *pt, const struct pt_request *rq, struct pt_parked *out) {
    page_list_init(&out->tables);
    out->leaves = 0;
    out->any = false;
    park_level(pt, rq, pt->start_level, pt_root(pt), rq->va, rq->va + rq->size, out);
}

/* ---- unmap, second phase ---- */

/* Entries parked in tables that are still linked. */
static void reap_range(struct pt *pt, unsigned level, pte_t *table, uint64_t va, uint64_t end,
                       pt_reap_fn fn, void *arg) {
    for (uint64_t next; va < end; va = next) {
        pte_t *e = &table[pt_index(pt, level, va)];
        pte_t was = *e;

        next = pt_next_entry(level, va, end);
        if (pte_is_table(was, level)) {
            reap_range(pt, level + 1, pt_child(was), va, next, fn, arg);
        } else if (was && !pte_is_valid(was)) {
            WRITE_ONCE(*e, 0);
            fn(arg, va, pt_entry_size(level), was, level);
        }
    }
}

/* A table nobody can reach: all of its entries are leaves, parked or not, or tables. */
static void reap_table(struct pt *pt, unsigned level, pte_t *table, uint64_t va, pt_reap_fn fn,
                       void *arg) {
    for (unsigned i = 0; i < PT_ENTRIES; i++, va += pt_entry_size(level)) {
        pte_t was = table[i];

        if (!was)
            continue;
        table[i] = 0;
        if (pte_is_table(was, level))
            reap_table(pt, level + 1, pt_child(was), va, fn, arg);
        else
            fn(arg, va, pt_entry_size(level), was, level);
    }
    virt_to_page(table)->u.used = 0;
    pt->ops->give(pt, table);
}

void pt_reap(struct pt *pt, const struct pt_request *rq, struct pt_parked *parked, pt_reap_fn fn,
             void *arg) {
    struct page_info *page;

    if (parked->leaves)
        reap_range(pt, pt->start_level, pt_root(pt), rq->va, rq->va + rq->size, fn, arg);
    while ((page = page_list_pop(&parked->tables))) {
        type_info_t place = page->type_info;

        reap_table(pt, pt_place_level(place), page_to_virt(page), pt_place_va(place), fn, arg);
    }
}
