/* The machine and its domains in a few lines, for whoever looks at the console after the boot. */
#include <hv/bits.h>
#include <hv/boot_summary.h>
#include <hv/cpu.h>
#include <hv/guest_devices.h>
#include <hv/iommu.h>
#include <hv/mapwin.h>
#include <hv/partial_tree.h>
#include <hv/printk.h>

#include <libfdt.h>

static const char *plural(unsigned n) {
    return n == 1 ? "" : "s";
}

void boot_summary_machine(void) {
    unsigned iommus = iommu_count();
    uint64_t size, ram = 0;
    paddr_t start;

    for (unsigned i = 0; boot_mem_bank(i, &start, &size); i++)
        ram += size;
    printk("machine: %u CPU%s, %llu MiB, %llu MiB free, %u SMMU%s\n", nr_online, plural(nr_online),
           (unsigned long long)ram >> 20,
           (unsigned long long)heap_free_pages() >> (20 - PAGE_SHIFT), iommus, plural(iommus));
    printk("  %-4s %-16s %5s %11s %7s  %s\n", "", "domain", "vCPUs", "memory", "devices",
           "console");
}

/* Its partial tree was read without a mistake. */
static unsigned count_devices(const struct guest_config *cfg) {
    int n = fdt_stringlist_count(cfg->fdt, cfg->node, FUNCTIONS_PROP);
    struct partial_device p = {.node = 0};
    unsigned count = n > 0 ? (unsigned)n : 0;
    const char *prop;
    const void *tree;

    tree = cfg->tree_node < 0 ? NULL : ram_map(paddr(cfg->tree.start), cfg->tree.size);
    if (!tree)
        return count;
    while (!partial_tree_device(tree, p.node, &p, &prop))
        count++;
    ram_unmap(tree, cfg->tree.size);
    return count;
}

void boot_summary_domain(const struct guest_config *cfg, hv_domid_t domid, bool started) {
    static const char *const consoles[] = {"none", "vpl011", "ring", "vpl011, ring"};

    bool mib = IS_ALIGNED(cfg->mem_bytes, MB(1));

    if (started)
        printk("  d%-3u %-16s %5u %7llu %s %7u  %s\n", domid, cfg->name, cfg->vcpus,
               (unsigned long long)cfg->mem_bytes >> (mib ? 20 : 10), mib ? "MiB" : "KiB",
               count_devices(cfg), consoles[cfg->vpl011 + 2 * cfg->pv_console]);
    else
        printk("  d%-3u %-16s not started\n", domid, cfg->name);
}
