/* Floor 1: barriers and hints of the CPU (Arm ARM ARMv7-A A3.8, A8.8). */
#ifndef ASM_BARRIER_H
#define ASM_BARRIER_H

#include <stdint.h>

/* dmb(ish), dsb(ishst) and so on: the argument is the domain and kind as the assembler writes it.
 */
#define dmb(kind) BARRIER_("dmb ", kind)
#define dsb(kind) BARRIER_("dsb ", kind)
#define BARRIER_(insn, kind) __asm__ volatile(insn #kind ::: "memory")
/* Armv7 has none for loads alone. */
#define ishld ish
#define oshld osh

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

/* The caller loops. No store is an event for WFE before Armv8, so there is nothing to sleep by. */
static inline void cpu_wait_while16(const uint16_t *p, uint16_t old) {
    (void)p;
    (void)old;
    cpu_relax();
}
static inline void cpu_wait_while32(const uint32_t *p, uint32_t old) {
    (void)p;
    (void)old;
    cpu_relax();
}

#endif
