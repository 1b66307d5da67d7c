/* Which memory there is and which of it is taken, read from the device tree. */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/guests.h>
#include <hv/mm.h>
#include <hv/printk.h>
#include <hv/string.h>

#include <libfdt.h>

static uint64_t ram_total;

static void reserve(paddr_t start, uint64_t size, const char *what) {
    if (boot_mem_reserve(start, size))
        panic("device tree: %s: more reserved ranges than %u", what, BOOT_MEM_RANGES);
}

static void add_ram(const char *path, uint64_t start, uint64_t end) {
    int rc;

    start = ALIGN_UP(start, PAGE_SIZE);
    end = ALIGN_DOWN(end, PAGE_SIZE);
    if (end <= start)
        return;
    rc = boot_mem_add(paddr(start), end - start);
    if (rc)
        printk("error: %s: reg: 0x%llx..0x%llx %s; not used\n", path, (unsigned long long)start,
               (unsigned long long)end,
               rc == -EEXIST ? "overlaps another bank" : "is one bank too many");
    else
        ram_total += end - start;
}

/* The lowest no-map region that meets [start, end), cut to it. */
static bool first_no_map(const void *fdt, uint64_t start, uint64_t end, uint64_t *hole_start,
                         uint64_t *hole_end) {
    int parent = fdt_path_offset(fdt, "/reserved-memory"), node;
    unsigned ac, sc;

    if (parent < 0)
        return false;
    *hole_start = *hole_end = end;
    fdt_cells(fdt, parent, &ac, &sc);
    fdt_for_each_subnode(node, fdt, parent) {
        uint64_t a, n;

        if (!fdt_flag(fdt, node, "no-map") || !fdt_enabled(fdt, node))
            continue;
        for (unsigned i = 0; !fdt_reg_raw(fdt, node, i, ac, sc, &a, &n); i++) {
            if (!n || a >= end || a + n - 1 < start || MAX(a, start) >= *hole_start)
                continue;
            *hole_start = MAX(a, start);
            *hole_end = MIN(a + n, end);
        }
    }
    return *hole_start < end;
}

static void add_bank(const void *fdt, const char *path, uint64_t start, uint64_t size) {
    uint64_t end = start + size, hole_start = end, hole_end = end;

    while (start < end && first_no_map(fdt, start, end, &hole_start, &hole_end)) {
        add_ram(path, start, hole_start);
        start = hole_end;
    }
    add_ram(path, start, end);
}

static bool is_memory(const void *fdt, int node) {
    const char *type;

    return !fdt_str(fdt, node, "device_type", &type) && !strcmp(type, "memory") &&
           fdt_enabled(fdt, node);
}

static void add_banks(const void *fdt) {
    char path[FDT_PATH_MAX];
    int node;

    fdt_for_each_subnode(node, fdt, 0) {
        uint64_t start, size;
        unsigned i;
        int rc;

        if (!is_memory(fdt, node))
            continue;
        fdt_path(fdt, node, path);
        for (i = 0; !(rc = fdt_reg(fdt, node, i, &start, &size)); i++)
            add_bank(fdt, path, start, size);
        if (rc != -ENOENT)
            printk("error: %s: reg: entry %u is malformed; not used\n", path, i);
    }
}

/* Regions that are to be mapped like other RAM but belong to somebody. Those without reg have no
 * place yet. */
static void reserve_regions(const void *fdt) {
    int parent = fdt_path_offset(fdt, "/reserved-memory"), node;
    char path[FDT_PATH_MAX];
    unsigned ac, sc;

    if (parent < 0)
        return;
    fdt_cells(fdt, parent, &ac, &sc);
    fdt_for_each_subnode(node, fdt, parent) {
        uint64_t start, size;
        unsigned i;
        int rc;

        if (!fdt_enabled(fdt, node))
            continue;
        fdt_path(fdt, node, path);
        for (i = 0; !(rc = fdt_reg_raw(fdt, node, i, ac, sc, &start, &size)); i++)
            reserve(paddr(start), size, path);
        if (rc != -ENOENT)
            printk("error: %s: reg: entry %u is malformed; not used\n", path, i);
    }
}

void boot_mem_from_fdt(const void *fdt, paddr_t fdt_pa, paddr_t image, uint64_t image_size) {
    ram_total = 0;
    add_banks(fdt);
    if (!ram_total)
        panic("device tree: no usable node with device_type \"memory\"");
    reserve(fdt_pa, fdt_totalsize(fdt), "the tree itself");
    reserve(image, image_size, "the hypervisor");
    for (int i = 0; i < fdt_num_mem_rsv(fdt); i++) {
        uint64_t start, size;

        if (fdt_get_mem_rsv(fdt, i, &start, &size) || start + size < start)
            printk("error: /memreserve/: entry %d is malformed; not used\n", i);
        else
            reserve(paddr(start), size, "/memreserve/");
    }
    reserve_regions(fdt);
    printk("memory: %llu MiB\n", (unsigned long long)(ram_total >> 20));
}
