/* A TLB that the world keeps (p2m_world.h). */
#ifndef ASM_TLB_H
#define ASM_TLB_H

#include <hv/types.h>

static inline void tlb_sync_new(void) {
}
void tlb_flush_vmid(uint64_t vttbr);
void tlb_flush_ipa(uint64_t vttbr, uint64_t ipa, uint64_t count, uint64_t stride);

#endif
