/* ARCH: arm64 */
/* SOURCES: arch/arm/guest/speculation.c arch/arm64/guest/speculation.c */
/* What is done at entries from guests, by what the CPU and the firmware say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hv/bits.h>
#include <hv/firmware.h>
#include <hv/percpu.h>

#include <asm/features.h>
#include <asm/speculation.h>
#include <asm/sysreg.h>

char hv_vectors_hardened[1];

/* ---- a machine ---- */

static uint64_t ids[NR_IDREGS];
static int32_t answers[3];
static unsigned stores_fixed;

void features_read(uint64_t id[NR_IDREGS]) {
    for (unsigned i = 0; i < NR_IDREGS; i++)
        id[i] = ids[i];
}
int32_t firmware_arch_feature(uint32_t fn) {
    return answers[fn == SMCCC_ARCH_WORKAROUND_1 ? 0 : fn == SMCCC_ARCH_WORKAROUND_2 ? 1 : 2];
}
void firmware_arch_call(uint32_t fn, uint64_t arg) {
    assert_int_equal(fn, SMCCC_ARCH_WORKAROUND_2);
    assert_int_equal(arg, 1);
    stores_fixed++;
}
int printk(const char *fmt, ...) {
    (void)fmt;
    return 0;
}

/* ---- tests ---- */

#define NO (-1)
#define W1 SMCCC_ARCH_WORKAROUND_1
#define W3 SMCCC_ARCH_WORKAROUND_3
#define U SPEC_UNAFFECTED
#define M SPEC_MITIGATED
#define V SPEC_VULNERABLE

static void each_cpu(void **state) {
    static const struct {
        struct spec_cpu cpu;
        uint32_t function, loop;
        struct speculation is;
    } rows[] = {
        /*  MIDR      CSV2 SSBS ECBHB CLRBHB -  firmware     at entry    targets, history, stores */
        {{0x410fd034, 0, 0, 0, 0, 0, NO, NO, NO}, 0, 0, {U, U, U}}, /* Cortex-A53 */
        {{0x410fd083, 0, 0, 0, 0, 0, NO, NO, NO}, 0, 8, {V, M, V}}, /* A72, old firmware */
        {{0x411fd080, 0, 0, 0, 0, 0, 0, 0, NO}, W1, 8, {M, M, M}},  /* another revision of it */
        {{0x410fd083, 0, 0, 0, 0, 0, 0, 0, 0},
         W3,
         0,
         {M, M, M}}, /* new firmware: one call for both */
        {{0x410fd083, 0, 0, 0, 0, 0, 1, 1, 1}, 0, 0, {U, U, U}}, /* which knows better */
        {{0x410fd092, 0, 0, 0, 0, 0, 0, -2, NO},
         W1,
         0,
         {M, V, U}}, /* A73: by the firmware or not */
        {{0x410fd0b1, 1, 1, 0, 0, 0, NO, NO, NO}, 0, 24, {U, M, U}}, /* A76 */
        {{0x410fd0b1, 1, 1, 0, 0, 0, 1, -2, 0}, W3, 0, {U, M, U}},
        {{0x410fd480, 1, 1, 0, 0, 0, NO, NO, NO}, 0, 32, {U, M, U}}, /* X2 */
        {{0x410fd480, 1, 1, 0, 1, 0, NO, NO, NO},
         0,
         1,
         {U, M, U}}, /* CLRBHB behind a loop of one */
        {{0x410fd480, 1, 1, 1, 0, 0, NO, NO, NO}, 0, 0, {U, U, U}},
        {{0x410fd480, 3, 1, 0, 0, 0, NO, NO, NO}, 0, 0, {U, U, U}},
        {{0xc00fac30, 1, 1, 0, 0, 0, NO, NO, NO}, 0, 11, {U, M, U}}, /* Ampere-1 */
        {{0x420fd034, 0, 0, 0, 0, 0, NO, NO, NO}, 0, 0, {V, V, V}},  /* not Arm's A53 */
        {{0x420fd480, 1, 1, 0, 0, 0, NO, NO, NO}, 0, 0, {U, V, U}},
        {{0x420fd480, 1, 1, 0, 0, 0, NO, NO, 0}, W3, 0, {U, M, U}}, /* its firmware knows it */
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        struct spec_choice c;

        spec_choose(&rows[i].cpu, &c);
        if (c.at_entry.function != rows[i].function || c.at_entry.loop != rows[i].loop ||
            c.state.targets != rows[i].is.targets || c.state.history != rows[i].is.history ||
            c.state.stores != rows[i].is.stores)
            fail_msg("row %u: 0x%x %u, %d %d %d", i, c.at_entry.function, c.at_entry.loop,
                     c.state.targets, c.state.history, c.state.stores);
    }
}

extern struct at_entry at_entry;

/* The state is the worst of all CPUs; only a CPU that needs them has other vectors. */
static void cpus_of_two_kinds(void **state) {
    (void)state;
    answers[0] = answers[1] = answers[2] = NO;
    *fake_sysreg("midr_el1") = 0x410fd034;
    *fake_sysreg("vbar_el2") = 1;
    speculation_init_cpu();
    assert_int_equal(*fake_sysreg("vbar_el2"), 1);
    assert_int_equal(speculation.history, U);

    ids[ID_AA64PFR0] = 1ULL << 56;
    ids[ID_AA64PFR1] = 1ULL << 4;
    *fake_sysreg("midr_el1") = 0x410fd0b1;
    speculation_init_cpu();
    assert_int_equal(*fake_sysreg("vbar_el2"), (uintptr_t)hv_vectors_hardened);
    assert_int_equal(at_entry.loop, 24);
    assert_int_equal(speculation.targets, U);
    assert_int_equal(speculation.history, M);
    assert_int_equal(stores_fixed, 0);

    ids[ID_AA64PFR0] = ids[ID_AA64PFR1] = 0;
    answers[0] = answers[1] = answers[2] = 0;
    *fake_sysreg("midr_el1") = 0x410fd083;
    speculation_init_cpu();
    assert_int_equal(at_entry.function, W3);
    assert_int_equal(at_entry.loop, 0);
    assert_int_equal(speculation.targets, M);
    assert_int_equal(stores_fixed, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_cpu),
        cmocka_unit_test(cpus_of_two_kinds),
    };

    return cmocka_run_group_tests_name("speculation", tests, NULL, NULL);
}
