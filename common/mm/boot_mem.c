/* Memory before the page allocator: which ranges are RAM, which are reserved, which are still free.
 */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/mm.h>
#include <hv/printk.h>
#include <hv/string.h>

#include "boot_mem.h"

/* Sorted by address, no two touch or overlap. */
struct range_set {
    const char *name;
    unsigned count;
    struct mem_range range[BOOT_MEM_RANGES];
};

static struct range_set banks = {.name = "RAM banks"};
static struct range_set reserved = {.name = "reserved memory ranges"};
static struct range_set free_mem = {.name = "free memory ranges"};
static bool closed;

/* Index of the first range that ends above `addr` (or at it, if touching counts). */
static unsigned first_above(const struct range_set *s, uint64_t addr, bool touching) {
    unsigned i = 0;

    while (i < s->count && (touching ? s->range[i].end < addr : s->range[i].end <= addr))
        i++;
    return i;
}

static void remove_entries(struct range_set *s, unsigned at, unsigned n) {
    memmove(&s->range[at], &s->range[at + n], (s->count - at - n) * sizeof(s->range[0]));
    s->count -= n;
}

static int insert_entry(struct range_set *s, unsigned at, struct mem_range r) {
    if (s->count == BOOT_MEM_RANGES) {
        printk("error: memory: more than %u %s; the last one is not noted\n", BOOT_MEM_RANGES,
               s->name);
        return -ENOSPC;
    }
    memmove(&s->range[at + 1], &s->range[at], (s->count - at) * sizeof(s->range[0]));
    s->range[at] = r;
    s->count++;
    return 0;
}

static int set_add(struct range_set *s, struct mem_range r) {
    unsigned from = first_above(s, r.start, true), to = from;

    while (to < s->count && s->range[to].start <= r.end) {
        r.start = MIN(r.start, s->range[to].start);
        r.end = MAX(r.end, s->range[to].end);
        to++;
    }
    if (to == from)
        return insert_entry(s, from, r);
    s->range[from] = r;
    remove_entries(s, from + 1, to - from - 1);
    return 0;
}

static int set_subtract(struct range_set *s, struct mem_range r) {
    unsigned i = first_above(s, r.start, false);

    while (i < s->count && s->range[i].start < r.end) {
        struct mem_range *e = &s->range[i];
        uint64_t end = e->end;

        if (e->start < r.start && end > r.end) {
            e->end = r.start;
            if (insert_entry(s, i + 1, (struct mem_range){r.end, end})) {
                e->end = end;
                return -ENOSPC;
            }
            return 0;
        }
        if (e->start >= r.start && end <= r.end) {
            remove_entries(s, i, 1);
            continue;
        }
        if (e->start < r.start)
            e->end = r.start;
        else
            e->start = r.end;
        i++;
    }
    return 0;
}

static bool set_overlaps(const struct range_set *s, struct mem_range r) {
    unsigned i = first_above(s, r.start, false);

    return i < s->count && s->range[i].start < r.end;
}

/* A range whose end does not fit in 64 bits is cut there. */
static uint64_t range_end(uint64_t start, uint64_t size) {
    return start + size < start ? ~0ULL : start + size;
}

static struct mem_range whole_pages(struct mem_range r) {
    struct mem_range w = {ALIGN_DOWN(r.start, PAGE_SIZE), ALIGN_UP(r.end, PAGE_SIZE)};

    if (w.end < r.end)
        w.end = ALIGN_DOWN(~0ULL, PAGE_SIZE);
    return w;
}

int boot_mem_add(paddr_t start, uint64_t size) {
    struct mem_range r = {ALIGN_UP(start.pa, PAGE_SIZE),
                          ALIGN_DOWN(range_end(start.pa, size), PAGE_SIZE)};
    int rc;

    if (r.start < start.pa || r.end <= r.start)
        return 0; /* less than one whole page */
    if (set_overlaps(&banks, r))
        return -EEXIST;
    if (banks.count == BOOT_MEM_RANGES || free_mem.count == BOOT_MEM_RANGES) {
        printk("error: memory: more than %u %s; the last one is not noted\n", BOOT_MEM_RANGES,
               banks.name);
        return -ENOSPC;
    }
    rc = set_add(&banks, r);
    return rc ? rc : boot_mem_give_back(paddr(r.start), r.end - r.start);
}

void boot_mem_take_all(void) {
    free_mem.count = 0;
}

int boot_mem_give_back(paddr_t start, uint64_t size) {
    int rc = set_add(&free_mem, (struct mem_range){start.pa, start.pa + size});

    for (unsigned i = 0; !rc && i < reserved.count; i++)
        rc = set_subtract(&free_mem, whole_pages(reserved.range[i]));
    return rc;
}

uint64_t boot_mem_free_bytes(void) {
    uint64_t bytes = 0;

    for (unsigned i = 0; i < free_mem.count; i++)
        bytes += free_mem.range[i].end - free_mem.range[i].start;
    return bytes;
}

/* What is reserved is known to the byte; the pages it touches are not free. */
int boot_mem_reserve(paddr_t start, uint64_t size) {
    struct mem_range r = {start.pa, range_end(start.pa, size)};
    int rc;

    if (!size)
        return 0;
    rc = set_add(&reserved, r);
    return rc ? rc : set_subtract(&free_mem, whole_pages(r));
}

bool boot_mem_is_ram(paddr_t start, uint64_t size) {
    unsigned i = first_above(&banks, start.pa, false);

    return size && start.pa + size > start.pa && i < banks.count &&
           banks.range[i].start <= start.pa && start.pa + size <= banks.range[i].end;
}

bool boot_mem_is_reserved(paddr_t start, uint64_t size) {
    return size && set_overlaps(&reserved, (struct mem_range){start.pa, range_end(start.pa, size)});
}

/* Highest fitting address in one range, or INVALID_PADDR. */
static paddr_t fit(struct mem_range r, uint64_t size, uint64_t align, uint64_t offset) {
    uint64_t at;

    if (r.end < r.start || r.end - r.start < size || r.end - size < offset)
        return INVALID_PADDR;
    at = ALIGN_DOWN(r.end - size - offset, align) + offset;
    return at >= r.start ? paddr(at) : INVALID_PADDR;
}

/* Best fit, at the end of the range: large aligned areas stay whole for guests. */
static paddr_t take(uint64_t size, uint64_t align, uint64_t offset, bool direct) {
    paddr_t best = INVALID_PADDR;
    uint64_t best_size = ~0ULL;

    BUG_ON(closed || !size || !IS_ALIGNED(size | align | offset, PAGE_SIZE));
    for (unsigned i = 0; i < free_mem.count; i++) {
        struct mem_range r = free_mem.range[i];
        uint64_t have = r.end - r.start;
        paddr_t at;

        if (direct)
            directmap_clip(&r.start, &r.end);
        at = fit(r, size, align, offset);

        if (at.pa != INVALID_PADDR.pa && have < best_size) {
            best = at;
            best_size = have;
        }
    }
    if (best.pa != INVALID_PADDR.pa &&
        set_subtract(&free_mem, (struct mem_range){best.pa, best.pa + size}))
        return INVALID_PADDR;
    return best;
}

paddr_t boot_mem_alloc_at_offset(uint64_t size, uint64_t align, uint64_t offset) {
    return take(size, align, offset, false);
}

paddr_t boot_mem_alloc(uint64_t size, uint64_t align) {
    return take(ALIGN_UP(size, PAGE_SIZE), MAX(align, PAGE_SIZE), 0, true);
}

bool boot_mem_bank(unsigned i, paddr_t *start, uint64_t *size) {
    if (i >= banks.count)
        return false;
    *start = paddr(banks.range[i].start);
    *size = banks.range[i].end - banks.range[i].start;
    return true;
}

bool boot_mem_free_range(unsigned i, struct mem_range *out) {
    if (i >= free_mem.count)
        return false;
    *out = free_mem.range[i];
    return true;
}

void boot_mem_close(void) {
    closed = true;
}
