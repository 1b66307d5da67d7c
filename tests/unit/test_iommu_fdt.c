/* Streams from `iommus` and `iommu-map`: what is there, what is not, and what is malformed. */
/* SOURCES: common/core/iommu_fdt.c common/lib/fdt.c */
#include "captured_log.h"

#include <hv/errno.h>
#include <hv/fdt.h>

#include <libfdt.h>

#include "../../common/core/iommu_internal.h"

static struct iommu good = {.phandle = 1, .stage2 = true, .stream_end = 0x10000};
static struct iommu useless = {.phandle = 2, .stream_end = 0x10000};
struct iommu *iommus[IOMMU_MAX] = {&good, &useless};
unsigned nr_iommus = 2;

/* The phandle of an IOMMU that has no driver, of one with two cells, and of none. */
#define UNKNOWN 3u
#define TWO_CELLS 4u
#define NO_NODE 9u

static char fdt[4096];
static int device; /* the node that is asked about */

static void add(const char *name, uint32_t phandle, uint32_t cells) {
    int node = fdt_add_subnode(fdt, 0, name);

    fdt_setprop_u32(fdt, node, "phandle", phandle);
    fdt_setprop_u32(fdt, node, "#iommu-cells", cells);
}

static int setup(void **state) {
    (void)state;
    assert_int_equal(fdt_create_empty_tree(fdt, sizeof(fdt)), 0);
    add("two", TWO_CELLS, 2);
    add("unknown", UNKNOWN, 1);
    add("useless", 2, 1);
    add("good", 1, 1);
    device = fdt_add_subnode(fdt, 0, "device");
    return 0;
}

static void set(const char *prop, const uint32_t *cells, unsigned n) {
    fdt32_t be[32];

    for (unsigned i = 0; i < n; i++)
        be[i] = cpu_to_fdt32(cells[i]);
    device = fdt_path_offset(fdt, "/device");
    assert_int_equal(fdt_setprop(fdt, device, prop, be, (int)(4 * n)), 0);
    device = fdt_path_offset(fdt, "/device");
}
#define SET(prop, ...)                                                                             \
    set(prop, (const uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / 4)

static int node(unsigned index, struct iommu_streams *s) {
    return iommu_streams_of_node(fdt, device, index, s);
}
static int rid(uint32_t first, uint32_t count, struct iommu_streams *s) {
    return iommu_streams_of_rid(fdt, device, first, count, s);
}

static void assert_streams(const struct iommu_streams *s, uint32_t first, uint32_t count) {
    assert_ptr_equal(s->iommu, &good);
    assert_int_equal(s->first, first);
    assert_int_equal(s->count, count);
}

static void plain_devices(void **state) {
    struct iommu_streams s;

    (void)state;
    assert_int_equal(node(0, &s), -ENOENT);
    SET("iommus", 1, 0x20, TWO_CELLS, 7, 8, 1, 0x21);
    assert_int_equal(node(0, &s), 0);
    assert_streams(&s, 0x20, 1);
    assert_int_equal(node(1, &s), -EINVAL); /* two cells name no stream */
    assert_int_equal(node(2, &s), 0);
    assert_streams(&s, 0x21, 1);
    assert_int_equal(node(3, &s), -ENOENT);
}

static void bad_iommus(void **state) {
    struct iommu_streams s;

    (void)state;
    SET("iommus", 1);
    assert_int_equal(node(0, &s), -EINVAL);
    SET("iommus", 1, 2, 1);
    assert_int_equal(node(0, &s), 0);
    assert_int_equal(node(1, &s), -EINVAL);
    SET("iommus", NO_NODE, 2);
    assert_int_equal(node(0, &s), -EINVAL);
    assert_int_equal(fdt_setprop(fdt, device, "iommus", "", 0), 0);
    assert_int_equal(node(0, &s), -EINVAL);
    assert_int_equal(fdt_setprop(fdt, device, "iommus", "abc", 3), 0);
    assert_int_equal(node(0, &s), -EINVAL);
    SET("iommus", 2, 5);
    assert_int_equal(node(0, &s), -ENODEV); /* it has no stage 2 */
    SET("iommus", UNKNOWN, 5);
    assert_int_equal(node(0, &s), -ENODEV);
    SET("iommus", 1, 0xffff);
    assert_int_equal(node(0, &s), 0);
    SET("iommus", 1, 0x10000);
    assert_int_equal(node(0, &s), -ERANGE);
}

static void bridges(void **state) {
    struct iommu_streams s;

    (void)state;
    assert_int_equal(rid(0, 1, &s), -ENOENT);
    SET("iommu-map", 0, 1, 0, 0x8, 0x9, 1, 0x4009, 0x100);
    assert_int_equal(rid(0, 0x10000, &s), 0);
    assert_streams(&s, 0, 8);
    assert_int_equal(rid(8, 1, &s), -ENOENT); /* between the two */
    assert_int_equal(rid(0x19, 4, &s), 0);
    assert_streams(&s, 0x4019, 4);
    assert_int_equal(rid(0x108, 4, &s), 0);
    assert_streams(&s, 0x4108, 1);
    assert_int_equal(rid(0x109, 4, &s), -ENOENT);
    SET("iommu-map-mask", 0x18);
    assert_int_equal(rid(0xff1a, 4, &s), 0); /* as 0x18 */
    assert_streams(&s, 0x4018, 1);
}

static void bad_maps(void **state) {
    struct iommu_streams s;

    (void)state;
    SET("iommu-map", 0, 1, 0);
    assert_int_equal(rid(0, 1, &s), -EINVAL);
    SET("iommu-map", 0, 1, 0, 0x10000);
    assert_int_equal(rid(0, 0, &s), -EINVAL);
    SET("iommu-map-mask", 1, 2);
    assert_int_equal(rid(0, 1, &s), -EINVAL);
    SET("iommu-map-mask", 0xffffffff);
    SET("iommu-map", 0, TWO_CELLS, 0, 0x10000);
    assert_int_equal(rid(0, 1, &s), -EINVAL);
    SET("iommu-map", 0, 2, 0, 0x10000);
    assert_int_equal(rid(0, 1, &s), -ENODEV);
    /* streams beyond what it has, and beyond all numbers */
    SET("iommu-map", 0, 1, 0xff00, 0x10000);
    assert_int_equal(rid(0, 0x10000, &s), 0);
    assert_streams(&s, 0xff00, 0x100);
    assert_int_equal(rid(0x100, 1, &s), -ERANGE);
    SET("iommu-map", 0, 1, 0xffffff00, 0x10000);
    assert_int_equal(rid(0x100, 1, &s), -ERANGE);
}

int main(void) {
#define T(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {T(plain_devices), T(bad_iommus), T(bridges), T(bad_maps)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
