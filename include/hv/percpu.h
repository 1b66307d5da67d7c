/*
 * Floor 2: per-CPU variables.
 *
 * DEFINE_PER_CPU puts an object into percpu_data, where CPU 0 uses it; every other CPU has a zeroed
 * area of the same shape, and its offset lies in the CPU's thread register (TPIDR_EL2 / HTPIDR).
 * Therefore a per-CPU variable has no initialiser. this_cpu(x) is an lvalue.
 */
#ifndef HV_PERCPU_H
#define HV_PERCPU_H

#include <hv/bits.h>
#include <hv/types.h>

#include <asm/percpu.h> /* uintptr_t percpu_offset(void), void percpu_set_offset(uintptr_t) */

#define MAX_CPUS 128u

#define DEFINE_PER_CPU(type, name) type name __section("percpu_data")
#define DECLARE_PER_CPU(type, name) extern type name

extern uintptr_t percpu_offsets[MAX_CPUS];

#define this_cpu(x) (*(__typeof__(&(x)))((uintptr_t) & (x) + percpu_offset()))
#define per_cpu(x, cpu) (*(__typeof__(&(x)))((uintptr_t) & (x) + percpu_offsets[cpu]))

DECLARE_PER_CPU(uint32_t, cpu_number);
static inline unsigned cpu_id(void) {
    return this_cpu(cpu_number);
}

/* Makes the area of a CPU that is about to be started. 0 or -ENOMEM. */
int percpu_alloc(unsigned cpu) __must_check;

#endif
