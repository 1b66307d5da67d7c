/* Host fake of asm/barrier.h: full fences of the compiler's; waiting is yielding to other threads.
 */
#ifndef ASM_BARRIER_H
#define ASM_BARRIER_H

#include <sched.h>
#include <stdint.h>

#define dmb(kind) __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define dmb_loads(domain) __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define dsb(kind) __atomic_thread_fence(__ATOMIC_SEQ_CST)

static inline void isb(void) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}
static inline void smp_mb(void) {
    dmb(ish);
}
static inline void smp_rmb(void) {
    dmb_loads(ish);
}
static inline void smp_wmb(void) {
    dmb(ishst);
}
static inline void cpu_relax(void) {
    sched_yield();
}
static inline void wfe(void) {
    sched_yield();
}
static inline void sev(void) {
}
static inline void cpu_wait_while16(const uint16_t *p, uint16_t old) {
    if (__atomic_load_n(p, __ATOMIC_ACQUIRE) == old)
        sched_yield();
}
static inline void cpu_wait_while32(const uint32_t *p, uint32_t old) {
    if (__atomic_load_n(p, __ATOMIC_ACQUIRE) == old)
        sched_yield();
}

#endif
