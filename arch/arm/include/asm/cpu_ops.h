/* Floor 1: small questions to the CPU itself. */
#ifndef ASM_CPU_OPS_H
#define ASM_CPU_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include <asm/sysreg.h>

#define MPIDR_AFFINITY_MASK 0xff00ffffffULL

static inline uint64_t cpu_own_mpidr(void) {
    return read_sysreg(mpidr_el1) & MPIDR_AFFINITY_MASK;
}

/* A physical interrupt could be taken now, were they not masked. */
static inline bool cpu_irq_waiting(void) {
    return read_sysreg(isr_el1) != 0;
}

/* Sleeps until an interrupt is pending; with interrupts masked it is taken by whoever asks next. */
static inline void cpu_wait_for_interrupt(void) {
    __asm__ volatile("dsb sy\n\twfi" ::: "memory");
}

#endif
