/* Pools of CPUs, and which CPU of its pool a vCPU gets. Contract: hv/sched.h, runqueue.h. */
#include <hv/cpu.h>
#include <hv/errno.h>
#include <hv/mm.h>
#include <hv/string.h>

#include "runqueue.h"

static struct cpupool rest = {.name = "default"};
/* Guards every runqueue's pool and assigned. */
static spinlock_t assign_lock = SPINLOCK_INIT(RANK_DOMAIN, "assign");

static struct runqueue *rq_of_cpu(unsigned cpu) {
    return &per_cpu(runqueue, cpu);
}

void cpupool_add_cpu(struct runqueue *rq) {
    spin_lock(&assign_lock);
    rq->pool = &rest;
    cpumask_add(&rest.cpus, cpu_id());
    spin_unlock(&assign_lock);
}

/* Threads need a place, also when each CPU is in a pool with a name. */
struct cpupool *cpupool_default(void) {
    return cpumask_is_empty(&rest.cpus) ? rq_of_cpu(0)->pool : &rest;
}

const char *cpupool_name(const struct cpupool *p) {
    return p->name;
}

const struct cpumask *cpupool_cpus(const struct cpupool *p) {
    return &p->cpus;
}

static bool all_free(const struct cpumask *cpus) {
    for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
        if (cpumask_has(cpus, cpu) && rq_of_cpu(cpu)->pool != &rest)
            return false;
    return true;
}

int cpupool_create(const char *name, const struct cpumask *cpus, enum sched_policy policy,
                   struct cpupool **pool) {
    struct cpupool *p = hv_zalloc(sizeof(*p));
    int rc = 0;

    if (!p)
        return -ENOMEM;
    hv_strlcpy(p->name, name, sizeof(p->name));
    p->policy = policy;
    spin_lock(&assign_lock);
    if (!all_free(cpus))
        rc = -EBUSY;
    for (unsigned cpu = 0; !rc && cpu < nr_cpus; cpu++) {
        if (!cpumask_has(cpus, cpu) || !cpu_is_online(cpu))
            continue;
        cpumask_remove(&rest.cpus, cpu);
        cpumask_add(&p->cpus, cpu);
        rq_of_cpu(cpu)->pool = p;
    }
    spin_unlock(&assign_lock);
    if (rc)
        hv_free(p);
    else
        *pool = p;
    return rc;
}

bool cpupool_allows(const struct vcpu *v, unsigned cpu) {
    return cpumask_has(&v->sched.p.pool->cpus, cpu) && cpumask_has(&v->sched.p.hard, cpu);
}

/* ---- placing ---- */

static bool is_wanted(const struct vcpu *v, unsigned cpu) {
    return cpumask_has(&v->sched.p.soft, cpu);
}

static bool assigns_rather(const struct vcpu *v, unsigned cpu, unsigned than) {
    unsigned here = rq_of_cpu(cpu)->assigned, there = rq_of_cpu(than)->assigned;

    return here < there || (here == there && is_wanted(v, cpu) && !is_wanted(v, than));
}

int cpupool_assign(struct vcpu *v) {
    unsigned best = MAX_CPUS;

    spin_lock(&assign_lock);
    for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
        if (cpupool_allows(v, cpu) && (best == MAX_CPUS || assigns_rather(v, cpu, best)))
            best = cpu;
    if (best != MAX_CPUS && v->domain && v->sched.p.pool->policy == SCHED_NULL &&
        rq_of_cpu(best)->assigned)
        best = MAX_CPUS;
    if (best != MAX_CPUS) {
        v->cpu = v->sched.assigned = best;
        rq_of_cpu(best)->assigned++;
    }
    spin_unlock(&assign_lock);
    return best == MAX_CPUS ? -EBUSY : 0;
}

void cpupool_unassign(struct vcpu *v) {
    spin_lock(&assign_lock);
    rq_of_cpu(v->sched.assigned)->assigned--;
    spin_unlock(&assign_lock);
}

unsigned cpupool_idle_cpu(const struct vcpu *v) {
    bool own = READ_ONCE(rq_of_cpu(v->cpu)->idles);
    unsigned found = v->cpu;

    if (v->sched.p.pool->policy == SCHED_NULL)
        return found;
    for (unsigned cpu = 0; cpu < nr_cpus; cpu++) {
        if (!READ_ONCE(rq_of_cpu(cpu)->idles) || !cpupool_allows(v, cpu))
            continue;
        if (is_wanted(v, cpu))
            return cpu;
        if (!own)
            found = cpu;
    }
    return found;
}

/*
 * Moving v there evens the loads out, or makes them change places, so that among more vCPUs than
 * CPUs all have their turn at having a CPU with fewer.
 */
unsigned cpupool_lighter_cpu(const struct runqueue *rq, const struct vcpu *v) {
    uint64_t best = rq_load(rq) - v->sched.p.weight;
    unsigned found = v->cpu;

    for (unsigned cpu = 0; cpu < nr_cpus; cpu++) {
        uint64_t load = rq_load(rq_of_cpu(cpu));

        if (cpu == v->cpu || load > best || !cpupool_allows(v, cpu))
            continue;
        if (load == best && found != v->cpu)
            continue;
        best = load;
        found = cpu;
    }
    return found;
}
