/* Floor 1: what a call leaves on the stack, for backtraces: x29 and x30 of the caller, at x29. */
#ifndef ASM_FRAME_RECORD_H
#define ASM_FRAME_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include <asm/at.h>
#include <asm/layout.h>

#define FRAME_ALIGN 16u

static inline uintptr_t frame_outer(const volatile uintptr_t *rec) {
    return rec[0];
}
/* Without the signature of an address of ours. */
static inline uintptr_t code_address(uintptr_t address) {
    return address & ((1ULL << HV_VA_BITS) - 1);
}
static inline uintptr_t frame_caller(const volatile uintptr_t *rec) {
    return code_address(rec[1]);
}

/* Asks the MMU, so that a wrong frame pointer does not end the report. */
static inline bool hyp_readable(uintptr_t va) {
    return !(AT_PAR(AT_HYP, va) & 1);
}

#endif
