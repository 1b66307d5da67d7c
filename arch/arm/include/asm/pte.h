/*
 * Floor 1: translation table descriptors of the VMSAv8-64 long format, 4 KiB granule, both stages
 * (Arm ARM D8.3). What is alike in both stages comes first; attribute bits differ and are named
 * S1_, S2_.
 */
#ifndef ASM_PTE_H
#define ASM_PTE_H

#include <hv/bits.h>

typedef uint64_t pte_t;

#define PT_LEVELS 4u
#define PT_ENTRY_BITS 9u
#define PT_ENTRIES (1u << PT_ENTRY_BITS)
#define PT_MIN_BLOCK_LEVEL 1u

#define PTE_VALID BIT(0)
#define PTE_TABLE BIT(1) /* at level 3: page */
#define PTE_ADDR GENMASK(47, 12)
#define PTE_AF BIT(10)
#define PTE_SH_INNER (3ULL << 8)

/* Bits no walker looks at. */
#define PTE_SW_SHIFT 55
#define PTE_SW_MASK GENMASK(58, 55)

/* Stage 1 of EL2: one privilege level, so AP[1] is RES1 and UXN means XN. */
#define S1_ATTR(index) ((pte_t)(index) << 2)
#define S1_AP1 BIT(6)
#define S1_RO BIT(7)
#define S1_XN BIT(54)

/* Stage 2. */
#define S2_ATTR_DEVICE_nGnRE (1ULL << 2)
#define S2_ATTR_NORMAL_WB (0xfULL << 2)
#define S2_ATTR_FWB_NORMAL_WB (6ULL << 2) /* HCR_EL2.FWB: write-back whatever stage 1 says */
#define S2_READ BIT(6)
#define S2_WRITE BIT(7)
#define S2_XN BIT(54) /* with FEAT_XNX 0b10: neither EL1 nor EL0 */

static inline unsigned pt_level_shift(unsigned level) {
    return PAGE_SHIFT + PT_ENTRY_BITS * (PT_LEVELS - 1 - level);
}
static inline bool pte_is_valid(pte_t e) {
    return e & PTE_VALID;
}
static inline bool pte_is_table(pte_t e, unsigned level) {
    return level < PT_LEVELS - 1 && (e & (PTE_VALID | PTE_TABLE)) == (PTE_VALID | PTE_TABLE);
}
static inline bool pte_is_leaf(pte_t e, unsigned level) {
    return pte_is_valid(e) && !pte_is_table(e, level);
}
static inline uint64_t pte_addr(pte_t e) {
    return e & PTE_ADDR;
}
static inline pte_t pte_make_table(uint64_t pa) {
    return pa | PTE_VALID | PTE_TABLE;
}
static inline pte_t pte_make_leaf(uint64_t pa, unsigned level, pte_t attr) {
    return pa | attr | PTE_VALID | (level == PT_LEVELS - 1 ? PTE_TABLE : 0);
}
/* A leaf taken out of the walk, all else kept: never read as a translation, not yet forgotten by
 * us. */
static inline pte_t pte_park(pte_t e) {
    return e & ~(pte_t)PTE_VALID;
}
static inline unsigned pte_sw(pte_t e) {
    return (unsigned)((e & PTE_SW_MASK) >> PTE_SW_SHIFT);
}
static inline pte_t pte_make_sw(unsigned v) {
    return (pte_t)v << PTE_SW_SHIFT;
}

#endif
