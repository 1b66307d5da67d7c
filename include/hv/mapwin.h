/*
 * Floor 3: reaching RAM that is not mapped all the time. On arm64 all RAM is in the direct map and
 * nothing of this costs an instruction; on arm32 only the xenheap is.
 *
 * A window belongs to the CPU that opened it: no preemption point between mapwin_map() and
 * mapwin_unmap(). Windows nest, MAPWIN_SLOTS deep, and are closed in the reverse order.
 */
#ifndef HV_MAPWIN_H
#define HV_MAPWIN_H

#include <hv/bits.h>
#include <hv/mm.h>
#include <hv/page.h>

/* Behind mapwin_map() and mapwin_unmap(), for what is not in the direct map. */
void *mapwin_open(paddr_t pa);
void mapwin_close(const void *va);
/* Windows that are open on this CPU; none when another stack is switched to. */
unsigned mapwin_open_count(void);

/* How much of [pa, pa+n) one window shows: up to the end of the page, at least. */
static inline uint64_t mapwin_reach(paddr_t pa, uint64_t n) {
    if (likely(paddr_is_direct(pa, n)))
        return n;
    return MIN(n, PAGE_SIZE - (pa.pa & (PAGE_SIZE - 1)));
}

/* RAM at pa. It never fails. */
static inline void *mapwin_map(paddr_t pa) {
    return likely(paddr_is_direct(pa, 1)) ? phys_to_virt(pa) : mapwin_open(pa);
}
static inline void mapwin_unmap(const void *va) {
    if (unlikely(!va_is_direct(va)))
        mapwin_close(va);
}
static inline void *mapwin_map_page(const struct page_info *page) {
    return mapwin_map(mfn_to_paddr(page_to_mfn(page)));
}
static inline bool mapwin_none_open(void) {
    return ALL_RAM_DIRECT || !mapwin_open_count();
}

/* For longer, and for all CPUs. NULL: no memory for the tables. */
static inline void *ram_map(paddr_t pa, uint64_t size) {
    return likely(paddr_is_direct(pa, size)) ? phys_to_virt(pa) : memremap(pa, size, HYP_RW);
}
static inline void ram_unmap(const void *va, uint64_t size) {
    if (unlikely(!va_is_direct(va)))
        iounmap((volatile void *)(uintptr_t)va, size);
}

/* A page the caller holds a reference of; page_unkeep() takes any address in it, and drops that. */
static inline void *page_keep(const struct page_info *page) {
    return ram_map(mfn_to_paddr(page_to_mfn(page)), PAGE_SIZE);
}
static inline void page_unkeep(const void *va) {
    vaddr_t at = ALIGN_DOWN((vaddr_t)va, PAGE_SIZE);
    paddr_t pa = likely(va_is_direct(va)) ? virt_to_phys((const void *)at) : hyp_lookup(at);

    ram_unmap((const void *)at, PAGE_SIZE);
    put_page(mfn_to_page(paddr_to_mfn(pa)));
}

#endif
