/* ARCH: arm64 */
/* SOURCES: arch/arm64/guest/inject.c arch/arm64/guest/registers.c arch/arm/guest/aarch32.c */
/* Exceptions put into guests: vector, saved and new state, syndrome; banked registers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hv/domain.h>
#include <hv/vcpu.h>

#include <asm/features.h>
#include <asm/guest_regs.h>
#include <asm/guest_state.h>
#include <asm/guest_trap.h>
#include <asm/sysreg.h>

static struct domain dom;
static struct vcpu vc;
static struct cpu_regs regs;
struct cpu_features cpu_features;
DEFINE_PER_CPU(struct vcpu *, current_vcpu);
uintptr_t percpu_offsets[MAX_CPUS];

void printk(const char *fmt, ...) {
    (void)fmt;
}

#define REG(name) (*fake_sysreg(name))
#define DAIF (PSR_D | PSR_A | PSR_I | PSR_F)
#define VBAR 0xffff800008010800ULL

static int setup(void **state) {
    (void)state;
    memset(&dom, 0, sizeof(dom));
    memset(&vc, 0, sizeof(vc));
    memset(&regs, 0, sizeof(regs));
    memset(&cpu_features, 0, sizeof(cpu_features));
    vc.domain = &dom;
    vc.regs = &regs;
    regs.pc = 0xffff800008123454ULL;
    REG("sctlr_el1") = SCTLR_RESET64;
    REG("vbar_el1") = VBAR;
    REG("hcr_el2") = HCR_VM;
    REG("esr_el1") = REG("far_el1") = REG("elr_el1") = REG("spsr_el1") = 0;
    return 0;
}

static int setup32(void **state) {
    setup(state);
    dom.aarch32 = true;
    regs.pc = 0x8000;
    for (unsigned i = 0; i < 31; i++)
        regs.x[i] = 100 + i;
    REG("sctlr_el1") = SCTLR_RESET32;
    REG("vbar_el1") = 0x20000;
    REG("tcr_el1") = 0;
    return 0;
}

/* ---- AArch64 ---- */

static void vectors64(void **state) {
    static const struct {
        uint64_t spsr, offset, ec;
    } from[] = {
        {PSR_MODE_EL1H, 0x200, 0x25},
        {PSR_MODE_EL1T, 0x000, 0x25},
        {PSR_MODE_EL0T, 0x400, 0x24},
        {PSR_AARCH32 | 0x0, 0x600, 0x24}, /* AArch32 user */
        {PSR_AARCH32 | PSR32_T | 0x0, 0x600, 0x24},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(from); i++) {
        uint64_t pc;

        setup(state);
        regs.spsr = from[i].spsr | BIT(31) | BIT(29);
        pc = regs.pc;
        inject_data_abort(&vc, 0xdead0000beefULL, false);
        assert_int_equal(regs.pc, VBAR + from[i].offset);
        assert_int_equal(REG("elr_el1"), pc);
        assert_int_equal(REG("spsr_el1"), from[i].spsr | BIT(31) | BIT(29));
        assert_int_equal(REG("far_el1"), 0xdead0000beefULL);
        assert_int_equal(REG("esr_el1"), from[i].ec << 26 | ESR_IL | 0x10);
        assert_int_equal(regs.spsr, DAIF | PSR_MODE_EL1H | BIT(31) | BIT(29));
    }
}

static void syndromes64(void **state) {
    (void)state;
    regs.spsr = PSR_MODE_EL1H;
    inject_data_abort(&vc, 1, true);
    assert_int_equal(REG("esr_el1"), 0x96000050);
    regs.spsr = PSR_MODE_EL0T;
    inject_insn_abort(&vc, 0x1000);
    assert_int_equal(REG("esr_el1"), 0x82000010);
    regs.spsr = PSR_MODE_EL1H;
    inject_insn_abort(&vc, 0x1000);
    assert_int_equal(REG("esr_el1"), 0x86000010);
    assert_int_equal(REG("far_el1"), 0x1000);
    inject_undefined(&vc, true);
    assert_int_equal(REG("esr_el1"), 0x02000000);
    inject_undefined(&vc, false);
    assert_int_equal(REG("esr_el1"), 0);
    assert_int_equal(REG("far_el1"), 0x1000); /* an undefined instruction has no address */
}

/* PSTATE bits at entry: SS, IL, BTYPE, UAO cleared, PAN by SPAN, SSBS by DSSBS, DIT kept. */
static void pstate64(void **state) {
    (void)state;
    regs.spsr = PSR_MODE_EL1H | PSR_SS | PSR_IL | PSR_BTYPE | PSR_UAO | PSR_SSBS | PSR_DIT;
    inject_undefined(&vc, true);
    assert_int_equal(regs.spsr, DAIF | PSR_MODE_EL1H | PSR_DIT);
    assert_true(REG("spsr_el1") & PSR_SS);

    setup(state);
    cpu_features.pan = true;
    inject_undefined(&vc, true); /* SPAN is 1 */
    assert_false(regs.spsr & PSR_PAN);
    regs.spsr = PSR_PAN | PSR_MODE_EL1H;
    inject_undefined(&vc, true);
    assert_true(regs.spsr & PSR_PAN);
    regs.spsr = PSR_MODE_EL1H;
    REG("sctlr_el1") = (SCTLR_RESET64 & ~SCTLR_SPAN) | SCTLR_DSSBS64;
    inject_undefined(&vc, true);
    assert_true(regs.spsr & PSR_PAN);
    assert_true(regs.spsr & PSR_SSBS);
    cpu_features.pan = false;
    regs.spsr = PSR_MODE_EL1H;
    inject_undefined(&vc, true);
    assert_false(regs.spsr & PSR_PAN);
}

/* ---- AArch32 ---- */

static void undefined32(void **state) {
    (void)state;
    regs.spsr = PSR32_SVC | BIT(30);
    inject_undefined(&vc, true);
    assert_int_equal(regs.pc, 0x20004);
    assert_int_equal(regs.x[22], 0x8004); /* lr_und */
    assert_int_equal(REG("spsr_und"), PSR32_SVC | BIT(30));
    assert_int_equal(regs.spsr, PSR32_UND | PSR_I | BIT(30));
    regs.pc = 0x8000;
    regs.spsr = PSR32_USR | PSR32_T | PSR32_IT_7_2;
    inject_undefined(&vc, false);
    assert_int_equal(regs.x[22], 0x8002);
    assert_int_equal(regs.spsr, PSR32_UND | PSR_I); /* ARM state, no IT block */
}

static void aborts32(void **state) {
    (void)state;
    REG("far_el1") = 0x1111111122222222ULL;
    regs.spsr = PSR32_SVC;
    inject_data_abort(&vc, 0x33333333, true);
    assert_int_equal(regs.pc, 0x20010);
    assert_int_equal(regs.x[20], 0x8008);
    assert_int_equal(REG("spsr_abt"), PSR32_SVC);
    assert_int_equal(REG("far_el1"), 0x1111111133333333ULL); /* DFAR; IFAR stays */
    assert_int_equal(REG("esr_el1"), 0x808);
    assert_int_equal(regs.spsr, PSR32_ABT | PSR_I | PSR_A);

    REG("tcr_el1") = TTBCR_EAE;
    regs.pc = 0x9000;
    inject_insn_abort(&vc, 0x44444444);
    assert_int_equal(regs.pc, 0x2000c);
    assert_int_equal(regs.x[20], 0x9004);
    assert_int_equal(REG("far_el1"), 0x4444444433333333ULL);
    assert_int_equal(REG("ifsr32_el2"), 0x210);
}

static void state32(void **state) {
    (void)state;
    REG("sctlr_el1") |= SCTLR_TE | SCTLR_EE | SCTLR_V;
    regs.spsr = PSR32_SYS | PSR_DIT | PSR_SS | PSR_F;
    inject_data_abort(&vc, 0, false);
    assert_int_equal(regs.pc, 0xffff0010);
    assert_int_equal(regs.spsr, PSR32_ABT | PSR_I | PSR_A | PSR_F | PSR32_T | PSR32_E | PSR_DIT);
    assert_int_equal(REG("spsr_abt"), PSR32_SYS | PSR32_DIT | PSR_F); /* DIT moved, SS gone */
}

static void banked_registers(void **state) {
    static const struct {
        uint64_t mode;
        unsigned sp, lr, r8;
    } bank[] = {
        {PSR32_USR, 13, 14, 8}, {PSR32_SYS, 13, 14, 8}, {PSR32_FIQ, 29, 30, 24},
        {PSR32_IRQ, 17, 16, 8}, {PSR32_SVC, 19, 18, 8}, {PSR32_ABT, 21, 20, 8},
        {PSR32_UND, 23, 22, 8},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(bank); i++) {
        setup32(state);
        regs.spsr = bank[i].mode;
        assert_int_equal(vcpu_get_reg(&vc, 13), 100 + bank[i].sp);
        assert_int_equal(vcpu_get_reg(&vc, 14), 100 + bank[i].lr);
        assert_int_equal(vcpu_get_reg(&vc, 8), 100 + bank[i].r8);
        assert_int_equal(vcpu_get_reg(&vc, 12), 100 + bank[i].r8 + 4);
        assert_int_equal(vcpu_get_reg(&vc, 7), 107);
        assert_int_equal(vcpu_get_sp(&vc), 100 + bank[i].sp);
        vcpu_set_reg(&vc, 13, 0xffffffff00000001ULL);
        assert_int_equal(regs.x[bank[i].sp], 1);
    }
}

static void registers64(void **state) {
    (void)state;
    regs.spsr = PSR_MODE_EL1H;
    vcpu_set_reg(&vc, 30, 5);
    vcpu_set_reg(&vc, 31, 6);
    assert_int_equal(vcpu_get_reg(&vc, 30), 5);
    assert_int_equal(vcpu_get_reg(&vc, 31), 0);
    REG("sp_el1") = 1;
    REG("sp_el0") = 2;
    assert_int_equal(vcpu_get_sp(&vc), 1);
    regs.spsr = PSR_MODE_EL1T;
    assert_int_equal(vcpu_get_sp(&vc), 2);
    regs.spsr = PSR_MODE_EL0T;
    vcpu_set_sp(&vc, 3);
    assert_int_equal(REG("sp_el0"), 3);
    assert_int_equal(REG("sp_el1"), 1);
}

/* ITSTATE over an IT block of four under EQ: the mask moves up until only the condition is left,
 * then nothing. */
static void it_block_advances(void **state) {
    static const uint8_t want[] = {0x0e, 0x1c, 0x18, 0x00};

    (void)state;
    regs.spsr = PSR32_SVC | PSR32_T | (uint64_t)(0x07 >> 2) << 10 | (uint64_t)(0x07 & 3) << 25;
    for (unsigned i = 0; i < 4; i++) {
        vcpu_skip_instruction(&vc, 2);
        assert_int_equal((regs.spsr >> 10 & 0x3f) << 2 | (regs.spsr >> 25 & 3), want[i]);
    }
    assert_int_equal(regs.pc, 0x8008);
    regs.pc = 0xfffffffe;
    vcpu_skip_instruction(&vc, 2);
    assert_int_equal(regs.pc, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors64),
        cmocka_unit_test_setup(syndromes64, setup),
        cmocka_unit_test_setup(pstate64, setup),
        cmocka_unit_test_setup(undefined32, setup32),
        cmocka_unit_test_setup(aborts32, setup32),
        cmocka_unit_test_setup(state32, setup32),
        cmocka_unit_test(banked_registers),
        cmocka_unit_test_setup(registers64, setup),
        cmocka_unit_test_setup(it_block_advances, setup32),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
