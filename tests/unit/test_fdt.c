/* SOURCES: common/lib/fdt.c */
/* Device-tree readers: lengths, bounds, translation, the command line's rules, and damaged trees.
 */
#include "captured_log.h"

#include <hv/errno.h>
#include <hv/fdt.h>

#include <libfdt.h>

static uint64_t space[1024]; /* 8-byte aligned */
static void *const tree = space;

/* Writes the tree of most tests; returns nothing that could fail silently. */
static void ok(int rc) {
    assert_int_equal(rc, 0);
}

static void put_cells(const char *name, unsigned n, ...) {
    fdt32_t be[16];
    va_list ap;

    va_start(ap, n);
    for (unsigned i = 0; i < n; i++)
        be[i] = cpu_to_fdt32(va_arg(ap, uint32_t));
    va_end(ap);
    ok(fdt_property(tree, name, be, (int)(4 * n)));
}

static void put_cells_node(const char *name, uint32_t ac, uint32_t sc) {
    ok(fdt_begin_node(tree, name));
    put_cells("#address-cells", 1, ac);
    put_cells("#size-cells", 1, sc);
}

static int setup(void **state) {
    (void)state;
    ok(fdt_create(tree, sizeof(space)));
    ok(fdt_finish_reservemap(tree));
    put_cells_node("", 2, 2);
    put_cells("interrupt-parent", 1, 9);
    ok(fdt_begin_node(tree, "values"));
    put_cells("one", 1, 0x12345678);
    put_cells("two", 2, 0x1, 0x80000000);
    put_cells("three", 3, 1, 2, 3);
    ok(fdt_property(tree, "none", NULL, 0));
    ok(fdt_property(tree, "bytes", "abc", 3));
    ok(fdt_property_string(tree, "text", "hello"));
    ok(fdt_end_node(tree));

    put_cells_node("bus@1000", 1, 1); /* 0x0..0xffff -> 0x8_00000000 */
    put_cells("ranges", 8, 0, 8, 0, 0x10000, 0x20000, 9, 0, 0x1000);
    ok(fdt_begin_node(tree, "dev@100"));
    ok(fdt_property_string(tree, "compatible", "x,dev"));
    put_cells("reg", 8, 0x100, 0x10, 0x20000, 0x1000, 0x20000, 0x1001, 0xfff0, 0x20);
    put_cells("interrupt-parent", 1, 7);
    ok(fdt_end_node(tree));
    put_cells_node("same", 1, 1); /* empty ranges: the same space */
    ok(fdt_property(tree, "ranges", NULL, 0));
    ok(fdt_begin_node(tree, "dev@200"));
    ok(fdt_property_string(tree, "compatible", "x,dev"));
    ok(fdt_property_string(tree, "status", "okay"));
    put_cells("reg", 2, 0x200, 4);
    ok(fdt_end_node(tree));
    ok(fdt_end_node(tree));
    put_cells_node("alone", 1, 1); /* no ranges: no CPU address */
    ok(fdt_begin_node(tree, "dev@300"));
    ok(fdt_property_string(tree, "compatible", "x,dev"));
    ok(fdt_property_string(tree, "status", "disabled"));
    put_cells("reg", 2, 0x300, 4);
    ok(fdt_end_node(tree));
    ok(fdt_end_node(tree));
    ok(fdt_end_node(tree));

    ok(fdt_begin_node(tree, "gic"));
    put_cells("phandle", 1, 7);
    ok(fdt_end_node(tree));
    ok(fdt_begin_node(tree, "gic2"));
    put_cells("phandle", 1, 9);
    ok(fdt_end_node(tree));
    ok(fdt_end_node(tree));
    ok(fdt_finish(tree));
    return 0;
}

static int at(const char *path) {
    int node = fdt_path_offset(tree, path);

    assert_true(node >= 0);
    return node;
}

static void validate(void **s) {
    uint32_t size = fdt_totalsize(tree);

    (void)s;
    assert_int_equal(fdt_validate(tree, size), 0);
    for (uint32_t cut = 0; cut < size; cut++) { /* with nothing behind that could be read */
        void *copy = malloc(cut ? cut : 1);

        memcpy(copy, tree, cut);
        assert_int_equal(fdt_validate(copy, cut), -EINVAL);
        free(copy);
    }
    assert_int_equal(fdt_validate((char *)tree + 4, size - 4), -EINVAL);
    fdt_set_magic(tree, 0x12345678);
    assert_int_equal(fdt_validate(tree, size), -EINVAL);
    fdt_set_magic(tree, FDT_MAGIC);
    fdt_set_totalsize(tree, FDT_MAX_SIZE + 1);
    assert_int_equal(fdt_validate(tree, FDT_MAX_SIZE + 4096), -EINVAL);
    setup(NULL);
}

static void numbers(void **s) {
    int node = at("/values");
    uint32_t u = 0;
    uint64_t v = 0;

    (void)s;
    assert_int_equal(fdt_u32(tree, node, "one", &u), 0);
    assert_int_equal(u, 0x12345678);
    assert_int_equal(fdt_u32(tree, node, "two", &u), -EINVAL);
    assert_int_equal(fdt_u32(tree, node, "none", &u), -EINVAL);
    assert_int_equal(fdt_u32(tree, node, "bytes", &u), -EINVAL);
    assert_int_equal(fdt_u32(tree, node, "absent", &u), -ENOENT);
    assert_int_equal(fdt_u64(tree, node, "two", &v), 0);
    assert_int_equal(v, 0x180000000);
    assert_int_equal(fdt_u64(tree, node, "one", &v), -EINVAL);
    assert_int_equal(fdt_u64(tree, node, "three", &v), -EINVAL);
    assert_int_equal(fdt_u32_or_u64(tree, node, "one", &v), 0);
    assert_int_equal(v, 0x12345678);
    assert_int_equal(fdt_u32_or_u64(tree, node, "two", &v), 0);
    assert_int_equal(v, 0x180000000);
    assert_int_equal(fdt_u32_or_u64(tree, node, "three", &v), -EINVAL);
    assert_int_equal(fdt_u32_or_u64(tree, node, "none", &v), -EINVAL);
}

static void strings(void **s) {
    int node = at("/values");
    const char *t = NULL;

    (void)s;
    assert_int_equal(fdt_str(tree, node, "text", &t), 0);
    assert_string_equal(t, "hello");
    assert_int_equal(fdt_str(tree, node, "bytes", &t), -EINVAL); /* no NUL */
    assert_int_equal(fdt_str(tree, node, "none", &t), -EINVAL);
    assert_int_equal(fdt_str(tree, node, "absent", &t), -ENOENT);
    assert_true(fdt_flag(tree, node, "none"));
    assert_false(fdt_flag(tree, node, "absent"));
}

static void regs(void **s) {
    int dev = at("/bus@1000/dev@100");
    uint64_t a, n;
    unsigned ac, sc;

    (void)s;
    assert_int_equal(fdt_reg(tree, dev, 0, &a, &n), 0);
    assert_int_equal(a, 0x800000100);
    assert_int_equal(n, 0x10);
    assert_int_equal(fdt_reg(tree, dev, 1, &a, &n), 0); /* exactly the second range */
    assert_int_equal(a, 0x900000000);
    assert_int_equal(fdt_reg(tree, dev, 2, &a, &n), -EINVAL); /* a byte beyond it */
    assert_int_equal(fdt_reg(tree, dev, 3, &a, &n), -EINVAL); /* across the end of the first */
    assert_int_equal(fdt_reg(tree, dev, 4, &a, &n), -ENOENT);
    assert_int_equal(fdt_reg(tree, at("/bus@1000/same/dev@200"), 0, &a, &n), 0);
    assert_int_equal(a, 0x800000200);
    assert_int_equal(fdt_reg(tree, at("/bus@1000/alone/dev@300"), 0, &a, &n), -EINVAL);
    assert_int_equal(fdt_reg(tree, at("/gic"), 0, &a, &n), -ENOENT);
    assert_int_equal(fdt_reg_raw(tree, dev, 1, 2, 2, &a, &n), 0);
    assert_int_equal(a, 0x2000000001001);
    assert_int_equal(fdt_reg_raw(tree, dev, 0, 2, 1, &a, &n),
                     -EINVAL); /* 32 bytes are no whole entries of 12 */
    assert_int_equal(fdt_reg_raw(tree, dev, 0, 3, 1, &a, &n), -EINVAL);
    assert_int_equal(fdt_reg_raw(tree, dev, 0, 0, 1, &a, &n), -EINVAL);
    assert_int_equal(fdt_reg_raw(tree, dev, 0x40000000, 1, 1, &a, &n), -ENOENT); /* times 8 wraps */
    fdt_cells(tree, at("/bus@1000"), &ac, &sc);
    assert_int_equal(ac * 10 + sc, 11);
    fdt_cells(tree, at("/values"), &ac, &sc);
    assert_int_equal(ac * 10 + sc, 21);
}

static void searches(void **s) {
    char path[FDT_PATH_MAX];
    int node = fdt_next_compatible(tree, -1, "x,dev");

    (void)s;
    assert_int_equal(node, at("/bus@1000/dev@100"));
    assert_int_equal(fdt_interrupt_parent(tree, node), at("/gic"));
    assert_string_equal(fdt_path(tree, node, path), "/bus@1000/dev@100");
    node = fdt_next_compatible(tree, node, "x,dev");
    assert_int_equal(node, at("/bus@1000/same/dev@200"));
    assert_int_equal(fdt_interrupt_parent(tree, node), at("/gic2")); /* the root's */
    assert_int_equal(fdt_next_compatible(tree, node, "x,dev"), -1);  /* the third is disabled */
    assert_int_equal(fdt_next_compatible(tree, -1, "y,dev"), -1);
}

static void long_path(void **s) {
    char name[100], path[FDT_PATH_MAX];

    (void)s;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    ok(fdt_open_into(tree, tree, sizeof(space)));
    assert_true(fdt_add_subnode(tree, at("/bus@1000/same/dev@200"), name) > 0);
    fdt_path(tree, fdt_subnode_offset(tree, at("/bus@1000/same/dev@200"), name), path);
    assert_true(strlen(path) < FDT_PATH_MAX);
    assert_non_null(strstr(path, "nnnnnnnn"));
    setup(NULL);
}

/* ---- the command line ---- */

static void chosen(const char *xen, const char *dom0, const char *plain, bool kernel,
                   const char *own) {
    int node;

    ok(fdt_create_empty_tree(tree, sizeof(space)));
    node = fdt_add_subnode(tree, 0, "chosen");
    if (xen)
        ok(fdt_setprop_string(tree, node, "xen,xen-bootargs", xen));
    if (dom0)
        ok(fdt_setprop_string(tree, node, "xen,dom0-bootargs", dom0));
    if (plain)
        ok(fdt_setprop_string(tree, node, "bootargs", plain));
    if (!kernel)
        return;
    node = fdt_add_subnode(tree, node, "module");
    ok(fdt_setprop_string(tree, node, "compatible", "multiboot,kernel"));
    if (own)
        ok(fdt_setprop_string(tree, node, "bootargs", own));
}

static void bootargs(void **s) {
    (void)s;
    chosen("x", NULL, "p", false, NULL);
    assert_string_equal(fdt_bootargs(tree), "x");
    chosen(NULL, NULL, "p", false, NULL);
    assert_string_equal(fdt_bootargs(tree), "p");
    chosen(NULL, NULL, "p", true, NULL); /* the control domain's */
    assert_string_equal(fdt_bootargs(tree), "");
    chosen(NULL, NULL, "p", true, "own");
    assert_string_equal(fdt_bootargs(tree), "p");
    chosen(NULL, "d", "p", true, NULL);
    assert_string_equal(fdt_bootargs(tree), "p");
    chosen(NULL, "d", NULL, false, NULL);
    assert_string_equal(fdt_bootargs(tree), "");
    ok(fdt_create_empty_tree(tree, sizeof(space)));
    assert_string_equal(fdt_bootargs(tree), "");
    chosen(NULL, NULL, NULL, false, NULL);
    ok(fdt_setprop(tree, fdt_path_offset(tree, "/chosen"), "bootargs", "abc", 3)); /* no NUL */
    assert_string_equal(fdt_bootargs(tree), "");
    setup(NULL);
}

/* Every reader on every node of a damaged tree: whatever passes validation must be safe to read. */
static void read_everything(void) {
    static const char *const props[] = {"reg", "ranges", "one", "text", "compatible", "phandle"};
    char path[FDT_PATH_MAX];
    const char *t;
    uint64_t a, n;
    uint32_t u;
    unsigned c;

    for (int node = 0; node >= 0; node = fdt_next_node(tree, node, NULL)) {
        for (unsigned i = 0; i < 6; i++) {
            (void)!fdt_u32(tree, node, props[i], &u);
            (void)!fdt_u32_or_u64(tree, node, props[i], &a);
            (void)!fdt_str(tree, node, props[i], &t);
        }
        for (unsigned i = 0; i < 5; i++)
            (void)!fdt_reg(tree, node, i, &a, &n);
        fdt_cells(tree, node, &c, &c);
        fdt_path(tree, node, path);
        fdt_interrupt_parent(tree, node);
        fdt_enabled(tree, node);
    }
    fdt_next_compatible(tree, -1, "x,dev");
    fdt_bootargs(tree);
}

static void damaged(void **s) {
    uint32_t size = fdt_totalsize(tree);
    unsigned seed = 12345, passed = 0;
    uint8_t *copy = malloc(size);

    (void)s;
    memcpy(copy, tree, size);
    for (unsigned run = 0; run < 20000; run++) {
        memcpy(tree, copy, size);
        for (unsigned i = 0; i < 1 + run % 4; i++)
            ((uint8_t *)tree)[rand_r(&seed) % size] = (uint8_t)rand_r(&seed);
        if (fdt_validate(tree, size))
            continue;
        passed++;
        read_everything();
    }
    assert_true(passed > 1000);
    free(copy);
    setup(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(validate), cmocka_unit_test(numbers),  cmocka_unit_test(strings),
        cmocka_unit_test(regs),     cmocka_unit_test(searches), cmocka_unit_test(long_path),
        cmocka_unit_test(bootargs), cmocka_unit_test(damaged),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
