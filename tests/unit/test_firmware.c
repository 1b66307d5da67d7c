/* SOURCES: common/core/firmware.c common/core/spin_table.c common/lib/fdt.c */
/* Calls into firmware: only what the psci node says is there is called, with its numbers. */
#include "captured_log.h"

#include <hv/errno.h>
#include <hv/firmware.h>
#include <hv/mm.h>
#include <hv/psci.h>

#include <asm/boot_cpu.h>
#include <asm/smccc_call.h>

#include <libfdt.h>

static uint64_t called[4];
static unsigned calls;
static uint64_t answer, smccc = (uint64_t)-1; /* -1: it does not have it */

#define SMCCC_VERSION 0x80000000
#define SMCCC_ARCH_FEATURES 0x80000001

uint64_t smccc_smc(uint64_t fn, uint64_t a1, uint64_t a2, uint64_t a3) {
    called[0] = fn;
    called[1] = a1;
    called[2] = a2;
    called[3] = a3;
    calls++;
    if (fn == PSCI_VERSION)
        return 0x10001;
    if (fn == PSCI_FEATURES || fn == SMCCC_VERSION)
        return smccc;
    return answer;
}

static uint64_t space[512];
static void *const tree = space;

static void put_u32(const char *name, uint32_t val) {
    assert_int_equal(fdt_property_u32(tree, name, val), 0);
}

/* compatible NULL: no node. method NULL: no property. cpu_on 0: none. */
static void start(const char *compatible, const char *method, uint32_t cpu_on, uint32_t cpu_off) {
    assert_int_equal(fdt_create(tree, sizeof(space)), 0);
    assert_int_equal(fdt_finish_reservemap(tree), 0);
    assert_int_equal(fdt_begin_node(tree, ""), 0);
    if (compatible) {
        assert_int_equal(fdt_begin_node(tree, "psci"), 0);
        assert_int_equal(fdt_property_string(tree, "compatible", compatible), 0);
        if (method)
            assert_int_equal(fdt_property_string(tree, "method", method), 0);
        if (cpu_on)
            put_u32("cpu_on", cpu_on);
        if (cpu_off)
            put_u32("cpu_off", cpu_off);
        assert_int_equal(fdt_end_node(tree), 0);
    }
    assert_int_equal(fdt_end_node(tree), 0);
    assert_int_equal(fdt_finish(tree), 0);
    log_clear();
    calls = 0;
    answer = 0;
    firmware_init(tree);
}

static void assert_silent(void) {
    calls = 0;
    assert_int_equal(firmware_cpu_on(1, paddr(0x1000), 0), -ENODEV);
    firmware_cpu_off();
    firmware_system_off();
    assert_int_equal(calls, 0);
}

static void no_node_no_call(void **state) {
    (void)state;
    start(NULL, NULL, 0, 0);
    assert_int_equal(calls, 0);
    assert_logged("no psci node");
    assert_silent();
}

/* An HVC from EL2 would come to Holdfast itself. */
static void other_methods_are_refused(void **state) {
    static const char *const methods[] = {NULL, "hvc", "", "smc ", "SMC"};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(methods); i++) {
        start("arm,psci-1.0", methods[i], 0, 0);
        assert_int_equal(calls, 0);
        assert_logged("/psci: method: expected \"smc\"");
        assert_silent();
        start("arm,psci", methods[i], 0x95c10000, 0);
        assert_silent();
    }
}

static void current_psci(const char *compatible) {
    start(compatible, "smc", 0x11, 0x22); /* the numbers of 0.1 do not count */
    assert_int_equal(calls, 2);           /* its version; whether it has SMCCC */
    assert_logged("PSCI 1.1");
    assert_int_equal(firmware_cpu_on(0x80000001, paddr(0x123456000), 0xffff8000), 0);
    assert_int_equal(called[0], sizeof(void *) == 8 ? PSCI_CPU_ON64 : PSCI_CPU_ON32);
    assert_int_equal(called[1], 0x80000001);
    assert_int_equal(called[2], 0x123456000);
    assert_int_equal(called[3], 0xffff8000);
    firmware_cpu_off();
    assert_int_equal(called[0], PSCI_CPU_OFF);
    firmware_system_off();
    assert_int_equal(called[0], PSCI_SYSTEM_OFF);
    assert_int_equal(calls, 5);
}

static void numbers_of_the_standard(void **state) {
    (void)state;
    current_psci("arm,psci-0.2");
    current_psci("arm,psci-1.0");
}

static void numbers_of_the_node(void **state) {
    (void)state;
    start("arm,psci", "smc", 0x95c10000, 0x95c10001);
    assert_int_equal(calls, 0); /* 0.1 has no version call */
    assert_int_equal(firmware_cpu_on(1, paddr(0x1000), 0), 0);
    assert_int_equal(called[0], 0x95c10000);
    firmware_cpu_off();
    assert_int_equal(called[0], 0x95c10001);
    firmware_system_off();
    assert_int_equal(calls, 2);

    start("arm,psci", "smc", 0, 0);
    assert_logged("/psci: cpu_on: expected 1 cell");
    assert_silent();
}

static void results(void **state) {
    static const struct {
        int32_t psci;
        int rc;
    } cases[] = {
        {PSCI_SUCCESS, 0},
        {PSCI_ALREADY_ON, -EBUSY},
        {PSCI_ON_PENDING, -EBUSY},
        {PSCI_INVALID_PARAMETERS, -EINVAL},
        {PSCI_INVALID_ADDRESS, -EINVAL},
        {PSCI_INTERNAL_FAILURE, -EIO},
        {PSCI_NOT_SUPPORTED, -EIO},
        {1, -EIO},
    };

    (void)state;
    start("arm,psci-1.0", "smc", 0, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        answer = (uint32_t)cases[i].psci; /* upper half is not part of the result */
        assert_int_equal(firmware_cpu_on(1, paddr(0x1000), 0), cases[i].rc);
        answer = (uint64_t)(int64_t)cases[i].psci;
        assert_int_equal(firmware_cpu_on(1, paddr(0x1000), 0), cases[i].rc);
    }
}

/* ---- without PSCI ---- */

char spin_table_entry[4];
uint8_t *fake_ram = (uint8_t *)spin_table_entry;
uint64_t fake_ram_base = 0x80200000, fake_ram_size = 4;
static uint64_t released_at, released_to;

volatile void *ioremap(paddr_t pa, uint64_t size) {
    assert_int_equal(size, 8);
    released_at = pa.pa;
    return &released_to;
}
void iounmap(volatile void *va, uint64_t size) {
    assert_ptr_equal(va, &released_to);
    assert_int_equal(size, 8);
}
uint64_t fake_mmio_read(const volatile void *at, unsigned size) {
    (void)at, (void)size;
    fail_msg("nothing is read");
    return 0;
}
void fake_mmio_write(volatile void *at, uint64_t val, unsigned size) {
    assert_ptr_equal(at, &released_to);
    assert_int_equal(size, 8);
    released_to = val;
}

static void cpu(unsigned reg, const char *method, unsigned cells, uint64_t release) {
    assert_int_equal(fdt_begin_node(tree, reg == 1 ? "cpu@1" : "cpu@2"), 0);
    fdt_property_string(tree, "device_type", "cpu");
    put_u32("reg", reg);
    fdt_property_string(tree, "enable-method", method);
    if (cells == 2)
        fdt_property_u64(tree, "cpu-release-addr", release);
    else if (cells == 1)
        put_u32("cpu-release-addr", (uint32_t)release);
    fdt_end_node(tree);
}

/* Two CPUs: 1 as given, 2 by a method of its own. */
static void start_spinning(const char *method, unsigned cells, uint64_t release) {
    fdt_create(tree, sizeof(space));
    fdt_finish_reservemap(tree);
    fdt_begin_node(tree, "");
    fdt_begin_node(tree, "cpus");
    put_u32("#address-cells", 1);
    put_u32("#size-cells", 0);
    cpu(1, method, cells, release);
    cpu(2, "psci", 2, 0x2000);
    fdt_end_node(tree);
    fdt_end_node(tree);
    assert_int_equal(fdt_finish(tree), 0);
    log_clear();
    firmware_init(tree);
    spin_table_boot_cpu = NULL;
    released_at = released_to = 0;
}

static void spin_table(void **state) {
    struct boot_cpu b = {.id = 1};

    (void)state;
    for (unsigned cells = 1; cells <= 2; cells++) {
        start_spinning("spin-table", cells, 0xd8);
        assert_logged("CPUs by spin-table");
        assert_int_equal(firmware_cpu_on(1, paddr(0), 0), -ENODEV);
        assert_int_equal(spin_table_cpu_on(tree, 1, &b), 0);
        assert_ptr_equal(spin_table_boot_cpu, &b);
        assert_int_equal(b.mpidr, 1);
        assert_int_equal(released_at, 0xd8);
        assert_int_equal(released_to, fake_ram_base);
    }
    assert_int_equal(spin_table_cpu_on(tree, 2, &b), -ENODEV);
    assert_int_equal(spin_table_cpu_on(tree, 3, &b), -ENODEV);
}

static void bad_spin_tables(void **state) {
    struct boot_cpu b = {.id = 1};

    (void)state;
    for (unsigned cells = 0; cells <= 1; cells++) {
        start_spinning("spin-table", cells, 0xdc);
        assert_int_equal(spin_table_cpu_on(tree, 1, &b), -EINVAL);
        assert_logged("/cpus/cpu@1: cpu-release-addr: expected an address");
        assert_null(spin_table_boot_cpu);
        assert_int_equal(released_at, 0);
    }
    start_spinning("spin", 2, 0xd8);
    assert_logged("one CPU");
    assert_int_equal(spin_table_cpu_on(tree, 1, &b), -ENODEV);
}

/* Only firmware that has SMCCC 1.1 is asked; an SMC that it does not know may end anywhere. */
static void features(void **state) {
    static const struct {
        uint64_t smccc;
        bool asks;
    } rows[] = {{(uint64_t)-1, false}, {0x10000, false}, {0x10001, true}, {0x10004, true}};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        smccc = rows[i].smccc;
        start("arm,psci-1.0", "smc", 0, 0);
        assert_logged("PSCI 1.1");
        answer = 1;
        calls = 0;
        assert_int_equal(firmware_arch_feature(0x80008000), rows[i].asks ? 1 : -1);
        assert_int_equal(calls, rows[i].asks);
        if (rows[i].asks) {
            assert_int_equal(called[0], SMCCC_ARCH_FEATURES);
            assert_int_equal(called[1], 0x80008000);
        }
    }
    smccc = (uint64_t)-1;
    answer = 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_node_no_call),
        cmocka_unit_test(other_methods_are_refused),
        cmocka_unit_test(numbers_of_the_standard),
        cmocka_unit_test(numbers_of_the_node),
        cmocka_unit_test(results),
        cmocka_unit_test(features),
        cmocka_unit_test(spin_table),
        cmocka_unit_test(bad_spin_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
