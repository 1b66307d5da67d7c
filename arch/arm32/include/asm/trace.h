/* Floor 1: whether the trace is on. */
#ifndef ASM_TRACE_H
#define ASM_TRACE_H

#include <stdbool.h>
#include <stdint.h>

extern uint32_t trace_on;

static inline bool trace_is_on(void) {
    return __builtin_expect(*(const volatile uint32_t *)&trace_on != 0, 0);
}

#endif
