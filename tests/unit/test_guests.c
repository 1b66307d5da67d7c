/* clang-format off */
/* SOURCES: common/boot/guests.c common/boot/guest_config.c common/boot/static_mem.c common/boot/static_shm.c common/boot/modules.c common/boot/boot_mem_fdt.c common/mm/boot_mem.c common/lib/fdt.c common/abi/policy.c */
/* clang-format on */
/* From a boot device tree to memory, claimed modules and a list of domains: which memory is left
 * free and who is refused. */
#include "child.h"

#include "captured_log.h"

#include <hv/bits.h>
#include <hv/boot_summary.h>
#include <hv/domain.h>
#include <hv/fdt.h>
#include <hv/guests.h>
#include <hv/mm.h>
#include <hv/policy.h>
#include <hv/restart.h>
#include <hv/static_mem.h>
#include <hv/static_shm.h>
#include <hv/vcpu.h>

#include <libfdt.h>

#include "../../common/mm/boot_mem.h"
#include "own_process.h"

/* ---- what guests.c starts ---- */

static const struct guest_config *built[8];
static unsigned nr_built;
static const char *fails; /* the domain whose build fails */
static bool boot_done;

int guest_build(const struct guest_config *cfg) {
    if (fails && !strcmp(cfg->name, fails))
        return -1;
    built[nr_built++] = cfg;
    return 0;
}
struct vcpu *hv_thread_create(void (*fn)(void *), void *arg) {
    static uint64_t thread;

    fn(arg);
    return (struct vcpu *)&thread;
}
void static_shm_fill(void) {
}
void restart_init(void) {
}
void boot_summary_machine(void) {
}
/* Every node has its row, with its number and its end. */
static char rows[512];
void boot_summary_domain(const struct guest_config *cfg, hv_domid_t domid, bool started) {
    size_t n = strlen(rows);

    snprintf(rows + n, sizeof(rows) - n, "%u %s %s\n", domid, cfg->name, started ? "yes" : "no");
}
void restart_boot_done(void) {
    boot_done = true;
}

/* ---- the tree: dtc's text would be shorter, but the test needs nothing but libfdt ---- */

static uint64_t space[2048];
static void *const tree = space;

static int node(const char *parent, const char *name) {
    int at = fdt_path_offset(tree, parent), n;

    assert_true(at >= 0);
    n = fdt_add_subnode(tree, at, name);
    assert_true(n > 0);
    return n;
}
static void cells(int at, const char *prop, unsigned n, ...) {
    fdt32_t be[16];
    va_list ap;

    va_start(ap, n);
    for (unsigned i = 0; i < n; i++)
        be[i] = cpu_to_fdt32(va_arg(ap, uint32_t));
    va_end(ap);
    assert_int_equal(fdt_setprop(tree, at, prop, be, (int)(4 * n)), 0);
}
static void text(int at, const char *prop, const char *value) {
    assert_int_equal(fdt_setprop_string(tree, at, prop, value), 0);
}

/* Node offsets move with every insertion, so a module is made whole before the next one. */
static void module(const char *domain, const char *name, const char *kind, uint32_t start,
                   uint32_t size) {
    char path[80];
    int at;

    snprintf(path, sizeof(path), "/chosen/%s", domain);
    at = node(path, name);
    text(at, "compatible", kind);
    cells(at, "reg", 4, 0, start, 0, size);
}
static void domain(const char *name, uint32_t kernel, uint32_t size) {
    int at = node("/chosen", name);

    text(at, "compatible", "xen,domain");
    cells(at, "#address-cells", 1, 2);
    cells(at, "#size-cells", 1, 2);
    cells(at, "cpus", 1, 1);
    cells(at, "memory", 1, 65536);
    module(name, "kernel", "multiboot,kernel", kernel, size);
}

/* 1 GiB at 0x40000000 and 1 GiB at 4 GiB; a reserved and a no-map region. libfdt adds nodes in
 * front. */
static void machine(void) {
    int at;

    assert_int_equal(fdt_create_empty_tree(tree, sizeof(space)), 0);
    assert_int_equal(fdt_add_mem_rsv(tree, 0x41000800, 0x1000), 0);
    cells(0, "#address-cells", 1, 2);
    cells(0, "#size-cells", 1, 2);
    at = node("/", "memory@40000000");
    text(at, "device_type", "memory");
    cells(at, "reg", 8, 0, 0x40000000, 0, 0x40000000, 1, 0, 0, 0x40000000);
    at = node("/", "reserved-memory");
    cells(at, "#address-cells", 1, 1);
    cells(at, "#size-cells", 1, 1);
    at = node("/reserved-memory", "kept@42000000");
    cells(at, "reg", 2, 0x42000000, 0x100000);
    at = node("/reserved-memory", "secret");
    cells(at, "reg", 4, 0x43000000, 0x100000, 0x3ff00000, 0x200000);
    assert_int_equal(fdt_setprop(tree, at, "no-map", NULL, 0), 0);
    at = node("/reserved-memory", "pool"); /* may be anywhere: not ours to place */
    cells(at, "size", 1, 0x100000);
    node("/", "chosen");
}

static void start(void) {
    log_clear();
    nr_built = 0;
    boot_done = false;
    boot_mem_from_fdt(tree, paddr(0x48000123), paddr(0x40200000), 0x123456);
    log_clear();
    guests_init(tree);
}

static bool is_free(uint64_t addr) {
    struct mem_range r;

    for (unsigned i = 0; boot_mem_free_range(i, &r); i++)
        if (addr >= r.start && addr < r.end)
            return true;
    return false;
}

/* boot_mem.c keeps what it was told: each test has a process of its own. */
static void memory(void **s) {
    paddr_t bank;
    uint64_t size, total = 0;

    (void)s;
    machine();
    boot_mem_from_fdt(tree, paddr(0x48000123), paddr(0x40200000), 0x123456);
    for (unsigned i = 0; boot_mem_bank(i, &bank, &size); i++)
        total += size;
    assert_int_equal(total, 0x80000000 - 0x100000 - 0x100000); /* the no-map parts within */
    assert_false(boot_mem_is_ram(paddr(0x43000000), 1));
    assert_false(boot_mem_is_ram(paddr(0x430fffff), 1));
    assert_false(boot_mem_is_ram(paddr(0x400fffff), 1));
    assert_true(boot_mem_is_ram(paddr(0x40100000), 1));
    assert_true(boot_mem_is_ram(paddr(0x13fffffff), 1));
    assert_true(is_free(0x40100000));
    assert_true(is_free(0x401fffff));
    assert_false(is_free(0x40200000)); /* image */
    assert_false(is_free(0x40323fff));
    assert_true(is_free(0x40324000));
    assert_true(is_free(0x40ffffff));
    assert_false(is_free(0x41000000)); /* memreserve, in whole pages */
    assert_false(is_free(0x41001fff));
    assert_true(is_free(0x41002000));
    assert_false(is_free(0x42000000));
    assert_false(is_free(0x420fffff));
    assert_true(boot_mem_is_ram(paddr(0x42000000), 0x100000));
    assert_false(is_free(0x48000000)); /* the tree */
    assert_false(is_free(0x48000122 + fdt_totalsize(tree)));
    assert_true(is_free(0x44000000));
}

static void two_domains(void **s) {
    (void)s;
    machine();
    domain("domB", 0x50000800, 0x1000000);
    module("domB", "ramdisk", "multiboot,ramdisk", 0x51000800,
           0x800);                         /* in the kernel's last page */
    domain("domA", 0x50000800, 0x1000000); /* the same kernel */
    start();
    assert_string_equal(log_text, "");
    assert_false(is_free(0x50000000));
    assert_false(is_free(0x51000fff));
    assert_true(is_free(0x51001000));
    guests_start();
    assert_int_equal(nr_built, 2);
    assert_string_equal(built[0]->name, "domA"); /* in the order of the tree */
    assert_int_equal(built[0]->domid, 1);
    assert_int_equal(built[1]->domid, 2);
    assert_true(boot_done);
    assert_string_equal(log_text, "2 of 2 domains started\n");
    assert_string_equal(rows, "1 domA yes\n2 domB yes\n");
}

static void refused_modules(void **s) {
    static const struct {
        const char *name;
        uint32_t start, size;
        const char *why;
    } bad[] = {
        {"image", 0x40300000, 0x1000, "overlaps reserved memory (0x40300000, 4096 bytes)"},
        {"tree", 0x47fff000, 0x2000, "overlaps reserved memory"},
        {"rsv", 0x410017ff, 1, "overlaps reserved memory"},
        {"kept", 0x41ffffff, 2, "overlaps reserved memory"},
        {"around", 0x41f00000, 0x400000, "overlaps reserved memory"},
        {"secret", 0x430ff000, 0x1000, "expected a module in RAM"},
        {"below", 0x3fffffff, 2, "expected a module in RAM"},
        {"hole", 0x7ffff000, 0x2000, "expected a module in RAM"},
        {"partly", 0x50ffffff, 0x1000, "overlaps another module"},
        {"longer", 0x50000000, 0x1000001, "overlaps another module"},
    };

    (void)s;
    machine();
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
        domain(bad[i].name, bad[i].start, bad[i].size);
    domain("good", 0x50000000, 0x1000000); /* first in the tree */
    start();
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        char line[160];

        snprintf(line, sizeof(line), "error: /chosen/%s/kernel: reg: %s", bad[i].name, bad[i].why);
        assert_logged(line);
    }
    assert_int_equal(log_lines(), ARRAY_SIZE(bad));
    log_clear();
    guests_start();
    assert_string_equal(log_text, "1 of 11 domains started\n");
    assert_int_equal(nr_built, 1);
    assert_string_equal(built[0]->name, "good");
}

/* A domain refused for its ramdisk keeps no memory for its kernel. */
static void nothing_kept(void **s) {
    (void)s;
    machine();
    domain("dom", 0x50000000, 0x1000);
    module("dom", "ramdisk", "multiboot,ramdisk", 0x43000000, 0x1000);
    start();
    assert_logged("error: /chosen/dom/ramdisk: reg: expected a module in RAM");
    assert_true(is_free(0x50000000));
}

/* 64 MiB, as domain() has; /chosen has no cells, so 2 and 1. */
static void static_mem(const char *name, uint32_t high, uint32_t start) {
    char path[80];

    snprintf(path, sizeof(path), "/chosen/%s", name);
    cells(fdt_path_offset(tree, path), "xen,static-mem", 3, high, start, 0x4000000);
}
static void heap(unsigned n, uint32_t start, uint32_t size, uint32_t start2, uint32_t size2) {
    cells(fdt_path_offset(tree, "/chosen"), "xen,static-heap", n, 0, start, 0, size, 0, start2, 0,
          size2);
}

static void static_memory(void **s) {
    static const struct {
        const char *name;
        uint32_t high, start;
        const char *why;
    } bad[] = {
        {"hole", 0, 0x7e000000, "expected RAM (0x7e000000, 65536 KiB)"},
        {"secret", 0, 0x40000000, "expected RAM"}, /* the no-map part */
        {"tree", 0, 0x47000000, "overlaps reserved memory"},
        {"module", 0, 0x4e000000, "overlaps a module"},
        {"same", 0, 0x60000000, "0x60000000 overlaps static memory of good"},
        {"behind", 0, 0x63fff000, "0x63fff000 overlaps static memory of good"},
    };
    char line[160];

    (void)s;
    machine();
    domain("late", 0x62000000, 0x1000); /* its module is in good's memory */
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        domain(bad[i].name, 0x54000000, 0x1000000);
        static_mem(bad[i].name, bad[i].high, bad[i].start);
    }
    domain("good", 0x50000000, 0x1000000);
    static_mem("good", 0, 0x60000000);
    start();
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        snprintf(line, sizeof(line), "error: /chosen/%s: xen,static-mem: %s", bad[i].name,
                 bad[i].why);
        assert_logged(line);
    }
    assert_logged("error: /chosen/late/kernel: reg: overlaps reserved memory");
    assert_int_equal(log_lines(), ARRAY_SIZE(bad) + 1);
    assert_false(is_free(0x60000000));
    assert_false(is_free(0x63fff000));
    assert_true(is_free(0x64000000));
    guests_start();
    assert_logged("1 of 8 domains started\n");
}

/* Two at once, side by side; a refused one keeps nothing. */
static void static_neighbours(void **s) {
    (void)s;
    machine();
    domain("b", 0x50000000, 0x1000000);
    static_mem("b", 1, 0x4000000);
    domain("a", 0x50000000, 0x1000000);
    static_mem("a", 1, 0);
    domain("refused", 0x43000000, 0x1000);
    static_mem("refused", 0, 0x70000000);
    start();
    assert_int_equal(log_lines(), 1);
    assert_false(is_free(0x100000000));
    assert_false(is_free(0x107ffffff));
    assert_true(is_free(0x108000000));
    assert_true(is_free(0x70000000));
}

/* Known before any memory is cleared. */
static void who_wants_devices(void **s) {
    (void)s;
    for (unsigned i = 0; i < 3; i++) {
        pid_t child = fork();
        int status;

        if (!child) {
            machine();
            domain("none", 0x50000000, 0x1000);
            domain("other", 0x51000000, 0x1000);
            if (i == 1)
                text(fdt_path_offset(tree, "/chosen/other"), "holdfast,pci-functions", "0:1.0");
            if (i == 2)
                module("other", "devices", "multiboot,device-tree", 0x52000000, 0x1000);
            start();
            assert_int_equal(guests_want_devices(), i > 0);
            child_ends();
        }
        assert_true(waitpid(child, &status, 0) == child && !status);
    }
}

static void static_heap(void **s) {
    uint64_t all;

    (void)s;
    machine();
    heap(8, 0x44000000, 0x8000000, 0x70000000, 0x2000000);
    domain("inside", 0x50000000, 0x1000000);
    static_mem("inside", 0, 0x6d000000);
    domain("kernel", 0x71000000, 0x1000);
    log_clear();
    boot_mem_from_fdt(tree, paddr(0x48000123), paddr(0x40200000), 0x123456);
    all = boot_mem_free_bytes();
    static_heap_init(tree);
    guests_init(tree);
    assert_logged("error: /chosen/inside: xen,static-mem: overlaps the static heap (0x6d000000");
    assert_int_equal(log_lines(), 2); /* and the memory's */
    assert_true(all > boot_mem_free_bytes());
    assert_false(is_free(0x43fff000));
    assert_true(is_free(0x44000000));
    assert_false(is_free(0x48000000)); /* the tree */
    assert_true(is_free(0x4bfff000));
    assert_false(is_free(0x4c000000));
    assert_false(is_free(0x100000000));
    assert_true(is_free(0x70fff000));
    assert_false(is_free(0x71000000)); /* a module */
    assert_true(is_free(0x71fff000));
}

static void static_heap_errors(void **s) {
    static const struct {
        unsigned n;
        uint32_t start, size, start2, size2;
        const char *why;
    } bad[] = {
        {3, 0x50000000, 0, 0, 0, "expected addresses and sizes in the cells of the root node"},
        {8, 0x50000000, 0x10000000, 0x7f000000, 0x2000000, "expected RAM"},
        {8, 0x50000000, 0x10000000, 0x5f000000, 0x2000000, "expected ranges that do not overlap"},
        {4, 0x50000800, 0x10000000, 0, 0, "expected whole pages of 4 KiB"},
        {4, 0x50000000, 0, 0, 0, "expected whole pages of 4 KiB"},
        {4, 0x50000000, 0x1ff0000, 0, 0, "expected 16 MiB more than 1/128 of RAM"},
        {0, 0, 0, 0, 0, "expected an address and a size"},
    };
    uint64_t all;

    (void)s;
    machine();
    boot_mem_from_fdt(tree, paddr(0x48000123), paddr(0x40200000), 0x123456);
    all = boot_mem_free_bytes();
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        heap(bad[i].n, bad[i].start, bad[i].size, bad[i].start2, bad[i].size2);
        log_clear();
        static_heap_init(tree);
        assert_logged("error: /chosen: xen,static-heap: ");
        assert_logged(bad[i].why);
        assert_logged("; not used, all free memory is the heap\n");
        assert_int_equal(log_lines(), 1);
        assert_int_equal(boot_mem_free_bytes(), all);
    }
}

static void names_and_others(void **s) {
    int at;

    (void)s;
    machine();
    domain("dom@2", 0x51000000, 0x1000);
    domain("dom@1", 0x50000000, 0x1000);
    domain("off", 0x52000000, 0x1000);
    text(fdt_path_offset(tree, "/chosen/off"), "status", "disabled");
    at = node("/chosen", "module@60000000");
    text(at, "compatible", "multiboot,kernel");
    start();
    assert_logged("error: /chosen/dom@2: expected a name of its own, another domain is \"dom\"");
    assert_logged("/chosen/off: disabled, ignored");
    assert_logged("/chosen/module@60000000: a module of no domain, ignored");
    assert_int_equal(log_lines(), 3);
    assert_true(is_free(0x51000000));
    log_clear();
    fails = "dom";
    guests_start();
    assert_logged("0 of 2 domains started\n");
    assert_logged("nothing to run");
    assert_true(boot_done);
}

static bool may_share(hv_domid_t a, hv_domid_t b) {
    static struct domain da, db;

    da.id = a;
    db.id = b;
    return domains_may_share(&da, &db);
}

/* Nobody with anybody but itself and the privileged, except the pairs named. */
static void policy(void **s) {
    struct domain d1 = {.id = 1}, d2 = {.id = 2}, far = {.id = 0x7fef};
    static const char pairs[] = "one\0three\0four\0two";

    (void)s;
    assert_true(domains_may_share(&d1, &d1));
    assert_false(domains_may_share(&d1, &d2));
    assert_false(domains_may_share(&far, &d1));
    assert_false(domains_may_share(&d1, &far));
    d2.privileged = true;
    assert_true(domains_may_share(&d1, &d2));
    assert_true(domains_may_share(&d2, &d1));
    assert_true(domains_may_share(&far, &d2));

    machine();
    domain("four", 0x53000000, 0x1000);
    domain("three", 0x52000000, 0x1000);
    domain("two", 0x51000000, 0x1000);
    domain("one", 0x50000000, 0x1000);
    assert_int_equal(fdt_setprop(tree, fdt_path_offset(tree, "/chosen"), "holdfast,allow-pairs",
                                 pairs, sizeof(pairs)),
                     0);
    start();
    assert_string_equal(log_text, "");
    for (hv_domid_t a = 1; a <= 4; a++)
        for (hv_domid_t b = 1; b <= 4; b++)
            assert_int_equal(may_share(a, b), a != b && (a + b) % 2 == 0);
}

static void policy_errors(void **s) {
    static const struct {
        const char *value;
        int len;
        const char *line;
    } bad[] = {
        {"one\0two", 7, "expected an even number of domain names; ignored\n"},
        {"one\0two\0one", 12, "expected an even number of domain names; ignored\n"},
        {"one\0nobody\0one\0two", 19, "expected names of domains, \"nobody\" is none; ignored\n"},
        {"bad\0one", 8, "expected names of domains, \"bad\" is none; ignored\n"},
    };

    (void)s;
    machine();
    domain("two", 0x51000000, 0x1000);
    domain("one", 0x50000000, 0x1000);
    domain("bad", 0x50000000, 0x1000);
    text(fdt_path_offset(tree, "/chosen/bad"), "cpus", "many");
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        pid_t child = fork(); /* memory is claimed once in a life */
        int status;

        if (!child) {
            char line[160];

            assert_int_equal(fdt_setprop(tree, fdt_path_offset(tree, "/chosen"),
                                         "holdfast,allow-pairs", bad[i].value, bad[i].len),
                             0);
            start();
            snprintf(line, sizeof(line), "error: /chosen: holdfast,allow-pairs: %s", bad[i].line);
            assert_logged(line);
            assert_int_equal(log_lines(), 2);
            assert_int_equal(may_share(2, 3), i == 2); /* the good pair behind a bad one */
            child_ends();
        }
        assert_true(waitpid(child, &status, 0) == child && !status);
    }
}

static void too_many_domains(void **s) {
    static uint64_t large[16384];

    (void)s;
    machine();
    assert_int_equal(fdt_open_into(tree, large, sizeof(large)), 0);
    for (unsigned i = 0; i < GUESTS_MAX + 2; i++) {
        char name[16];
        int at;

        snprintf(name, sizeof(name), "n%u", i);
        at = fdt_add_subnode(large, fdt_path_offset(large, "/chosen"), name);
        assert_int_equal(fdt_setprop_string(large, at, "compatible", "xen,domain"), 0);
    }
    log_clear();
    guests_init(large);
    assert_logged("error: /chosen/n0: expected at most 64 domains; domain not started\n");
    assert_int_equal(log_lines(), GUESTS_MAX + 2);
}

static void no_memory(void **s) {
    (void)s;
    assert_int_equal(fdt_create_empty_tree(tree, sizeof(space)), 0);
    panic_expected = true;
    if (!setjmp(panic_jump)) {
        boot_mem_from_fdt(tree, paddr(0), paddr(0), 0);
        fail();
    }
    assert_logged("no usable node with device_type \"memory\"");
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory),
        cmocka_unit_test(two_domains),
        cmocka_unit_test(refused_modules),
        cmocka_unit_test(nothing_kept),
        cmocka_unit_test(names_and_others),
        cmocka_unit_test(too_many_domains),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(policy),
        cmocka_unit_test(policy_errors),
        cmocka_unit_test(static_memory),
        cmocka_unit_test(static_neighbours),
        cmocka_unit_test(who_wants_devices),
        cmocka_unit_test(static_heap),
        cmocka_unit_test(static_heap_errors),
    };

    return run_in_processes(argc, argv, tests, ARRAY_SIZE(tests));
}
