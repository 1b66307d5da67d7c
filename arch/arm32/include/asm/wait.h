/* Floor 1: what asm/barrier.h cannot say alike for both architectures. */
#ifndef ASM_WAIT_H
#define ASM_WAIT_H

#include <stdint.h>

/* Armv7 has no barrier for loads alone. */
#define DMB_LOADS ""

/* The caller loops. No store is an event for WFE before Armv8, so there is nothing to sleep by. */
static inline void cpu_wait_while16(const uint16_t *p, uint16_t old) {
    (void)p;
    (void)old;
    __asm__ volatile("yield" ::: "memory");
}
static inline void cpu_wait_while32(const uint32_t *p, uint32_t old) {
    (void)p;
    (void)old;
    __asm__ volatile("yield" ::: "memory");
}

#endif
