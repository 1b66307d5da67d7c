/* Stage-2 tables: making, asking, tearing down (contract in hv/p2m.h). */
#include <hv/p2m.h>

#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/mm.h>
#include <hv/printk.h>

#include <asm/tlb.h>

#include "p2m_internal.h"
#include "pt_internal.h"

#define VTTBR_VMID_SHIFT 48

int p2m_init(struct p2m *p2m, struct domain *owner, uint32_t pool_pages) {
    int rc;

    rwlock_init(&p2m->lock, RANK_P2M, "p2m");
    page_list_init(&p2m->pool);
    p2m->owner = (struct domain_pages *)owner;
    p2m->dying = p2m->keep_tables = false;
    p2m->max_mapped_gfn = 0;
    p2m->grants = 0;
    p2m->relinquish_next = p2m->changes = 0;
    p2m->mirror = NULL;
    p2m->mirror_arg = NULL;

    rc = vmid_alloc(&p2m->vmid);
    if (rc)
        return rc;
    p2m->pt = (struct pt){.start_level = p2m_shape.start_level,
                          .addr_bits = p2m_shape.ipa_bits,
                          .counted = true,
                          .ops = &p2m_pt_ops};
    rc = p2m_pool_fill(p2m, pool_pages + 1); /* one for the teardown */
    if (rc) {
        vmid_free(p2m->vmid);
        return rc;
    }
    p2m->vtcr = p2m_shape.vtcr;
    p2m->hcr = p2m_shape.hcr;
    p2m->vttbr = p2m->pt.root.pa | (uint64_t)p2m->vmid << VTTBR_VMID_SHIFT;
    /* A core that looked ahead through the last owner's table may still remember what it saw. */
    tlb_flush_vmid(p2m->vttbr);
    return 0;
}

void p2m_destroy(struct p2m *p2m) {
    tlb_flush_vmid(p2m->vttbr);
    if (unlikely(p2m->keep_tables)) {
        printk("leaking %u table pages of d%u: a device may still walk them\n", p2m->pool_total,
               p2m->owner->domid);
        return;
    }
    vmid_free(p2m->vmid);
    p2m_pool_drain(p2m);
    if (p2m->pool_total)
        printk("warning: d%u: %u table pages did not come back\n", p2m->owner->domid,
               p2m->pool_total);
}

/* ---- asking ---- */

static __force_inline mfn_t lookup_locked(struct p2m *p2m, gfn_t g, enum p2m_type *t,
                                          unsigned *order) {
    unsigned level;
    pte_t e = g.gfn < p2m_gfn_limit(p2m) ? pt_lookup_inside(&p2m->pt, g.gfn << PAGE_SHIFT, &level)
                                         : (level = p2m->pt.start_level, 0);
    unsigned o = pt_level_shift(level) - PAGE_SHIFT;

    if (order)
        *order = o;
    if (!pte_is_valid(e)) {
        *t = P2M_INVALID;
        return INVALID_MFN;
    }
    *t = p2m_pte_type(e);
    return mfn((pte_addr(e) >> PAGE_SHIFT) + (g.gfn & ((1ULL << o) - 1)));
}

mfn_t p2m_lookup(struct p2m *p2m, gfn_t g, enum p2m_type *t, unsigned *order) {
    enum p2m_type type;
    mfn_t m;

    read_lock(&p2m->lock);
    m = lookup_locked(p2m, g, &type, order);
    read_unlock(&p2m->lock);
    if (t)
        *t = type;
    return m;
}

/* Calls nothing. The entry stands for a page in use of this owner: neither changes under the lock.
 */
static __force_inline struct page_info *get_page_locked(struct p2m *p2m, gfn_t g,
                                                        enum p2m_type *t) {
    enum p2m_type type = P2M_INVALID;
    struct page_info *page = NULL;
    mfn_t m = INVALID_MFN;

    /* Of a dying domain, which another may still have a reference to, the table may be gone. */
    if (likely(!p2m->dying))
        m = lookup_locked(p2m, g, &type, NULL);
    if (p2m_type_in(type, P2M_ANY_RAM)) {
        page = mfn_to_page(m);
        if (page->u.owner != p2m->owner || !get_page_if_used(page))
            page = NULL;
    }
    if (t)
        *t = type;
    return page;
}

static __noinline struct page_info *wait_and_get_page(struct p2m *p2m, gfn_t g, enum p2m_type *t) {
    struct page_info *page;

    read_lock(&p2m->lock);
    page = get_page_locked(p2m, g, t);
    read_unlock(&p2m->lock);
    return page;
}

struct page_info *p2m_get_page(struct p2m *p2m, gfn_t g, enum p2m_type *t) {
    struct page_info *page;

    if (unlikely(!read_trylock(&p2m->lock)))
        return wait_and_get_page(p2m, g, t);
    page = get_page_locked(p2m, g, t);
    read_unlock(&p2m->lock);
    return page;
}

gfn_t p2m_gfn_of(struct p2m *p2m, const struct page_info *page) {
    gfn_t g;

    read_lock(&p2m->lock);
    g = page_get_gfn(page);
    read_unlock(&p2m->lock);
    return g;
}

/* ---- tearing down ---- */

/* Enough to be worth a flush, little enough for the other work of this CPU. */
#define RELINQUISH_CHUNKS 4u
#define RELINQUISH_CHUNK MB(2)
#define RELINQUISH_PAGES 512u

int p2m_relinquish(struct p2m *p2m) {
    bool more = true;

    BUG_ON(!p2m->dying);
    for (unsigned i = 0; more && i < RELINQUISH_CHUNKS; i++) {
        uint64_t va;

        write_lock(&p2m->lock);
        more = pt_next_mapped(&p2m->pt, p2m->relinquish_next, &va);
        if (more) {
            uint64_t end = ALIGN_DOWN(va, RELINQUISH_CHUNK) + RELINQUISH_CHUNK;

            /* A larger block is split once, by the page kept for it; its last piece gives it back.
             */
            p2m_remove_locked(p2m, va, end - va);
            p2m->relinquish_next = end;
        }
        write_unlock(&p2m->lock);
    }
    if (more)
        return -EAGAIN;
    return domain_pages_drain(p2m->owner, RELINQUISH_PAGES) ? 0 : -EAGAIN;
}
