/* One domain node of the dom0less binding, read and checked. */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/guest_config.h>
#include <hv/guest_map.h>
#include <hv/printk.h>
#include <hv/static_mem.h>
#include <hv/string.h>

#include <libfdt.h>

#define RESTART_LIMIT 3u /* unless the node says otherwise */
#define IGNORED_LINES 16 /* at most, for one domain */

int guest_error(const struct guest_config *cfg, int node, const char *prop, const char *fmt, ...) {
    char path[FDT_PATH_MAX], what[160];
    va_list ap;

    va_start(ap, fmt);
    hv_vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    fdt_path(cfg->fdt, node, path);
    printk("error: %s: %s%s%s; domain not started\n", path, prop ? prop : "", prop ? ": " : "",
           what);
    return -EINVAL;
}

/* The property's length for messages; the caller knows that it exists. */
static int prop_len(const struct guest_config *cfg, int node, const char *prop) {
    int len = 0;

    fdt_getprop(cfg->fdt, node, prop, &len);
    return len;
}

static bool is_one_of(const char *s, const char *const *list, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        if (!strcmp(s, list[i]))
            return true;
    return false;
}

int guest_read_number(const struct guest_config *cfg, int node, const char *prop, uint32_t min,
                      uint32_t max, uint32_t *out) {
    uint32_t n;
    int rc = fdt_u32(cfg->fdt, node, prop, &n);

    if (rc == -ENOENT)
        return 0;
    if (rc)
        return guest_error(cfg, node, prop, "expected 1 cell, got %d bytes",
                           prop_len(cfg, node, prop));
    if (n < min || n > max)
        return guest_error(cfg, node, prop, "expected %u to %u, got %u", min, max, n);
    *out = n;
    return 0;
}

/* Of the domain's node. */
static int read_number(const struct guest_config *cfg, const char *prop, uint32_t min, uint32_t max,
                       uint32_t *out) {
    return guest_read_number(cfg, cfg->node, prop, min, max, out);
}

static int read_name(struct guest_config *cfg) {
    int len = 0;
    const char *s = fdt_get_name(cfg->fdt, cfg->node, &len), *at;
    size_t n;

    if (!s)
        return guest_error(cfg, cfg->node, NULL, "expected a node name");
    at = memchr(s, '@', (size_t)len);
    n = at ? (size_t)(at - s) : (size_t)len;
    if (n == 0 || n >= sizeof(cfg->name))
        return guest_error(cfg, cfg->node, NULL, "expected a name of 1 to %u characters, got %u",
                           (unsigned)sizeof(cfg->name) - 1, (unsigned)n);
    memcpy(cfg->name, s, n);
    cfg->name[n] = 0;
    return 0;
}

static int read_cpus(struct guest_config *cfg) {
    uint32_t n = 0;
    int rc = read_number(cfg, "cpus", 1, GUEST_MAX_VCPUS, &n);

    if (!rc && !n)
        return guest_error(cfg, cfg->node, "cpus", "expected 1 cell, got nothing");
    cfg->vcpus = n;
    return rc;
}

static int read_memory(struct guest_config *cfg) {
    uint64_t kib;
    int rc = fdt_u32_or_u64(cfg->fdt, cfg->node, "memory", &kib);

    if (rc == -ENOENT)
        return guest_error(cfg, cfg->node, "memory", "expected 2 cells (KiB), got nothing");
    if (rc)
        return guest_error(cfg, cfg->node, "memory", "expected 2 cells (KiB), got %d bytes",
                           prop_len(cfg, cfg->node, "memory"));
    if (kib < 4 || kib > (uint64_t)GUEST_RAM_MAX >> 10)
        return guest_error(cfg, cfg->node, "memory", "expected 4 to %llu KiB, got %llu",
                           (unsigned long long)GUEST_RAM_MAX >> 10, (unsigned long long)kib);
    cfg->mem_bytes = ALIGN_DOWN(kib << 10, PAGE_SIZE);
    return 0;
}

/* At least what a guest with a console needs, in whole distributor registers. */
static int read_spis(struct guest_config *cfg) {
    uint32_t n = 0;
    int rc = read_number(cfg, "nr_spis", 0, GUEST_SPIS_MAX, &n);

    cfg->nr_spis = ALIGN_UP(n, 32u);
    if (cfg->vpl011 && cfg->nr_spis <= GUEST_VPL011_SPI - 32)
        cfg->nr_spis = 32;
    return rc;
}

static int read_p2m_size(struct guest_config *cfg) {
    uint32_t mib = 0;
    int rc = read_number(cfg, "xen,domain-p2m-mem-mb", 1, 4096, &mib);

    cfg->p2m_bytes = MB(mib);
    return rc;
}

/* on-poweroff and its like, and how often a domain that fails is started again. */
static int read_ends(struct guest_config *cfg) {
    static const char *const names[] = {"on-poweroff", "on-reboot", "on-crash", "on-watchdog"};
    static const char *const actions[] = {"destroy", "restart", "preserve", "halt-machine"};
    int rc;

    for (unsigned i = 0; i < NR_END_KINDS; i++) {
        const char *s = NULL;
        unsigned a = 0;

        rc = fdt_str(cfg->fdt, cfg->node, names[i], &s);
        if (rc == -ENOENT)
            continue;
        while (!rc && a < ARRAY_SIZE(actions) && strcmp(s, actions[a]))
            a++;
        if (rc || a == ARRAY_SIZE(actions))
            return guest_error(
                cfg, cfg->node, names[i],
                "expected \"destroy\", \"restart\", \"preserve\" or \"halt-machine\"");
        cfg->on_end[i] = (enum end_action)a;
    }
    return read_number(cfg, "restart-limit", 0, UINT32_MAX, &cfg->restart_limit);
}

/* A list of strings; "control" is the one there is. */
static int read_capabilities(struct guest_config *cfg) {
    int n = fdt_stringlist_count(cfg->fdt, cfg->node, "capabilities");

    if (n == -FDT_ERR_NOTFOUND)
        return 0;
    if (n != 1 || fdt_stringlist_search(cfg->fdt, cfg->node, "capabilities", "control"))
        return guest_error(cfg, cfg->node, "capabilities", "expected \"control\"");
    cfg->privileged = true;
    return 0;
}

/*
 * Empty or a string. The values differ in what is said of xenstore, and no domain here runs one: a
 * guest is always told that there is none.
 */
static int read_enhanced(struct guest_config *cfg) {
    static const char *const values[] = {"", "enabled", "legacy", "no-xenstore", "disabled"};
    const char *s = "";
    int rc = 0;

    if (!fdt_flag(cfg->fdt, cfg->node, "xen,enhanced"))
        return 0;
    if (prop_len(cfg, cfg->node, "xen,enhanced"))
        rc = fdt_str(cfg->fdt, cfg->node, "xen,enhanced", &s);
    if (rc)
        return guest_error(cfg, cfg->node, "xen,enhanced",
                           "expected a string or nothing, got %d bytes",
                           prop_len(cfg, cfg->node, "xen,enhanced"));
    if (!is_one_of(s, values, ARRAY_SIZE(values)))
        return guest_error(cfg, cfg->node, "xen,enhanced",
                           "expected \"enabled\", \"legacy\", \"no-xenstore\" or \"disabled\", "
                           "got \"%s\"",
                           s);
    cfg->enhanced = strcmp(s, "disabled") != 0;
    return 0;
}

static int read_passthrough(struct guest_config *cfg) {
    const char *s;
    int rc = fdt_str(cfg->fdt, cfg->node, "passthrough", &s);

    if (rc == -ENOENT)
        return 0;
    if (!rc && !strcmp(s, "enabled"))
        cfg->passthrough = PASSTHROUGH_ENABLED;
    else if (!rc && !strcmp(s, "disabled"))
        cfg->passthrough = PASSTHROUGH_DISABLED;
    else
        return guest_error(cfg, cfg->node, "passthrough", "expected \"enabled\" or \"disabled\"");
    return 0;
}

/* ---- modules ---- */

static int read_bootargs(struct guest_config *cfg, int node) {
    const char *s;
    int rc = fdt_str(cfg->fdt, node, "bootargs", &s);

    if (rc == -EINVAL)
        return guest_error(cfg, node, "bootargs", "expected a string ending in NUL, got %d bytes",
                           prop_len(cfg, node, "bootargs"));
    if (rc)
        return 0;
    if (strlen(s) >= GUEST_BOOTARGS_MAX)
        return guest_error(cfg, node, "bootargs", "expected at most %u characters, got %u",
                           GUEST_BOOTARGS_MAX - 1, (unsigned)strlen(s));
    cfg->bootargs = s;
    return 0;
}

static int read_module(struct guest_config *cfg, int node, int *slot, struct boot_module *m) {
    unsigned ac, sc;
    int rc;

    if (*slot >= 0)
        return guest_error(cfg, node, "compatible", "expected one module of this kind, got two");
    fdt_cells(cfg->fdt, cfg->node, &ac, &sc);
    if (ac < 1 || ac > 2 || sc < 1 || sc > 2)
        return guest_error(cfg, cfg->node, "#address-cells",
                           "expected 1 or 2, and #size-cells too");
    rc = fdt_reg_raw(cfg->fdt, node, 0, ac, sc, &m->start, &m->size);
    if (rc == -ENOENT)
        return guest_error(cfg, node, "reg", "expected an address and a size, got nothing");
    if ((unsigned)prop_len(cfg, node, "reg") != 4 * (ac + sc))
        return guest_error(cfg, node, "reg", "expected %u cells of address and size, got %d bytes",
                           ac + sc, prop_len(cfg, node, "reg"));
    if (rc)
        return guest_error(cfg, node, "reg", "expected a range that ends before 2^64");
    if (!m->size)
        return guest_error(cfg, node, "reg", "expected a size, got 0");
    *slot = node;
    return 0;
}

static void ignored(const struct guest_config *cfg, int node, const char *prop, const char *why,
                    unsigned *lines) {
    char path[FDT_PATH_MAX];

    if ((*lines)++ < IGNORED_LINES)
        printk("%s: %s%s%s, ignored\n", fdt_path(cfg->fdt, node, path), prop ? prop : "",
               prop ? ": " : "", why);
}

static int read_modules(struct guest_config *cfg, unsigned *lines) {
    int node, rc = 0;

    fdt_for_each_subnode(node, cfg->fdt, cfg->node) {
        if (fdt_compatible(cfg->fdt, node, "multiboot,kernel")) {
            rc = read_module(cfg, node, &cfg->kernel_node, &cfg->kernel);
            if (!rc)
                rc = read_bootargs(cfg, node);
        } else if (fdt_compatible(cfg->fdt, node, "multiboot,ramdisk")) {
            rc = read_module(cfg, node, &cfg->ramdisk_node, &cfg->ramdisk);
        } else if (fdt_compatible(cfg->fdt, node, "multiboot,device-tree")) {
            rc = read_module(cfg, node, &cfg->tree_node, &cfg->tree);
        } else if (!fdt_compatible(cfg->fdt, node, "xen,vcpu") && /* hv/guest_sched.h reads these */
                   !fdt_compatible(cfg->fdt, node, "xen,domain-shared-memory-v1") &&
                   !fdt_compatible(cfg->fdt, node, "xen,evtchn-v1")) {
            ignored(cfg, node, NULL, "not a known module", lines);
        }
        if (rc)
            return rc;
    }
    if (cfg->kernel_node < 0)
        return guest_error(cfg, cfg->node, NULL,
                           "expected a module with compatible \"multiboot,kernel\"");
    if (modules_overlap(&cfg->kernel, &cfg->ramdisk))
        return guest_error(cfg, cfg->ramdisk_node, "reg",
                           "expected its own place, overlaps the kernel");
    if (modules_overlap(&cfg->kernel, &cfg->tree) || modules_overlap(&cfg->ramdisk, &cfg->tree))
        return guest_error(cfg, cfg->tree_node, "reg",
                           "expected its own place, overlaps kernel or ramdisk");
    if (cfg->ramdisk.size > cfg->mem_bytes)
        return guest_error(
            cfg, cfg->ramdisk_node, "reg", "expected at most the domain's %llu KiB, got %llu KiB",
            (unsigned long long)cfg->mem_bytes >> 10, (unsigned long long)cfg->ramdisk.size >> 10);
    return 0;
}

/* ---- properties nobody reads ---- */

static void report_ignored(const struct guest_config *cfg, unsigned *lines) {
    static const char *const used[] = {"compatible",
                                       "cpus",
                                       "memory",
                                       "vpl011",
                                       "holdfast,pv-console",
                                       "nr_spis",
                                       "#address-cells",
                                       "#size-cells",
                                       "phandle",
                                       "linux,phandle",
                                       "name",
                                       "status",
                                       "xen,enhanced",
                                       "xen,domain-p2m-mem-mb",
                                       "max_grant_version",
                                       "max_grant_frames",
                                       "max_maptrack_frames",
                                       "passthrough",
                                       "direct-map",
                                       "xen,static-mem",
                                       "#xen,static-mem-address-cells",
                                       "#xen,static-mem-size-cells",
                                       "holdfast,pci-functions",
                                       "holdfast,iommu",
                                       "holdfast,dma-faults",
                                       "max_event_channels",
                                       "capabilities",
                                       "on-poweroff",
                                       "on-reboot",
                                       "on-crash",
                                       "on-watchdog",
                                       "restart-limit",
                                       "domain-cpupool",
                                       "holdfast,weight",
                                       "holdfast,cap",
                                       "holdfast,budget-us",
                                       "holdfast,period-us"};
    static const char *const known[] = {"vcpu-affinity", "colors", "llc-colors", "sve",
                                        "xen,passthrough"};
    const char *name;
    int off;

    fdt_for_each_property_offset(off, cfg->fdt, cfg->node) {
        if (!fdt_getprop_by_offset(cfg->fdt, off, &name, NULL) ||
            is_one_of(name, used, ARRAY_SIZE(used)))
            continue;
        ignored(cfg, cfg->node, name,
                is_one_of(name, known, ARRAY_SIZE(known)) ? "not supported yet"
                                                          : "not a known property",
                lines);
    }
    if (*lines > IGNORED_LINES)
        printk("%s: %u more, ignored\n", cfg->name, *lines - IGNORED_LINES);
}

int guest_config_parse(const void *fdt, int node, struct guest_config *cfg) {
    unsigned lines = 0;
    int rc;

    *cfg = (struct guest_config){.fdt = fdt,
                                 .node = node,
                                 .kernel_node = -1,
                                 .ramdisk_node = -1,
                                 .tree_node = -1,
                                 .bootargs = "",
                                 .on_end = {[END_REBOOT] = END_RESTART},
                                 .restart_limit = RESTART_LIMIT,
                                 .max_grant_version = 1,
                                 .max_grant_frames = GUEST_GRANT_FRAMES_MAX,
                                 .max_maptrack_frames = 1024,
                                 .max_evtchn_port = 1023};
    cfg->vpl011 = fdt_flag(fdt, node, "vpl011");
    cfg->pv_console = fdt_flag(fdt, node, "holdfast,pv-console");
    rc = read_name(cfg);
    if (!rc)
        rc = read_cpus(cfg);
    if (!rc)
        rc = read_memory(cfg);
    if (!rc)
        rc = read_spis(cfg);
    if (!rc)
        rc = read_p2m_size(cfg);
    if (!rc)
        rc = read_number(cfg, "max_grant_version", 1, 2, &cfg->max_grant_version);
    if (!rc)
        rc =
            read_number(cfg, "max_grant_frames", 1, GUEST_GRANT_FRAMES_MAX, &cfg->max_grant_frames);
    if (!rc)
        rc = read_number(cfg, "max_maptrack_frames", 0, GUEST_MAPTRACK_FRAMES_MAX,
                         &cfg->max_maptrack_frames);
    if (!rc)
        rc = read_ends(cfg);
    if (!rc)
        rc = read_number(cfg, "max_event_channels", 1, GUEST_EVTCHNS_MAX, &cfg->max_evtchn_port);
    if (!rc)
        rc = read_capabilities(cfg);
    if (!rc)
        rc = read_enhanced(cfg);
    if (!rc)
        rc = read_passthrough(cfg);
    if (!rc)
        rc = read_modules(cfg, &lines);
    if (!rc)
        rc = static_mem_parse(cfg);
    if (rc)
        return rc;
    report_ignored(cfg, &lines);
    cfg->good = true;
    return 0;
}
