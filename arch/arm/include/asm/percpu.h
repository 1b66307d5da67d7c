/* Floor 1: where this CPU's copy of the per-CPU variables lies: an offset kept in TPIDR_EL2
 * (HTPIDR). */
#ifndef ASM_PERCPU_H
#define ASM_PERCPU_H

#include <stdint.h>

#include <asm/sysreg.h>

/* A global register variable, since clang wants a local one to be initialised. */
register uintptr_t percpu_sp_ __asm__("sp");

/*
 * Not volatile, so that one function reads it once; the stack as an input makes the compiler read
 * it again after anything that clobbers memory, such as a stack switch to another CPU's work.
 */
static inline uintptr_t percpu_offset(void) {
    uintptr_t offset;

    __asm__(SYSREG_READ(tpidr_el2) : "=r"(offset) : "Q"(*(const uintptr_t *)percpu_sp_));
    return offset;
}

static inline void percpu_set_offset(uintptr_t offset) {
    write_sysreg(offset, tpidr_el2);
}

#endif
