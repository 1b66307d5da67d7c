/* Making stage-2 entries: everything is checked and counted first, then the commit cannot fail. */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/printk.h>

#include <asm/tlb.h>

#include "p2m_internal.h"
#include "pt_internal.h"

/* What is at the place where a mapping is to go. */
struct target {
    bool occupied;
};

static int check_target(void *arg, uint64_t va, uint64_t size, pte_t e, unsigned level) {
    struct target *target = arg;

    (void)va;
    (void)size;
    (void)level;
    if (!pte_is_valid(e))
        return 0;
    /* Only what the domain itself owns may be displaced. */
    if (!p2m_type_in(p2m_pte_type(e), P2M_TRACKED))
        return -EBUSY;
    target->occupied = true;
    return 0;
}

/* Each page is the owner's, of the right kind, and mapped nowhere (invariants 1, 2, 5). */
static __force_inline int check_pages(const struct p2m *p2m, mfn_t m, uint64_t nr,
                                      enum p2m_type t) {
    bool xenheap = p2m_type_in(t, P2M_ANY_XENHEAP);
    const struct page_info *page = mfn_to_page(m);

    for (uint64_t i = 0; i < nr; i++, page++) {
        count_info_t c = __atomic_load_n(&page->count_info, __ATOMIC_ACQUIRE);

        if (!(c & PGC_allocated) || page->u.owner != p2m->owner || !(c & PGC_xenheap) != !xenheap)
            return -EPERM;
        if (type_info_has_gfn(page->type_info))
            return -EBUSY;
    }
    return 0;
}

/*
 * Tables for the mapping when its place was emptied before: what the emptying splits off plus at
 * most what a map into a bare tree takes.
 */
static int64_t displace_needs(const struct p2m *p2m, const struct pt_request *rq) {
    int64_t split = p2m_remove_needs(p2m, rq->va, rq->size);
    /* Both ends of each level below the root, and what lies between when it is all pages. */
    uint64_t below = 2 * PT_LEVELS + DIV_ROUND_UP(rq->size, MB(2)) + DIV_ROUND_UP(rq->size, GB(1));

    return split < 0 ? split : split + (int64_t)below;
}

static int mirror_prepare(struct p2m *p2m, gfn_t g, mfn_t m, uint64_t nr, enum p2m_type t) {
    return likely(!p2m->mirror) ? 0 : p2m->mirror->prepare(p2m->mirror_arg, g, m, nr, t);
}

static void mirror_map(struct p2m *p2m, gfn_t g, mfn_t m, uint64_t nr, enum p2m_type t) {
    if (unlikely(p2m->mirror != NULL))
        p2m->mirror->map(p2m->mirror_arg, g, m, nr, t);
}

/* Entry and GFN change together: both before the lock is released (invariant 4). */
static __force_inline void track(struct p2m *p2m, gfn_t g, mfn_t m, uint64_t nr, enum p2m_type t) {
    struct page_info *page = mfn_to_page(m);

    if (p2m_type_in(t, P2M_TRACKED))
        for (uint64_t i = 0; i < nr; i++)
            page_set_gfn(&page[i], INVALID_GFN, gfn_add(g, i));
    if (p2m_type_in(t, P2M_ANY_GRANT))
        p2m->grants += nr;
    if (p2m->max_mapped_gfn < g.gfn + nr - 1)
        p2m->max_mapped_gfn = g.gfn + nr - 1;
    tlb_sync_new();
}

/* XENHEAP entries hold a reference to each page; all or none are taken. */
static __force_inline bool get_pages(struct page_info *page, uint64_t nr,
                                     const struct domain_pages *owner) {
    for (uint64_t i = 0; i < nr; i++) {
        if (get_page(&page[i], owner))
            continue;
        while (i--)
            put_page(&page[i]);
        return false;
    }
    return true;
}

/* One page where no block is in the way: the common case, in one walk. entry NULL: tables are
 * missing. */
static __force_inline int map_page(struct p2m *p2m, gfn_t g, mfn_t m, enum p2m_type t, pte_t *entry,
                                   unsigned missing) {
    uint64_t va = g.gfn << PAGE_SHIFT;
    pte_t leaf = pte_make_leaf(m.mfn << PAGE_SHIFT, PT_LEVELS - 1, p2m_pte_attr(t));
    bool occupied = entry && pte_is_valid(*entry);
    int rc;

    if (occupied && !p2m_type_in(p2m_pte_type(*entry), P2M_TRACKED))
        return -EBUSY;
    if (!entry && missing > p2m_tables_left(p2m))
        return -ENOMEM;
    rc = mirror_prepare(p2m, g, m, 1, t);
    if (rc)
        return rc;
    if (p2m_type_in(t, P2M_ANY_XENHEAP) && !get_pages(mfn_to_page(m), 1, p2m->owner))
        return -EBUSY;

    if (occupied) {
        p2m_replace_page_locked(p2m, va, entry, leaf);
    } else {
        if (!entry)
            entry = pt_add_slot(&p2m->pt, va);
        pt_fill(&p2m->pt, entry, leaf);
    }
    track(p2m, g, m, 1, t);
    mirror_map(p2m, g, m, 1, t);
    return 0;
}

/* Any number of pages, and whatever has to be split or displaced for them. */
static __noinline int map_range(struct p2m *p2m, gfn_t g, mfn_t m, uint64_t nr, enum p2m_type t) {
    struct pt_request rq = {.want = PT_MAP,
                            .va = g.gfn << PAGE_SHIFT,
                            .size = nr << PAGE_SHIFT,
                            .pa = m.mfn << PAGE_SHIFT,
                            .attr = p2m_pte_attr(t)};
    struct target target = {false};
    int64_t needed;
    int rc = pt_walk(&p2m->pt, rq.va, rq.size, check_target, &target);

    if (rc)
        return rc;
    needed = target.occupied ? displace_needs(p2m, &rq) : pt_tables_needed(&p2m->pt, &rq);
    if (needed < 0)
        return (int)needed;
    if (needed > p2m_tables_left(p2m))
        return -ENOMEM;
    rc = mirror_prepare(p2m, g, m, nr, t);
    if (rc)
        return rc;
    if (p2m_type_in(t, P2M_ANY_XENHEAP) && !get_pages(mfn_to_page(m), nr, p2m->owner))
        return -EBUSY;

    if (target.occupied)
        p2m_remove_locked(p2m, rq.va, rq.size);
    pt_map(&p2m->pt, &rq);
    track(p2m, g, m, nr, t);
    mirror_map(p2m, g, m, nr, t);
    return 0;
}

/* Inline, as what it calls, so that a single page has a straight way of its own. */
static __force_inline int insert(struct p2m *p2m, gfn_t g, mfn_t m, uint64_t nr, enum p2m_type t) {
    ASSERT(rw_is_write_held(&p2m->lock));
    p2m_note_change(p2m, g, nr, t);
    if (p2m->dying)
        return -EPERM;
    if (nr == 1) {
        struct pt_gap gap = {0, false};
        pte_t *entry = pt_slot_of(&p2m->pt, g.gfn << PAGE_SHIFT, &gap);

        if (likely(!gap.blocked))
            return map_page(p2m, g, m, t, entry, gap.missing);
    }
    return map_range(p2m, g, m, nr, t);
}

int p2m_insert_locked(struct p2m *p2m, gfn_t g, mfn_t m, uint64_t nr, enum p2m_type t) {
    return insert(p2m, g, m, nr, t);
}

int p2m_map_locked(struct p2m *p2m, gfn_t g, mfn_t m, uint64_t nr, enum p2m_type t) {
    int rc = p2m_type_in(t, P2M_TRACKED) ? check_pages(p2m, m, nr, t) : 0;

    return rc ? rc : p2m_insert_locked(p2m, g, m, nr, t);
}

static __force_inline bool fits(const struct p2m *p2m, gfn_t g, mfn_t m, uint64_t nr) {
    uint64_t limit = p2m_gfn_limit(p2m), frames = (PTE_ADDR >> PAGE_SHIFT) + 1;

    return nr && g.gfn < limit && nr <= limit - g.gfn && m.mfn < frames && nr <= frames - m.mfn;
}

static __noinline int map_many(struct p2m *p2m, gfn_t g, mfn_t m, uint64_t nr, enum p2m_type t) {
    int rc;

    if (!fits(p2m, g, m, nr))
        return -EINVAL;
    write_lock(&p2m->lock);
    rc = p2m_map_locked(p2m, g, m, nr, t);
    write_unlock(&p2m->lock);
    return rc;
}

int p2m_map(struct p2m *p2m, gfn_t g, mfn_t m, unsigned order, enum p2m_type t) {
    int rc = 0;

    if (t <= P2M_INVALID || t >= P2M_NR_TYPES || order > MAX_ORDER)
        return -EINVAL;
    if (unlikely(order))
        return map_many(p2m, g, m, 1ULL << order, t);
    if (!fits(p2m, g, m, 1))
        return -EINVAL;
    write_lock(&p2m->lock);
    if (p2m_type_in(t, P2M_TRACKED))
        rc = check_pages(p2m, m, 1, t);
    if (!rc)
        rc = insert(p2m, g, m, 1, t);
    write_unlock(&p2m->lock);
    return rc;
}

int p2m_map_mmio(struct p2m *p2m, gfn_t g, mfn_t m, uint64_t nr) {
    return map_many(p2m, g, m, nr, P2M_MMIO_DIRECT);
}
