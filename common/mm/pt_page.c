/* Single pages in a counted tree: one walk, no second pass (contract in hv/pt.h). */
#include "pt_internal.h"

#define LAST (PT_LEVELS - 1)

pte_t *pt_find_slot(const struct pt *pt, uint64_t va, struct pt_gap *gap) {
    return pt_slot_of(pt, va, gap);
}

void pt_fill_slot(struct pt *pt, pte_t *entry, pte_t value) {
    pt_fill(pt, entry, value);
}

pte_t *pt_add_slot(struct pt *pt, uint64_t va) {
    pte_t *table = pt_root(pt);

    for (unsigned level = pt->start_level; level < LAST; level++) {
        pte_t *e = &table[pt_index(pt, level, va)];

        if (!pte_is_valid(*e)) {
            pt_link_table(e, pt->ops->take(pt));
            pt_written(pt, e);
            pt_used_add(pt, table, 1);
        }
        table = pt_child(*e);
    }
    return &table[pt_index(pt, LAST, va)];
}

/* The table of va has lost its only entry: it goes, and so does whatever held nothing else. */
static void unlink_empty(struct pt *pt, uint64_t va, struct page_list *unlinked) {
    pte_t *table[PT_LEVELS];
    unsigned level = pt->start_level;

    table[level] = pt_root(pt);
    for (; level < LAST; level++)
        table[level + 1] = pt_child(table[level][pt_index(pt, level, va)]);
    for (; level > pt->start_level && !pt_used(table[level]); level--) {
        page_list_push(unlinked, virt_to_page(table[level]));
        WRITE_ONCE(table[level - 1][pt_index(pt, level - 1, va)], 0);
        pt_written(pt, &table[level - 1][pt_index(pt, level - 1, va)]);
        pt_used_sub(pt, table[level - 1], 1);
    }
}

void pt_empty_slot(struct pt *pt, uint64_t va, pte_t *entry, struct page_list *unlinked) {
    struct page_info *table = virt_to_page(entry);

    WRITE_ONCE(*entry, 0);
    if (unlikely(!--table->u.used))
        unlink_empty(pt, va, unlinked);
}
