/* Floor 1: indices that a guest chose, after they were checked, also on a path that is only
 * speculated. */
#ifndef ASM_NOSPEC_H
#define ASM_NOSPEC_H

#include <stdint.h>

/* index if it is below limit, else 0, without a branch that can be predicted (CSDB: Arm ARM
 * C6.2.88). */
static inline uint64_t index_nospec(uint64_t index, uint64_t limit) {
    uint64_t mask;

    __asm__("cmp %1, %2\n\tsbc %0, xzr, xzr\n\thint #20"
            : "=r"(mask)
            : "r"(index), "r"(limit)
            : "cc");
    return index & mask;
}

#endif
