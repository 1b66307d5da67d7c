/*
 * The heap: free blocks of 2^order frames in buddy lists, merged again when both halves are free.
 *
 * Each block knows which of its frames may not be zero: a range, which grows over clean frames when
 * dirty ones are merged on both sides of them. Blocks that are clean stand at the head of their
 * list, where allocations take them; the others at the tail, where idle CPUs look for work.
 */
#include "heap.h"

#include <hv/bits.h>
#include <hv/printk.h>

void (*mm_preempt_hook)(void);
bool (*mm_fail_hook)(void);

static spinlock_t heap_lock = SPINLOCK_INIT(RANK_HEAP, "heap");
/* Guarded by heap_lock. No block is in two zones: the direct map is whole blocks of MAX_ORDER. */
static struct zone {
    struct page_list free_list[MAX_ORDER + 1];
    uint32_t orders; /* bit n: free_list[n] is not empty */
} zones[NR_ZONES] = {[0 ... NR_ZONES - 1] = {.free_list = {[0 ... MAX_ORDER] = PAGE_LIST_INIT}}};
static uint64_t free_pages;
static uint64_t dirty_pages; /* of them: in the ranges of their blocks; read without the lock */
static bool scrubs;          /* set once */

static void set_block(struct page_info *page, unsigned order, struct dirty d) {
    page->u.block = (struct free_block){(uint8_t)order, d.first};
    page->type_info = d.end;
}

static bool is_clean(struct dirty d) {
    return d.first == d.end;
}

static void count_dirty(struct dirty d, int sign) {
    WRITE_ONCE(dirty_pages, dirty_pages + (uint64_t)sign * (d.end - d.first));
}

/* Of a block whose upper half begins at frame `half`. */
static struct dirty join(struct dirty lower, struct dirty upper, uint32_t half) {
    if (is_clean(upper))
        return lower;
    return (struct dirty){is_clean(lower) ? half + upper.first : lower.first, half + upper.end};
}
static struct dirty lower_half(struct dirty d, uint32_t half) {
    return (struct dirty){MIN(d.first, half), MIN(d.end, half)};
}
static struct dirty upper_half(struct dirty d, uint32_t half) {
    return (struct dirty){MAX(d.first, half) - half, MAX(d.end, half) - half};
}

static void list_block(uint64_t n, unsigned order, struct dirty d) {
    struct page_info *page = frame_table + n;
    struct zone *z = &zones[heap_zone_of(n)];

    page->count_info = PGC_free;
    set_block(page, order, d);
    if (is_clean(d))
        page_list_push(&z->free_list[order], page);
    else
        page_list_append(&z->free_list[order], page);
    z->orders |= 1u << order;
}

/* Takes the block's mark away as well: only the first page of a free block carries it. What is
 * dirty of it stays written there. */
static struct dirty unlist_block(struct page_info *page, unsigned order) {
    struct zone *z = &zones[heap_zone_of(page_link(page))];
    struct dirty d = heap_dirty(page);

    page_list_del(&z->free_list[order], page);
    if (page_list_empty(&z->free_list[order]))
        z->orders &= ~(1u << order);
    page->count_info = 0;
    return d;
}

static bool is_free_block(uint64_t n, unsigned order) {
    const struct page_info *page = frame_table + n;

    /* Blocks below section size have their buddy in the same section. */
    if (order >= SECTION_ORDER && !fresh_is_formatted(n))
        return false;
    return page->count_info == PGC_free && page->u.block.order == order;
}

static void free_block_locked(uint64_t n, unsigned order) {
    struct dirty d = {0, 1u << order};

    BUG_ON(frame_table[n].count_info);
    free_pages += 1ULL << order;
    while (order < MAX_ORDER) {
        uint32_t half = 1u << order;
        uint64_t buddy = n ^ half;
        struct dirty other;

        if (!is_free_block(buddy, order))
            break;
        other = unlist_block(frame_table + buddy, order);
        count_dirty(other, -1);
        d = buddy < n ? join(other, d, half) : join(d, other, half);
        n &= ~(uint64_t)half;
        order++;
    }
    count_dirty(d, 1);
    list_block(n, order, d);
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
    struct dirty d;
    unsigned have;

    if (order > MAX_ORDER)
        return NULL;
    spin_lock(&heap_lock);
    if ((z->orders >> order) || fresh_grow_locked(order, zone)) {
        have = ffs64(z->orders >> order << order);
        page = page_list_first(&z->free_list[have]);
        d = unlist_block(page, have);
        while (have-- > order) {
            uint32_t half = 1u << have;

            list_block(page_link(page) + half, have, upper_half(d, half));
            d = lower_half(d, half);
            set_block(page, order, d);
        }
        count_dirty(d, -1);
        free_pages -= 1ULL << order;
    }
    spin_unlock(&heap_lock);
    return page;
}

struct page_info *heap_alloc(unsigned order) {
    struct page_info *page = NULL;

    if (mm_fails())
        return NULL;
    if (!ALL_RAM_DIRECT)
        page = alloc_from(ZONE_OTHER, order);
    return page ? page : alloc_from(ZONE_DIRECT, order);
}

struct page_info *heap_alloc_direct(unsigned order) {
    return mm_fails() ? NULL : alloc_from(ZONE_DIRECT, order);
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

/* ---- scrubbing in idle time ---- */

static struct page_info *find_dirty(struct page_list **list) {
    for (unsigned i = 0; i < NR_ZONES; i++)
        for (uint32_t orders = zones[i].orders; orders; orders &= orders - 1) {
            struct page_list *l = &zones[i].free_list[ffs64(orders)];
            struct page_info *page = frame_table + l->tail;

            *list = l;
            if (!is_clean(heap_dirty(page)))
                return page;
        }
    return NULL;
}

/*
 * A page at a time under the lock: taken out meanwhile, it would be missing to who needs the last.
 * While somebody else is at the heap the CPU looks again instead of queueing, so that who allocates
 * waits for one page at most; it must not sleep, for that one may be on its way to other work.
 */
bool heap_scrub_step(void (*clear)(struct page_info *page)) {
    struct page_info *page;
    struct page_list *l;
    struct dirty d;

    if (likely(!READ_ONCE(dirty_pages)) || !READ_ONCE(scrubs))
        return false;
    if (!spin_trylock(&heap_lock)) {
        cpu_relax();
        return true;
    }
    page = find_dirty(&l);
    if (page) {
        d = heap_dirty(page);
        clear(page + d.first++);
        set_block(page, page->u.block.order, d);
        WRITE_ONCE(dirty_pages, dirty_pages - 1);
        if (is_clean(d)) {
            page_list_del(l, page);
            page_list_push(l, page);
        }
    }
    spin_unlock(&heap_lock);
    return page;
}

void heap_scrub_start(void) {
    WRITE_ONCE(scrubs, true);
}

/* ---- what there is ---- */

void heap_summarize(struct heap_summary *s) {
    spin_lock(&heap_lock);
    s->fresh = fresh_pages();
    s->dirty = dirty_pages;
    s->clean = free_pages - dirty_pages;
    spin_unlock(&heap_lock);
}

uint64_t heap_free_pages(void) {
    uint64_t n;

    spin_lock(&heap_lock);
    n = free_pages + fresh_pages();
    spin_unlock(&heap_lock);
    return n;
}
