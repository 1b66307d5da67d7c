/* Floor 1: indices that a guest chose, after they were checked, also on a path that is only
 * speculated. */
#ifndef ASM_NOSPEC_H
#define ASM_NOSPEC_H

#include <stdint.h>

/* index if it is below limit, else 0, without a branch that can be predicted. Both fit in 32 bits.
 * The hint is CSDB, which older CPUs take for a NOP. */
static inline uint64_t index_nospec(uint64_t index, uint64_t limit) {
    uint32_t mask;

    __asm__("cmp %1, %2\n\tsbc %0, %1, %1\n\t.inst 0xe320f014"
            : "=r"(mask)
            : "r"((uint32_t)index), "r"((uint32_t)limit)
            : "cc");
    return (uint32_t)index & mask;
}

#endif
