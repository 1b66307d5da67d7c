/* Devices for a domain: its partial tree read against the host's, and everything in it given. */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/guest_devices.h>
#include <hv/guest_layout.h>
#include <hv/guest_map.h>
#include <hv/iommu.h>
#include <hv/mapwin.h>
#include <hv/partial_tree.h>
#include <hv/passthrough.h>
#include <hv/pci.h>
#include <hv/printk.h>
#include <hv/string.h>
#include <hv/vpci.h>

#include <libfdt.h>

/* A line about a node of the partial tree, which has no place in the host's. */
static int device_error(const struct guest_config *cfg, const void *tree, int node,
                        const char *prop, const char *what) {
    char path[FDT_PATH_MAX];

    return guest_error(cfg, cfg->tree_node, NULL, "%s%s%s: %s", fdt_path(tree, node, path),
                       prop ? ": " : "", prop ? prop : "", what);
}

/* ---- what its DMA may do ---- */

#define FUNCTIONS FUNCTIONS_PROP
#define FAULTS "holdfast,dma-faults"
#define MODE "holdfast,iommu"

/* String i of the property, or the only one, is the word *out. -ENOENT: it is not there. */
static int read_word(const void *fdt, int node, const char *prop, int i, const char *const words[2],
                     unsigned *out) {
    int count = fdt_stringlist_count(fdt, node, prop);
    const char *s = fdt_stringlist_get(fdt, node, prop, count == 1 ? 0 : i, NULL);

    if (count == -FDT_ERR_NOTFOUND)
        return -ENOENT;
    for (*out = 0; s && *out < 2; ++*out)
        if (!strcmp(s, words[*out]))
            return 0;
    return -EINVAL;
}

/* Without the property *out stays. False: it has another word. */
static bool read_faults(const void *fdt, int node, int i, enum iommu_fault_policy *out) {
    static const char *const words[] = {"log", "crash"};
    unsigned word;
    int rc = read_word(fdt, node, FAULTS, i, words, &word);

    if (!rc)
        *out = word ? IOMMU_FAULT_CRASH : IOMMU_FAULT_LOG;
    return rc != -EINVAL;
}

/* Of the domain's own node. */
static int read_dma(const struct guest_config *cfg, struct guest_devices *dev) {
    static const char *const words[] = {"mirror", "shared"};
    int n = MAX(1, fdt_stringlist_count(cfg->fdt, cfg->node, FAULTS));
    enum iommu_fault_policy unused;
    unsigned word = 0;
    int rc = read_word(cfg->fdt, cfg->node, MODE, 0, words, &word);

    if (rc == -EINVAL)
        return guest_error(cfg, cfg->node, MODE, "expected \"mirror\" or \"shared\"");
    if (!rc)
        dev->iommu_mode = word ? IOMMU_MODE_SHARED : IOMMU_MODE_MIRROR;
    for (int i = 0; i < n; i++)
        if (!read_faults(cfg->fdt, cfg->node, i, &unused))
            return guest_error(cfg, cfg->node, FAULTS, "expected \"log\" or \"crash\"");
    if (n > 1 && n != fdt_stringlist_count(cfg->fdt, cfg->node, FUNCTIONS))
        return guest_error(cfg, cfg->node, FAULTS,
                           "expected one word, or one for each of " FUNCTIONS);
    return 0;
}

/* ---- what it takes ---- */

static int host_node(const struct guest_config *cfg, const void *tree,
                     const struct partial_device *p, int *node) {
    *node = -1;
    if (!p->path)
        return 0;
    *node = fdt_path_offset(cfg->fdt, p->path);
    return *node < 0 ? device_error(cfg, tree, p->node, "xen,path",
                                    "expected the path of a node in the machine's tree")
                     : 0;
}

static int check_device(const struct guest_config *cfg, const void *tree,
                        const struct partial_device *p) {
    if (p->path && !p->nr_ranges)
        return device_error(cfg, tree, p->node, "xen,reg",
                            "expected the registers of the device, got nothing");
    if (!p->path && !p->force)
        return device_error(cfg, tree, p->node, "xen,path",
                            "expected the path of a node in the machine's tree, got nothing");
    if (!p->force && cfg->passthrough == PASSTHROUGH_DISABLED)
        return device_error(cfg, tree, p->node, NULL,
                            "expected xen,force-assign-without-iommu, since the domain has "
                            "passthrough = \"disabled\"");
    return 0;
}

/* Tables between the place in the guest and pages or blocks; generous. */
static uint32_t tables_for(const struct partial_range *r) {
    bool blocks = IS_ALIGNED(r->host ^ r->guest, MB(2));

    return 6 + (uint32_t)MIN(blocks ? r->size >> 30 : r->size >> 21, 4096u);
}

struct spis {
    uint32_t used[DIV_ROUND_UP(NR_IRQS, 32)];
};

static void note_irqs(int node, struct spis *spis, struct guest_devices *dev) {
    enum irq_trigger trigger;
    unsigned irq;

    for (unsigned i = 0; node >= 0 && !passthrough_node_irq(node, i, &irq, &trigger); i++) {
        spis->used[irq / 32] |= 1u << irq % 32;
        dev->nr_spis = MAX(dev->nr_spis, irq >= 32 ? irq - 31 : 0);
    }
}

static int read_device(const struct guest_config *cfg, const struct partial_device *p,
                       struct spis *spis, struct guest_devices *dev) {
    struct partial_range r;
    int node, rc = check_device(cfg, dev->tree, p);

    if (!rc)
        rc = host_node(cfg, dev->tree, p, &node);
    if (rc)
        return rc;
    note_irqs(node, spis, dev);
    for (unsigned i = 0; i < p->nr_ranges; i++) {
        partial_tree_range(dev->tree, p, i, &r);
        dev->p2m_pages += tables_for(&r);
    }
    return 0;
}

static int open_tree(const struct guest_config *cfg, struct guest_devices *dev) {
    const void *tree = ram_map(paddr(cfg->tree.start), cfg->tree.size);

    dev->tree = tree;
    if (!tree)
        return guest_error(cfg, cfg->tree_node, NULL, "no memory to map it");
    if (fdt_validate(tree, cfg->tree.size))
        return guest_error(cfg, cfg->tree_node, "reg",
                           "expected a device tree of at most %u bytes, at a multiple of 8",
                           FDT_MAX_SIZE);
    if (fdt_totalsize(tree) > GUEST_FDT_MAX / 2)
        return guest_error(cfg, cfg->tree_node, "reg",
                           "expected a partial device tree of at most %u bytes, got %u",
                           GUEST_FDT_MAX / 2, (unsigned)fdt_totalsize(tree));
    return 0;
}

void guest_devices_done(const struct guest_config *cfg, struct guest_devices *dev) {
    if (dev->tree)
        ram_unmap(dev->tree, cfg->tree.size);
    dev->tree = NULL;
}

static int read_tree(const struct guest_config *cfg, struct spis *spis, struct guest_devices *dev) {
    struct partial_device p = {.node = 0};
    const char *prop;
    int rc = open_tree(cfg, dev);

    if (rc)
        return rc;
    while (!(rc = partial_tree_device(dev->tree, p.node, &p, &prop))) {
        rc = read_device(cfg, &p, spis, dev);
        if (rc)
            return rc;
    }
    if (rc == -ENOENT)
        return 0;
    return device_error(cfg, dev->tree, p.node, prop, "malformed");
}

/* ---- single PCI functions ---- */

/* `digits` hexadecimal ones and the character after them (0: the end). False: something else. */
static bool take_hex(const char **s, unsigned digits, char after, uint32_t *out) {
    for (*out = 0; digits; digits--) {
        char c = *(*s)++;

        if (c >= '0' && c <= '9')
            *out = *out << 4 | (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            *out = *out << 4 | (uint32_t)(c - 'a' + 10);
        else
            return false;
    }
    return *(*s)++ == after;
}

/* segment:bus:device.function, as lspci -D writes it. */
static bool parse_function(const char *s, uint32_t *segment, uint32_t *rid) {
    uint32_t bus, device, function;

    if (!take_hex(&s, 4, ':', segment) || !take_hex(&s, 2, ':', &bus) ||
        !take_hex(&s, 2, '.', &device) || !take_hex(&s, 1, 0, &function) || device > 31 ||
        function > 7)
        return false;
    *rid = bus << 8 | device << 3 | function;
    return true;
}

/* Entry i of the property; NULL: no more. */
static const char *function_name(const struct guest_config *cfg, int i) {
    return fdt_stringlist_get(cfg->fdt, cfg->node, FUNCTIONS, i, NULL);
}

static int read_functions(const struct guest_config *cfg, struct spis *spis,
                          struct guest_devices *dev) {
    int count = fdt_stringlist_count(cfg->fdt, cfg->node, FUNCTIONS);
    uint32_t segment, rid;

    if (count == -FDT_ERR_NOTFOUND)
        return 0;
    if (count < 0 || (unsigned)count > VPCI_SLOTS)
        return guest_error(cfg, cfg->node, FUNCTIONS, "expected a list of 1 to %u strings",
                           VPCI_SLOTS);
    if (cfg->passthrough == PASSTHROUGH_DISABLED)
        return guest_error(cfg, cfg->node, FUNCTIONS,
                           "expected none, since the domain has passthrough = \"disabled\"");
    for (int i = 0; i < count; i++) {
        struct pci_host *h;

        if (!parse_function(function_name(cfg, i), &segment, &rid))
            return guest_error(cfg, cfg->node, FUNCTIONS,
                               "expected segment:bus:device.function like 0000:00:02.0, got \"%s\"",
                               function_name(cfg, i));
        h = pci_host_of_segment(segment);
        if (h)
            note_irqs(pci_host_node(h), spis, dev);
        dev->p2m_pages += 8 * PCI_BARS;
    }
    return 0;
}

static int give_functions(const struct guest_config *cfg, struct domain *d) {
    enum iommu_fault_policy faults = IOMMU_FAULT_LOG;
    struct passthrough_why why;
    uint32_t segment, rid;
    const char *name;

    for (int i = 0; (name = function_name(cfg, i)); i++)
        if (parse_function(name, &segment, &rid) && read_faults(cfg->fdt, cfg->node, i, &faults) &&
            passthrough_give_function(d, segment, rid, faults, &why))
            return guest_error(cfg, cfg->node, FUNCTIONS, "%s: %s", name, why.text);
    return 0;
}

int guest_devices_read(const struct guest_config *cfg, struct guest_devices *dev) {
    struct spis spis = {{0}};
    int rc;

    *dev = (struct guest_devices){.console_intid = GUEST_VPL011_SPI};
    rc = read_dma(cfg, dev);
    if (!rc && cfg->tree_node >= 0)
        rc = read_tree(cfg, &spis, dev);
    if (!rc)
        rc = read_functions(cfg, &spis, dev);
    if (rc || !cfg->vpl011)
        return rc;
    while (spis.used[dev->console_intid / 32] >> dev->console_intid % 32 & 1)
        if (++dev->console_intid == NR_IRQS)
            return guest_error(cfg, cfg->node, "vpl011", "expected an SPI that no device has");
    if (dev->console_intid != GUEST_VPL011_SPI)
        printk("d%u: %s: SPI %u is a device's, the console has %u\n", cfg->domid, cfg->name,
               GUEST_VPL011_SPI - 32, dev->console_intid - 32);
    dev->nr_spis = MAX(dev->nr_spis, dev->console_intid - 31);
    return 0;
}

/* ---- giving ---- */

/* A guest that is told of the Xen ABI maps other domains' pages in the places for RAM that it has
 * not. */
static bool where_others_go(const struct guest_config *cfg, const struct partial_range *r) {
    uint64_t end = r->guest + r->size;

    return cfg->enhanced &&
           ((r->guest < GUEST_RAM0_BASE + GUEST_RAM0_SIZE && end > GUEST_RAM0_BASE) ||
            (r->guest < GUEST_RAM1_BASE + GUEST_RAM1_SIZE && end > GUEST_RAM1_BASE));
}

static int give_device(const struct guest_config *cfg, const void *tree,
                       const struct partial_device *p, struct domain *d) {
    enum iommu_fault_policy faults = IOMMU_FAULT_LOG;
    struct passthrough_why why;
    struct partial_range r;
    int node, rc = host_node(cfg, tree, p, &node);

    if (rc)
        return rc;
    (void)read_faults(cfg->fdt, cfg->node, 0, &faults); /* for all that do not say otherwise */
    if (!read_faults(tree, p->node, 0, &faults))
        return device_error(cfg, tree, p->node, FAULTS, "expected \"log\" or \"crash\"");
    for (unsigned i = 0; i < p->nr_ranges; i++) {
        partial_tree_range(tree, p, i, &r);
        if (where_others_go(cfg, &r))
            return device_error(cfg, tree, p->node, "xen,reg",
                                "expected a guest address that is no place for RAM, since the "
                                "domain has xen,enhanced");
        if (passthrough_give_mmio(d, r.host, r.guest, r.size, &why))
            return device_error(cfg, tree, p->node, "xen,reg", why.text);
    }
    if (node >= 0 && passthrough_give_node(d, node, p->force, faults, &why))
        return device_error(cfg, tree, p->node, "xen,path", why.text);
    return 0;
}

int guest_devices_give(const struct guest_config *cfg, const struct guest_devices *dev,
                       struct domain *d) {
    struct partial_device p = {.node = 0};
    const char *prop;
    int rc = 0;

    d->iommu_mode = (uint8_t)dev->iommu_mode;
    if (cfg->passthrough == PASSTHROUGH_ENABLED && !d->iommu) {
        rc = iommu_domain_create(&d->p2m, dev->iommu_mode, &d->iommu);
        if (rc)
            return guest_error(cfg, cfg->node, "passthrough",
                               "expected an IOMMU that translates stage 2 (SMMUv3), error %d", rc);
    }
    while (dev->tree && !rc && !partial_tree_device(dev->tree, p.node, &p, &prop))
        rc = give_device(cfg, dev->tree, &p, d);
    return rc ? rc : give_functions(cfg, d);
}
