/* Floor 1: what switch_stack() leaves at the stack pointer of whoever is on no CPU (vectors.S). */
#ifndef ASM_SWITCH_FRAME_H
#define ASM_SWITCH_FRAME_H

#include <asm/regs.h>

struct switch_frame {
    uint32_t aligns;
    uint32_t saved[7]; /* r4..r10 */
    uint32_t fp, lr;
};
_Static_assert(sizeof(struct switch_frame) == 40, "vectors.S pops 10 registers");

/* Where a guest was left stands in its cpu_regs. */
static inline void switch_frame_of_guest(struct switch_frame *f, const struct cpu_regs *r) {
    (void)f;
    (void)r;
}

#endif
