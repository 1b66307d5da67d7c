/* The CPUs' windows on RAM outside the direct map: a stack of page-sized slots for each. */
#include <hv/mapwin.h>
#include <hv/percpu.h>
#include <hv/printk.h>

#include <asm/hyp_pte.h>
#include <asm/mmu.h>
#include <asm/tlb.h>

uint64_t directmap_pa; /* set by head.S after it cleared BSS */

static DEFINE_PER_CPU(unsigned, depth);

static unsigned slot_of(unsigned level) {
    return cpu_id() * MAPWIN_SLOTS + level;
}

static vaddr_t slot_va(unsigned slot) {
    return MAPWIN_VA + (vaddr_t)slot * PAGE_SIZE;
}

unsigned mapwin_open_count(void) {
    return this_cpu(depth);
}

void *mapwin_open(paddr_t pa) {
    unsigned slot = slot_of(this_cpu(depth));

    BUG_ON(this_cpu(depth) == MAPWIN_SLOTS);
    this_cpu(depth)++;
    WRITE_ONCE(mapwin_ptes[slot],
               pte_make_leaf(pa.pa & PAGE_MASK, PT_LEVELS - 1, hyp_pte_attr(HYP_RW)));
    tlb_sync_new();
    return (void *)(slot_va(slot) + (vaddr_t)(pa.pa & ~PAGE_MASK));
}

/* No other CPU has used the window, so no other has it in its TLB. */
void mapwin_close(const void *va) {
    unsigned slot = slot_of(this_cpu(depth) - 1);

    BUG_ON(!this_cpu(depth) || ALIGN_DOWN((vaddr_t)va, PAGE_SIZE) != slot_va(slot));
    this_cpu(depth)--;
    WRITE_ONCE(mapwin_ptes[slot], 0);
    tlb_flush_hyp_page_local(slot_va(slot));
}
