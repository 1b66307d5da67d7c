/* Floor 1: the hypervisor's own timer, CNTHP (Arm ARM D11.2). */
#ifndef ASM_HYP_TIMER_H
#define ASM_HYP_TIMER_H

#include <stdint.h>

#include <asm/sysreg.h>

static inline uint64_t hyp_timer_frequency(void) {
    return read_sysreg(cntfrq_el0);
}

/* ISB: the read is not done ahead of what the program does before it. */
static inline uint64_t hyp_timer_count(void) {
    __asm__ volatile("isb" ::: "memory");
    return read_sysreg(cntpct_el0);
}

static inline void hyp_timer_set(uint64_t at) {
    write_sysreg(at, cnthp_cval_el2);
    write_sysreg(1, cnthp_ctl_el2);
    __asm__ volatile("isb" ::: "memory");
}

static inline void hyp_timer_off(void) {
    write_sysreg(0, cnthp_ctl_el2);
    __asm__ volatile("isb" ::: "memory");
}

#endif
