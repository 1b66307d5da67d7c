/* Floor 1: what a secondary CPU is handed at its first instruction (head.S reads it with the MMU
 * on). */
#ifndef ASM_BOOT_CPU_H
#define ASM_BOOT_CPU_H

#include <stdint.h>

struct boot_cpu {
    uint64_t sp;
    uint64_t percpu;
    uint64_t id;
    uint64_t mpidr; /* affinity fields; for a spin-table only */
};

/* First instruction of a secondary CPU, entered with the MMU off and x0 = struct boot_cpu. */
extern char secondary_entry[];
/* The same from a spin-table: it has no argument and finds spin_table_boot_cpu. */
extern char spin_table_entry[];
extern struct boot_cpu *spin_table_boot_cpu;

#endif
