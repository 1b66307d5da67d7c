/* The domains the device tree asks for: read and their modules claimed at boot, built later by a
 * thread. */
#include <hv/bits.h>
#include <hv/boot_summary.h>
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/guests.h>
#include <hv/policy.h>
#include <hv/printk.h>
#include <hv/restart.h>
#include <hv/static_mem.h>
#include <hv/static_shm.h>
#include <hv/string.h>
#include <hv/vcpu.h>

#include <libfdt.h>

/* Static: domains are read before there is an allocator, since their modules must be reserved
 * first. */
static struct guest_config guests[GUESTS_MAX];
static unsigned nr_guests; /* good ones are marked so */

static int check_module(const struct guest_config *cfg, int node, const struct boot_module *m) {
    const char *why = node < 0 ? NULL : module_check(m);

    return why ? guest_error(cfg, node, "reg", "%s (0x%llx, %llu bytes)", why,
                             (unsigned long long)m->start, (unsigned long long)m->size)
               : 0;
}

static int claim_module(const struct guest_config *cfg, int node, const struct boot_module *m) {
    const char *why = node < 0 ? NULL : module_claim(m);

    return why ? guest_error(cfg, node, "reg", "%s", why) : 0;
}

/* All is checked before the first is claimed: a refused domain keeps no memory. */
static int claim_memory(const struct guest_config *cfg) {
    int rc = check_module(cfg, cfg->kernel_node, &cfg->kernel);

    if (!rc)
        rc = check_module(cfg, cfg->ramdisk_node, &cfg->ramdisk);
    if (!rc)
        rc = check_module(cfg, cfg->tree_node, &cfg->tree);
    if (!rc)
        rc = static_mem_check(cfg, guests, (unsigned)(cfg - guests));
    if (!rc)
        rc = claim_module(cfg, cfg->kernel_node, &cfg->kernel);
    if (!rc)
        rc = claim_module(cfg, cfg->ramdisk_node, &cfg->ramdisk);
    if (!rc)
        rc = claim_module(cfg, cfg->tree_node, &cfg->tree);
    if (!rc)
        rc = static_mem_claim(cfg);
    return rc;
}

static int check_name(const struct guest_config *cfg) {
    for (const struct guest_config *o = guests; o < cfg; o++)
        if (!strcmp(o->name, cfg->name))
            return guest_error(cfg, cfg->node, NULL,
                               "expected a name of its own, another domain is \"%s\"", cfg->name);
    return 0;
}

static void add_guest(const void *fdt, int node) {
    struct guest_config *cfg = &guests[nr_guests];

    if (nr_guests == GUESTS_MAX) {
        struct guest_config extra = {.fdt = fdt};

        guest_error(&extra, node, NULL, "expected at most %u domains", GUESTS_MAX);
        return;
    }
    /* A refused node keeps its number, so that a domain's number does not hang on its neighbours.
     */
    nr_guests++;
    if (guest_config_parse(fdt, node, cfg))
        return;
    cfg->domid = (hv_domid_t)nr_guests;
    cfg->good = !check_name(cfg) && !claim_memory(cfg) && !static_shm_claim(cfg);
}

/* ---- who may share with whom ---- */

_Static_assert(GUESTS_MAX < POLICY_DOMIDS, "every domain of the tree has its place");

static const struct guest_config *guest_named(const char *name) {
    for (const struct guest_config *g = guests; g < guests + nr_guests; g++)
        if (g->domid && !strcmp(g->name, name))
            return g;
    return NULL;
}

const struct guest_config *guest_of_node(int node) {
    for (const struct guest_config *g = guests; g < guests + nr_guests; g++)
        if (g->good && g->node == node)
            return g;
    return NULL;
}

const struct guest_config *guest_find(const char *word) {
    const struct guest_config *g = guest_named(word);
    const char *digits = word + (*word == 'd');
    char *end;
    unsigned long n = strtoul(digits, &end, 10);

    if (!g && end != digits && !*end && n >= 1 && n <= nr_guests)
        g = &guests[n - 1];
    return g && g->good ? g : NULL;
}

/* Two names after each other are a pair; one that names nobody costs a line and that pair. */
static void read_pairs(const void *fdt, int chosen) {
    static const char prop[] = "holdfast,allow-pairs";
    int n = fdt_stringlist_count(fdt, chosen, prop);

    if (n == -FDT_ERR_NOTFOUND)
        return;
    if (n < 0 || n % 2)
        printk("error: /chosen: %s: expected an even number of domain names; ignored\n", prop);
    for (int i = 0; n > 0 && n % 2 == 0 && i < n; i += 2) {
        const char *name[2] = {fdt_stringlist_get(fdt, chosen, prop, i, NULL),
                               fdt_stringlist_get(fdt, chosen, prop, i + 1, NULL)};
        const struct guest_config *a = guest_named(name[0]), *b = guest_named(name[1]);

        if (a && b)
            policy_allow_pair(a->domid, b->domid);
        else
            printk("error: /chosen: %s: expected names of domains, \"%s\" is none; ignored\n", prop,
                   a ? name[1] : name[0]);
    }
}

/* A module outside any domain is for a control domain, which is not there: it is not kept. */
static void report_loose_module(const void *fdt, int node) {
    static const char *const kinds[] = {"multiboot,module", "multiboot,kernel",
                                        "multiboot,ramdisk"};
    char path[FDT_PATH_MAX];

    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (fdt_compatible(fdt, node, kinds[i])) {
            printk("%s: a module of no domain, ignored\n", fdt_path(fdt, node, path));
            return;
        }
    }
}

void guests_init(const void *fdt) {
    int chosen = fdt_path_offset(fdt, "/chosen"), node;
    char path[FDT_PATH_MAX];

    nr_guests = 0;
    if (chosen < 0)
        return;
    fdt_for_each_subnode(node, fdt, chosen) {
        if (!fdt_compatible(fdt, node, "xen,domain"))
            report_loose_module(fdt, node);
        else if (fdt_enabled(fdt, node))
            add_guest(fdt, node);
        else
            printk("%s: disabled, ignored\n", fdt_path(fdt, node, path));
    }
    read_pairs(fdt, chosen);
}

bool guests_want_devices(void) {
    for (unsigned i = 0; i < nr_guests; i++)
        if (guests[i].tree_node >= 0 ||
            fdt_getprop(guests[i].fdt, guests[i].node, "holdfast,pci-functions", NULL))
            return true;
    return false;
}

static void build_all(void *arg) {
    bool runs[GUESTS_MAX] = {false};
    unsigned started = 0;

    (void)arg;
    static_shm_fill();
    for (unsigned i = 0; i < nr_guests; i++) {
        runs[i] = guests[i].good && !guest_build(&guests[i]);
        started += runs[i];
    }
    boot_summary_machine();
    for (unsigned i = 0; i < nr_guests; i++)
        boot_summary_domain(&guests[i], (hv_domid_t)(i + 1), runs[i]);
    printk("%u of %u domains started\n", started, nr_guests);
    if (!started)
        printk("error: /chosen: expected a domain that can be started; nothing to run\n");
    restart_boot_done();
}

void guests_start(void) {
    restart_init();
    if (!hv_thread_create(build_all, NULL))
        panic("no memory for the thread that builds domains");
}
