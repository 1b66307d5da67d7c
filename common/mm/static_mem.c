/*
 * Static memory: frames that the boot device tree names for one domain. They are that domain's for
 * ever: what it gives up waits in its reserve instead of going to the heap, and populate takes from
 * there.
 *
 * A static frame nobody has is PGC_static alone. In the reserve it names its owner as well, and is
 * linked; the reserve of a dying domain is forgotten, and its next life collects the frames again.
 */
#include "static_mem.h"

#include <hv/bits.h>
#include <hv/errno.h>

#include "heap.h"

#define STEP 512u         /* frames, at one go */
#define TAKE_ORDER_MAX 9u /* so that looking at a run of frames is a short loop */

/* The frames of [page, page+nr) are linked in the order they stand in. */
static bool is_run(const struct page_info *page, unsigned order) {
    if (page_to_mfn(page).mfn & ((1ULL << order) - 1))
        return false;
    for (uint64_t i = 0; i + 1 < 1ULL << order; i++)
        if (page[i].next != page_link(&page[i + 1]))
            return false;
    return true;
}

void static_reserve_locked(struct domain_pages *owner, struct page_info *page, uint64_t nr) {
    bool forget = owner->dying;

    for (uint64_t i = 0; i < nr; i++) {
        page[i].type_info = PGT_TYPE_INFO_INITIALIZER;
        page[i].u.owner = forget ? NULL : owner;
        if (!forget)
            page_list_append(&owner->reserve, &page[i]);
        /* Last: another life of the domain may be waiting to see it free. */
        __atomic_store_n(&page[i].count_info, PGC_static, __ATOMIC_RELEASE);
    }
    if (!forget)
        owner->reserve_pages += nr;
}

void static_reserve(struct domain_pages *owner, struct page_info *page, uint64_t nr) {
    spin_lock(&owner->lock);
    static_reserve_locked(owner, page, nr);
    spin_unlock(&owner->lock);
}

/* Frames just formatted, or free since their owner's last life. */
static int add_some(struct domain_pages *owner, struct page_info *page, uint64_t nr) {
    for (uint64_t i = 0; i < nr; i++)
        if (__atomic_load_n(&page[i].count_info, __ATOMIC_ACQUIRE) & ~PGC_static)
            return -EBUSY;
    static_reserve(owner, page, nr);
    return 0;
}

int domain_add_static(struct domain_pages *owner, mfn_t m, uint64_t nr, mfn_t *bad) {
    owner->has_static = true;
    for (uint64_t i = 0, step; i < nr; i += step) {
        uint64_t at = m.mfn + i;
        int rc;

        step = MIN(nr - i, STEP - at % STEP);
        *bad = mfn(at);
        rc = heap_format(at) ? add_some(owner, mfn_to_page(mfn(at)), step) : -EINVAL;
        if (rc)
            return rc;
        mm_preempt_point();
    }
    return 0;
}

static bool in_reserve(const struct domain_pages *owner, mfn_t m) {
    return mfn_is_managed(m) && mfn_to_page(m)->count_info == PGC_static &&
           mfn_to_page(m)->u.owner == owner;
}

struct page_info *static_take(struct domain_pages *owner, gfn_t g, unsigned *order) {
    struct page_info *page = NULL;

    spin_lock(&owner->lock);
    if (!owner->direct_map)
        page = page_list_first(&owner->reserve);
    else if (in_reserve(owner, mfn(g.gfn)))
        page = mfn_to_page(mfn(g.gfn));
    if (page) {
        *order = MIN(*order, TAKE_ORDER_MAX);
        if (!is_run(page, *order))
            *order = 0;
        page_list_cut(&owner->reserve, page, page + (1ULL << *order) - 1);
        owner->reserve_pages -= 1ULL << *order;
    }
    spin_unlock(&owner->lock);
    return page;
}

struct page_info *domain_take_static(struct domain_pages *owner, mfn_t m) {
    unsigned order = 0;

    return static_take(owner, gfn(m.mfn), &order);
}

bool static_forget_locked(struct domain_pages *owner, unsigned max) {
    struct page_info *page;

    while (max-- && (page = page_list_pop(&owner->reserve))) {
        page->u.owner = NULL;
        owner->reserve_pages--;
    }
    return page_list_empty(&owner->reserve);
}
