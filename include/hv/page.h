/*
 * Floor 3: struct page_info, one per frame of RAM, and what may be done to a page.
 *
 * A page's life is told by count_info: a reference count and flags. PGC_allocated stands for the
 * owner's own reference. get_page() adds one, put_page() drops one; the last one returns the page
 * to the heap, or leaks it with a line when it is still mapped (docs/memory.md invariant 8).
 * type_info says how it is used and at which GFN its owner sees it: hv/type_info.h.
 */
#ifndef HV_PAGE_H
#define HV_PAGE_H

#include <hv/mm.h>
#include <hv/page_list.h>
#include <hv/page_owner.h>
#include <hv/type_info.h>
#include <hv/types.h>

#include <asm/layout.h>

#define PGC_FLAG(n) ((count_info_t)1 << (8 * sizeof(count_info_t) - 1 - (n)))
#define PGC_allocated PGC_FLAG(0) /* the owner has not given it up */
#define PGC_xenheap PGC_FLAG(1)   /* memory of the hypervisor, perhaps lent to an owner */
#define PGC_static PGC_FLAG(2)    /* of a reserved range: never goes to the heap */
#define PGC_free PGC_FLAG(3)      /* first page of a free block */
#define PGC_leaked PGC_FLAG(4)    /* taken out of use for good */
#define PGC_parked                                                                                 \
    PGC_FLAG(5) /* its owner is going, others still hold it: at the end of the list */
#define PGC_COUNT_MASK (((count_info_t)1 << PGC_COUNT_BITS) - 1)

struct page_info {
    uint32_t next, prev; /* links of whichever list it is on */
    count_info_t count_info;
    type_info_t type_info; /* of a free block, in its first page: where its dirty frames end */
    union {
        struct domain_pages *owner; /* of a page in use; NULL: the hypervisor's */
        struct free_block {
            uint32_t order : 8, dirty_first : 24;
        } block;       /* of a free block, likewise */
        uint32_t used; /* entries in use of a stage-2 table */
        uint32_t slab; /* state of a page of small objects */
    } u;
};
_Static_assert(sizeof(struct page_info) <= (sizeof(void *) == 8 ? 32 : 24), "cost per page of RAM");

/* ---- frame table ---- */
#define frame_table ((struct page_info *)FRAMETABLE_VA)

static inline struct page_info *mfn_to_page(mfn_t m) {
    return frame_table + m.mfn;
}
static inline mfn_t page_to_mfn(const struct page_info *page) {
    return mfn((uint64_t)(page - frame_table));
}
static inline void *page_to_virt(const struct page_info *page) {
    return phys_to_virt(mfn_to_paddr(page_to_mfn(page)));
}
static inline struct page_info *virt_to_page(const void *va) {
    return mfn_to_page(paddr_to_mfn(virt_to_phys(va)));
}
/* True when the frame is managed: its page_info exists and says something. */
bool mfn_is_managed(mfn_t m);

/* ---- lists ---- */
static inline uint32_t page_link(const struct page_info *page) {
    return (uint32_t)(page - frame_table);
}
static inline void page_list_push(struct page_list *l, struct page_info *page) {
    page->prev = PAGE_LINK_NONE;
    page->next = l->head;
    if (l->head == PAGE_LINK_NONE)
        l->tail = page_link(page);
    else
        frame_table[l->head].prev = page_link(page);
    l->head = page_link(page);
}
static inline void page_list_append(struct page_list *l, struct page_info *page) {
    page->next = PAGE_LINK_NONE;
    page->prev = l->tail;
    if (l->tail == PAGE_LINK_NONE)
        l->head = page_link(page);
    else
        frame_table[l->tail].next = page_link(page);
    l->tail = page_link(page);
}
/* All from first to last, which stand together in the list. */
static inline void page_list_cut(struct page_list *l, struct page_info *first,
                                 struct page_info *last) {
    if (first->prev == PAGE_LINK_NONE)
        l->head = last->next;
    else
        frame_table[first->prev].next = last->next;
    if (last->next == PAGE_LINK_NONE)
        l->tail = first->prev;
    else
        frame_table[last->next].prev = first->prev;
}
static inline void page_list_del(struct page_list *l, struct page_info *page) {
    page_list_cut(l, page, page);
}
static inline struct page_info *page_list_first(const struct page_list *l) {
    return page_list_empty(l) ? NULL : frame_table + l->head;
}
/* NULL when empty. */
static inline struct page_info *page_list_pop(struct page_list *l) {
    struct page_info *page = page_list_first(l);

    if (page)
        page_list_del(l, page);
    return page;
}
static inline struct page_info *page_list_next(const struct page_info *page) {
    return page->next == PAGE_LINK_NONE ? NULL : frame_table + page->next;
}

/* ---- heap: blocks of 2^order frames, any contents ---- */
#define MAX_ORDER 18u /* 1 GiB */
/* NULL when there is none; one that is not in the direct map, as long as there is. Nothing of the
 * page_infos is set but what marks them as not free, and what heap_dirty() reads. */
struct page_info *heap_alloc(unsigned order);
struct page_info *heap_alloc_direct(unsigned order); /* one that is */
/* The frames [first, end) of a block just allocated: all others are zero, for who looks past the
 * caches as well. */
struct dirty {
    uint32_t first, end;
};
static inline struct dirty heap_dirty(const struct page_info *page) {
    return (struct dirty){page->u.block.dirty_first, (uint32_t)page->type_info};
}
void heap_free(struct page_info *page, unsigned order);
/* nr frames from page on, any number, any alignment. */
void heap_free_run(struct page_info *page, uint64_t nr);

/* ---- pages of a domain ---- */
/*
 * A block from the heap becomes the owner's: every page has one reference (PGC_allocated), no type
 * and no GFN. -ENOMEM when the owner would exceed max_pages or is dying; the block stays the
 * caller's then.
 */
int domain_assign_pages(struct domain_pages *owner, struct page_info *page,
                        unsigned order) __must_check;
/*
 * Frames [m, m+nr), reserved at boot for this owner alone, are what it may have as RAM from now on:
 * p2m_populate() takes from them instead of from the heap. -EINVAL: frame *bad is no RAM that we
 * manage; -EBUSY: somebody still has it from the owner's last life. Passes mm_preempt_point().
 */
int domain_add_static(struct domain_pages *owner, mfn_t m, uint64_t nr, mfn_t *bad) __must_check;
/* One of these frames out of the reserve, of an owner with direct_map; contents as they are. NULL:
 * it is not there. */
struct page_info *domain_take_static(struct domain_pages *owner, mfn_t m);
/* A xenheap page becomes visible as the owner's: one reference, given back by xenheap_unshare().
 * Cleared by the caller. */
int xenheap_share(void *va, struct domain_pages *owner) __must_check;
/* Drops the reference of xenheap_share(); the page is freed when the last mapping is gone. */
void xenheap_unshare(void *va);

static inline struct domain_pages *page_owner(const struct page_info *page) {
    return (page->count_info & PGC_COUNT_MASK) ? page->u.owner : NULL;
}

/* One more reference, if it has one already. False: it has none, or too many. */
static inline bool get_page_if_used(struct page_info *page) {
    count_info_t old = __atomic_load_n(&page->count_info, __ATOMIC_RELAXED);

    do {
        count_info_t refs = old & PGC_COUNT_MASK;

        if (unlikely(!refs || refs == PGC_COUNT_MASK))
            return false;
    } while (unlikely(!__atomic_compare_exchange_n(&page->count_info, &old, old + 1, true,
                                                   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)));
    return true;
}
void page_last_put(struct page_info *page); /* put_page()'s rare end */
static inline void put_page(struct page_info *page) {
    count_info_t old = __atomic_fetch_sub(&page->count_info, 1, __ATOMIC_ACQ_REL);

    if (unlikely((old & PGC_COUNT_MASK) <= 1))
        page_last_put(page);
}
/* One more reference, if the page is in use and owned by `owner`. False: not so, or too many. */
static inline __must_check bool get_page(struct page_info *page, const struct domain_pages *owner) {
    if (unlikely(!get_page_if_used(page)))
        return false;
    if (likely(page->u.owner == owner))
        return true;
    put_page(page);
    return false;
}
/* The owner gives the page up: its reference goes. False when it was given up before (then nothing
 * happened). */
bool page_give_up(struct page_info *page);
/* The same for a page whose owner the caller knows, without a second look at its lists. */
void page_give_up_one(struct domain_pages *owner, struct page_info *page);
/*
 * The same for a run of frames of one owner in one go. What had no other reference goes to the
 * heap.
 */
void page_give_up_run(struct domain_pages *owner, struct page_info *page, uint64_t nr);
/* Gives up at most `max` pages that are on the owner's list; true when none is left to give up. */
bool domain_pages_drain(struct domain_pages *owner, unsigned max);

/* Writable use: grants and DMA. False: the count is full. */
static inline __must_check bool get_page_writable(struct page_info *page) {
    type_info_t old = __atomic_load_n(&page->type_info, __ATOMIC_RELAXED), new;

    do {
        if (unlikely(!type_info_get_writable(old, &new)))
            return false;
    } while (unlikely(!__atomic_compare_exchange_n(&page->type_info, &old, new, true,
                                                   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)));
    return true;
}
void put_page_writable(struct page_info *page);

/* ---- GFN tracking; the caller holds the owner's P2M lock, for writing where it changes something
 * ---- */
static inline gfn_t page_get_gfn(const struct page_info *page) {
    return type_info_gfn(__atomic_load_n(&page->type_info, __ATOMIC_RELAXED));
}
/*
 * Compare and exchange of the GFN alone: the page must have GFN `expected` (INVALID_GFN: none),
 * else the hypervisor is wrong about its own tables and stops.
 */
void page_gfn_mismatch(const struct page_info *page, gfn_t expected, gfn_t found) __noreturn;
static inline void page_set_gfn(struct page_info *page, gfn_t expected, gfn_t g) {
    type_info_t old = __atomic_load_n(&page->type_info, __ATOMIC_RELAXED);

    do {
        if (unlikely((old & PGT_GFN_MASK) != type_info_gfn_field(expected)))
            page_gfn_mismatch(page, expected, type_info_gfn(old));
    } while (!__atomic_compare_exchange_n(&page->type_info, &old, type_info_with_gfn(old, g), true,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

#endif
