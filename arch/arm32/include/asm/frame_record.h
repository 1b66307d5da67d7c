/* Floor 1: what a call leaves on the stack, for backtraces: r14 at r11, the caller's r11 below. */
#ifndef ASM_FRAME_RECORD_H
#define ASM_FRAME_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include <asm/sysreg.h>

#define FRAME_ALIGN 4u
#define ATS1HR 32, "p15, 4, %0, c7, c8, 0"

static inline uintptr_t frame_outer(const volatile uintptr_t *rec) {
    return rec[-1];
}
static inline uintptr_t frame_caller(const volatile uintptr_t *rec) {
    return rec[0];
}

/* Asks the MMU, so that a wrong frame pointer does not end the report. PAR is the guest's. */
static inline bool hyp_readable(uintptr_t va) {
    uint64_t guests = read_sysreg(PAR64), par;

    write_sysreg(va, ATS1HR);
    __asm__ volatile("isb" ::: "memory");
    par = read_sysreg(PAR64);
    write_sysreg(guests, PAR64);
    return !(par & 1);
}

#endif
