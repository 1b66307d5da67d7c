/* Host fake: a TLB that remembers what a test looked up until it is told to forget
 * (tests/fake/mm_world.c). */
#ifndef ASM_TLB_H
#define ASM_TLB_H

#include <hv/types.h>

static inline void tlb_sync_new(void) {
}
void tlb_flush_vmid(uint64_t vttbr);
void tlb_flush_ipa(uint64_t vttbr, uint64_t ipa, uint64_t count, uint64_t stride);
void tlb_flush_all_guests(void);
void tlb_flush_hyp(vaddr_t va, uint64_t size);
void tlb_flush_hyp_page_local(vaddr_t va);

#endif
