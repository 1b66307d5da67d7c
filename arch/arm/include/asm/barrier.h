/* Floor 1: barriers and hints of the CPU (Arm ARM B2.3.12, C6.2; ARMv7-A A3.8, A8.8). */
#ifndef ASM_BARRIER_H
#define ASM_BARRIER_H

#include <asm/wait.h> /* DMB_LOADS, cpu_wait_while16, cpu_wait_while32 */

/* dmb(ish), dsb(ishst) and so on: the argument is domain and kind as the assembler writes them. */
#define dmb(kind) __asm__ volatile("dmb " #kind ::: "memory")
#define dsb(kind) __asm__ volatile("dsb " #kind ::: "memory")
/* dmb_loads(ish): of loads against whatever follows. */
#define dmb_loads(domain) __asm__ volatile("dmb " #domain DMB_LOADS ::: "memory")

static inline void isb(void) {
    __asm__ volatile("isb" ::: "memory");
}

/* Between CPUs, normal memory. */
static inline void smp_mb(void) {
    dmb(ish);
}
static inline void smp_rmb(void) {
    dmb_loads(ish);
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

#endif
