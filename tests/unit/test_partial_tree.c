/* SOURCES: common/boot/partial_tree.c common/lib/fdt.c */
/* Partial device trees: the devices they name, what the guest gets of them, and malformed ones. */
#include "captured_log.h"

#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/partial_tree.h>

#include <libfdt.h>

static uint64_t space[1024], copy_space[1024];
static void *const tree = space, *const copy = copy_space;

static void begin(const char *name) {
    assert_int_equal(fdt_begin_node(tree, name), 0);
}
static void end(void) {
    assert_int_equal(fdt_end_node(tree), 0);
}
static void put(const char *name, const void *value, size_t n) {
    assert_int_equal(fdt_property(tree, name, value, (int)n), 0);
}
static void put_text(const char *name, const char *value) {
    put(name, value, strlen(value) + 1);
}
static void put_cells(const char *name, unsigned n, ...) {
    fdt32_t be[16];
    va_list ap;

    va_start(ap, n);
    for (unsigned i = 0; i < n; i++)
        be[i] = cpu_to_fdt32(va_arg(ap, unsigned));
    va_end(ap);
    put(name, be, 4 * n);
}

static int begin_tree(void **state) {
    (void)state;
    memset(space, 0, sizeof(space));
    assert_int_equal(fdt_create(tree, sizeof(space)), 0);
    assert_int_equal(fdt_finish_reservemap(tree), 0);
    begin("");
    return 0;
}
static void end_tree(void) {
    end();
    assert_int_equal(fdt_finish(tree), 0);
}

/* Two devices, one of them on a bus with other cells; around them nodes that are none. */
static void make_example(void) {
    begin("gic");
    put_cells("phandle", 1, 7);
    end();
    begin("aliases");
    put_text("net", "/passthrough/net@0");
    end();
    begin("passthrough");
    put_text("compatible", "simple-bus");
    put_cells("#address-cells", 1, 2);
    put_cells("#size-cells", 1, 2);
    begin("clock");
    end();
    begin("net@0");
    put_text("status", "okay");
    put_text("xen,path", "/soc/net@0");
    put_cells("xen,reg", 12, 1, 0x1000, 0, 0x2000, 0, 0x3000, 0, 0x8000, 4, 0x1000, 0, 0x9000);
    begin("phy");
    put_text("label", "inner");
    end();
    end();
    begin("bus");
    put_cells("#address-cells", 1, 1);
    put_cells("#size-cells", 1, 1);
    begin("dev@5000");
    put_cells("xen,reg", 3, 0x5000, 0x1000, 0x6000);
    put("xen,force-assign-without-iommu", "", 0);
    put_text("holdfast,dma-faults", "crash");
    end();
    end();
    end();
    begin("other");
    put_text("xen,path", "/not/below/passthrough");
    end();
    end_tree();
}

static void devices(void **state) {
    struct partial_device dev = {.node = 0};
    struct partial_range r;
    const char *prop;

    (void)state;
    make_example();
    assert_int_equal(partial_tree_gic_phandle(tree, 65000), 7);
    assert_int_equal(partial_tree_device(tree, 0, &dev, &prop), 0);
    assert_int_equal(dev.node, fdt_path_offset(tree, "/passthrough/net@0"));
    assert_string_equal(dev.path, "/soc/net@0");
    assert_false(dev.force);
    assert_int_equal(dev.nr_ranges, 2);
    partial_tree_range(tree, &dev, 0, &r);
    assert_true(r.host == 0x100001000 && r.size == 0x2000 && r.guest == 0x3000);
    partial_tree_range(tree, &dev, 1, &r);
    assert_true(r.host == 0x8000 && r.size == 0x400001000 && r.guest == 0x9000);
    assert_int_equal(partial_tree_device(tree, dev.node, &dev, &prop), 0);
    assert_int_equal(dev.node, fdt_path_offset(tree, "/passthrough/bus/dev@5000"));
    assert_null(dev.path);
    assert_true(dev.force);
    assert_int_equal(dev.nr_ranges, 1);
    partial_tree_range(tree, &dev, 0, &r);
    assert_true(r.host == 0x5000 && r.size == 0x1000 && r.guest == 0x6000);
    assert_int_equal(partial_tree_device(tree, dev.node, &dev, &prop), -ENOENT);
}

static int copy_tree(size_t size) {
    int rc;

    assert_int_equal(fdt_create(copy, (int)size), 0);
    assert_int_equal(fdt_finish_reservemap(copy), 0);
    assert_int_equal(fdt_begin_node(copy, ""), 0);
    rc = partial_tree_copy(tree, copy);
    if (!rc && !(rc = fdt_end_node(copy)))
        rc = fdt_finish(copy);
    return rc;
}

static void copied(void **state) {
    int len;

    (void)state;
    make_example();
    assert_int_equal(copy_tree(sizeof(copy_space)), 0);
    assert_int_equal(fdt_path_offset(copy, "/other"), -FDT_ERR_NOTFOUND);
    assert_int_equal(fdt_path_offset(copy, "/gic"), -FDT_ERR_NOTFOUND);
    assert_string_equal(fdt_getprop(copy, fdt_path_offset(copy, "/aliases"), "net", &len),
                        "/passthrough/net@0");
    assert_true(fdt_compatible(copy, fdt_path_offset(copy, "/passthrough"), "simple-bus"));
    assert_string_equal(
        fdt_getprop(copy, fdt_path_offset(copy, "/passthrough/net@0/phy"), "label", &len), "inner");
    assert_string_equal(
        fdt_getprop(copy, fdt_path_offset(copy, "/passthrough/net@0"), "status", &len), "okay");
    assert_false(fdt_flag(copy, fdt_path_offset(copy, "/passthrough/net@0"), "xen,reg"));
    assert_false(fdt_flag(copy, fdt_path_offset(copy, "/passthrough/net@0"), "xen,path"));
    assert_false(fdt_flag(copy, fdt_path_offset(copy, "/passthrough/bus/dev@5000"),
                          "xen,force-assign-without-iommu"));
    assert_false(
        fdt_flag(copy, fdt_path_offset(copy, "/passthrough/bus/dev@5000"), "holdfast,dma-faults"));
    for (size_t size = 256; copy_tree(size); size += 8)
        assert_true(size < sizeof(copy_space)); /* an error each time, and nothing worse */
}

static void nothing(void **state) {
    struct partial_device dev;
    const char *prop;

    (void)state;
    end_tree();
    assert_int_equal(partial_tree_device(tree, 0, &dev, &prop), -ENOENT);
    assert_int_equal(partial_tree_gic_phandle(tree, 65000), 65000);
    assert_int_equal(copy_tree(sizeof(copy_space)), 0);
}

static void malformed(void **state) {
    static const unsigned short_of[] = {1, 5, 7, 0};
    struct partial_device dev;
    const char *prop;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        begin_tree(NULL);
        begin("passthrough");
        put_cells("#address-cells", 1, 2);
        put_cells("#size-cells", 1, 2);
        begin("dev");
        put_cells("xen,reg", short_of[i], 0, 0, 0, 0, 0, 0, 0);
        end();
        end();
        end_tree();
        assert_int_equal(partial_tree_device(tree, 0, &dev, &prop), -EINVAL);
        assert_string_equal(prop, "xen,reg");
    }
    for (unsigned cells = 0; cells < 5; cells += 3) {
        begin_tree(NULL);
        begin("passthrough");
        put_cells("#address-cells", 1, cells);
        begin("dev");
        put_cells("xen,reg", 7, 0, 0, 0, 0, 0, 0, 0);
        end();
        end();
        end_tree();
        assert_int_equal(partial_tree_device(tree, 0, &dev, &prop), -EINVAL);
    }
    begin_tree(NULL);
    begin("passthrough");
    begin("dev");
    put("xen,path", "ab", 2);
    end();
    end();
    end_tree();
    assert_int_equal(partial_tree_device(tree, 0, &dev, &prop), -EINVAL);
    assert_string_equal(prop, "xen,path");
}

/* Deeper than the copy goes: an error, not a stack that ends. */
static void too_deep(void **state) {
    (void)state;
    begin("passthrough");
    for (unsigned i = 0; i < 40; i++)
        begin("x");
    for (unsigned i = 0; i < 40; i++)
        end();
    end();
    end_tree();
    assert_true(copy_tree(sizeof(copy_space)) < 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(devices, begin_tree),  cmocka_unit_test_setup(copied, begin_tree),
        cmocka_unit_test_setup(nothing, begin_tree),  cmocka_unit_test(malformed),
        cmocka_unit_test_setup(too_deep, begin_tree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
