/* ARCH: arm64 */
/* Signed return addresses where the CPUs differ: who may run what the others signed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Not the fake that others have of it. */
#include "../../arch/arm64/include/asm/harden.h"

#define KEY_LOW 0x1111
#define KEY_HIGH 0x2222
#define SCTLR 0x30c50830

struct pac_key pac_key;

/* A CPU as it comes up. isar1: APA or API, isar2: APA3, pfr1: BT. */
static void cpu(uint64_t isar1, uint64_t isar2, uint64_t pfr1) {
    *fake_sysreg("id_aa64isar1_el1") = isar1;
    *fake_sysreg("S3_0_C0_C6_2") = isar2;
    *fake_sysreg("S3_0_C0_C4_1") = pfr1;
    *fake_sysreg("sctlr_el2") = SCTLR;
    *fake_sysreg("S3_0_C2_C1_0") = *fake_sysreg("S3_0_C2_C1_1") = 0;
}

static void assert_signs(bool does) {
    assert_int_equal(*fake_sysreg("sctlr_el2") & SCTLR_ENIA, does ? SCTLR_ENIA : 0);
    assert_int_equal(*fake_sysreg("S3_0_C2_C1_0"), does ? KEY_LOW : 0);
    assert_int_equal(*fake_sysreg("S3_0_C2_C1_1"), does ? KEY_HIGH : 0);
}

static void one_with_the_same_algorithm(void **state) {
    (void)state;
    cpu(0x010, 0, 0);
    harden_set_key(KEY_LOW, KEY_HIGH);
    assert_true(harden_cpu());
    assert_signs(true);
    cpu(0x010, 0, 1);
    assert_true(harden_cpu());
    assert_signs(true);
    assert_int_equal(*fake_sysreg("sctlr_el2"), SCTLR | SCTLR_ENIA | SCTLR_BT);
}

static void one_that_checks_otherwise(void **state) {
    static const struct {
        uint64_t isar1, isar2;
    } others[] = {{0, 0}, {0x100, 0}, {0x050, 0}, {0, 0x1000}};

    (void)state;
    cpu(0x010, 0, 0);
    harden_set_key(KEY_LOW, KEY_HIGH);
    for (unsigned i = 0; i < 4; i++) {
        cpu(others[i].isar1, others[i].isar2, 1);
        assert_false(harden_cpu());
        assert_signs(false);
        assert_int_equal(*fake_sysreg("sctlr_el2"), SCTLR);
    }
}

/* It runs, and signs nothing: another CPU could not check it. */
static void one_that_could_where_the_first_cannot(void **state) {
    (void)state;
    cpu(0, 0, 0);
    harden_set_key(KEY_LOW, KEY_HIGH);
    assert_true(harden_cpu());
    assert_signs(false);
    cpu(0x010, 0, 1);
    assert_true(harden_cpu());
    assert_signs(false);
    assert_int_equal(*fake_sysreg("sctlr_el2"), SCTLR | SCTLR_BT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_with_the_same_algorithm),
        cmocka_unit_test(one_that_checks_otherwise),
        cmocka_unit_test(one_that_could_where_the_first_cannot),
    };

    return cmocka_run_group_tests_name("harden", tests, NULL, NULL);
}
