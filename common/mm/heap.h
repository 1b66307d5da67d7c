/* Between heap.c (the buddy lists) and fresh.c (frames nobody has used yet). */
#ifndef MM_HEAP_H
#define MM_HEAP_H

#include <hv/page.h>

/* Frames are formatted by the section of 16 MiB (128 KiB of frame table). */
#define SECTION_ORDER 12u
#define SECTION_PAGES (1ULL << SECTION_ORDER)

/* What the hypervisor itself can use, and the rest: that there is none on arm64 is known here. */
#define ZONE_ALIGN (1ULL << MAX_ORDER)
enum heap_zone { ZONE_DIRECT, ZONE_OTHER, NR_ZONES = ALL_RAM_DIRECT ? 1 : 2 };
static inline enum heap_zone heap_zone_of(uint64_t n) {
    return paddr_is_direct(mfn_to_paddr(mfn(n)), PAGE_SIZE) ? ZONE_DIRECT : ZONE_OTHER;
}

/* Clears one dirty page of free memory, with the heap lock held, unless somebody else is at the
 * heap. False: there is none. */
bool heap_scrub_step(void (*clear)(struct page_info *page));

/* All with the heap lock held. */
/* Puts frames whose page_infos are formatted into the free lists. */
void heap_insert_locked(uint64_t first, uint64_t nr);
/* Formats memory so that a block of `order` becomes free. False: there is no such fresh memory. */
bool fresh_grow_locked(unsigned order, enum heap_zone zone);
/* Is the page_info of this frame formatted? */
bool fresh_is_formatted(uint64_t n);

/* Formats the section of a frame that is never to be in the heap. False: it is no RAM. Takes the
 * lock. */
bool heap_format(uint64_t n);
bool fresh_format_locked(uint64_t n);

/* Frames not formatted yet. */
uint64_t fresh_pages(void);
bool page_alloc_is_up(void);

#endif
