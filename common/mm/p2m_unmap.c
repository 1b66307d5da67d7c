/* Removing stage-2 entries: check, clear, flush once, and only then let the frames go. */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/printk.h>

#include <asm/tlb.h>

#include "p2m_internal.h"

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

/* The entry is gone from every TLB: GFN, then what the entry held. */
static void drop_leaf(void *arg, uint64_t va, uint64_t size, pte_t e, unsigned level) {
    struct p2m *p2m = arg;
    enum p2m_type t = p2m_pte_type(e);
    gfn_t g = gfn(va >> PAGE_SHIFT);
    struct page_info *page = mfn_to_page(mfn(pte_addr(e) >> PAGE_SHIFT));
    uint64_t nr = size >> PAGE_SHIFT;

    (void)level;
    if (p2m_type_in(t, P2M_TRACKED))
        for (uint64_t i = 0; i < nr; i++)
            page_set_gfn(&page[i], gfn_add(g, i), INVALID_GFN);
    if (p2m_type_in(t, P2M_ANY_RAM))
        page_give_up_run(p2m->owner, page, nr);
    else if (p2m_type_in(t, P2M_ANY_XENHEAP | P2M_ANY_FOREIGN))
        for (uint64_t i = 0; i < nr; i++)
            put_page(&page[i]);
}

/* The device's view goes before any frame is let go. A mirror that fails has stopped its device
 * itself. */
static void unmap_mirror(struct p2m *p2m, uint64_t va, uint64_t size) {
    uint64_t g = va >> PAGE_SHIFT, end = g + (size >> PAGE_SHIFT);

    if (likely(!p2m->mirror))
        return;
    while (g < end) {
        unsigned order = fls64(end - g);

        if (g)
            order = MIN(order, ffs64(g));
        if (p2m->mirror->unmap(p2m->mirror_arg, gfn(g), order))
            printk("d%u: gfn %#llx order %u stayed in the device's table\n", p2m->owner->domid,
                   (unsigned long long)g, order);
        g += 1ULL << order;
    }
}

/* One page out of a table that stays: no second pass is needed, its entry is remembered here. */
static bool remove_page(struct p2m *p2m, uint64_t va) {
    pte_t *slot = pt_page_slot(&p2m->pt, va), old;

    if (!slot || !pte_is_valid(*slot) || !pt_slot_emptied(&p2m->pt, slot))
        return false;
    old = *slot;
    WRITE_ONCE(*slot, 0);
    tlb_flush_ipa(p2m->vttbr, va, 1, PAGE_SIZE);
    unmap_mirror(p2m, va, PAGE_SIZE);
    drop_leaf(p2m, va, PAGE_SIZE, old, PT_LEVELS - 1);
    return true;
}

/* The entry is invalid between break and make, and the count of the table does not change. */
void p2m_replace_page_locked(struct p2m *p2m, uint64_t va, pte_t *slot) {
    pte_t old = *slot;

    WRITE_ONCE(*slot, 0);
    tlb_flush_ipa(p2m->vttbr, va, 1, PAGE_SIZE);
    unmap_mirror(p2m, va, PAGE_SIZE);
    drop_leaf(p2m, va, PAGE_SIZE, old, PT_LEVELS - 1);
}

void p2m_remove_locked(struct p2m *p2m, uint64_t va, uint64_t size) {
    struct pt_request rq = unmap_request(va, size);
    struct pt_parked parked;

    ASSERT(rw_is_write_held(&p2m->lock));
    if (size == PAGE_SIZE && remove_page(p2m, va))
        return;
    pt_park(&p2m->pt, &rq, &parked);
    flush_removed(p2m, va, size, &parked);
    unmap_mirror(p2m, va, size);
    pt_reap(&p2m->pt, &rq, &parked, drop_leaf, p2m);
}

/* ---- from outside ---- */

static int check_leaf(void *arg, uint64_t va, uint64_t size, pte_t e, unsigned level) {
    unsigned allowed = *(const unsigned *)arg;

    (void)va;
    (void)size;
    (void)level;
    if (!pte_is_valid(e))
        return -ENOENT;
    return p2m_type_in(p2m_pte_type(e), allowed) ? 0 : -EILSEQ;
}

static int unmap_locked(struct p2m *p2m, gfn_t g, uint64_t nr, unsigned allowed) {
    uint64_t va = g.gfn << PAGE_SHIFT, size = nr << PAGE_SHIFT;
    int64_t needed;
    int rc;

    if (nr == 1) {
        const pte_t *slot = pt_page_slot(&p2m->pt, va);

        if (slot) {
            rc = check_leaf(&allowed, va, size, *slot, PT_LEVELS - 1);
            if (!rc)
                p2m_remove_locked(p2m, va, size);
            return rc;
        }
    }
    rc = pt_walk(&p2m->pt, va, size, check_leaf, &allowed);
    if (rc)
        return rc;
    needed = p2m_remove_needs(p2m, va, size);
    if (needed < 0)
        return (int)needed;
    if (needed > p2m->pool_free)
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
