/* Floor 4: which CPUs there are, bringing them up, and asking them for attention. */
#ifndef HV_CPU_H
#define HV_CPU_H

#include <hv/percpu.h>
#include <hv/types.h>

extern unsigned nr_cpus;   /* described in the device tree, at most MAX_CPUS */
extern unsigned nr_online; /* came up */

bool cpu_is_online(unsigned cpu);
uint64_t cpu_mpidr(unsigned cpu); /* affinity fields as in MPIDR_EL1 */
/* The CPU with that affinity, or -1. */
int cpu_from_mpidr(uint64_t mpidr);

/* Reads /cpus (call once), then starts every secondary CPU; a CPU that does not come up is named.
 */
void cpus_init(const void *fdt);
void cpus_start(const void *fdt);
/* A secondary CPU says that it is ready for interrupts and threads. Does not return when it is too
 * late. */
void cpu_set_online(void);

/* Stops every other CPU (panic, power off). */
void cpus_stop_others(void);
void cpu_stop_self(void) __noreturn;
/* Machine power off through firmware. */
void machine_power_off(void) __noreturn;

/*
 * Makes `cpu` leave the guest or its idle wait and run its softirqs and its scheduler. Cheap when
 * it already has work pending. Never waits.
 */
void cpu_kick(unsigned cpu);

#endif
