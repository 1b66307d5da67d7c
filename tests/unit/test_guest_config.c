/* SOURCES: common/boot/guest_config.c common/boot/static_mem.c common/boot/modules.c common/lib/fdt.c */
/* The dom0less binding: what is read, what is refused with one line, what is ignored with one line.
 */
#include "captured_log.h"

#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/guest_config.h>
#include <hv/mm.h>

#include <libfdt.h>

/* modules.c: only modules_overlap() is used here. */
int boot_mem_reserve(paddr_t start, uint64_t size) {
    (void)start;
    (void)size;
    return 0;
}
bool boot_mem_is_ram(paddr_t start, uint64_t size) {
    (void)start;
    (void)size;
    return true;
}
bool boot_mem_is_reserved(paddr_t start, uint64_t size) {
    (void)start;
    (void)size;
    return false;
}

/* static_mem.c: claiming is test_guests.c's. */
void boot_mem_take_all(void) {
}
int boot_mem_give_back(paddr_t start, uint64_t size) {
    (void)start;
    (void)size;
    return 0;
}
uint64_t boot_mem_free_bytes(void) {
    return 0;
}
bool boot_mem_bank(unsigned i, paddr_t *start, uint64_t *size) {
    (void)i;
    (void)start;
    (void)size;
    return false;
}

static uint64_t space[2048];
static void *const tree = space;
static struct guest_config cfg;

static int at(const char *path) {
    int node = fdt_path_offset(tree, path);

    assert_true(node >= 0);
    return node;
}

static void put(const char *path, const char *prop, const void *value, int len) {
    assert_int_equal(fdt_setprop(tree, at(path), prop, value, len), 0);
}
static void put_cells(const char *path, const char *prop, unsigned n, ...) {
    fdt32_t be[8];
    va_list ap;

    va_start(ap, n);
    for (unsigned i = 0; i < n; i++)
        be[i] = cpu_to_fdt32(va_arg(ap, uint32_t));
    va_end(ap);
    put(path, prop, be, (int)(4 * n));
}
static void put_text(const char *path, const char *prop, const char *value) {
    put(path, prop, value, (int)strlen(value) + 1);
}
static void drop(const char *path, const char *prop) {
    assert_int_equal(fdt_delprop(tree, at(path), prop), 0);
}

#define U "/chosen/domU1"
#define K "/chosen/domU1/kernel@50000000"
#define R "/chosen/domU1/ramdisk@58000000"

/* A domain node with nothing wrong. */
static int good_tree(void **state) {
    (void)state;
    log_clear();
    assert_int_equal(fdt_create_empty_tree(tree, sizeof(space)), 0);
    assert_true(fdt_add_subnode(tree, 0, "chosen") > 0);
    assert_true(fdt_add_subnode(tree, at("/chosen"), "domU1") > 0);
    put_text(U, "compatible", "xen,domain");
    put_cells(U, "#address-cells", 1, 2);
    put_cells(U, "#size-cells", 1, 2);
    put_cells(U, "cpus", 1, 2);
    put_cells(U, "memory", 2, 0, 0x80000);
    put(U, "vpl011", NULL, 0);
    assert_true(fdt_add_subnode(tree, at(U), "ramdisk@58000000") > 0);
    put(R, "compatible", "multiboot,ramdisk\0multiboot,module", 35);
    put_cells(R, "reg", 4, 0, 0x58000000, 0, 0x10000);
    assert_true(fdt_add_subnode(tree, at(U), "kernel@50000000") > 0);
    put(K, "compatible", "multiboot,kernel\0multiboot,module", 34);
    put_cells(K, "reg", 4, 0, 0x50000000, 0, 0x100000);
    put_text(K, "bootargs", "console=ttyAMA0");
    return 0;
}

static int parse(void) {
    return guest_config_parse(tree, at(U), &cfg);
}

static void good(void **s) {
    (void)s;
    assert_int_equal(parse(), 0);
    assert_string_equal(log_text, "");
    assert_true(cfg.good);
    assert_string_equal(cfg.name, "domU1");
    assert_int_equal(cfg.vcpus, 2);
    assert_int_equal(cfg.mem_bytes, 512 << 20);
    assert_true(cfg.vpl011);
    assert_int_equal(cfg.nr_spis, 32); /* the console's */
    assert_int_equal(cfg.kernel.start, 0x50000000);
    assert_int_equal(cfg.kernel.size, 0x100000);
    assert_int_equal(cfg.ramdisk.start, 0x58000000);
    assert_int_equal(cfg.ramdisk.size, 0x10000);
    assert_string_equal(cfg.bootargs, "console=ttyAMA0");
    assert_false(cfg.enhanced);
    assert_int_equal(cfg.p2m_bytes, 0);
}

static void variants(void **s) {
    (void)s;
    put_cells(U, "memory", 1, 0x10000);
    put_cells(U, "nr_spis", 1, 100);
    put(U, "xen,enhanced", NULL, 0);
    put_cells(U, "xen,domain-p2m-mem-mb", 1, 4);
    put_text(U, "status", "okay");
    drop(K, "bootargs");
    assert_int_equal(fdt_del_node(tree, at(R)), 0);
    assert_int_equal(parse(), 0);
    assert_string_equal(log_text, "");
    assert_int_equal(cfg.mem_bytes, 64 << 20);
    assert_int_equal(cfg.nr_spis, 128);
    assert_true(cfg.enhanced);
    assert_int_equal(cfg.p2m_bytes, 4 << 20);
    assert_int_equal(cfg.ramdisk.size, 0);
    assert_string_equal(cfg.bootargs, "");

    assert_false(cfg.privileged);
    assert_int_equal(cfg.max_evtchn_port, 1023);
    assert_int_equal(cfg.max_grant_frames, 64);
    assert_int_equal(cfg.max_maptrack_frames, 1024);
    put_cells(U, "max_grant_frames", 1, 1);
    put_cells(U, "max_maptrack_frames", 1, 0);
    put_text(U, "capabilities", "control");
    put_cells(U, "max_event_channels", 1, 131071);
    put_text(U, "xen,enhanced", "disabled");
    drop(U, "vpl011");
    drop(U, "nr_spis");
    assert_int_equal(parse(), 0);
    assert_true(cfg.privileged);
    assert_int_equal(cfg.max_evtchn_port, 131071);
    assert_int_equal(cfg.max_grant_frames, 1);
    assert_int_equal(cfg.max_maptrack_frames, 0);
    assert_false(cfg.pv_console);
    put(U, "holdfast,pv-console", NULL, 0);
    assert_false(cfg.enhanced);
    assert_false(cfg.vpl011);
    assert_int_equal(cfg.nr_spis, 0);

    for (unsigned i = 0; i < 3; i++) {
        static const char *const values[] = {"enabled", "legacy", "no-xenstore"};

        put_text(U, "xen,enhanced", values[i]);
        assert_int_equal(parse(), 0);
        assert_true(cfg.enhanced);
        assert_true(cfg.pv_console);
    }
}

/* One cell each: the children's cells are the domain node's, whatever the root says. */
static void small_cells(void **s) {
    (void)s;
    put_cells(U, "#address-cells", 1, 1);
    put_cells(U, "#size-cells", 1, 1);
    put_cells(K, "reg", 2, 0x50000000, 0x1000);
    put_cells(R, "reg", 2, 0x50001000, 0x1000);
    assert_int_equal(parse(), 0);
    assert_int_equal(cfg.kernel.size, 0x1000);
    assert_int_equal(cfg.ramdisk.start, 0x50001000);
}

static void unit_address_is_no_name(void **s) {
    (void)s;
    assert_int_equal(fdt_set_name(tree, at(U), "dom@1"), 0);
    assert_int_equal(guest_config_parse(tree, at("/chosen/dom@1"), &cfg), 0);
    assert_string_equal(cfg.name, "dom");
}

static void devices(void **s) {
    (void)s;
    assert_int_equal(parse(), 0);
    assert_int_equal(cfg.passthrough, PASSTHROUGH_AS_NEEDED);
    assert_int_equal(cfg.tree_node, -1);
    assert_true(fdt_add_subnode(tree, at(U), "dtb@60000000") > 0);
    put_text(U "/dtb@60000000", "compatible", "multiboot,device-tree");
    put_cells(U "/dtb@60000000", "reg", 4, 0, 0x60000000, 0, 0x1000);
    put_text(U, "passthrough", "enabled");
    assert_int_equal(parse(), 0);
    assert_int_equal(cfg.passthrough, PASSTHROUGH_ENABLED);
    assert_int_equal(cfg.tree.start, 0x60000000);
    assert_int_equal(cfg.tree.size, 0x1000);
    put_text(U, "passthrough", "disabled");
    assert_int_equal(parse(), 0);
    assert_int_equal(cfg.passthrough, PASSTHROUGH_DISABLED);
}

/* Cells of the domain's own for its static memory, or those of /chosen. */
static void static_mem(void **s) {
    (void)s;
    put_cells(U, "xen,static-mem", 6, 0, 0x80000000, 0x10000000, 1, 0x80000000, 0x10000000);
    assert_int_equal(parse(), 0); /* /chosen has no cells: 2 and 1 */
    assert_int_equal(cfg.nr_static, 2);
    assert_int_equal(cfg.static_mem[0].start, 0x80000000);
    assert_int_equal(cfg.static_mem[1].start, 0x180000000);
    assert_int_equal(cfg.static_mem[1].size, 0x10000000);
    assert_false(cfg.direct_map);
    put_cells(U, "#xen,static-mem-address-cells", 1, 1);
    put_cells(U, "#xen,static-mem-size-cells", 1, 2);
    put_cells(U, "xen,static-mem", 3, 0x80000000, 0, 0x20000000);
    put(U, "direct-map", NULL, 0);
    assert_int_equal(parse(), 0);
    assert_int_equal(cfg.nr_static, 1);
    assert_int_equal(cfg.static_mem[0].size, 0x20000000);
    assert_true(cfg.direct_map);
    assert_string_equal(log_text, "");
}

static void ignored(void **s) {
    (void)s;
    put(U, "colors", NULL, 0);
    put_cells(U, "shoe-size", 1, 44);
    assert_true(fdt_add_subnode(tree, at(U), "module@1") > 0);
    put_text(U "/module@1", "compatible", "multiboot,module");
    assert_int_equal(parse(), 0);
    assert_logged(U ": colors: not supported yet, ignored\n");
    assert_logged(U ": shoe-size: not a known property, ignored\n");
    assert_logged(U "/module@1: not a known module, ignored\n");
    assert_int_equal(log_lines(), 3);
}

static void ignored_lines_are_bounded(void **s) {
    char name[16];

    (void)s;
    for (unsigned i = 0; i < 100; i++) {
        sprintf(name, "p%u", i);
        put(U, name, NULL, 0);
    }
    assert_int_equal(parse(), 0);
    assert_int_equal(log_lines(), 17);
    assert_logged("84 more, ignored");
}

/* ---- what is refused ---- */

static void no_kernel(void) {
    assert_int_equal(fdt_del_node(tree, at(K)), 0);
}
static void two_kernels(void) {
    assert_true(fdt_add_subnode(tree, at(U), "kernel@60000000") > 0);
    put_text(U "/kernel@60000000", "compatible", "multiboot,kernel");
    put_cells(U "/kernel@60000000", "reg", 4, 0, 0x60000000, 0, 0x1000);
}
static void partial_tree(void) {
    assert_true(fdt_add_subnode(tree, at(U), "dtb@60000000") > 0);
    put_text(U "/dtb@60000000", "compatible", "multiboot,device-tree");
}
static void partial_tree_overlaps(void) {
    partial_tree();
    put_cells(U "/dtb@60000000", "reg", 4, 0, 0x50000fff, 0, 0x1000);
}
static void passthrough_maybe(void) {
    put_text(U, "passthrough", "maybe");
}
static void passthrough_empty(void) {
    put(U, "passthrough", NULL, 0);
}
static void no_cpus(void) {
    drop(U, "cpus");
}
static void cpus_0(void) {
    put_cells(U, "cpus", 1, 0);
}
static void cpus_129(void) {
    put_cells(U, "cpus", 1, 129);
}
static void cpus_long(void) {
    put_cells(U, "cpus", 2, 0, 2);
}
static void no_memory(void) {
    drop(U, "memory");
}
static void memory_12(void) {
    put_cells(U, "memory", 3, 0, 0, 0x80000);
}
static void memory_0(void) {
    put_cells(U, "memory", 2, 0, 0);
}
static void memory_wraps(void) {
    put_cells(U, "memory", 2, 0x00400000, 0x00080000); /* times 1024 wraps to 512 MiB */
}
static void spis_many(void) {
    put_cells(U, "nr_spis", 1, 961);
}
static void spis_bytes(void) {
    put(U, "nr_spis", "ab", 2);
}
static void p2m_0(void) {
    put_cells(U, "xen,domain-p2m-mem-mb", 1, 0);
}
static void no_event_channels(void) {
    put_cells(U, "max_event_channels", 1, 0);
}
static void too_many_event_channels(void) {
    put_cells(U, "max_event_channels", 1, 131072);
}
static void grant_frames_65(void) {
    put_cells(U, "max_grant_frames", 1, 65);
}
static void maptrack_frames_4097(void) {
    put_cells(U, "max_maptrack_frames", 1, 4097);
}
static void capability_unknown(void) {
    put_text(U, "capabilities", "hardware");
}
static void capabilities_number(void) {
    put_cells(U, "capabilities", 1, 1);
}
static void enhanced_unknown(void) {
    put_text(U, "xen,enhanced", "enable");
}
static void enhanced_no_nul(void) {
    put(U, "xen,enhanced", "ab", 2);
}
static void no_reg(void) {
    drop(K, "reg");
}
static void reg_short(void) {
    put_cells(K, "reg", 3, 0, 0x50000000, 0x1000);
}
static void reg_two(void) {
    put_cells(K, "reg", 8, 0, 0x50000000, 0, 0x1000, 0, 0x51000000, 0, 0x1000);
}
static void reg_size_0(void) {
    put_cells(R, "reg", 4, 0, 0x58000000, 0, 0);
}
static void reg_wraps(void) {
    put_cells(K, "reg", 4, ~0u, 0xfffff000, 0, 0x2000);
}
static void cells_3(void) {
    put_cells(U, "#address-cells", 1, 3);
}
static void overlap(void) {
    put_cells(R, "reg", 4, 0, 0x500fffff, 0, 0x1000);
}
static void ramdisk_big(void) {
    put_cells(R, "reg", 4, 0, 0x80000000, 0, 0x20000001);
}
static void bootargs_no_nul(void) {
    put(K, "bootargs", "abc", 3);
}
static void bootargs_long(void) {
    char text[GUEST_BOOTARGS_MAX + 1];

    memset(text, 'x', GUEST_BOOTARGS_MAX);
    text[GUEST_BOOTARGS_MAX] = 0;
    put_text(K, "bootargs", text);
}

#define MEM(n, ...) put_cells(U, "xen,static-mem", n, __VA_ARGS__)
static void direct_alone(void) {
    put(U, "direct-map", NULL, 0);
}
static void static_empty(void) {
    put(U, "xen,static-mem", NULL, 0);
}
static void static_odd(void) {
    MEM(4, 0, 0x80000000, 0, 0x20000000);
}
static void static_one_cell_property(void) {
    MEM(3, 0, 0x80000000, 0x20000000);
    put_cells(U, "#xen,static-mem-size-cells", 1, 1);
}
static void static_cells_3(void) {
    MEM(3, 0, 0x80000000, 0x20000000);
    put_cells(U, "#xen,static-mem-address-cells", 1, 2);
    put_cells(U, "#xen,static-mem-size-cells", 1, 3);
}
static void static_many(void) {
    fdt32_t be[27] = {0};

    put(U, "xen,static-mem", be, sizeof(be));
}
static void static_wraps(void) {
    MEM(3, ~0u, 0xf0000000, 0x20000000);
}
static void static_unaligned(void) {
    MEM(3, 0, 0x80000800, 0x20000000);
}
static void static_size_unaligned(void) {
    MEM(3, 0, 0x80000000, 0x20000800);
}
static void static_size_0(void) {
    MEM(6, 0, 0x80000000, 0x20000000, 0, 0x70000000, 0);
}
static void static_small(void) {
    MEM(3, 0, 0x80000000, 0x1ffff000);
}
static void static_twice(void) {
    MEM(6, 0, 0x80000000, 0x10001000, 0, 0x90000000, 0xffff000);
}
static void static_over_kernel(void) {
    MEM(3, 0, 0x40000000, 0x20000000);
}
static void direct_low(void) {
    put(U, "direct-map", NULL, 0);
    MEM(3, 0, 0x20000000, 0x20000000);
}

static void refused(void **s) {
    static const struct {
        void (*spoil)(void);
        const char *line;
    } cases[] = {
        {no_kernel, U ": expected a module with compatible \"multiboot,kernel\""},
        {two_kernels, ": compatible: expected one module of this kind, got two"},
        {partial_tree, U "/dtb@60000000: reg: expected an address and a size, got nothing"},
        {partial_tree_overlaps, U "/dtb@60000000: reg: expected its own place, overlaps kernel"},
        {passthrough_maybe, U ": passthrough: expected \"enabled\" or \"disabled\""},
        {passthrough_empty, U ": passthrough: expected \"enabled\" or \"disabled\""},
        {no_cpus, U ": cpus: expected 1 cell, got nothing"},
        {cpus_0, U ": cpus: expected 1 to 128, got 0"},
        {cpus_129, U ": cpus: expected 1 to 128, got 129"},
        {cpus_long, U ": cpus: expected 1 cell, got 8 bytes"},
        {no_memory, U ": memory: expected 2 cells (KiB), got nothing"},
        {memory_12, U ": memory: expected 2 cells (KiB), got 12 bytes"},
        {memory_0, U ": memory: expected 4 to "},
        {memory_wraps, U ": memory: expected 4 to "},
        {spis_many, U ": nr_spis: expected 0 to 960, got 961"},
        {spis_bytes, U ": nr_spis: expected 1 cell, got 2 bytes"},
        {p2m_0, U ": xen,domain-p2m-mem-mb: expected 1 to 4096, got 0"},
        {no_event_channels, U ": max_event_channels: expected 1 to 131071, got 0"},
        {too_many_event_channels, U ": max_event_channels: expected 1 to 131071, got 131072"},
        {grant_frames_65, U ": max_grant_frames: expected 1 to 64, got 65"},
        {maptrack_frames_4097, U ": max_maptrack_frames: expected 0 to 4096, got 4097"},
        {capability_unknown, U ": capabilities: expected \"control\""},
        {capabilities_number, U ": capabilities: expected \"control\""},
        {enhanced_unknown, U ": xen,enhanced: expected \"enabled\", \"legacy\", \"no-xenstore\" or "
                             "\"disabled\", got \"enable\""},
        {enhanced_no_nul, U ": xen,enhanced: expected a string or nothing, got 2 bytes"},
        {no_reg, K ": reg: expected an address and a size, got nothing"},
        {reg_short, K ": reg: expected 4 cells of address and size, got 12 bytes"},
        {reg_two, K ": reg: expected 4 cells of address and size, got 32 bytes"},
        {reg_size_0, R ": reg: expected a size, got 0"},
        {reg_wraps, K ": reg: expected a range that ends before 2^64"},
        {cells_3, U ": #address-cells: expected 1 or 2"},
        {overlap, R ": reg: expected its own place, overlaps the kernel"},
        {ramdisk_big, R ": reg: expected at most the domain's 524288 KiB, got 524288 KiB"},
        {direct_alone, U ": direct-map: expected xen,static-mem beside it, got none"},
        {static_empty, U ": xen,static-mem: expected addresses of 2 cells and sizes of 1, got 0"},
        {static_odd, U ": xen,static-mem: expected addresses of 2 cells and sizes of 1, got 16"},
        {static_one_cell_property, U ": #xen,static-mem-address-cells: expected 1 cell"},
        {static_cells_3, U ": xen,static-mem: expected 1 or 2 cells for addresses and for sizes"},
        {static_many, U ": xen,static-mem: expected at most 8 ranges, got 9"},
        {static_wraps, U ": xen,static-mem: expected ranges that end before 2^64"},
        {static_unaligned, U ": xen,static-mem: expected whole pages of 4 KiB (0x80000800"},
        {static_size_unaligned, U ": xen,static-mem: expected whole pages of 4 KiB"},
        {static_size_0, U ": xen,static-mem: expected whole pages of 4 KiB (0x70000000, 0 KiB)"},
        {static_small, U ": xen,static-mem: expected the 524288 KiB of memory in all, got 524284"},
        {static_twice, U ": xen,static-mem: overlaps another range of the domain (0x90000000"},
        {static_over_kernel, U ": xen,static-mem: overlaps a module of the domain (0x40000000"},
        {direct_low, U ": xen,static-mem: direct-map expects addresses from 0x40000000 on"},
        {bootargs_no_nul, K ": bootargs: expected a string ending in NUL, got 3 bytes"},
        {bootargs_long, K ": bootargs: expected at most 2047 characters, got 2048"},
    };

    (void)s;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        good_tree(NULL);
        cases[i].spoil();
        assert_int_equal(parse(), -EINVAL);
        assert_logged(cases[i].line);
        assert_int_equal(strncmp(log_text, "error: /chosen/domU1", 20), 0);
        assert_logged("; domain not started\n");
        assert_int_equal(log_lines(), 1);
        assert_false(cfg.good);
    }
}

static void names(void **s) {
    char path[64] = "/chosen/";

    (void)s;
    memset(path + 8, 'n', GUEST_NAME_MAX);
    path[8 + GUEST_NAME_MAX] = 0;
    assert_int_equal(fdt_set_name(tree, at(U), path + 8), 0);
    assert_int_equal(guest_config_parse(tree, at(path), &cfg), -EINVAL);
    assert_logged("expected a name of 1 to 31 characters, got 32");
}

/* Random damage to a good tree: refused or accepted, but always within bounds and with at most one
 * error. */
static void damaged(void **s) {
    uint32_t size;
    uint8_t *copy;
    unsigned seed = 4711, accepted = 0;

    (void)s;
    assert_int_equal(fdt_pack(tree), 0);
    size = fdt_totalsize(tree);
    copy = malloc(size);
    memcpy(copy, tree, size);
    for (unsigned run = 0; run < 20000; run++) {
        int chosen, node;

        memcpy(tree, copy, size);
        for (unsigned i = 0; i < 1 + run % 3; i++)
            ((uint8_t *)tree)[rand_r(&seed) % size] = (uint8_t)rand_r(&seed);
        if (fdt_validate(tree, size))
            continue;
        log_clear();
        chosen = fdt_path_offset(tree, "/chosen");
        node = chosen < 0 ? -1 : fdt_first_subnode(tree, chosen);
        if (node >= 0 && !guest_config_parse(tree, node, &cfg)) {
            accepted++;
            assert_true(cfg.vcpus >= 1 && cfg.vcpus <= 128);
            assert_true(cfg.kernel.size > 0);
            assert_null(strstr(log_text, "error:"));
        }
    }
    assert_true(accepted > 1000);
    free(copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(good, good_tree),
        cmocka_unit_test_setup(variants, good_tree),
        cmocka_unit_test_setup(small_cells, good_tree),
        cmocka_unit_test_setup(unit_address_is_no_name, good_tree),
        cmocka_unit_test_setup(static_mem, good_tree),
        cmocka_unit_test_setup(ignored, good_tree),
        cmocka_unit_test_setup(devices, good_tree),
        cmocka_unit_test_setup(ignored_lines_are_bounded, good_tree),
        cmocka_unit_test_setup(refused, good_tree),
        cmocka_unit_test_setup(names, good_tree),
        cmocka_unit_test_setup(damaged, good_tree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
