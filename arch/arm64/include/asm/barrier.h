/* Floor 1: barriers and hints of the CPU (Arm ARM B2.3.12, C6.2). */
#ifndef ASM_BARRIER_H
#define ASM_BARRIER_H

#include <stdint.h>

/* dmb(ish), dsb(ishst) and so on: the argument is the domain and kind as the assembler writes it.
 */
#define dmb(kind) __asm__ volatile("dmb " #kind ::: "memory")
#define dsb(kind) __asm__ volatile("dsb " #kind ::: "memory")

static inline void isb(void) {
    __asm__ volatile("isb" ::: "memory");
}

/* Between CPUs, normal memory. */
static inline void smp_mb(void) {
    dmb(ish);
}
static inline void smp_rmb(void) {
    dmb(ishld);
}
static inline void smp_wmb(void) {
    dmb(ishst);
}

/* In a loop that waits for another CPU or a device. */
static inline void cpu_relax(void) {
    __asm__ volatile("yield" ::: "memory");
}
static inline void wfe(void) {
    __asm__ volatile("wfe" ::: "memory");
}
static inline void sev(void) {
    __asm__ volatile("dsb ishst\n\tsev" ::: "memory");
}

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
