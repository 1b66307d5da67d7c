/* Removing stage-2 entries: check, clear, flush once, and only then let the frames go. */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/printk.h>

#include <asm/tlb.h>

#include "p2m_internal.h"
#include "pt_internal.h"

/* Up to so many pages are flushed one by one; beyond, the VMID as a whole. */
#define FLUSH_MAX_PAGES 16u

static struct pt_request unmap_request(uint64_t va, uint64_t size) {
    return (struct pt_request){.want = PT_UNMAP, .va = va, .size = size};
}

int64_t p2m_remove_needs(const struct p2m *p2m, uint64_t va, uint64_t size) {
    struct pt_request rq = unmap_request(va, size);

    return pt_tables_needed(&p2m->pt, &rq);
}

static void flush_removed(struct p2m *p2m, uint64_t va, uint64_t size,
                          const struct pt_parked *parked) {
    if (!parked->any)
        return;
    if (page_list_empty(&parked->tables) && parked->leaves == 1)
        tlb_flush_ipa(p2m->vttbr, parked->first_leaf, 1, PAGE_SIZE);
    else if (page_list_empty(&parked->tables) && size >> PAGE_SHIFT <= FLUSH_MAX_PAGES)
        tlb_flush_ipa(p2m->vttbr, va, size >> PAGE_SHIFT, PAGE_SIZE);
    else
        tlb_flush_vmid(p2m->vttbr);
}

/*
 * What removed entries held is let go after the flush. RAM that lies together in memory goes back
 * to the heap as one run: [run, run + nr).
 */
struct drop {
    struct p2m *p2m;
    struct page_info *run;
    uint64_t nr;
    bool leak; /* a device may still reach the frames: never use them again */
};

static void finish_run(struct drop *d) {
    if (d->nr)
        page_give_up_run(d->p2m->owner, d->run, d->nr);
    d->nr = 0;
}

/* Those of others too: a page is leaked when its owner gives it up. Told here, once for the run. */
static void mark_leaked(const struct p2m *p2m, enum p2m_type t, struct page_info *page,
                        uint64_t nr) {
    if (t == P2M_MMIO_DIRECT)
        return;
    printk("leaking mfn %#llx, %llu page%s, seen by d%u: a device may still reach it\n",
           (unsigned long long)page_to_mfn(page).mfn, (unsigned long long)nr, nr == 1 ? "" : "s",
           p2m->owner->domid);
    for (uint64_t i = 0; i < nr; i++)
        __atomic_fetch_or(&page[i].count_info, PGC_leaked, __ATOMIC_RELAXED);
}

static void drop_leaf(void *arg, uint64_t va, uint64_t size, pte_t e, unsigned level) {
    struct drop *d = arg;
    enum p2m_type t = p2m_pte_type(e);
    gfn_t g = gfn(va >> PAGE_SHIFT);
    struct page_info *page = mfn_to_page(mfn(pte_addr(e) >> PAGE_SHIFT));
    uint64_t nr = size >> PAGE_SHIFT;

    (void)level;
    if (unlikely(d->leak))
        mark_leaked(d->p2m, t, page, nr);
    if (p2m_type_in(t, P2M_ANY_GRANT))
        d->p2m->grants -= nr;
    if (!p2m_type_in(t, P2M_TRACKED | P2M_ANY_FOREIGN))
        return;
    if (p2m_type_in(t, P2M_TRACKED))
        for (uint64_t i = 0; i < nr; i++)
            page_set_gfn(&page[i], gfn_add(g, i), INVALID_GFN);
    if (!p2m_type_in(t, P2M_ANY_RAM)) {
        for (uint64_t i = 0; i < nr; i++)
            put_page(&page[i]);
        return;
    }
    if (!d->nr || page != d->run + d->nr) {
        finish_run(d);
        d->run = page;
    }
    d->nr += nr;
}

/* The device's view goes before any frame is let go. False: it could not be made sure of. */
static bool unmap_mirror(struct p2m *p2m, uint64_t va, uint64_t size, bool more) {
    return likely(!p2m->mirror) ||
           !p2m->mirror->unmap(p2m->mirror_arg, gfn(va >> PAGE_SHIFT), size >> PAGE_SHIFT, more);
}

/* drop_leaf() for one page, without the run. */
static void drop_page(struct p2m *p2m, uint64_t va, pte_t old) {
    struct page_info *page = mfn_to_page(mfn(pte_addr(old) >> PAGE_SHIFT));
    enum p2m_type t = p2m_pte_type(old);

    if (unlikely(!unmap_mirror(p2m, va, PAGE_SIZE, false)))
        mark_leaked(p2m, t, page, 1);
    if (p2m_type_in(t, P2M_TRACKED))
        page_set_gfn(page, gfn(va >> PAGE_SHIFT), INVALID_GFN);
    if (p2m_type_in(t, P2M_ANY_RAM))
        page_give_up_one(p2m->owner, page);
    else if (p2m_type_in(t, P2M_ANY_XENHEAP | P2M_ANY_FOREIGN))
        put_page(page);
    else if (p2m_type_in(t, P2M_ANY_GRANT))
        p2m->grants--;
}

/* One page needs no second pass over the table: its entry is remembered here. */
static __force_inline void remove_page(struct p2m *p2m, uint64_t va, pte_t *entry) {
    struct page_list unlinked = PAGE_LIST_INIT;
    struct page_info *table;
    pte_t old = *entry;

    pt_empty_slot(&p2m->pt, va, entry, &unlinked);
    if (likely(page_list_empty(&unlinked)))
        tlb_flush_ipa(p2m->vttbr, va, 1, PAGE_SIZE);
    else
        tlb_flush_vmid(p2m->vttbr);
    while (unlikely((table = page_list_pop(&unlinked)) != NULL))
        p2m->pt.ops->give(&p2m->pt, page_to_virt(table));
    drop_page(p2m, va, old);
}

/* The entry is invalid between break and make, and the count of the table does not change. */
void p2m_replace_page_locked(struct p2m *p2m, uint64_t va, pte_t *entry, pte_t leaf) {
    pte_t old = *entry;

    WRITE_ONCE(*entry, 0);
    tlb_flush_ipa(p2m->vttbr, va, 1, PAGE_SIZE);
    drop_page(p2m, va, old);
    WRITE_ONCE(*entry, leaf);
}

void p2m_remove_locked(struct p2m *p2m, uint64_t va, uint64_t size) {
    struct pt_request rq = unmap_request(va, size);
    struct drop d = {.p2m = p2m};
    struct pt_parked parked;

    ASSERT(rw_is_write_held(&p2m->lock));
    pt_park(&p2m->pt, &rq, &parked);
    flush_removed(p2m, va, size, &parked);
    d.leak = !unmap_mirror(p2m, va, size, false);
    pt_reap(&p2m->pt, &rq, &parked, drop_leaf, &d);
    finish_run(&d);
}

/* ---- from outside ---- */

static int check_entry(pte_t e, unsigned allowed) {
    if (!pte_is_valid(e))
        return -ENOENT;
    return p2m_type_in(p2m_pte_type(e), allowed) ? 0 : -EILSEQ;
}

static int check_leaf(void *arg, uint64_t va, uint64_t size, pte_t e, unsigned level) {
    (void)va;
    (void)size;
    (void)level;
    return check_entry(e, *(const unsigned *)arg);
}

static int unmap_locked(struct p2m *p2m, gfn_t g, uint64_t nr, unsigned allowed) {
    uint64_t va = g.gfn << PAGE_SHIFT, size = nr << PAGE_SHIFT;
    int64_t needed;
    int rc;

    p2m_note_change(p2m, g, nr, P2M_INVALID);
    if (nr == 1) {
        struct pt_gap gap = {0, false};
        pte_t *entry = pt_slot_of(&p2m->pt, va, &gap);

        if (likely(entry != NULL)) {
            rc = check_entry(*entry, allowed);
            if (!rc)
                remove_page(p2m, va, entry);
            return rc;
        }
        if (!gap.blocked)
            return -ENOENT;
    }
    rc = pt_walk(&p2m->pt, va, size, check_leaf, &allowed);
    if (rc)
        return rc;
    needed = p2m_remove_needs(p2m, va, size);
    if (needed < 0)
        return (int)needed;
    if (needed > p2m_tables_left(p2m))
        return -ENOMEM;
    p2m_remove_locked(p2m, va, size);
    return 0;
}

static bool beyond_limit(const struct p2m *p2m, gfn_t g, uint64_t nr) {
    uint64_t limit = p2m_gfn_limit(p2m);

    return g.gfn >= limit || nr > limit - g.gfn;
}

int p2m_unmap(struct p2m *p2m, gfn_t g, uint64_t nr) {
    int rc;

    if (beyond_limit(p2m, g, nr))
        return -ENOENT;
    write_lock(&p2m->lock);
    rc = unmap_locked(p2m, g, nr, P2M_TRACKED | P2M_ANY_MMIO | P2M_ANY_FOREIGN);
    write_unlock(&p2m->lock);
    return rc;
}

static int unmap_exact_locked(struct p2m *p2m, gfn_t g, mfn_t m, unsigned types) {
    unsigned level;
    pte_t e = pt_lookup(&p2m->pt, g.gfn << PAGE_SHIFT, &level);
    uint64_t offset = g.gfn & ((1ULL << (pt_level_shift(level) - PAGE_SHIFT)) - 1);

    if (!pte_is_valid(e))
        return -ENOENT;
    if ((pte_addr(e) >> PAGE_SHIFT) + offset != m.mfn)
        return -EILSEQ;
    return unmap_locked(p2m, g, 1, types);
}

int p2m_unmap_exact(struct p2m *p2m, gfn_t g, mfn_t m, unsigned types) {
    int rc;

    if (beyond_limit(p2m, g, 1))
        return -ENOENT;
    write_lock(&p2m->lock);
    rc = unmap_exact_locked(p2m, g, m, types);
    write_unlock(&p2m->lock);
    return rc;
}

int p2m_unmap_page(struct p2m *p2m, struct page_info *page) {
    int rc = -ENOENT;
    gfn_t g;

    write_lock(&p2m->lock);
    g = page_get_gfn(page);
    if (page_owner(page) == p2m->owner && !gfn_eq(g, INVALID_GFN))
        rc = unmap_exact_locked(p2m, g, page_to_mfn(page), P2M_TRACKED);
    write_unlock(&p2m->lock);
    return rc;
}

/* The entry of a grant mapping of m at g; NULL with *rc set. */
static pte_t *grant_entry(struct p2m *p2m, gfn_t g, mfn_t m, int *rc) {
    struct pt_gap gap = {0, false};
    pte_t *entry = beyond_limit(p2m, g, 1) ? NULL : pt_slot_of(&p2m->pt, g.gfn << PAGE_SHIFT, &gap);

    if (!entry)
        *rc = gap.blocked ? -EILSEQ : -ENOENT; /* grants are never mapped as blocks */
    else
        *rc = check_entry(*entry, P2M_ANY_GRANT);
    if (!*rc && pte_addr(*entry) >> PAGE_SHIFT != m.mfn)
        *rc = -EILSEQ;
    return *rc ? NULL : entry;
}

/* One flush for all of the batch. */
static __noinline void unmap_grants_mirror(struct p2m *p2m, const struct p2m_grant *batch,
                                           unsigned nr, unsigned last) {
    bool leak = false;

    for (unsigned i = 0; i < nr; i++)
        if (!batch[i].rc)
            leak = !unmap_mirror(p2m, batch[i].g.gfn << PAGE_SHIFT, PAGE_SIZE, i != last);
    for (unsigned i = 0; leak && i < nr; i++)
        if (!batch[i].rc)
            mark_leaked(p2m, P2M_GRANT_RW, mfn_to_page(batch[i].m), 1);
}

void p2m_unmap_grants(struct p2m *p2m, struct p2m_grant *batch, unsigned nr) {
    struct page_list unlinked = PAGE_LIST_INIT;
    unsigned removed = 0, last = 0;
    struct page_info *table;
    pte_t *entry;

    BUG_ON(nr > P2M_GRANT_BATCH);
    write_lock(&p2m->lock);
    for (unsigned i = 0; i < nr; i++) {
        entry = grant_entry(p2m, batch[i].g, batch[i].m, &batch[i].rc);
        if (!entry)
            continue;
        pt_empty_slot(&p2m->pt, batch[i].g.gfn << PAGE_SHIFT, entry, &unlinked);
        removed++;
        last = i;
    }
    if (removed == 1 && page_list_empty(&unlinked))
        tlb_flush_ipa(p2m->vttbr, batch[last].g.gfn << PAGE_SHIFT, 1, PAGE_SIZE);
    else if (removed)
        tlb_flush_vmid(p2m->vttbr);
    while (unlikely((table = page_list_pop(&unlinked)) != NULL))
        p2m->pt.ops->give(&p2m->pt, page_to_virt(table));
    if (unlikely(p2m->mirror != NULL))
        unmap_grants_mirror(p2m, batch, nr, last);
    p2m->grants -= removed;
    write_unlock(&p2m->lock);
}
