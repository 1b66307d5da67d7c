/* Reading device trees: typed, length-checked readers and address translation over libfdt. */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/string.h>

#include <libfdt.h>

#define MAX_DEPTH 16 /* of buses an address is translated through, and of interrupt parents */

int fdt_validate(const void *fdt, size_t max) {
    if (((uintptr_t)fdt & 7) || max < FDT_V1_SIZE || fdt_check_header(fdt))
        return -EINVAL;
    if (fdt_totalsize(fdt) > max || fdt_totalsize(fdt) > FDT_MAX_SIZE)
        return -EINVAL;
    return fdt_check_full(fdt, fdt_totalsize(fdt)) ? -EINVAL : 0;
}

static uint64_t cells_value(const fdt32_t *c, unsigned n) {
    uint64_t v = 0;

    for (unsigned i = 0; i < n; i++)
        v = (v << 32) | fdt32_ld(&c[i]);
    return v;
}

/* The property's cells when its length is min..max cells, 0 or an error. */
static int get_cells(const void *fdt, int node, const char *prop, int min, int max,
                     const fdt32_t **cells) {
    int len;

    *cells = fdt_getprop(fdt, node, prop, &len);
    if (!*cells)
        return -ENOENT;
    if (len % 4 || len / 4 < min || len / 4 > max)
        return -EINVAL;
    return len / 4;
}

int fdt_u32(const void *fdt, int node, const char *prop, uint32_t *out) {
    const fdt32_t *c;
    int n = get_cells(fdt, node, prop, 1, 1, &c);

    if (n < 0)
        return n;
    *out = fdt32_ld(c);
    return 0;
}

int fdt_u64(const void *fdt, int node, const char *prop, uint64_t *out) {
    const fdt32_t *c;
    int n = get_cells(fdt, node, prop, 2, 2, &c);

    if (n < 0)
        return n;
    *out = cells_value(c, 2);
    return 0;
}

int fdt_u32_or_u64(const void *fdt, int node, const char *prop, uint64_t *out) {
    const fdt32_t *c;
    int n = get_cells(fdt, node, prop, 1, 2, &c);

    if (n < 0)
        return n;
    *out = cells_value(c, (unsigned)n);
    return 0;
}

int fdt_str(const void *fdt, int node, const char *prop, const char **out) {
    int len;
    const char *s = fdt_getprop(fdt, node, prop, &len);

    if (!s)
        return -ENOENT;
    if (len <= 0 || !memchr(s, 0, (size_t)len))
        return -EINVAL;
    *out = s;
    return 0;
}

bool fdt_flag(const void *fdt, int node, const char *prop) {
    return fdt_getprop(fdt, node, prop, NULL) != NULL;
}

bool fdt_compatible(const void *fdt, int node, const char *compat) {
    return fdt_node_check_compatible(fdt, node, compat) == 0;
}

bool fdt_enabled(const void *fdt, int node) {
    const char *s;
    int rc = fdt_str(fdt, node, "status", &s);

    return rc == -ENOENT || (rc == 0 && (!strcmp(s, "okay") || !strcmp(s, "ok")));
}

void fdt_cells(const void *fdt, int node, unsigned *ac, unsigned *sc) {
    uint32_t v;

    *ac = fdt_u32(fdt, node, "#address-cells", &v) ? 2 : v;
    *sc = fdt_u32(fdt, node, "#size-cells", &v) ? 1 : v;
}

int fdt_ranges(const void *fdt, int node, const char *prop, unsigned index, unsigned ac,
               unsigned sc, uint64_t *addr, uint64_t *size) {
    unsigned n = ac + sc;
    const fdt32_t *c;
    int len;

    if (ac < 1 || ac > 2 || sc > 2)
        return -EINVAL;
    c = fdt_getprop(fdt, node, prop, &len);
    if (!c)
        return -ENOENT;
    if (len < 0 || (unsigned)len % (4 * n))
        return -EINVAL;
    if (index >= (unsigned)len / (4 * n))
        return -ENOENT;
    c += index * n;
    *addr = cells_value(c, ac);
    *size = cells_value(c + ac, sc);
    return *size && *addr + *size - 1 < *addr ? -EINVAL : 0;
}

int fdt_reg_raw(const void *fdt, int node, unsigned index, unsigned ac, unsigned sc, uint64_t *addr,
                uint64_t *size) {
    return fdt_ranges(fdt, node, "reg", index, ac, sc, addr, size);
}

/* Moves [*addr, +size) from the address space below `bus` to the one `bus` itself lives in. */
static int translate(const void *fdt, int bus, int parent, uint64_t *addr, uint64_t size) {
    unsigned ac, sc, pac, psc, n;
    const fdt32_t *r;
    int len;

    r = fdt_getprop(fdt, bus, "ranges", &len);
    if (!r || len < 0)
        return -EINVAL; /* no ranges: nothing below has a CPU address */
    if (len == 0)
        return 0;
    fdt_cells(fdt, bus, &ac, &sc);
    fdt_cells(fdt, parent, &pac, &psc);
    n = ac + pac + sc;
    if (ac < 1 || ac > 2 || pac < 1 || pac > 2 || sc < 1 || sc > 2 || (unsigned)len % (4 * n))
        return -EINVAL;
    for (unsigned i = 0; i < (unsigned)len / (4 * n); i++, r += n) {
        uint64_t child = cells_value(r, ac), span = cells_value(r + ac + pac, sc);

        if (*addr >= child && *addr - child < span && size <= span - (*addr - child)) {
            *addr = cells_value(r + ac, pac) + (*addr - child);
            return 0;
        }
    }
    return -EINVAL;
}

/* The nodes from the root down to `node`, by one walk. Returns its depth, 0 for the root; < 0: too
 * deep. */
static int path_to(const void *fdt, int node, int path[MAX_DEPTH]) {
    int depth = 0;

    for (int at = 0; at >= 0 && depth >= 0; at = fdt_next_node(fdt, at, &depth)) {
        if (depth >= MAX_DEPTH)
            return -EINVAL;
        path[depth] = at;
        if (at == node)
            return depth;
    }
    return -EINVAL;
}

int fdt_reg(const void *fdt, int node, unsigned index, uint64_t *addr, uint64_t *size) {
    int path[MAX_DEPTH], depth = path_to(fdt, node, path), rc;
    unsigned ac, sc;

    if (depth < 1)
        return -EINVAL;
    fdt_cells(fdt, path[depth - 1], &ac, &sc);
    rc = fdt_reg_raw(fdt, node, index, ac, sc, addr, size);
    for (int bus = depth - 1; !rc && bus > 0; bus--)
        rc = translate(fdt, path[bus], path[bus - 1], addr, *size);
    return rc;
}

int fdt_next_compatible(const void *fdt, int start, const char *compat) {
    int node = start;

    do
        node = fdt_node_offset_by_compatible(fdt, node, compat);
    while (node >= 0 && !fdt_enabled(fdt, node));
    return node < 0 ? -1 : node;
}

const char *fdt_path(const void *fdt, int node, char buf[FDT_PATH_MAX]) {
    if (fdt_get_path(fdt, node, buf, FDT_PATH_MAX)) {
        const char *name = fdt_get_name(fdt, node, NULL);

        /* Too deep or too long to name whole: the last part says most. */
        hv_strlcpy(buf, ".../", FDT_PATH_MAX);
        hv_strlcpy(buf + 4, name ? name : "?", FDT_PATH_MAX - 4);
    }
    return buf;
}

int fdt_interrupt_parent(const void *fdt, int node) {
    int path[MAX_DEPTH];
    uint32_t phandle;

    for (int depth = path_to(fdt, node, path); depth >= 0; depth--) {
        if (!fdt_u32(fdt, path[depth], "interrupt-parent", &phandle)) {
            int parent = fdt_node_offset_by_phandle(fdt, phandle);

            return parent < 0 ? -1 : parent;
        }
    }
    return -1;
}

/* Whether /chosen's plain bootargs belong to a control domain's kernel rather than to the
 * hypervisor. */
static bool bootargs_are_dom0s(const void *fdt, int chosen) {
    int node;

    if (fdt_flag(fdt, chosen, "xen,dom0-bootargs"))
        return false;
    fdt_for_each_subnode(node, fdt, chosen) {
        if (fdt_compatible(fdt, node, "multiboot,kernel"))
            return !fdt_flag(fdt, node, "bootargs");
    }
    return false;
}

const char *fdt_bootargs(const void *fdt) {
    int chosen = fdt_path_offset(fdt, "/chosen");
    const char *s;

    if (chosen < 0)
        return "";
    if (!fdt_str(fdt, chosen, "xen,xen-bootargs", &s))
        return s;
    if (!bootargs_are_dom0s(fdt, chosen) && !fdt_str(fdt, chosen, "bootargs", &s))
        return s;
    return "";
}
