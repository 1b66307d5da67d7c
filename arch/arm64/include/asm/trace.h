/* Floor 1: whether the trace is on: a load and a branch, which the compiler does not prepare for.
 */
#ifndef ASM_TRACE_H
#define ASM_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include <hv/compiler.h>

extern uint32_t trace_on;

static inline __attribute__((always_inline)) bool trace_is_on(void) {
    __asm__ goto("adrp x17, trace_on\n\tldr w17, [x17, :lo12:trace_on]\n\tcbnz w17, %l0"
                 :
                 :
                 : "x17"
                 : on);
    return false;
on:
    __cold_label;
    return true;
}

#endif
