/*
 * Floor 6: who runs on which CPU, and for how long.
 *
 * CPUs form pools, each with a policy. `fair`: time is shared by weight, whoever slept goes before
 * whoever computes, waiting vCPUs move to idle CPUs of the pool and, as long as there are more than
 * CPUs, take turns there. `null`: each vCPU has a CPU of its own from creation to death.
 *
 * A budget makes a vCPU (of a fair pool) run for at most that long in each period: a cap. With
 * `realtime` it goes before all others until then, the earliest end of period first: a deferrable
 * server.
 */
#ifndef HV_SCHED_H
#define HV_SCHED_H

#include <hv/cpumask.h>
#include <hv/timer.h>
#include <hv/types.h>

#define SCHED_WEIGHT_USUAL 256u
#define SCHED_WEIGHT_MAX 65535u
#define SCHED_PERIOD_MIN_US 100u
#define SCHED_PERIOD_MAX_US 1000000u

struct vcpu;
struct cpupool;

enum sched_policy { SCHED_FAIR, SCHED_NULL };

struct sched_params {
    struct cpupool *pool;
    uint32_t weight;               /* 1 to SCHED_WEIGHT_MAX */
    uint32_t budget_us, period_us; /* 0: as long as it likes */
    bool realtime;                 /* only with a budget */
    struct cpumask hard;           /* where it may run; at least one of the pool's CPUs */
    struct cpumask soft;           /* where it should */
};

/* What the scheduler keeps in a vCPU; guarded by the scheduler lock of vcpu.cpu. */
struct vcpu_sched {
    struct sched_params p;
    uint64_t vtime;          /* run time in ticks by weight: the one with the least of it is next */
    uint64_t inverse;        /* of the weight, scaled: saves a division at each switch */
    uint64_t budget, period; /* in ticks */
    uint64_t left;           /* of the budget */
    uint64_t refill_at;      /* end of the period */
    unsigned assigned;       /* the CPU it was given at first and is counted for; assign lock */
    bool throttled;          /* runnable, but its budget is used up */
    struct timer refill;
};

/* ---- pools; made at boot before any domain, never changed ---- */

/* All CPUs are in a fair pool at first. Takes the CPUs out of it; -EBUSY when one has been taken,
 * -ENOMEM. */
int cpupool_create(const char *name, const struct cpumask *cpus, enum sched_policy policy,
                   struct cpupool **pool) __must_check;
struct cpupool *cpupool_default(void);
const char *cpupool_name(const struct cpupool *p);
const struct cpumask *cpupool_cpus(const struct cpupool *p);

/* The usual parameters, in the default pool. */
void sched_params_init(struct sched_params *p);

#endif
