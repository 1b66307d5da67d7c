/* Static shared memory of the device tree: what is taken, and what each mistake costs. */
/* SOURCES: common/boot/static_shm.c common/lib/fdt.c */
#include "captured_log.h"

#include <hv/bits.h>
#include <hv/fdt.h>
#include <hv/mm.h>
#include <hv/static_shm.h>

#include <libfdt.h>

/* ---- the machine's memory: RAM from 0x40000000 to 0x80000000 ---- */

static uint64_t reserved_from, reserved_size;

bool boot_mem_is_ram(paddr_t start, uint64_t size) {
    return start.pa >= 0x40000000 && start.pa + size <= 0x80000000;
}
bool boot_mem_is_reserved(paddr_t start, uint64_t size) {
    return start.pa < reserved_from + reserved_size && reserved_from < start.pa + size;
}
int boot_mem_reserve(paddr_t start, uint64_t size) {
    reserved_from = start.pa;
    reserved_size = size;
    return 0;
}
int guest_error(const struct guest_config *cfg, int node, const char *name, const char *fmt, ...) {
    char path[FDT_PATH_MAX], what[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    printk("%s: %s: %s\n", fdt_path(cfg->fdt, node, path), name ? name : "", what);
    return -22;
}

/* ---- trees ---- */

static uint64_t space[1024];
static void *const tree = space;
static struct guest_config cfg;

static void start(void) {
    assert_int_equal(fdt_create_empty_tree(tree, sizeof(space)), 0);
    cfg = (struct guest_config){.fdt = tree, .node = fdt_add_subnode(tree, 0, "domU1")};
    assert_int_equal(fdt_setprop_u32(tree, cfg.node, "#address-cells", 2), 0);
    assert_int_equal(fdt_setprop_u32(tree, cfg.node, "#size-cells", 1), 0);
    log_text[0] = 0;
}

/* n cells of host address, guest address and size as the tree has them. */
static void node(const char *name, const char *id, const char *role, unsigned n,
                 const uint32_t *cells) {
    int at = fdt_add_subnode(tree, cfg.node, name);
    fdt32_t be[8];

    for (unsigned i = 0; i < n; i++)
        be[i] = cpu_to_fdt32(cells[i]);
    assert_int_equal(fdt_setprop_string(tree, at, "compatible", SHM_COMPATIBLE), 0);
    if (id)
        assert_int_equal(fdt_setprop_string(tree, at, "xen,shm-id", id), 0);
    if (role)
        assert_int_equal(fdt_setprop_string(tree, at, "role", role), 0);
    assert_int_equal(fdt_setprop(tree, at, "xen,shared-mem", be, (int)(4 * n)), 0);
}
#define CELLS(...)                                                                                 \
    sizeof((uint32_t[]){__VA_ARGS__}) / 4, (uint32_t[]) {                                          \
        __VA_ARGS__                                                                                \
    }

static void taken(void **state) {
    struct guest_shm shm[SHM_PER_GUEST_MAX];

    (void)state;
    start();
    node("b", "two", NULL, CELLS(0, 0x61000000, 0x3000));
    node("a", "one", "owner", CELLS(0, 0x70000000, 1, 0x50000000, 0x2000));
    assert_int_equal(static_shm_claim(&cfg), 0);
    assert_string_equal(log_text, "");
    assert_int_equal(reserved_from, 0x70000000);
    assert_int_equal(reserved_size, 0x2000);
    assert_int_equal(static_shm_of(&cfg, shm), 2);
    assert_string_equal(shm[0].region->id, "one");
    assert_int_equal(shm[0].guest, 0x150000000);
    assert_true(shm[0].region->has_owner);
    assert_true(shm[1].region->host == SHM_ANYWHERE);
    assert_int_equal(shm[1].region->size, 0x3000);
    assert_false(shm[1].region->has_owner);
    /* Another domain borrows it. */
    start();
    node("a", "one", "borrower", CELLS(0, 0x70000000, 0, 0x60000000, 0x2000));
    assert_int_equal(static_shm_claim(&cfg), 0);
    assert_int_equal(static_shm_of(&cfg, shm), 1);
    assert_ptr_equal(shm[0].region, static_shm_region(0));
    assert_null(static_shm_region(2));
}

/* "one" and "two" are there, as above. */
static void mistakes(void **state) {
    static const struct {
        const char *id, *role;
        unsigned n;
        uint32_t cells[8];
        const char *said;
    } table[] = {
        {NULL, NULL, 3, {0, 0x60000000, 0x1000}, "xen,shm-id: expected a name of 1 to 15"},
        {"", NULL, 3, {0, 0x60000000, 0x1000}, "xen,shm-id: expected a name of 1 to 15"},
        {"sixteen-letters!", NULL, 3, {0, 0x60000000, 0x1000}, "xen,shm-id: expected a name"},
        {"new", "lender", 3, {0, 0x60000000, 0x1000}, "role: expected \"owner\" or \"borrower\""},
        {"new", NULL, 4, {0, 0x60000000, 0, 0x1000}, "xen,shared-mem: expected addresses of 2"},
        {"new", NULL, 0, {0}, "xen,shared-mem: expected addresses of 2"},
        {"new", NULL, 3, {0, 0x60000000, 0}, "xen,shared-mem: expected whole pages"},
        {"new", NULL, 3, {0, 0x60000000, 0x800}, "xen,shared-mem: expected whole pages"},
        {"new", NULL, 3, {0, 0x60000400, 0x1000}, "xen,shared-mem: expected whole pages"},
        {"new", NULL, 3, {~0u, 0xfffff000, 0x1000000}, "xen,shared-mem: expected whole pages"},
        {"new", NULL, 5, {0, 0x71000400, 0, 0x60000000, 0x1000}, "expected whole pages"},
        {"new", NULL, 5, {0, 0x30000000, 0, 0x60000000, 0x1000}, "expected RAM at 0x30000000"},
        {"new", NULL, 5, {0, 0x7ffff000, 0, 0x60000000, 0x2000}, "expected RAM at 0x7ffff000"},
        {"new", NULL, 5, {0, 0x70001000, 0, 0x60000000, 0x1000}, "expected memory of its own"},
        {"one", "owner", 5, {0, 0x70000000, 0, 0x60000000, 0x2000}, "expected one owner"},
        {"one", NULL, 5, {0, 0x70000000, 0, 0x60000000, 0x1000}, "expected a size of 0x2000"},
        {"one", NULL, 5, {0, 0x71000000, 0, 0x60000000, 0x2000}, "expected the host address"},
        {"one", NULL, 3, {0, 0x60000000, 0x2000}, "expected the host address"},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        start();
        node("bad", table[i].id, table[i].role, table[i].n, table[i].cells);
        assert_true(static_shm_claim(&cfg) < 0);
        assert_non_null(strstr(log_text, "/domU1/bad: "));
        if (!strstr(log_text, table[i].said))
            fail_msg("%u: \"%s\" said, not \"%s\"", i, log_text, table[i].said);
        assert_ptr_equal(strchr(log_text, '\n'), log_text + strlen(log_text) - 1);
    }
    assert_null(static_shm_region(2));
}

static void two_in_one_domain(void **state) {
    (void)state;
    start();
    node("b", "two", NULL, CELLS(0, 0x60000000, 0x3000));
    node("a", "two", NULL, CELLS(0, 0x70000000, 0x3000));
    assert_true(static_shm_claim(&cfg) < 0);
    assert_non_null(strstr(log_text, "each region once"));
    start();
    node("b", "two", NULL, CELLS(0, 0x60002000, 0x3000));
    node("a", "new", NULL, CELLS(0, 0x60000000, 0x3000));
    assert_true(static_shm_claim(&cfg) < 0);
    assert_non_null(strstr(log_text, "overlaps another region of the domain"));
    start();
    node("b", "x", NULL, CELLS(0, 0x74000000, 0, 0x60002000, 0x2000));
    node("a", "y", NULL, CELLS(0, 0x74001000, 0, 0x50000000, 0x2000));
    assert_true(static_shm_claim(&cfg) < 0);
    assert_non_null(strstr(log_text, "overlaps another region's host memory"));
    start();
    for (unsigned i = 0; i < SHM_PER_GUEST_MAX + 1; i++) {
        char name[2] = {(char)('e' - i), 0};

        node(name, name, NULL, CELLS(0, 0x50000000 + 0x10000 * i, 0x1000));
    }
    assert_true(static_shm_claim(&cfg) < 0);
    assert_non_null(strstr(log_text, "at most 4 regions"));
    assert_null(static_shm_region(2));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(two_in_one_domain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
