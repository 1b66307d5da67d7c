/* Floor 1: what switch_stack() leaves at the stack pointer of whoever is on no CPU (vectors.S). */
#ifndef ASM_SWITCH_FRAME_H
#define ASM_SWITCH_FRAME_H

#include <asm/regs.h>

struct switch_frame {
    uint64_t saved[10]; /* x19..x28 */
    uint64_t fp, lr;
    uint64_t elr, spsr; /* where its guest was left, on every path */
};
_Static_assert(sizeof(struct switch_frame) == 112, "vectors.S pops 112 bytes");

/* Of a guest that has not run, for who looks at it before. */
static inline void switch_frame_of_guest(struct switch_frame *f, const struct cpu_regs *r) {
    f->elr = r->pc;
    f->spsr = r->spsr;
}

#endif
