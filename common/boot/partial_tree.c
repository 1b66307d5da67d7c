/* The partial device tree of a domain: what it says for Holdfast, and what the guest gets of it. */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/partial_tree.h>
#include <hv/string.h>

#include <libfdt.h>

#define REG "xen,reg"
#define PATH "xen,path"
#define FORCE "xen,force-assign-without-iommu"
#define FAULTS "holdfast,dma-faults"

#define MAX_DEPTH 16 /* of nodes copied: each takes a stack frame */

/* ---- reading ---- */

static int next_below(const void *tree, int top, int node) {
    int depth = 0, at = top;

    /* Only from the top is the depth known. */
    do
        at = fdt_next_node(tree, at, &depth);
    while (at >= 0 && depth > 0 && at <= node);
    return depth > 0 ? at : -1;
}

static void reg_cells(const void *tree, int node, unsigned *ac, unsigned *sc) {
    fdt_cells(tree, fdt_parent_offset(tree, node), ac, sc);
}

static int read_ranges(const void *tree, struct partial_device *dev) {
    unsigned ac, sc, each;
    int len = 0;

    dev->nr_ranges = 0;
    if (!fdt_getprop(tree, dev->node, REG, &len))
        return 0;
    reg_cells(tree, dev->node, &ac, &sc);
    each = 4 * (2 * ac + sc);
    if (ac < 1 || ac > 2 || sc < 1 || sc > 2 || !len || (unsigned)len % each)
        return -EINVAL;
    dev->nr_ranges = (unsigned)len / each;
    return 0;
}

int partial_tree_device(const void *tree, int node, struct partial_device *out, const char **prop) {
    int top = fdt_path_offset(tree, "/passthrough"), rc;

    if (top < 0)
        return -ENOENT;
    for (node = MAX(node, top); (node = next_below(tree, top, node)) >= 0;) {
        if (!fdt_flag(tree, node, REG) && !fdt_flag(tree, node, PATH) &&
            !fdt_flag(tree, node, FORCE))
            continue;
        *out = (struct partial_device){.node = node, .force = fdt_flag(tree, node, FORCE)};
        *prop = PATH;
        rc = fdt_str(tree, node, PATH, &out->path);
        if (rc == -EINVAL)
            return rc;
        *prop = REG;
        return read_ranges(tree, out);
    }
    return -ENOENT;
}

static uint64_t take(const fdt32_t **cell, unsigned n) {
    uint64_t v = 0;

    while (n--)
        v = v << 32 | fdt32_ld((*cell)++);
    return v;
}

void partial_tree_range(const void *tree, const struct partial_device *dev, unsigned i,
                        struct partial_range *out) {
    const fdt32_t *cell = fdt_getprop(tree, dev->node, REG, NULL);
    unsigned ac, sc;

    reg_cells(tree, dev->node, &ac, &sc);
    cell += i * (2 * ac + sc);
    out->host = take(&cell, ac);
    out->size = take(&cell, sc);
    out->guest = take(&cell, ac);
}

uint32_t partial_tree_gic_phandle(const void *tree, uint32_t otherwise) {
    int gic = fdt_path_offset(tree, "/gic");
    uint32_t phandle = gic < 0 ? 0 : fdt_get_phandle(tree, gic);

    return phandle && phandle != ~0u ? phandle : otherwise;
}

/* ---- copying ---- */

static int copy_properties(const void *tree, int node, void *to) {
    int at, rc = 0;

    fdt_for_each_property_offset(at, tree, node) {
        const char *name;
        int len;
        const void *value = fdt_getprop_by_offset(tree, at, &name, &len);

        if (!value)
            return len;
        if (!strcmp(name, REG) || !strcmp(name, PATH) || !strcmp(name, FORCE) ||
            !strcmp(name, FAULTS))
            continue;
        rc = fdt_property(to, name, value, len);
        if (rc)
            break;
    }
    return rc;
}

static int copy_node(const void *tree, int node, void *to, unsigned depth) {
    int child, rc = depth < MAX_DEPTH ? 0 : -FDT_ERR_BADSTRUCTURE;

    if (!rc)
        rc = fdt_begin_node(to, fdt_get_name(tree, node, NULL));
    if (!rc)
        rc = copy_properties(tree, node, to);
    if (rc)
        return rc;
    fdt_for_each_subnode(child, tree, node) {
        rc = copy_node(tree, child, to, depth + 1);
        if (rc)
            return rc;
    }
    return fdt_end_node(to);
}

int partial_tree_copy(const void *tree, void *to) {
    static const char *const copied[] = {"/aliases", "/passthrough"};
    int rc = 0;

    for (unsigned i = 0; !rc && i < ARRAY_SIZE(copied); i++) {
        int node = fdt_path_offset(tree, copied[i]);

        if (node >= 0)
            rc = copy_node(tree, node, to, 0);
    }
    return rc;
}
