/* ARCH: arm32 */
/* SOURCES: arch/arm/guest/speculation.c arch/arm32/guest/speculation.c */
/* What is done at entries from guests of 32-bit CPUs, by what they and the firmware say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hv/bits.h>
#include <hv/firmware.h>
#include <hv/percpu.h>

#include <asm/speculation.h>
#include <asm/sysreg.h>

char hv_vectors_clear_branches[1], hv_vectors_clear_instructions[1];

/* ---- a machine ---- */

#define NO (-1)
#define ID_PFR0_NAME "ID_REGISTER(1, 0)"
#define ID_PFR2_NAME "ID_REGISTER(3, 4)"

static int32_t answer = NO;

int32_t firmware_arch_feature(uint32_t fn) {
    (void)fn;
    return answer;
}
void firmware_arch_call(uint32_t fn, uint64_t arg) {
    (void)fn;
    (void)arg;
}
int printk(const char *fmt, ...) {
    (void)fmt;
    return 0;
}

/* ---- tests ---- */

#define W1 SMCCC_ARCH_WORKAROUND_1
#define W3 SMCCC_ARCH_WORKAROUND_3
#define U SPEC_UNAFFECTED
#define M SPEC_MITIGATED
#define V SPEC_VULNERABLE

static void each_cpu(void **state) {
    static const struct {
        struct spec_cpu cpu;
        uint32_t function, loop;
        enum spec_clear clear;
        struct speculation is;
    } rows[] = {
        /*  MIDR      CSV2, SSBS, clears, firmware      at entry               targets, history,
           stores */
        {{0x410fc075, 0, 0, 0, 0, 1, NO, NO, NO}, 0, 0, CLEAR_NOTHING, {U, U, U}}, /* Cortex-A7 */
        {{0x412fc0f1, 0, 0, 0, 0, 1, NO, NO, NO}, 0, 8, CLEAR_INSTRUCTIONS, {M, M, U}}, /* A15 */
        {{0x412fc0f1, 0, 0, 0, 0, 0, NO, NO, NO},
         0,
         8,
         CLEAR_NOTHING,
         {V, M, U}}, /* its bit not set */
        {{0x412fc0f1, 0, 0, 0, 0, 0, 0, NO, NO},
         W1,
         8,
         CLEAR_NOTHING,
         {M, M, U}}, /* firmware does it */
        {{0x420f00f3, 0, 0, 0, 0, 1, NO, NO, NO}, 0, 8, CLEAR_INSTRUCTIONS, {M, M, U}}, /* B15 */
        {{0x410fc0d1, 0, 0, 0, 0, 1, NO, NO, NO}, 0, 0, CLEAR_BRANCHES, {M, U, U}},     /* A12 */
        {{0x411fc0e0, 0, 0, 0, 0, 1, NO, NO, NO}, 0, 0, CLEAR_BRANCHES, {M, U, U}},     /* A17 */
        {{0x411fd073, 0, 0, 0, 0, 1, NO, NO, NO},
         0,
         8,
         CLEAR_NOTHING,
         {V, M, V}}, /* A57 in AArch32 */
        {{0x411fd073, 0, 0, 0, 0, 1, 0, -2, NO}, W1, 8, CLEAR_NOTHING, {M, M, U}},
        {{0x410fd083, 0, 0, 0, 0, 1, 0, 0, 0}, W3, 0, CLEAR_NOTHING, {M, M, M}},    /* A72 */
        {{0x410fd092, 0, 0, 0, 0, 1, NO, NO, NO}, 0, 0, CLEAR_BRANCHES, {M, M, V}}, /* A73 */
        {{0x411fd0a1, 1, 0, 0, 0, 1, NO, NO, NO}, 0, 0, CLEAR_BRANCHES, {U, M, V}}, /* A75 */
        {{0x410fd0b1, 1, 1, 0, 0, 1, NO, NO, NO},
         0,
         0,
         CLEAR_NOTHING,
         {U, V, U}}, /* not known here */
        {{0x420fc075, 0, 0, 0, 0, 1, NO, NO, NO},
         0,
         0,
         CLEAR_NOTHING,
         {V, V, V}}, /* not Arm's A7 */
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        struct spec_choice c;

        spec_choose(&rows[i].cpu, &c);
        if (c.at_entry.function != rows[i].function || c.at_entry.loop != rows[i].loop ||
            c.clear != rows[i].clear || c.state.targets != rows[i].is.targets ||
            c.state.history != rows[i].is.history || c.state.stores != rows[i].is.stores)
            fail_msg("row %u: 0x%x %u %d, %d %d %d", i, c.at_entry.function, c.at_entry.loop,
                     c.clear, c.state.targets, c.state.history, c.state.stores);
    }
}

extern struct at_entry at_entry;

/* Which vectors a CPU has; the A15's bit by which invalidations do anything. */
static void vectors_of_each(void **state) {
    static const struct {
        uint32_t midr, actlr;
        char *vectors;
        uint32_t loop;
    } cpus[] = {
        {0x410fc075, 0, NULL, 0},
        {0x412fc0f1, 0, hv_vectors_clear_branches, 8},
        {0x412fc0f1, 1, hv_vectors_clear_instructions, 8},
        {0x411fc0e0, 0, hv_vectors_clear_branches, 0},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cpus); i++) {
        *fake_sysreg("midr_el1") = cpus[i].midr;
        *fake_sysreg("ACTLR") = cpus[i].actlr;
        *fake_sysreg("vbar_el2") = 0;
        speculation_init_cpu();
        assert_int_equal(*fake_sysreg("vbar_el2"), (uintptr_t)cpus[i].vectors);
        assert_int_equal(at_entry.loop, cpus[i].loop);
    }
    assert_int_equal(speculation.targets, V); /* the second one's */
}

/* Only an Armv8 CPU has something there. */
static void identification_registers(void **state) {
    struct spec_cpu cpu;

    (void)state;
    *fake_sysreg("midr_el1") = 0x410fd0a1;
    *fake_sysreg(ID_PFR0_NAME) = 0x10000;
    *fake_sysreg(ID_PFR2_NAME) = 0x10;
    spec_identify(&cpu);
    assert_int_equal(cpu.csv2, 1);
    assert_int_equal(cpu.ssbs, 1);
    assert_true(cpu.clears);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_cpu),
        cmocka_unit_test(vectors_of_each),
        cmocka_unit_test(identification_registers),
    };

    return cmocka_run_group_tests_name("speculation32", tests, NULL, NULL);
}
