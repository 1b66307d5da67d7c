/* What happens with the last reference to a page, and writable use. */
#include <hv/page.h>
#include <hv/printk.h>

#include "static_mem.h"

/*
 * Off the owner's lists. A static page goes to the reserve under the same lock: free for the
 * owner's next life is only what is on no list of this one.
 */
static void disown(struct page_info *page, bool to_reserve) {
    struct domain_pages *owner = page->u.owner;
    void (*emptied)(struct domain_pages * p) = NULL;

    if (!owner)
        return;
    page->u.owner = NULL;
    spin_lock(&owner->lock);
    if (page->count_info & PGC_xenheap) {
        page_list_del(&owner->xenheap, page);
        owner->xenheap_pages--;
    } else {
        page_list_del(&owner->pages, page);
        owner->tot_pages--;
        if (page->count_info & PGC_parked)
            owner->parked--;
        if (to_reserve)
            static_reserve_locked(owner, page, 1);
    }
    if (!owner->tot_pages && !owner->xenheap_pages)
        emptied = owner->emptied;
    spin_unlock(&owner->lock);
    if (emptied)
        emptied(owner);
}

/* NULL: nothing names the page any more (invariant 8). */
static const char *why_not_free(const struct page_info *page) {
    if (page->count_info & PGC_leaked)
        return "a device may still reach it";
    if (page->count_info & PGC_allocated)
        return "more references dropped than taken";
    if (type_info_has_gfn(page->type_info))
        return "still mapped at its last reference";
    if (page->type_info & PGT_COUNT_MASK)
        return "still in writable use at its last reference";
    return NULL;
}

void page_last_put(struct page_info *page) {
    const char *why = why_not_free(page);
    unsigned domid = page->u.owner ? page->u.owner->domid : 0xffffu;
    bool to_reserve = !why && (page->count_info & PGC_static);

    BUG_ON(page->count_info & PGC_COUNT_MASK); /* there was none to drop */
    disown(page, to_reserve);
    if (unlikely(why != NULL)) {
        /* One that a device may still reach was told when it was marked. */
        if (!(page->count_info & PGC_leaked))
            printk("leaking mfn %#llx of d%u: %s, type_info %#llx\n",
                   (unsigned long long)page_to_mfn(page).mfn, domid, why,
                   (unsigned long long)page->type_info);
        page->count_info |= PGC_leaked;
        return;
    }
    if (to_reserve)
        return;
    page->count_info = 0;
    heap_free(page, 0);
}

bool page_give_up(struct page_info *page) {
    if (!(__atomic_fetch_and(&page->count_info, ~PGC_allocated, __ATOMIC_ACQ_REL) & PGC_allocated))
        return false;
    put_page(page);
    return true;
}

void put_page_writable(struct page_info *page) {
    type_info_t old = __atomic_load_n(&page->type_info, __ATOMIC_RELAXED), new;

    do {
        BUG_ON(!type_info_put_writable(old, &new));
    } while (!__atomic_compare_exchange_n(&page->type_info, &old, new, true, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
}

void page_gfn_mismatch(const struct page_info *page, gfn_t expected, gfn_t found) {
    panic("mfn %#llx is tracked at gfn %#llx where %#llx was expected",
          (unsigned long long)page_to_mfn(page).mfn, (unsigned long long)found.gfn,
          (unsigned long long)expected.gfn);
}
