/*
 * Floor 3: physical memory.
 *
 * Life of a frame: bank (boot_mem) -> fresh section (nobody touched its page_info) -> buddy ->
 * owner -> buddy. Boot work is constant per bank, not per page: the frame table is reserved as one
 * block and a section's page_infos are formatted when the buddy first needs memory of that section.
 */
#ifndef HV_MM_H
#define HV_MM_H

#include <hv/list.h>
#include <hv/spinlock.h>
#include <hv/types.h>

#include <asm/layout.h>

struct domain; /* opaque on this floor */

/* ---- boot memory: ranges of RAM and what is taken from them; boot CPU only ---- */
#define BOOT_MEM_RANGES 256
/* Adds a bank of RAM. -ENOSPC when the table is full (told by name), -EEXIST when it overlaps. */
int boot_mem_add(paddr_t start, uint64_t size) __must_check;
/* Takes [start, start+size) out of free memory; parts that are no RAM are ignored. */
int boot_mem_reserve(paddr_t start, uint64_t size) __must_check;
/* True when the whole range is RAM (reserved or not). */
bool boot_mem_is_ram(paddr_t start, uint64_t size);
/* True when any byte of it was reserved. */
bool boot_mem_is_reserved(paddr_t start, uint64_t size);
/* Nothing is free any more, until boot_mem_give_back() says so of a part: what is not
 * reserved of a range of RAM is free again. -ENOSPC. */
void boot_mem_take_all(void);
int boot_mem_give_back(paddr_t start, uint64_t size) __must_check;
uint64_t boot_mem_free_bytes(void);
/* Contiguous block in the direct map, aligned, never given back; memory not cleared. INVALID_PADDR
 * when none. */
paddr_t boot_mem_alloc(uint64_t size, uint64_t align);
/* Walks the RAM banks: false past the last. */
bool boot_mem_bank(unsigned i, paddr_t *start, uint64_t *size);

/* ---- direct map (arm64: all RAM; arch mmu.c makes it): phys_to_virt(), virt_to_phys() in
 * asm/layout.h. Any other RAM is reached through hv/mapwin.h ---- */

/* ---- page_info, see docs/memory.md for the layout of type_info ---- */
struct page_info; /* hv/page.h */

/* Hands all free boot memory to the buddy; after this boot_mem_alloc() must not be called. */
void page_alloc_init(void);

/* Hypervisor's own memory (xenheap), 2^order pages, direct-mapped. NULL when there is none. Not
 * cleared. */
void *xenheap_alloc(unsigned order);
void xenheap_free(void *va, unsigned order);
uint64_t heap_free_pages(void);
uint64_t heap_total_pages(void);
/* Free pages: never used, to be cleared before use (some of them may be clean), and clean. */
struct heap_summary {
    uint64_t fresh, dirty, clean;
};
void heap_summarize(struct heap_summary *s);
/* From now on idle CPUs clear what is free and dirty: not while the machine boots. */
void heap_scrub_start(void);
/* An idle CPU clears one page of it; false: there is none. CPUs that sleep are told by
 * sched_stir_idle() of a domain's; of less, each CPU finds what it freed itself when it is idle. */
bool heap_scrub_idle(void);

/* ---- small objects: zeroed, 16-byte aligned; larger than a page goes to xenheap_alloc ---- */
void *hv_zalloc(size_t size);
void hv_free(void *p);

/* ---- hypervisor virtual mappings (vmap region) ---- */
enum hyp_prot { HYP_RX, HYP_RO, HYP_RW, HYP_DEVICE };
/* Maps in the hypervisor's own table: va, pa, size page-aligned. prepare/commit: an error changes
 * nothing. */
int hyp_map(vaddr_t va, paddr_t pa, uint64_t size, enum hyp_prot prot) __must_check;
void hyp_unmap(vaddr_t va, uint64_t size); /* with TLB invalidation on all CPUs */
/*
 * Walks the whole table: nothing writable is executable, nothing but [text, constants) is
 * executable, and what lies behind [text, end) is writable at no address. False: *where is the
 * first page that is otherwise.
 */
struct hyp_image {
    vaddr_t text, constants, end;
    paddr_t pa; /* of text */
};
bool hyp_rights_are_sound(const struct hyp_image *image, vaddr_t *where);
/* Where a mapped address of the vmap region leads. */
paddr_t hyp_lookup(vaddr_t va);
/* Device registers; pa need not be aligned. NULL when out of space. Never given back at boot. */
volatile void *ioremap(paddr_t pa, uint64_t size);
void iounmap(volatile void *va, uint64_t size);
/* True when a page of the range is mapped by ioremap() now: registers that Holdfast itself uses. */
bool ioremap_overlaps(paddr_t pa, uint64_t size);
/* Ordinary cacheable mapping of RAM outside the direct map (boot modules in no-map areas). */
void *memremap(paddr_t pa, uint64_t size, enum hyp_prot prot);

/*
 * In debug builds asked before each allocation, true: this one finds no memory. Set from above to
 * see what follows then; locks of this floor may be held. NULL: none is asked for.
 */
extern bool (*mm_fail_hook)(void);
static inline bool mm_fails(void) {
    return HF_DEBUG && unlikely(READ_ONCE(mm_fail_hook)) && mm_fail_hook();
}

/*
 * Long work on this floor calls it between bounded steps, without a lock. Set from above when there
 * is something to yield to; NULL before.
 */
extern void (*mm_preempt_hook)(void);
static inline void mm_preempt_point(void) {
    if (mm_preempt_hook)
        mm_preempt_hook();
}

/* A hypervisor stack of STACK_SIZE with an unmapped guard below. Returns its lowest address, or 0.
 */
#define STACK_SIZE 8192u
vaddr_t stack_alloc(void);
void stack_free(vaddr_t base);

#endif
