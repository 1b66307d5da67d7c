/* Floor 1: barriers and hints of the CPU (Arm ARM ARMv7-A A3.8, A8.8). */
#ifndef ASM_BARRIER_H
#define ASM_BARRIER_H

#include <stdint.h>

/* dmb(ish), dsb(ishst) and so on: the argument is domain and kind as the assembler writes them. */
#define dmb(kind) __asm__ volatile("dmb " BARRIER_KIND_##kind ::: "memory")
#define dsb(kind) __asm__ volatile("dsb " BARRIER_KIND_##kind ::: "memory")
#define BARRIER_KIND_sy "sy"
#define BARRIER_KIND_st "st"
#define BARRIER_KIND_ish "ish"
#define BARRIER_KIND_ishst "ishst"
#define BARRIER_KIND_osh "osh"
/* Armv7 has none for loads alone. */
#define BARRIER_KIND_ishld "ish"
#define BARRIER_KIND_oshld "osh"

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
