/* Host fake of asm/percpu.h: a thread is a CPU; threads that do not set an offset share CPU 0's
 * variables. */
#ifndef ASM_PERCPU_H
#define ASM_PERCPU_H

#include <stdint.h>

__attribute__((weak)) __thread uintptr_t fake_percpu_offset;

static inline uintptr_t percpu_offset(void) {
    return fake_percpu_offset;
}

static inline void percpu_set_offset(uintptr_t offset) {
    fake_percpu_offset = offset;
}

#endif
