/* The frame table and the frames whose page_info nobody has touched yet. */
#include <hv/bits.h>
#include <hv/mm.h>
#include <hv/printk.h>
#include <hv/string.h>

#include <asm/cache.h>

#include "boot_mem.h"
#include "heap.h"

#define MAX_SPANS 64u
#define FRAME_TABLE_ALIGN MB(2)

/* A stretch of frames with a page_info each; whole sections. */
struct span {
    uint64_t first, end; /* frames */
    uint8_t *formatted;  /* one bit per section, guarded by the heap lock */
};

struct frames {
    uint64_t first, end;
};

static struct span spans[MAX_SPANS];
static unsigned nr_spans;
/* Sorted. Twice the boot ranges, because a block taken out of the middle makes two of one. */
static struct frames fresh[2 * BOOT_MEM_RANGES];
static unsigned nr_fresh;
static uint64_t nr_fresh_pages, nr_total_pages;
static bool up;

static struct span *span_of(uint64_t n) {
    for (unsigned i = 0; i < nr_spans; i++)
        if (n < spans[i].end)
            return n >= spans[i].first ? &spans[i] : NULL;
    return NULL;
}

bool fresh_is_formatted(uint64_t n) {
    const struct span *s = span_of(n);
    uint64_t section;

    if (!s)
        return false;
    section = (n - s->first) >> SECTION_ORDER;
    return s->formatted[section / 8] & (1u << (section % 8));
}

bool mfn_is_managed(mfn_t m) {
    return up && fresh_is_formatted(m.mfn);
}

uint64_t fresh_pages(void) {
    return nr_fresh_pages;
}
uint64_t heap_total_pages(void) {
    return nr_total_pages;
}
bool page_alloc_is_up(void) {
    return up;
}

/* ---- formatting ---- */

/* Cuts [from, to) out of fresh[i]. False when that needs one entry more than there is. */
static bool cut_fresh(unsigned i, uint64_t from, uint64_t to) {
    struct frames *f = &fresh[i];

    if (f->first < from && to < f->end) {
        if (nr_fresh == ARRAY_SIZE(fresh))
            return false;
        memmove(f + 1, f, (nr_fresh - i) * sizeof(*f));
        nr_fresh++;
        f[0].end = from;
        f[1].first = to;
    } else if (f->first < from) {
        f->end = from;
    } else if (to < f->end) {
        f->first = to;
    } else {
        memmove(f, f + 1, (nr_fresh - i - 1) * sizeof(*f));
        nr_fresh--;
    }
    nr_fresh_pages -= to - from;
    return true;
}

/*
 * Every fresh frame of the section becomes free at once: clearing the page_infos a second time for
 * another range of the same section would wipe those in use.
 */
static bool format_section(uint64_t first) {
    struct span *s = span_of(first);
    uint64_t end = first + SECTION_PAGES, section = (first - s->first) >> SECTION_ORDER;

    /* Only a range that sticks out on both sides needs a new entry, and then it is the only one. */
    for (unsigned i = 0; i < nr_fresh; i++)
        if (fresh[i].first < first && end < fresh[i].end && nr_fresh == ARRAY_SIZE(fresh))
            return false;
    clear_range(frame_table + first, SECTION_PAGES * sizeof(struct page_info));
    s->formatted[section / 8] |= (uint8_t)(1u << (section % 8));
    for (unsigned i = 0; i < nr_fresh;) {
        uint64_t from = MAX(fresh[i].first, first), to = MIN(fresh[i].end, end);
        unsigned before = nr_fresh;

        if (from >= to) {
            i++;
            continue;
        }
        BUG_ON(!cut_fresh(i, from, to));
        heap_insert_locked(from, to - from);
        if (nr_fresh >= before)
            i++;
    }
    return true;
}

bool fresh_format_locked(uint64_t n) {
    return fresh_is_formatted(n) || (span_of(n) && format_section(ALIGN_DOWN(n, SECTION_PAGES)));
}

/* The first aligned block at or above n in that zone, which may have been left behind: ~0. */
static uint64_t first_in_zone(uint64_t n, uint64_t end, uint64_t size, enum heap_zone zone) {
    uint64_t at = ALIGN_UP(n, size), step = MAX(size, ZONE_ALIGN);

    while (at < end && heap_zone_of(at) != zone)
        at = ALIGN_DOWN(at, step) + step;
    return at;
}

/* The smallest range that holds an aligned block of this order; its lowest such block. */
static bool find_block(unsigned order, enum heap_zone zone, uint64_t *block) {
    uint64_t size = 1ULL << order, best = ~0ULL;

    for (unsigned i = 0; i < nr_fresh; i++) {
        uint64_t at = first_in_zone(fresh[i].first, fresh[i].end, size, zone);
        uint64_t have = fresh[i].end - fresh[i].first;

        if (at + size <= fresh[i].end && have < best) {
            best = have;
            *block = at;
        }
    }
    return best != ~0ULL;
}

bool fresh_grow_locked(unsigned order, enum heap_zone zone) {
    uint64_t at, end;

    if (!find_block(order, zone, &at))
        return false;
    end = at + (1ULL << order);
    for (at = ALIGN_DOWN(at, SECTION_PAGES); at < end; at += SECTION_PAGES)
        if (!format_section(at))
            return false;
    return true;
}

/* ---- boot ---- */

/* Whole sections, and no more than page links and the frame table's place can name. */
static struct frames bank_sections(paddr_t start, uint64_t size) {
    uint64_t limit = MIN(MAX_MFN + 1, (FRAMETABLE_END - FRAMETABLE_VA) / sizeof(struct page_info));
    struct frames f = {start.pa >> PAGE_SHIFT, (start.pa + size) >> PAGE_SHIFT};

    limit = ALIGN_DOWN(limit, SECTION_PAGES);
    if (f.end > limit) {
        printk("warning: RAM at and above %#llx is not used\n",
               (unsigned long long)MAX(f.first, limit) << PAGE_SHIFT);
        f.end = MAX(f.first, limit);
    }
    if (f.first < f.end) {
        f.first = ALIGN_DOWN(f.first, SECTION_PAGES);
        f.end = ALIGN_UP(f.end, SECTION_PAGES);
    }
    return f;
}

static void add_span(struct frames f) {
    struct span *last = nr_spans ? &spans[nr_spans - 1] : NULL;

    if (last && f.first <= last->end) {
        last->end = MAX(last->end, f.end);
        return;
    }
    if (nr_spans == MAX_SPANS)
        panic("more than %u separate stretches of RAM", MAX_SPANS);
    spans[nr_spans++] = (struct span){f.first, f.end, NULL};
}

/* The table is reserved and mapped, not touched: its cost does not grow with memory. */
static void make_frame_table(struct span *s) {
    vaddr_t va = FRAMETABLE_VA + s->first * sizeof(struct page_info);
    uint64_t size = (s->end - s->first) * sizeof(struct page_info);
    uint64_t bits = ALIGN_UP(DIV_ROUND_UP((s->end - s->first) >> SECTION_ORDER, 8), PAGE_SIZE);
    paddr_t pa = boot_mem_alloc_at_offset(size, FRAME_TABLE_ALIGN, va & (FRAME_TABLE_ALIGN - 1));
    paddr_t map = boot_mem_alloc(bits, PAGE_SIZE);

    if (pa.pa == INVALID_PADDR.pa || map.pa == INVALID_PADDR.pa || hyp_map(va, pa, size, HYP_RW))
        panic("no memory for the frame table of %#llx..%#llx",
              (unsigned long long)s->first << PAGE_SHIFT, (unsigned long long)s->end << PAGE_SHIFT);
    s->formatted = phys_to_virt(map);
    clear_range(s->formatted, bits);
}

static void take_free_ranges(void) {
    struct mem_range r;

    for (unsigned i = 0; boot_mem_free_range(i, &r); i++) {
        struct frames f = {r.start >> PAGE_SHIFT, r.end >> PAGE_SHIFT};

        if (nr_spans)
            f.end = MIN(f.end, spans[nr_spans - 1].end);
        if (f.first >= f.end)
            continue;
        fresh[nr_fresh++] = f;
        nr_fresh_pages += f.end - f.first;
    }
    nr_total_pages = nr_fresh_pages;
}

void page_alloc_init(void) {
    paddr_t start;
    uint64_t size;

    for (unsigned i = 0; boot_mem_bank(i, &start, &size); i++) {
        struct frames f = bank_sections(start, size);

        if (f.first < f.end)
            add_span(f);
    }
    for (unsigned i = 0; i < nr_spans; i++)
        make_frame_table(&spans[i]);
    take_free_ranges();
    boot_mem_close();
    up = true;
}
