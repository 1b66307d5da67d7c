/* Lists of pages, and the accounting of what belongs to a domain. */
#include <hv/errno.h>
#include <hv/page.h>
#include <hv/printk.h>

#include "static_mem.h"

/* ---- lists ---- */

/* [first, last] are linked to each other already. */
static void append_chain(struct page_list *l, struct page_info *first, struct page_info *last) {
    first->prev = l->tail;
    last->next = PAGE_LINK_NONE;
    if (l->tail == PAGE_LINK_NONE)
        l->head = page_link(first);
    else
        frame_table[l->tail].next = page_link(first);
    l->tail = page_link(last);
}

/* ---- a domain's pages ---- */

void domain_pages_init(struct domain_pages *p, uint16_t domid, uint64_t max_pages) {
    spin_lock_init(&p->lock, RANK_PAGE_ALLOC, "domain pages");
    page_list_init(&p->pages);
    page_list_init(&p->xenheap);
    page_list_init(&p->reserve);
    p->tot_pages = p->xenheap_pages = p->parked = 0;
    p->reserve_pages = 0;
    p->max_pages = max_pages;
    p->dying = p->has_static = p->direct_map = false;
    p->emptied = NULL;
    p->domid = domid;
}

bool domain_pages_orphan(struct domain_pages *p, void (*emptied)(struct domain_pages *p)) {
    bool held;

    spin_lock(&p->lock);
    held = p->tot_pages || p->xenheap_pages;
    if (held)
        p->emptied = emptied;
    spin_unlock(&p->lock);
    return held;
}

static void own(struct page_info *page, struct domain_pages *owner) {
    page->type_info = PGT_TYPE_INFO_INITIALIZER;
    page->u.owner = owner;
    /* Last: whoever gets a reference from here on sees the owner. */
    __atomic_store_n(&page->count_info, (page->count_info & PGC_static) | PGC_allocated | 1,
                     __ATOMIC_RELEASE);
}

int domain_assign_pages(struct domain_pages *owner, struct page_info *page, unsigned order) {
    uint64_t nr = 1ULL << order;
    uint32_t n = page_link(page);
    int rc = -ENOMEM;

    spin_lock(&owner->lock);
    if (!owner->dying && nr <= owner->max_pages && owner->tot_pages <= owner->max_pages - nr) {
        for (uint64_t i = 0; i < nr; i++) {
            page[i].prev = n - 1;
            page[i].next = ++n;
            own(&page[i], owner);
        }
        append_chain(&owner->pages, page, page + nr - 1);
        owner->tot_pages += nr;
        rc = 0;
    }
    spin_unlock(&owner->lock);
    return rc;
}

int xenheap_share(void *va, struct domain_pages *owner) {
    struct page_info *page = virt_to_page(va);
    int rc = -ENOMEM;

    BUG_ON(page->count_info != (PGC_xenheap | 1));
    spin_lock(&owner->lock);
    if (!owner->dying) {
        page->type_info = PGT_TYPE_INFO_INITIALIZER;
        page->u.owner = owner;
        page_list_append(&owner->xenheap, page);
        owner->xenheap_pages++;
        __atomic_store_n(&page->count_info, PGC_allocated | PGC_xenheap | 1, __ATOMIC_RELEASE);
        rc = 0;
    }
    spin_unlock(&owner->lock);
    return rc;
}

void xenheap_unshare(void *va) {
    if (!page_give_up(virt_to_page(va)))
        BUG();
}

/* ---- giving up ---- */

/* True when our reference was the last and the page is nobody's now; false when others still hold
 * it. */
static bool drop_allocated(struct page_info *page) {
    count_info_t is_static = page->count_info & PGC_static, old = is_static | PGC_allocated | 1;

    if (likely((page->type_info & (PGT_GFN_MASK | PGT_COUNT_MASK)) == PGT_INVALID_GFN) &&
        likely(__atomic_compare_exchange_n(&page->count_info, &old, is_static, false,
                                           __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)))
        return true;
    return false;
}

/* Takes [page, page+nr) off the list; neighbours in memory are mostly neighbours in the list. */
static void unlink_run(struct page_list *l, struct page_info *page, uint64_t nr) {
    for (uint64_t i = 0, j; i < nr; i = j + 1) {
        for (j = i; j + 1 < nr && page[j].next == page_link(&page[j + 1]); j++)
            ;
        page_list_cut(l, &page[i], &page[j]);
    }
}

/* Where pages go that nobody refers to: static ones stay the domain's. */
static void release_locked(struct domain_pages *owner, struct page_info *page, uint64_t nr) {
    for (uint64_t i = 0, j; owner->has_static && i < nr; i = j) {
        for (j = i; j < nr && (page[j].count_info & PGC_static); j++)
            ;
        static_reserve_locked(owner, page + i, j - i);
        for (i = j; j < nr && !(page[j].count_info & PGC_static); j++)
            ;
        heap_free_run(page + i, j - i);
    }
    if (likely(!owner->has_static))
        heap_free_run(page, nr);
}

static void free_run_locked(struct domain_pages *owner, struct page_info *page, uint64_t nr) {
    if (!nr)
        return;
    unlink_run(&owner->pages, page, nr);
    owner->tot_pages -= nr;
    release_locked(owner, page, nr);
}

void page_give_up_one(struct domain_pages *owner, struct page_info *page) {
    bool is_static;

    spin_lock(&owner->lock);
    if (unlikely(!drop_allocated(page))) {
        spin_unlock(&owner->lock);
        page_give_up(page);
        return;
    }
    page_list_cut(&owner->pages, page, page);
    owner->tot_pages--;
    is_static = page->count_info & PGC_static;
    if (unlikely(is_static))
        static_reserve_locked(owner, page, 1);
    spin_unlock(&owner->lock);
    if (likely(!is_static))
        heap_free(page, 0);
}

void page_give_up_run(struct domain_pages *owner, struct page_info *page, uint64_t nr) {
    struct page_info *run = page, *end = page + nr;

    spin_lock(&owner->lock);
    while (page < end) {
        if (drop_allocated(page)) {
            page++;
            continue;
        }
        /* Others hold it, or it may not go to the heap: the slow way, without our lock. */
        free_run_locked(owner, run, (uint64_t)(page - run));
        spin_unlock(&owner->lock);
        page_give_up(page);
        run = ++page;
        spin_lock(&owner->lock);
    }
    free_run_locked(owner, run, (uint64_t)(page - run));
    spin_unlock(&owner->lock);
}

/* Off the head of the list, to where the drain does not come again. */
static void park_locked(struct domain_pages *owner, struct page_info *page) {
    page_list_del(&owner->pages, page);
    page_list_append(&owner->pages, page);
    __atomic_fetch_or(&page->count_info, PGC_parked, __ATOMIC_RELAXED);
    owner->parked++;
}

bool domain_pages_drain(struct domain_pages *owner, unsigned max) {
    bool more;

    spin_lock(&owner->lock);
    while (owner->tot_pages > owner->parked && max--) {
        struct page_info *page = page_list_first(&owner->pages);

        if (drop_allocated(page)) {
            free_run_locked(owner, page, 1);
            continue;
        }
        park_locked(owner, page);
        spin_unlock(&owner->lock);
        page_give_up(page);
        spin_lock(&owner->lock);
    }
    more = owner->tot_pages > owner->parked || !static_forget_locked(owner, max);
    spin_unlock(&owner->lock);
    return !more;
}
