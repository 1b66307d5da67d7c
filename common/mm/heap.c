/* The heap: free blocks of 2^order frames in buddy lists, merged again when both halves are free.
 */
#include "heap.h"

#include <hv/bits.h>
#include <hv/printk.h>

void (*mm_preempt_hook)(void);

static spinlock_t heap_lock = SPINLOCK_INIT(RANK_HEAP, "heap");
/* Guarded by heap_lock. No block is in two zones: the direct map is whole blocks of MAX_ORDER. */
static struct zone {
    struct page_list free_list[MAX_ORDER + 1];
    uint32_t orders; /* bit n: free_list[n] is not empty */
} zones[NR_ZONES] = {[0 ... NR_ZONES - 1] = {.free_list = {[0 ... MAX_ORDER] = PAGE_LIST_INIT}}};
static uint64_t free_pages;

static void list_block(uint64_t n, unsigned order) {
    struct page_info *page = frame_table + n;
    struct zone *z = &zones[heap_zone_of(n)];

    page->count_info = PGC_free;
    page->u.owner = NULL;
    page->u.order = order;
    page_list_push(&z->free_list[order], page);
    z->orders |= 1u << order;
}

/* Takes the block's mark away as well: only the first page of a free block carries it. */
static void unlist_block(struct page_info *page, unsigned order) {
    struct zone *z = &zones[heap_zone_of(page_link(page))];

    page_list_del(&z->free_list[order], page);
    if (page_list_empty(&z->free_list[order]))
        z->orders &= ~(1u << order);
    page->count_info = 0;
}

static bool is_free_block(uint64_t n, unsigned order) {
    const struct page_info *page = frame_table + n;

    /* Blocks below section size have their buddy in the same section. */
    if (order >= SECTION_ORDER && !fresh_is_formatted(n))
        return false;
    return page->count_info == PGC_free && page->u.order == order;
}

static void free_block_locked(uint64_t n, unsigned order) {
    BUG_ON(frame_table[n].count_info);
    free_pages += 1ULL << order;
    while (order < MAX_ORDER) {
        uint64_t buddy = n ^ (1ULL << order);

        if (!is_free_block(buddy, order))
            break;
        unlist_block(frame_table + buddy, order);
        n &= ~(1ULL << order);
        order++;
    }
    list_block(n, order);
}

void heap_insert_locked(uint64_t first, uint64_t nr) {
    uint64_t end = first + nr;

    while (first < end) {
        unsigned order = fls64(end - first);

        if (first)
            order = MIN(order, ffs64(first));
        order = MIN(order, MAX_ORDER);
        free_block_locked(first, order);
        first += 1ULL << order;
    }
}

static struct page_info *alloc_from(enum heap_zone zone, unsigned order) {
    struct zone *z = &zones[zone];
    struct page_info *page = NULL;
    unsigned have;

    if (order > MAX_ORDER)
        return NULL;
    spin_lock(&heap_lock);
    if ((z->orders >> order) || fresh_grow_locked(order, zone)) {
        have = ffs64(z->orders >> order << order);
        page = page_list_first(&z->free_list[have]);
        unlist_block(page, have);
        while (have-- > order)
            list_block((uint64_t)(page - frame_table) + (1ULL << have), have);
        free_pages -= 1ULL << order;
    }
    spin_unlock(&heap_lock);
    return page;
}

struct page_info *heap_alloc(unsigned order) {
    struct page_info *page = ALL_RAM_DIRECT ? NULL : alloc_from(ZONE_OTHER, order);

    return page ? page : alloc_from(ZONE_DIRECT, order);
}

struct page_info *heap_alloc_direct(unsigned order) {
    return alloc_from(ZONE_DIRECT, order);
}

void heap_free(struct page_info *page, unsigned order) {
    spin_lock(&heap_lock);
    free_block_locked((uint64_t)(page - frame_table), order);
    spin_unlock(&heap_lock);
}

void heap_free_run(struct page_info *page, uint64_t nr) {
    spin_lock(&heap_lock);
    heap_insert_locked((uint64_t)(page - frame_table), nr);
    spin_unlock(&heap_lock);
}

bool heap_format(uint64_t n) {
    bool ok;

    spin_lock(&heap_lock);
    ok = fresh_format_locked(n);
    spin_unlock(&heap_lock);
    return ok;
}

uint64_t heap_free_pages(void) {
    uint64_t n;

    spin_lock(&heap_lock);
    n = free_pages + fresh_pages();
    spin_unlock(&heap_lock);
    return n;
}
