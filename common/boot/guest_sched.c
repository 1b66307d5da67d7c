/* What a domain's node says to the scheduler: pool, weight, budget, and "xen,vcpu" nodes. */
#include <hv/bits.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/guest_sched.h>
#include <hv/string.h>

#include <libfdt.h>

#include "cpupools.h"

#define CAP_PERIOD_US 30000u

static int read_pool(const struct guest_config *cfg, struct sched_params *p) {
    uint32_t phandle;
    int rc = fdt_u32(cfg->fdt, cfg->node, "domain-cpupool", &phandle);

    if (rc == -ENOENT)
        return 0;
    p->pool = rc ? NULL : cpupool_by_phandle(phandle);
    if (!p->pool)
        return guest_error(cfg, cfg->node, "domain-cpupool", "expected the phandle of a CPU pool");
    return 0;
}

/* Of the domain's node, or of a vCPU's where it differs. */
static int read_budget(const struct guest_config *cfg, int node, struct sched_params *p) {
    uint32_t budget = 0, period = 0;
    int rc = guest_read_number(cfg, node, "holdfast,budget-us", 10, SCHED_PERIOD_MAX_US, &budget);

    if (!rc)
        rc = guest_read_number(cfg, node, "holdfast,period-us", SCHED_PERIOD_MIN_US,
                               SCHED_PERIOD_MAX_US, &period);
    if (rc || (!budget && !period))
        return rc;
    if (!budget || !period || budget > period)
        return guest_error(cfg, node, "holdfast,budget-us",
                           "expected it together with holdfast,period-us, and not above that");
    p->budget_us = budget;
    p->period_us = period;
    p->realtime = true;
    return 0;
}

static int read_domain(const struct guest_config *cfg, struct sched_params *p) {
    uint32_t cap = 0;
    int rc = read_pool(cfg, p);

    if (!rc)
        rc = guest_read_number(cfg, cfg->node, "holdfast,weight", 1, SCHED_WEIGHT_MAX, &p->weight);
    if (!rc)
        rc = guest_read_number(cfg, cfg->node, "holdfast,cap", 1, 100, &cap);
    if (!rc && cap && cap < 100) {
        p->period_us = CAP_PERIOD_US;
        p->budget_us = CAP_PERIOD_US / 100 * cap;
    }
    return rc ? rc : read_budget(cfg, cfg->node, p);
}

/* "0-3,5": numbers of CPUs. False: not such a list, or a CPU that is not there. */
static bool parse_list(const char *s, struct cpumask *m) {
    *m = (struct cpumask){{0}};
    for (;;) {
        char *end;
        unsigned long from = strtoul(s, &end, 10), to = from;

        if (end == s)
            return false;
        if (*end == '-') {
            s = end + 1;
            to = strtoul(s, &end, 10);
            if (end == s)
                return false;
        }
        if (to < from || to >= nr_cpus)
            return false;
        for (unsigned long cpu = from; cpu <= to; cpu++)
            cpumask_add(m, (unsigned)cpu);
        if (!*end)
            return true;
        if (*end != ',')
            return false;
        s = end + 1;
    }
}

static int read_affinity(const struct guest_config *cfg, int node, const char *prop,
                         const struct sched_params *p, struct cpumask *m) {
    const struct cpumask *of_pool = cpupool_cpus(p->pool);
    struct cpumask both;
    const char *list;
    int rc = fdt_str(cfg->fdt, node, prop, &list);

    if (rc == -ENOENT || (!rc && !strcmp(list, "all")))
        return 0;
    if (rc || !parse_list(list, m))
        return guest_error(cfg, node, prop, "expected CPUs as in \"0-3,5\", each below %u",
                           nr_cpus);
    for (unsigned i = 0; i < ARRAY_SIZE(both.bits); i++)
        both.bits[i] = m->bits[i] & of_pool->bits[i];
    if (cpumask_is_empty(&both))
        return guest_error(cfg, node, prop, "expected a CPU of pool %s", cpupool_name(p->pool));
    return 0;
}

/* Where a "xen,vcpu" node has this id. */
static int read_vcpu(const struct guest_config *cfg, unsigned id, struct sched_params *p) {
    int node, rc = 0;

    fdt_for_each_subnode(node, cfg->fdt, cfg->node) {
        uint32_t n;

        if (!fdt_compatible(cfg->fdt, node, "xen,vcpu"))
            continue;
        if (fdt_u32(cfg->fdt, node, "id", &n) || n >= cfg->vcpus)
            return guest_error(cfg, node, "id", "expected a number below %u", cfg->vcpus);
        if (n != id)
            continue;
        rc = read_affinity(cfg, node, "hard-affinity", p, &p->hard);
        if (!rc)
            rc = read_affinity(cfg, node, "soft-affinity", p, &p->soft);
        if (!rc)
            rc = read_budget(cfg, node, p);
        if (rc)
            return rc;
    }
    return 0;
}

int guest_sched_apply(const struct guest_config *cfg, struct domain *d) {
    struct sched_params common;
    int rc;

    sched_params_init(&common);
    rc = read_domain(cfg, &common);
    for (unsigned i = 0; !rc && i < d->max_vcpus; i++) {
        struct sched_params p = common;

        rc = read_vcpu(cfg, i, &p);
        if (!rc && sched_configure(d->vcpus[i], &p))
            rc = guest_error(cfg, cfg->node, "cpus",
                             "expected as many as pool %s has CPUs left for", cpupool_name(p.pool));
    }
    return rc;
}
