/* SOURCES: common/boot/guest_fdt.c common/boot/guest_layout.c common/boot/partial_tree.c common/lib/fdt.c */
/* The guest's layout (nothing overlaps, everything is in RAM) and the device tree generated from
 * it. */
#include "captured_log.h"

#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/guest_fdt.h>
#include <hv/guest_map.h>

#include <libfdt.h>

static struct kernel_image image(enum image_kind kind, uint64_t text_offset, uint64_t mem_size) {
    return (struct kernel_image){
        .kind = kind, .text_offset = text_offset, .file_size = mem_size, .mem_size = mem_size};
}

/* ---- layout ---- */

static bool inside(const struct guest_range *bank, uint64_t start, uint64_t size) {
    return start >= bank->start && start + size <= bank->start + bank->size;
}
static bool apart(uint64_t a, uint64_t an, uint64_t b, uint64_t bn) {
    return a + an <= b || b + bn <= a;
}

static void check(uint64_t mem, const struct kernel_image *k, uint64_t initrd) {
    struct guest_layout l;
    uint64_t need;

    if (!guest_layout_plan(mem, k, initrd, &l, &need)) {
        assert_true(need > mem || mem > GUEST_RAM0_SIZE);
        if (need <= GUEST_RAM0_SIZE)
            assert_true(guest_layout_plan(need, k, initrd, &l, &need)); /* what it says is enough */
        return;
    }
    assert_int_equal(l.bank[0].size + l.bank[1].size, mem);
    assert_true(inside(&l.bank[0], l.kernel.start, k->mem_size));
    assert_true(inside(&l.bank[0], l.initrd.start, initrd));
    assert_true(inside(&l.bank[0], l.fdt, GUEST_FDT_MAX));
    assert_true(apart(l.kernel.start, k->mem_size, l.initrd.start, initrd));
    assert_true(apart(l.kernel.start, k->mem_size, l.fdt, GUEST_FDT_MAX));
    assert_true(apart(l.initrd.start, initrd, l.fdt, GUEST_FDT_MAX));
    assert_true(IS_ALIGNED(l.fdt, 8));
    assert_true(IS_ALIGNED(l.initrd.start, PAGE_SIZE));
    if (k->kind == IMAGE_ZIMAGE)
        assert_true(l.kernel.start - GUEST_RAM0_BASE + MB(2) >= 4 * k->mem_size);
    else
        assert_int_equal(l.kernel.start % MB(2), k->text_offset);
}

static void layout_known(void **s) {
    struct kernel_image k = image(IMAGE_ARM64, 0, MB(32));
    struct guest_layout l;
    uint64_t need;

    (void)s;
    assert_true(guest_layout_plan(MB(512), &k, MB(5) + 1, &l, &need));
    assert_int_equal(l.kernel.start, 0x40000000);
    assert_int_equal(l.initrd.start, 0x48000000);
    assert_int_equal(l.initrd.size, MB(5) + 1);
    assert_int_equal(l.fdt, 0x48501000);
    assert_int_equal(l.bank[1].size, 0);
    assert_true(guest_layout_plan(GB(5), &k, 0, &l, &need));
    assert_int_equal(l.bank[0].size, GB(3));
    assert_int_equal(l.bank[1].start, 0x200000000);
    assert_int_equal(l.bank[1].size, GB(2));
    k = image(IMAGE_ZIMAGE, 0, MB(5));
    assert_true(guest_layout_plan(MB(512), &k, 0, &l, &need));
    assert_int_equal(l.kernel.start, 0x40000000 + MB(122));
    k = image(IMAGE_ARM64, 0x80000, MB(32));
    assert_false(guest_layout_plan(MB(34), &k, MB(2), &l, &need));
    assert_int_equal(need, MB(34 + 4));
}

static void layout_random(void **s) {
    unsigned seed = 99;

    (void)s;
    for (unsigned i = 0; i < 100000; i++) {
        unsigned r = (unsigned)rand_r(&seed);
        uint64_t mem = ((uint64_t)rand_r(&seed) << (r % 10)) & PAGE_MASK;
        struct kernel_image k =
            image((enum image_kind)(r / 16 % 3), 0,
                  1 + ((uint64_t)rand_r(&seed) & ((1ULL << (12 + r % 17)) - 1)));

        if (k.kind == IMAGE_ARM64)
            k.text_offset = (r / 64 % 512) * PAGE_SIZE;
        check(MAX(mem, PAGE_SIZE), &k, (uint64_t)rand_r(&seed) >> (r / 4096 % 31));
    }
}

/* ---- tree ---- */

static uint64_t space[GUEST_FDT_MAX / 8];
static const void *const tree = space;

static int at(const char *path) {
    int node = fdt_path_offset(tree, path);

    if (node < 0)
        fail_msg("no node %s", path);
    return node;
}

static void assert_cells(const char *path, const char *prop, unsigned n, ...) {
    int len;
    const fdt32_t *c = fdt_getprop(tree, at(path), prop, &len);
    va_list ap;

    assert_non_null(c);
    assert_int_equal(len, 4 * n);
    va_start(ap, n);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(fdt32_ld(&c[i]), va_arg(ap, unsigned));
    va_end(ap);
}

static void assert_text(const char *path, const char *prop, const char *value) {
    const char *t = NULL;

    assert_int_equal(fdt_str(tree, at(path), prop, &t), 0);
    assert_string_equal(t, value);
}

static unsigned gic_version = 3;
/* ipa_limit 0: without /hypervisor; odd: for a 32-bit guest. */
static uint64_t ipa_limit, moved;

static void make(unsigned vcpus, bool vpl011, const char *bootargs, uint64_t mem, uint64_t initrd) {
    struct kernel_image k = image(IMAGE_ARM64, 0, MB(32));
    struct guest_layout l;
    uint64_t need;
    struct guest_fdt_info info = {
        .layout = &l, .vcpus = vcpus, .vpl011 = vpl011, .vpl011_intid = 32, .bootargs = bootargs};
    int size;

    info.hypervisor = ipa_limit;
    info.ipa_limit = ipa_limit;
    info.aarch32 = ipa_limit & 1;
    info.gic_version = gic_version;

    assert_true(guest_layout_plan(mem, &k, initrd, &l, &need));
    l.bank[0].start += moved;
    memset(space, 0xa5, sizeof(space));
    size = guest_fdt_make(&info, space, sizeof(space));
    assert_true(size > 0);
    assert_int_equal(fdt_validate(tree, (size_t)size), 0);
    /* Any smaller buffer is an error and nothing is written behind it. */
    for (unsigned small = 0; small < (unsigned)size; small += 1 + (unsigned)size / 200) {
        uint8_t *tight = malloc(small ? small : 1);

        assert_int_equal(guest_fdt_make(&info, tight, small), -ENOSPC);
        free(tight);
    }
}

static void gicv2_tree(void **s) {
    (void)s;
    gic_version = 2;
    make(8, true, "", MB(512), 0);
    gic_version = 3;
    assert_true(fdt_compatible(tree, at("/interrupt-controller@3001000"), "arm,cortex-a15-gic"));
    assert_cells("/interrupt-controller@3001000", "reg", 8, 0, 0x03001000, 0, 0x1000, 0, 0x03002000,
                 0, 0x2000);
    assert_int_equal(fdt_interrupt_parent(tree, at("/timer")), at("/interrupt-controller@3001000"));
    assert_false(fdt_flag(tree, at("/interrupt-controller@3001000"), "#redistributor-regions"));
}

static void whole_tree(void **s) {
    uint64_t a, n;

    (void)s;
    make(2, true, "console=ttyAMA0 quiet", MB(512), MB(5) + 1);
    assert_cells("/", "#address-cells", 1, 2);
    assert_cells("/", "#size-cells", 1, 2);
    assert_text("/chosen", "bootargs", "console=ttyAMA0 quiet");
    assert_text("/chosen", "stdout-path", "/sbsa-uart@22000000");
    assert_cells("/chosen", "linux,initrd-start", 2, 0, 0x48000000);
    assert_cells("/chosen", "linux,initrd-end", 2, 0, 0x48500001);
    assert_text("/cpus/cpu@0", "enable-method", "psci");
    assert_cells("/cpus/cpu@1", "reg", 1, 1);
    assert_int_equal(fdt_path_offset(tree, "/cpus/cpu@2"), -FDT_ERR_NOTFOUND);
    assert_text("/memory@40000000", "device_type", "memory");
    assert_cells("/memory@40000000", "reg", 4, 0, 0x40000000, 0, 0x20000000);
    assert_true(fdt_compatible(tree, at("/psci"), "arm,psci-1.0"));
    assert_true(fdt_compatible(tree, at("/psci"), "arm,psci-0.2"));
    assert_text("/psci", "method", "hvc");
    assert_true(fdt_compatible(tree, at("/timer"), "arm,armv8-timer"));
    assert_cells("/timer", "interrupts", 9, 1, 13, 4, 1, 14, 4, 1, 11, 4);
    assert_int_equal(fdt_interrupt_parent(tree, at("/timer")), at("/interrupt-controller@3001000"));
    assert_true(fdt_compatible(tree, at("/interrupt-controller@3001000"), "arm,gic-v3"));
    assert_cells("/interrupt-controller@3001000", "#interrupt-cells", 1, 3);
    assert_cells("/interrupt-controller@3001000", "reg", 8, 0, 0x03001000, 0, 0x10000, 0,
                 0x03020000, 0, 0x01000000);
    assert_int_equal(fdt_reg(tree, at("/sbsa-uart@22000000"), 0, &a, &n), 0);
    assert_int_equal(a, 0x22000000);
    assert_true(fdt_compatible(tree, at("/sbsa-uart@22000000"), "arm,sbsa-uart"));
    assert_cells("/sbsa-uart@22000000", "interrupts", 3, 0, 0, 4);
}

static void without(void **s) {
    (void)s;
    make(1, false, "", GB(4), 0);
    assert_false(fdt_flag(tree, at("/chosen"), "bootargs"));
    assert_false(fdt_flag(tree, at("/chosen"), "stdout-path"));
    assert_false(fdt_flag(tree, at("/chosen"), "linux,initrd-start"));
    assert_int_equal(fdt_path_offset(tree, "/sbsa-uart@22000000"), -FDT_ERR_NOTFOUND);
    assert_cells("/memory@40000000", "reg", 8, 0, 0x40000000, 0, 0xc0000000, 2, 0, 0, 0x40000000);
}

/* The grant table's place and the holes left of the two windows for RAM, which end with the IPAs.
 */
static void hypervisor_node(void **s) {
    (void)s;
    assert_int_equal(fdt_path_offset(tree, "/hypervisor"), -FDT_ERR_NOTFOUND);
    ipa_limit = 1ULL << 44;
    make(1, true, "", MB(512), 0);
    assert_true(fdt_compatible(tree, at("/hypervisor"), "xen,xen-4.17"));
    assert_true(fdt_compatible(tree, at("/hypervisor"), "xen,xen"));
    assert_cells("/hypervisor", "interrupts", 3, 1, 15, 0xf08);
    assert_cells("/hypervisor", "reg", 12, 0, 0x38000000, 0, 0x1000000, 0, 0x60000000, 0,
                 0xa0000000, 2, 0, 0xfe, 0);
    make(1, true, "", GB(4) + MB(1), 0); /* the first window is full */
    assert_cells("/hypervisor", "reg", 8, 0, 0x38000000, 0, 0x1000000, 2, 0x40200000, 0xfd,
                 0xbfe00000);
    make(1, true, "", GB(3) - MB(63), 0); /* too little is left of it */
    assert_cells("/hypervisor", "reg", 8, 0, 0x38000000, 0, 0x1000000, 2, 0, 0xfe, 0);
    ipa_limit = 1ULL << 32;
    make(1, true, "", MB(512), 0);
    assert_cells("/hypervisor", "reg", 8, 0, 0x38000000, 0, 0x1000000, 0, 0x60000000, 0,
                 0xa0000000);
    ipa_limit |= 1;
    make(1, true, "", MB(512), 0);
    assert_cells("/hypervisor", "reg", 4, 0, 0x38000000, 0, 0x1000000);
    ipa_limit = 1ULL << 44;
    moved = GB(1);
    make(1, true, "", MB(512), 0);
    assert_cells("/hypervisor", "reg", 4, 0, 0x38000000, 0, 0x1000000);
    ipa_limit = moved = 0;
}

/* The largest tree there can be fits. */
static void largest(void **s) {
    char text[2048];

    (void)s;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    ipa_limit = 1ULL << 48;
    make(128, true, text, GB(4), MB(1));
    assert_cells("/cpus/cpu@f", "reg", 1, 0xf);
    assert_cells("/cpus/cpu@100", "reg", 1, 0x100); /* sixteen in a cluster */
    assert_cells("/cpus/cpu@70f", "reg", 1, 0x70f);
    assert_true(fdt_totalsize(tree) < GUEST_FDT_MAX / 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_known), cmocka_unit_test(layout_random),
        cmocka_unit_test(whole_tree),   cmocka_unit_test(gicv2_tree),
        cmocka_unit_test(without),      cmocka_unit_test(hypervisor_node),
        cmocka_unit_test(largest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
