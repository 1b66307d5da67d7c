/* Floor 2: sets of physical CPUs. */
#ifndef HV_CPUMASK_H
#define HV_CPUMASK_H

#include <hv/bits.h>
#include <hv/percpu.h>
#include <hv/types.h>

struct cpumask {
    uint64_t bits[MAX_CPUS / 64];
};

static inline void cpumask_fill(struct cpumask *m) {
    for (unsigned i = 0; i < ARRAY_SIZE(m->bits); i++)
        m->bits[i] = ~0ULL;
}
static inline void cpumask_add(struct cpumask *m, unsigned cpu) {
    m->bits[cpu / 64] |= 1ULL << cpu % 64;
}
static inline void cpumask_remove(struct cpumask *m, unsigned cpu) {
    m->bits[cpu / 64] &= ~(1ULL << cpu % 64);
}
static inline bool cpumask_has(const struct cpumask *m, unsigned cpu) {
    return m->bits[cpu / 64] >> cpu % 64 & 1;
}
static inline bool cpumask_is_empty(const struct cpumask *m) {
    uint64_t any = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(m->bits); i++)
        any |= m->bits[i];
    return !any;
}

#endif
