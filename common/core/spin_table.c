/*
 * CPUs that wait in a loop of the boot loader until their cpu-release-addr is written (Devicetree
 * Specification, 3.8.1; Linux, booting.rst of arm64): the way without firmware.
 */
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/firmware.h>
#include <hv/mm.h>
#include <hv/printk.h>
#include <hv/string.h>

#include <asm/barrier.h>
#include <asm/boot_cpu.h>
#include <asm/io.h>

#include <libfdt.h>

/* Where a CPU that has been released finds what PSCI would have handed to it. */
struct boot_cpu *spin_table_boot_cpu;

static int cpu_node(const void *fdt, uint64_t mpidr) {
    int cpus = fdt_path_offset(fdt, "/cpus"), node;
    unsigned ac, sc;
    uint64_t id, none;

    if (cpus < 0)
        return cpus;
    fdt_cells(fdt, cpus, &ac, &sc);
    fdt_for_each_subnode(node, fdt, cpus) {
        if (!fdt_reg_raw(fdt, node, 0, ac, 0, &id, &none) && id == mpidr)
            return node;
    }
    return -ENOENT;
}

bool spin_table_is_used(const void *fdt) {
    int node = -1;
    const char *method;

    while ((node = fdt_node_offset_by_prop_value(fdt, node, "device_type", "cpu", 4)) >= 0)
        if (!fdt_str(fdt, node, "enable-method", &method) && !strcmp(method, "spin-table"))
            return true;
    return false;
}

int spin_table_cpu_on(const void *fdt, uint64_t mpidr, struct boot_cpu *b) {
    int node = cpu_node(fdt, mpidr);
    char path[FDT_PATH_MAX];
    volatile void *release;
    const char *method;
    uint64_t addr;

    if (node < 0 || fdt_str(fdt, node, "enable-method", &method) || strcmp(method, "spin-table"))
        return -ENODEV;
    if (fdt_u32_or_u64(fdt, node, "cpu-release-addr", &addr) || (addr & 7)) {
        printk("error: %s: cpu-release-addr: expected an address; CPU not used\n",
               fdt_path(fdt, node, path));
        return -EINVAL;
    }
    release = ioremap(paddr(addr), sizeof(uint64_t));
    if (!release)
        return -ENOMEM;
    b->mpidr = mpidr;
    spin_table_boot_cpu = b;
    dsb(sy);
    /* It looks there with its caches off. */
    writeq(virt_to_phys(spin_table_entry).pa, release);
    dsb(sy);
    sev();
    iounmap(release, sizeof(uint64_t));
    return 0;
}
