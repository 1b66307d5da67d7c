/* Floor 1: what a call leaves on the stack, for backtraces: r14 at r11, the caller's r11 below. */
#ifndef ASM_FRAME_RECORD_H
#define ASM_FRAME_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include <asm/at.h>

#define FRAME_ALIGN 4u

static inline uintptr_t frame_outer(const volatile uintptr_t *rec) {
    return rec[-1];
}
static inline uintptr_t frame_caller(const volatile uintptr_t *rec) {
    return rec[0];
}

/* Asks the MMU, so that a wrong frame pointer does not end the report. */
static inline bool hyp_readable(uintptr_t va) {
    return !(AT_PAR(AT_HYP, va) & 1);
}

#endif
