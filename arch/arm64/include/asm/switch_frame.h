/* What switch_stack() leaves at the stack pointer of whoever is on no CPU (vectors.S). */
#ifndef ASM_SWITCH_FRAME_H
#define ASM_SWITCH_FRAME_H

#include <hv/types.h>

struct switch_frame {
    uint64_t x19_x28[10];
    uint64_t fp, lr;
    uint64_t elr, spsr; /* where its guest was left, on every path */
};
_Static_assert(sizeof(struct switch_frame) == 112, "vectors.S pops 112 bytes");

#endif
