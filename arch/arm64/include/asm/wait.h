/* Floor 1: what asm/barrier.h cannot say alike for both architectures. */
#ifndef ASM_WAIT_H
#define ASM_WAIT_H

#include <stdint.h>

#define DMB_LOADS "ld"

/*
 * Sleeps while *p is `old`; may return early, so the caller loops. The exclusive load marks the
 * address: a store to it by another CPU clears the mark, and that is an event for WFE (Arm ARM
 * D1.6.1).
 */
static inline void cpu_wait_while16(const uint16_t *p, uint16_t old) {
    uint32_t seen;

    __asm__ volatile("sevl\n\t"
                     "wfe\n\t"
                     "ldaxrh %w0, %1\n\t"
                     "cmp %w0, %w2\n\t"
                     "b.ne 1f\n\t"
                     "wfe\n"
                     "1:"
                     : "=&r"(seen)
                     : "Q"(*p), "r"((uint32_t)old)
                     : "memory", "cc");
}
static inline void cpu_wait_while32(const uint32_t *p, uint32_t old) {
    uint32_t seen;

    __asm__ volatile("sevl\n\t"
                     "wfe\n\t"
                     "ldaxr %w0, %1\n\t"
                     "cmp %w0, %w2\n\t"
                     "b.ne 1f\n\t"
                     "wfe\n"
                     "1:"
                     : "=&r"(seen)
                     : "Q"(*p), "r"(old)
                     : "memory", "cc");
}

#endif
