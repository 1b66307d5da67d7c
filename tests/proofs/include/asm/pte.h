/*
 * Descriptors of arm64 in tables of two entries instead of 512, so that a whole tree with blocks of
 * two sizes is small enough to be proved: a level 2 entry spans two pages, a level 1 entry four.
 */
#ifndef PROOF_ASM_PTE_H
#define PROOF_ASM_PTE_H

#define pt_level_shift pt_level_shift_of_512
#include "arch/arm/include/asm/pte.h"
#undef pt_level_shift

#undef PT_ENTRY_BITS
#define PT_ENTRY_BITS 1u

static inline unsigned pt_level_shift(unsigned level) {
    return PAGE_SHIFT + PT_ENTRY_BITS * (PT_LEVELS - 1 - level);
}

#endif
