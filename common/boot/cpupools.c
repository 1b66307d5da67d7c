/* CPU pools of /chosen: "xen,cpupool" nodes with cpupool-cpus and cpupool-sched, as Xen has them.
 */
#include <hv/cpu.h>
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/guest_sched.h>
#include <hv/printk.h>
#include <hv/sched.h>
#include <hv/string.h>

#include <libfdt.h>

#include "cpupools.h"

#define POOLS_MAX 32u

static struct {
    uint32_t phandle;
    struct cpupool *pool;
} pools[POOLS_MAX];
static unsigned nr_pools;

static void wrong(const void *fdt, int node, const char *prop, const char *what) {
    char path[FDT_PATH_MAX];

    printk("error: %s: %s: %s; pool not made\n", fdt_path(fdt, node, path), prop, what);
}

/* The number of the CPU with that node, or -1. */
static int cpu_of_phandle(const void *fdt, uint32_t phandle) {
    int node = fdt_node_offset_by_phandle(fdt, phandle);
    unsigned ac, sc;
    uint64_t mpidr, size;

    if (node < 0)
        return -1;
    fdt_cells(fdt, fdt_parent_offset(fdt, node), &ac, &sc);
    if (fdt_reg_raw(fdt, node, 0, ac, 0, &mpidr, &size))
        return -1;
    return cpu_from_mpidr(mpidr);
}

static int read_cpus(const void *fdt, int node, struct cpumask *cpus) {
    int len = 0;
    const fdt32_t *cell = fdt_getprop(fdt, node, "cpupool-cpus", &len);

    if (!cell || len < 4 || len % 4) {
        wrong(fdt, node, "cpupool-cpus", "expected phandles of CPUs");
        return -EINVAL;
    }
    for (int i = 0; i < len / 4; i++) {
        int cpu = cpu_of_phandle(fdt, fdt32_to_cpu(cell[i]));

        if (cpu < 0 || !cpu_is_online((unsigned)cpu)) {
            wrong(fdt, node, "cpupool-cpus", "expected phandles of CPUs that are online");
            return -EINVAL;
        }
        cpumask_add(cpus, (unsigned)cpu);
    }
    return 0;
}

static int read_policy(const void *fdt, int node, enum sched_policy *policy) {
    const char *name;
    int rc = fdt_str(fdt, node, "cpupool-sched", &name);

    *policy = SCHED_FAIR;
    if (rc == -ENOENT)
        return 0;
    if (!rc && !strcmp(name, "null"))
        *policy = SCHED_NULL;
    else if (rc || (strcmp(name, "credit") && strcmp(name, "credit2") && strcmp(name, "fair"))) {
        wrong(fdt, node, "cpupool-sched",
              "expected \"null\", \"fair\", or \"credit\" or \"credit2\", which mean fair");
        return -EINVAL;
    }
    return 0;
}

static void read_pool(const void *fdt, int node) {
    struct cpumask cpus = {{0}};
    enum sched_policy policy;
    struct cpupool *pool;
    int rc;

    if (nr_pools == POOLS_MAX) {
        wrong(fdt, node, "compatible", "expected at most 32 pools");
        return;
    }
    if (read_cpus(fdt, node, &cpus) || read_policy(fdt, node, &policy))
        return;
    rc = cpupool_create(fdt_get_name(fdt, node, NULL), &cpus, policy, &pool);
    if (rc) {
        wrong(fdt, node, "cpupool-cpus",
              rc == -EBUSY ? "expected CPUs that are in no other pool" : "no memory");
        return;
    }
    pools[nr_pools].phandle = fdt_get_phandle(fdt, node);
    pools[nr_pools++].pool = pool;
    printk("CPU pool %s: %s\n", cpupool_name(pool),
           policy == SCHED_NULL ? "a CPU for each vCPU" : "fair shares");
}

void cpupools_from_fdt(const void *fdt) {
    int chosen = fdt_path_offset(fdt, "/chosen"), node;

    if (chosen < 0)
        return;
    fdt_for_each_subnode(node, fdt, chosen) if (fdt_compatible(fdt, node, "xen,cpupool") &&
                                                fdt_enabled(fdt, node)) read_pool(fdt, node);
}

struct cpupool *cpupool_by_phandle(uint32_t phandle) {
    for (unsigned i = 0; i < nr_pools; i++)
        if (phandle && pools[i].phandle == phandle)
            return pools[i].pool;
    return NULL;
}
