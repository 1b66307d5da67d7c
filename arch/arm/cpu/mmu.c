/* Boot-time part of the hypervisor's own translation table (see asm/mmu.h, asm/layout.h). */
#include <hv/bits.h>
#include <hv/mm.h>
#include <hv/printk.h>
#include <hv/string.h>

#include <asm/layout.h>
#include <asm/memattr.h>
#include <asm/mmu.h>
#include <asm/pte.h>
#include <asm/tlb.h>

#define RAM_RW (PTE_AF | PTE_SH_INNER | S1_AP1 | S1_XN | S1_ATTR(MATTR_NORMAL_WB))
#define RAM_RO (RAM_RW | S1_RO)
#define DEVICE_RW (PTE_AF | S1_AP1 | S1_XN | S1_ATTR(MATTR_DEVICE_nGnRE))
#define BLOCK_LEVEL 2 /* of the 2 MiB windows */

#define BLOCK_2M MB(2)

extern pte_t hv_root[PT_ENTRIES], vmap_l2[PT_ENTRIES];
extern char _start[], _erodata[];

uint64_t hv_image_pa; /* set by head.S after it cleared BSS */

paddr_t hyp_root(void) {
    return virt_to_phys(hv_root);
}

/* One 2 MiB window of the first vmap table. Break before make: the old entry goes first. */
static void set_window(uint64_t va, uint64_t desc) {
    uint64_t *e = &vmap_l2[bits_get(va, 29, 21)];

    if (*e == desc)
        return;
    if (*e) {
        WRITE_ONCE(*e, 0);
        tlb_flush_hyp_local();
    }
    WRITE_ONCE(*e, desc);
    tlb_sync_new();
}

const void *mmu_early_fdt(paddr_t pa) {
    uint64_t block = ALIGN_DOWN(pa.pa, BLOCK_2M);
    const uint8_t *fdt = (const uint8_t *)(uintptr_t)(FIXMAP_FDT + (pa.pa - block));
    uint64_t size;

    if ((pa.pa & 7) || (pa.pa >> PADDR_BITS))
        return NULL;
    set_window(FIXMAP_FDT, pte_make_leaf(block, BLOCK_LEVEL, RAM_RO));
    size = (uint64_t)fdt[4] << 24 | fdt[5] << 16 | fdt[6] << 8 | fdt[7]; /* totalsize, big endian */
    if (size > BLOCK_2M)
        return NULL;
    /* What may lie behind a smaller tree is not ours to map. */
    if (pa.pa + size > block + BLOCK_2M)
        set_window(FIXMAP_FDT + BLOCK_2M, pte_make_leaf(block + BLOCK_2M, BLOCK_LEVEL, RAM_RO));
    return fdt;
}

volatile void *mmu_early_device(paddr_t pa) {
    uint64_t block = ALIGN_DOWN(pa.pa, BLOCK_2M);

    set_window(FIXMAP_UART, pte_make_leaf(block, BLOCK_LEVEL, DEVICE_RW));
    return (volatile void *)(uintptr_t)(FIXMAP_UART + (pa.pa - block));
}

/* A table page may lie in RAM that is not mapped yet: each level has a window of its own for it. */
static uint64_t *table_at(unsigned level, uint64_t pa) {
    uint64_t block = ALIGN_DOWN(pa, BLOCK_2M);

    set_window(FIXMAP_TABLE(level), pte_make_leaf(block, BLOCK_LEVEL, RAM_RW));
    return (uint64_t *)(uintptr_t)(FIXMAP_TABLE(level) + (pa - block));
}

static uint64_t *next_table(unsigned level, uint64_t *e, paddr_t (*alloc)(void)) {
    uint64_t *t;
    paddr_t pa;

    if (pte_is_table(*e, level - 1))
        return table_at(level, pte_addr(*e));
    BUG_ON(*e);
    pa = alloc();
    if (pa.pa == INVALID_PADDR.pa)
        panic("no memory for the direct map");
    t = table_at(level, pa.pa);
    memset(t, 0, PAGE_SIZE);
    __asm__ volatile("dsb ishst" ::: "memory");
    WRITE_ONCE(*e, pte_make_table(pa.pa));
    return t;
}

/* Maps the piece at va that one descriptor can, and returns its size. */
static uint64_t map_piece(uint64_t va, uint64_t pa, uint64_t size, pte_t attr,
                          paddr_t (*alloc)(void)) {
    uint64_t *t = hv_root;

    for (unsigned level = HV_ROOT_LEVEL;; level++) {
        unsigned shift = pt_level_shift(level);
        uint64_t piece = 1ULL << shift;
        uint64_t *e = &t[(va >> shift) & 511];

        if (level >= PT_MIN_BLOCK_LEVEL && size >= piece && IS_ALIGNED(pa, piece) &&
            IS_ALIGNED(va, piece)) {
            WRITE_ONCE(*e, pte_make_leaf(pa, level, attr));
            return piece;
        }
        t = next_table(level + 1, e, alloc);
    }
}

static void map_span(uint64_t from, uint64_t to, pte_t attr, paddr_t (*alloc)(void)) {
    while (from < to)
        from += map_piece((uintptr_t)phys_to_virt(paddr(from)), from, to - from, attr, alloc);
}

/* A window shows, writable, all that lies in the table's 2 MiB: the code, for one. */
static void close_table_windows(void) {
    for (unsigned level = HV_ROOT_LEVEL + 1; level < PT_LEVELS; level++)
        set_window(FIXMAP_TABLE(level), 0);
}

void mmu_map_ram(paddr_t pa, uint64_t size, bool writable, paddr_t (*alloc)(void)) {
    pte_t attr = writable ? RAM_RW : RAM_RO;
    uint64_t from = ALIGN_UP(pa.pa, PAGE_SIZE), to = ALIGN_DOWN(pa.pa + size, PAGE_SIZE);
    uint64_t ro_start = hv_image_pa, ro_end = hv_image_pa + (uint64_t)(_erodata - _start);

    if (to >> PADDR_BITS)
        panic("memory up to 0x%llx: expected below 2^%u", (unsigned long long)to, PADDR_BITS);
    directmap_clip(&from, &to);
    if (from < ro_end && to > ro_start) {
        map_span(from, MAX(from, ro_start), attr, alloc);
        map_span(MIN(to, ro_end), to, attr, alloc);
    } else {
        map_span(from, to, attr, alloc);
    }
    close_table_windows();
    tlb_sync_new();
}
