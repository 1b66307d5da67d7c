/* Memory of a proof: a few frames, of which only the entries of a table exist. */
#ifndef ASM_LAYOUT_H
#define ASM_LAYOUT_H

#include <hv/types.h>

#include <asm/pte.h>

#define WORLD_FRAMES 10
extern pte_t world_ram[WORLD_FRAMES][PT_ENTRIES];
/* As many struct page_info, which this header cannot know. */
extern struct world_frames world_frames;

#define FRAMETABLE_VA (&world_frames)

static inline void *phys_to_virt(paddr_t pa) {
    __CPROVER_assert(pa.pa >> PAGE_SHIFT < WORLD_FRAMES, "an address of RAM");
    return world_ram[pa.pa >> PAGE_SHIFT];
}
/* Of a table or of an entry in it. */
static inline paddr_t virt_to_phys(const void *va) {
    return paddr((uint64_t)((const pte_t *)va - &world_ram[0][0]) / PT_ENTRIES << PAGE_SHIFT);
}

#endif
