/* Static memory of the boot device tree: read, checked against everything else, claimed. */
#include <hv/static_mem.h>

#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/guest_map.h>
#include <hv/mm.h>
#include <hv/printk.h>

#include <libfdt.h>

#include <asm/layout.h>

#define MEM "xen,static-mem"
#define HEAP "xen,static-heap"
#define HEAP_RANGES_MAX 8u

static struct boot_module heap[HEAP_RANGES_MAX];
static unsigned nr_heap;

/* ---- reading ---- */

/* Cells of its own, as Xen 4.16 had them, or else those of the node above. */
static int read_cells(const struct guest_config *cfg, unsigned *ac, unsigned *sc) {
    static const char own_ac[] = "#xen,static-mem-address-cells";
    static const char own_sc[] = "#xen,static-mem-size-cells";
    uint32_t a, s;
    int rc_a = fdt_u32(cfg->fdt, cfg->node, own_ac, &a);
    int rc_s = fdt_u32(cfg->fdt, cfg->node, own_sc, &s);

    fdt_cells(cfg->fdt, fdt_parent_offset(cfg->fdt, cfg->node), ac, sc);
    if (rc_a != -ENOENT || rc_s != -ENOENT) {
        if (rc_a || rc_s)
            return guest_error(cfg, cfg->node, rc_a ? own_ac : own_sc, "expected 1 cell");
        *ac = a;
        *sc = s;
    }
    if (*ac < 1 || *ac > 2 || *sc < 1 || *sc > 2)
        return guest_error(cfg, cfg->node, MEM,
                           "expected 1 or 2 cells for addresses and for sizes, got %u and %u", *ac,
                           *sc);
    return 0;
}

static int read_ranges(struct guest_config *cfg, int len) {
    unsigned ac, sc, n;
    int rc = read_cells(cfg, &ac, &sc);

    if (rc)
        return rc;
    n = (unsigned)len / (4 * (ac + sc));
    if (!n || (unsigned)len % (4 * (ac + sc)))
        return guest_error(cfg, cfg->node, MEM,
                           "expected addresses of %u cells and sizes of %u, got %d bytes", ac, sc,
                           len);
    if (n > GUEST_STATIC_MAX)
        return guest_error(cfg, cfg->node, MEM, "expected at most %u ranges, got %u",
                           GUEST_STATIC_MAX, n);
    for (unsigned i = 0; i < n; i++)
        if (fdt_ranges(cfg->fdt, cfg->node, MEM, i, ac, sc, &cfg->static_mem[i].start,
                       &cfg->static_mem[i].size))
            return guest_error(cfg, cfg->node, MEM, "expected ranges that end before 2^64");
    cfg->nr_static = n;
    return 0;
}

static int range_error(const struct guest_config *cfg, const struct boot_module *m,
                       const char *what) {
    return guest_error(cfg, cfg->node, MEM, "%s (0x%llx, %llu KiB)", what,
                       (unsigned long long)m->start, (unsigned long long)m->size >> 10);
}

/* What can be said of the ranges without the rest of the machine. */
static int check_ranges(const struct guest_config *cfg) {
    uint64_t total = 0;

    for (unsigned i = 0; i < cfg->nr_static; i++) {
        const struct boot_module *m = &cfg->static_mem[i];

        if (!m->size || !IS_ALIGNED(m->start | m->size, PAGE_SIZE))
            return range_error(cfg, m, "expected whole pages of 4 KiB");
        for (unsigned k = 0; k < i; k++)
            if (modules_overlap(m, &cfg->static_mem[k]))
                return range_error(cfg, m, "overlaps another range of the domain");
        if (modules_overlap(m, &cfg->kernel) || modules_overlap(m, &cfg->ramdisk) ||
            modules_overlap(m, &cfg->tree))
            return range_error(cfg, m, "overlaps a module of the domain");
        if (cfg->direct_map && m->start < GUEST_RAM0_BASE)
            return range_error(cfg, m,
                               "direct-map expects addresses from 0x40000000 on, below are the "
                               "guest's devices");
        total += m->size; /* ranges apart from each other cannot wrap */
    }
    if (total != cfg->mem_bytes)
        return guest_error(cfg, cfg->node, MEM, "expected the %llu KiB of memory in all, got %llu",
                           (unsigned long long)cfg->mem_bytes >> 10,
                           (unsigned long long)total >> 10);
    return 0;
}

int static_mem_parse(struct guest_config *cfg) {
    int len = 0, rc;

    cfg->direct_map = fdt_flag(cfg->fdt, cfg->node, "direct-map");
    if (!fdt_getprop(cfg->fdt, cfg->node, MEM, &len))
        return cfg->direct_map ? guest_error(cfg, cfg->node, "direct-map",
                                             "expected " MEM " beside it, got none")
                               : 0;
    rc = read_ranges(cfg, len);
    return rc ? rc : check_ranges(cfg);
}

/* ---- claiming ---- */

static bool in_heap(const struct boot_module *m) {
    for (unsigned i = 0; i < nr_heap; i++)
        if (modules_overlap(m, &heap[i]))
            return true;
    return false;
}

static const struct guest_config *whose(const struct boot_module *m,
                                        const struct guest_config *others, unsigned nr) {
    for (unsigned i = 0; i < nr; i++)
        for (unsigned k = 0; others[i].good && k < others[i].nr_static; k++)
            if (modules_overlap(m, &others[i].static_mem[k]))
                return &others[i];
    return NULL;
}

int static_mem_check(const struct guest_config *cfg, const struct guest_config *others,
                     unsigned nr) {
    for (unsigned i = 0; i < cfg->nr_static; i++) {
        const struct boot_module *m = &cfg->static_mem[i];
        const struct guest_config *other = whose(m, others, nr);

        if (!boot_mem_is_ram(paddr(m->start), m->size))
            return range_error(cfg, m, "expected RAM");
        if (other)
            return guest_error(cfg, cfg->node, MEM, "0x%llx overlaps static memory of %s",
                               (unsigned long long)m->start, other->name);
        if (modules_touch(m))
            return range_error(cfg, m, "overlaps a module");
        if (in_heap(m))
            return range_error(cfg, m, "overlaps the static heap");
        if (boot_mem_is_reserved(paddr(m->start), m->size))
            return range_error(cfg, m, "overlaps reserved memory");
    }
    return 0;
}

int static_mem_claim(const struct guest_config *cfg) {
    for (unsigned i = 0; i < cfg->nr_static; i++)
        if (boot_mem_reserve(paddr(cfg->static_mem[i].start), cfg->static_mem[i].size))
            return range_error(cfg, &cfg->static_mem[i], "too many reserved ranges");
    return 0;
}

/* ---- the heap ---- */

/* NULL, or what is wrong; fills heap[]. */
static const char *read_heap(const void *fdt, int chosen) {
    unsigned ac, sc;
    int rc;

    fdt_cells(fdt, 0, &ac, &sc);
    for (nr_heap = 0; nr_heap < HEAP_RANGES_MAX; nr_heap++) {
        struct boot_module *m = &heap[nr_heap];

        rc = fdt_ranges(fdt, chosen, HEAP, nr_heap, ac, sc, &m->start, &m->size);
        if (rc == -ENOENT)
            return nr_heap ? NULL : "expected an address and a size";
        if (rc)
            return "expected addresses and sizes in the cells of the root node";
        if (!m->size || !IS_ALIGNED(m->start | m->size, PAGE_SIZE))
            return "expected whole pages of 4 KiB";
        if (!boot_mem_is_ram(paddr(m->start), m->size))
            return "expected RAM";
        for (unsigned i = 0; i < nr_heap; i++)
            if (modules_overlap(m, &heap[i]))
                return "expected ranges that do not overlap";
    }
    rc = fdt_ranges(fdt, chosen, HEAP, nr_heap, ac, sc, &heap[0].start, &heap[0].size);
    return rc == -ENOENT ? NULL : "expected at most 8 ranges";
}

/* Page information for all RAM, which comes from the heap, and something to work with. */
static uint64_t heap_needed(void) {
    uint64_t size, total = 0;
    paddr_t start;

    for (unsigned i = 0; boot_mem_bank(i, &start, &size); i++)
        total += size;
    return total / 128 + MB(16);
}

/* Of the heap, what Holdfast's own tables can be in. */
static uint64_t heap_direct(void) {
    uint64_t total = 0;

    for (unsigned i = 0; i < nr_heap; i++) {
        uint64_t start = heap[i].start, end = start + heap[i].size;

        directmap_clip(&start, &end);
        if (start < end)
            total += end - start;
    }
    return total;
}

static const char *free_only_heap(void) {
    uint64_t size;
    paddr_t start;

    if (heap_direct() < heap_needed())
        return ALL_RAM_DIRECT
                   ? "expected 16 MiB more than 1/128 of RAM"
                   : "expected 16 MiB more than 1/128 of RAM in the GiB that Holdfast is in";
    boot_mem_take_all();
    for (unsigned i = 0; i < nr_heap; i++)
        if (boot_mem_give_back(paddr(heap[i].start), heap[i].size))
            panic("/chosen: " HEAP ": too many ranges of memory");
    if (boot_mem_free_bytes() >= heap_needed())
        return NULL;
    for (unsigned i = 0; boot_mem_bank(i, &start, &size); i++)
        if (boot_mem_give_back(start, size))
            panic("/chosen: " HEAP ": too many ranges of memory");
    return "expected 16 MiB more than 1/128 of RAM";
}

void static_heap_init(const void *fdt) {
    int chosen = fdt_path_offset(fdt, "/chosen");
    const char *why;

    nr_heap = 0;
    if (chosen < 0 || !fdt_getprop(fdt, chosen, HEAP, NULL))
        return;
    why = read_heap(fdt, chosen);
    if (!why)
        why = free_only_heap();
    if (!why)
        return;
    nr_heap = 0;
    printk("error: /chosen: " HEAP ": %s; not used, all free memory is the heap\n", why);
}
