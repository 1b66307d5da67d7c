/* Host fake of asm/cpu_ops.h: a CPU that waits goes to the test. */
#ifndef ASM_CPU_OPS_H
#define ASM_CPU_OPS_H

#include <stdint.h>

#define MPIDR_AFFINITY_MASK 0xff00ffffffULL

uint64_t cpu_own_mpidr(void);
void cpu_wait_for_interrupt(void);

#endif
