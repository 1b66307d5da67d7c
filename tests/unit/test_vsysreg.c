/* ARCH: arm64 */
/* SOURCES: arch/arm64/cpu/features.c arch/arm/cpu/features.c arch/arm/guest/idregs.c */
/* SOURCES: arch/arm64/guest/vsysreg.c arch/arm/guest/sysreg.c arch/arm64/guest/vdebug.c */
/* SOURCES: arch/arm/guest/vcp15.c arch/arm64/guest/registers.c arch/arm/guest/aarch32.c */
/* What guests see of identification registers; every trapped access, from A64 and AArch32. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hv/domain.h>
#include <hv/vcpu.h>
#include <hv/vgic.h>
#include <hv/vpsci.h>
#include <hv/vtimer.h>

#include <asm/features.h>
#include <asm/guest_regs.h>
#include <asm/guest_state.h>
#include <asm/guest_trap.h>
#include <asm/sysreg.h>

static struct domain dom;
static struct vcpu vc;
static struct cpu_regs regs;
DEFINE_PER_CPU(struct vcpu *, current_vcpu);
uintptr_t percpu_offsets[MAX_CPUS];

static struct {
    int undefined, log, setway, smccc;
    bool insn32;
    uint64_t operand, sgi, dir;
    unsigned sgi_group;
    enum ptimer_reg timer_reg;
    uint64_t timer_value;
} seen;

/* ---- what the code under test calls ---- */

void spin_lock(spinlock_t *l) {
    (void)l;
}
void spin_unlock(spinlock_t *l) {
    (void)l;
}
void printk(const char *fmt, ...) {
    (void)fmt;
}
void domain_log(struct domain *d, const char *fmt, ...) {
    assert_ptr_equal(d, &dom);
    (void)fmt;
    seen.log++;
}
void inject_undefined(struct vcpu *v, bool insn32) {
    assert_ptr_equal(v, &vc);
    seen.undefined++;
    seen.insn32 = insn32;
}
void setway_access(struct vcpu *v, uint64_t operand) {
    (void)v;
    seen.setway++;
    seen.operand = operand;
}
void vgic_sgi1r(struct vcpu *v, uint64_t value, unsigned group) {
    (void)v;
    seen.sgi = value;
    seen.sgi_group = group;
}
void vgic_dir(struct vcpu *v, uint64_t value) {
    (void)v;
    seen.dir = value;
}
uint64_t vtimer_phys_read(struct vcpu *v, enum ptimer_reg r) {
    (void)v;
    seen.timer_reg = r;
    return 0x1234567890ULL;
}
void vtimer_phys_write(struct vcpu *v, enum ptimer_reg r, uint64_t val) {
    (void)v;
    seen.timer_reg = r;
    seen.timer_value = val;
}
void smccc_call(struct vcpu *v, struct cpu_regs *r) {
    (void)v;
    (void)r;
    seen.smccc++;
}

static struct vgic_hw_ops gic = {.version = 3};
const struct vgic_hw_ops *vgic_hw = &gic;

/* ---- helpers ---- */

static int setup(void **state) {
    (void)state;
    memset(&dom, 0, sizeof(dom));
    memset(&vc, 0, sizeof(vc));
    memset(&seen, 0, sizeof(seen));
    memset(&regs, 0, sizeof(regs));
    vc.domain = &dom;
    vc.regs = &regs;
    regs.pc = 0x1000;
    regs.spsr = PSR_MODE_EL1H | PSR_SS | PSR_BTYPE;
    memset(&cpu_features, 0, sizeof(cpu_features));
    cpu_features.id[ID_AA64PFR0] = 0x22;
    cpu_features.id[ID_AA64DFR0] = 0x10305106; /* 6 breakpoints, 4 watchpoints */
    features_derive(&cpu_features);
    guest_features_init();
    *fake_sysreg("mdcr_el2") = *fake_sysreg("mdscr_el1") = 0;
    debug_init_cpu();
    return 0;
}

static int setup32(void **state) {
    setup(state);
    dom.aarch32 = true;
    regs.spsr = PSR32_SVC | PSR_I;
    return 0;
}

#define EL1_READ(key, rt) ((uint64_t)0x18 << 26 | ESR_IL | (key) | (uint64_t)(rt) << 5 | 1)
#define EL1_WRITE(key, rt) ((uint64_t)0x18 << 26 | ESR_IL | (key) | (uint64_t)(rt) << 5)

static uint64_t do_read(uint32_t key) {
    uint64_t pc = regs.pc;

    regs.x[7] = 0x5555555555555555ULL;
    trap_sysreg(&vc, &regs, EL1_READ(key, 7));
    if (!seen.undefined) {
        assert_int_equal(regs.pc, pc + 4);
        assert_int_equal(regs.spsr & (PSR_SS | PSR_BTYPE), 0);
    } else {
        assert_int_equal(regs.pc, pc);
        assert_int_equal(regs.x[7], 0x5555555555555555ULL);
    }
    return regs.x[7];
}

static void do_write(uint32_t key, uint64_t val) {
    regs.x[9] = val;
    trap_sysreg(&vc, &regs, EL1_WRITE(key, 9));
    assert_int_equal(regs.x[9], val);
}

/* CP15 or CP14 access of one register; rt = 3. */
static void cp(unsigned ec, uint32_t fields, bool read) {
    trap_cp(&vc, &regs,
            (uint64_t)ec << 26 | ESR_IL | BIT(24) | 0xeULL << 20 | fields | 3u << 5 | read);
}

#define CPREG(opc1, crn, crm, opc2) SYSREG(0, opc1, crn, crm, opc2)

/* ---- identification registers ---- */

static uint64_t fld(unsigned reg, uint64_t machine, unsigned shift) {
    return (idreg_for_guest(reg, machine) >> shift) & 0xf;
}

static void nothing_denied_is_offered(void **state) {
    static const struct {
        unsigned reg, shift;
        const char *what;
    } denied[] = {
        {ID_AA64PFR0, 8, "EL2"},       {ID_AA64PFR0, 12, "EL3"},   {ID_AA64PFR0, 28, "RAS"},
        {ID_AA64PFR0, 32, "SVE"},      {ID_AA64PFR0, 36, "SEL2"},  {ID_AA64PFR0, 40, "MPAM"},
        {ID_AA64PFR0, 44, "AMU"},      {ID_AA64PFR0, 52, "RME"},   {ID_AA64PFR1, 8, "MTE"},
        {ID_AA64PFR1, 12, "RAS frac"}, {ID_AA64PFR1, 24, "SME"},   {ID_AA64PFR1, 36, "NMI"},
        {ID_AA64PFR1, 44, "GCS"},      {ID_AA64DFR0, 4, "trace"},  {ID_AA64DFR0, 8, "PMU"},
        {ID_AA64DFR0, 32, "SPE"},      {ID_AA64DFR0, 40, "TRF"},   {ID_AA64DFR0, 44, "TRBE"},
        {ID_AA64ISAR0, 24, "TME"},     {ID_AA64ISAR1, 4, "APA"},   {ID_AA64ISAR1, 8, "API"},
        {ID_AA64ISAR1, 24, "GPA"},     {ID_AA64ISAR1, 28, "GPI"},  {ID_AA64ISAR1, 60, "LS64"},
        {ID_AA64ISAR2, 0, "WFxT"},     {ID_AA64ISAR2, 8, "GPA3"},  {ID_AA64ISAR2, 12, "APA3"},
        {ID_AA64ISAR2, 16, "MOPS"},    {ID_AA64MMFR0, 56, "FGT"},  {ID_AA64MMFR0, 60, "ECV"},
        {ID_AA64MMFR1, 8, "VHE"},      {ID_AA64MMFR1, 16, "LOR"},  {ID_AA64MMFR1, 40, "HCX"},
        {ID_AA64MMFR2, 24, "NV"},      {ID_AA64MMFR2, 12, "IESB"}, {ID_AA64MMFR2, 40, "FWB"},
        {ID_PFR0, 28, "RAS"},          {ID_PFR0, 20, "AMU"},       {ID_PFR1, 12, "virtualization"},
        {ID_PFR1, 4, "security"},      {ID_DFR0, 24, "PMU"},       {ID_DFR0, 12, "trace"},
        {IDREG(7, 3), 0, "MMFR3"},     {IDREG(7, 4), 0, "MMFR4"},  {ID_AA64ZFR0, 0, "ZFR0"},
        {ID_AA64SMFR0, 60, "SMFR0"},   {ID_AA64DFR1, 0, "DFR1"},   {IDREG(5, 4), 0, "AFR0"},
        {IDREG(6, 3), 0, "ISAR3"},     {IDREG(4, 2), 0, "PFR2"},   {ID_AFR0, 0, "AFR0"},
    };

    (void)state;
    for (unsigned level = 1; level < 16; level++)
        for (unsigned i = 0; i < ARRAY_SIZE(denied); i++)
            if (fld(denied[i].reg, (uint64_t)level << denied[i].shift, denied[i].shift))
                fail_msg("%s level %u is offered", denied[i].what, level);
}

static void offered_as_the_machine_has_it(void **state) {
    static const struct {
        unsigned reg, shift, most;
    } offered[] = {
        {ID_AA64PFR0, 0, 15},   {ID_AA64PFR0, 4, 15},   {ID_AA64PFR0, 16, 15},
        {ID_AA64PFR0, 20, 15},  {ID_AA64PFR0, 24, 1},   {ID_AA64PFR0, 56, 1},
        {ID_AA64PFR0, 60, 15},  {ID_AA64PFR1, 0, 15},   {ID_AA64PFR1, 4, 15},
        {ID_AA64DFR0, 0, 8},    {ID_AA64DFR0, 12, 15},  {ID_AA64DFR0, 20, 15},
        {ID_AA64DFR0, 28, 15},  {ID_AA64ISAR0, 4, 15},  {ID_AA64ISAR0, 20, 15},
        {ID_AA64ISAR0, 60, 15}, {ID_AA64ISAR1, 0, 15},  {ID_AA64ISAR1, 52, 15},
        {ID_AA64MMFR0, 0, 5},   {ID_AA64MMFR0, 4, 15},  {ID_AA64MMFR0, 20, 1},
        {ID_AA64MMFR0, 24, 15}, {ID_AA64MMFR1, 0, 2},   {ID_AA64MMFR1, 20, 3},
        {ID_AA64MMFR2, 0, 15},  {ID_AA64MMFR2, 60, 15}, {ID_PFR0, 0, 15},
        {ID_PFR0, 16, 1},       {ID_ISAR5, 16, 15},     {ID_MVFR1, 12, 15},
        {ID_DFR0, 0, 8},        {ID_MMFR3, 28, 15},
    };

    (void)state;
    for (unsigned level = 0; level < 16; level++)
        for (unsigned i = 0; i < ARRAY_SIZE(offered); i++)
            assert_int_equal(
                fld(offered[i].reg, (uint64_t)level << offered[i].shift, offered[i].shift),
                MIN(level, offered[i].most));
    assert_int_equal(fld(ID_AA64DFR0, 0, 36), 0xf);             /* no double lock */
    assert_int_equal(fld(ID_AA64MMFR0, 0xfULL << 28, 28), 0xf); /* no 4K granule stays so */
    assert_int_equal(fld(ID_AA64MMFR0, 1ULL << 28, 28), 0);     /* 52-bit 4K granule is not told */
}

/* Brute force: the combination of two levels is the lesser in each field's own order. */
static void combine(void **state) {
    static const struct {
        unsigned reg, shift;
    } is_signed[] = {{ID_AA64PFR0, 16},
                     {ID_AA64PFR0, 20},
                     {ID_AA64MMFR0, 24},
                     {ID_AA64MMFR0, 28},
                     {ID_AA64DFR0, 8}};

    (void)state;
    for (uint64_t a = 0; a < 16; a++)
        for (uint64_t b = 0; b < 16; b++) {
            for (unsigned shift = 0; shift < 64; shift += 4)
                assert_int_equal(features_combine(ID_AA64ISAR0, a << shift, b << shift),
                                 MIN(a, b) << shift);
            for (unsigned i = 0; i < ARRAY_SIZE(is_signed); i++) {
                unsigned s = is_signed[i].shift;
                int sa = a > 7 ? (int)a - 16 : (int)a, sb = b > 7 ? (int)b - 16 : (int)b;

                assert_int_equal(features_combine(is_signed[i].reg, a << s, b << s),
                                 (sa < sb ? a : b) << s);
            }
        }
}

static void derive(void **state) {
    struct cpu_features f = {0};

    (void)state;
    f.id[ID_AA64MMFR0] = 4;
    f.id[ID_AA64MMFR1] = 0x20;
    f.id[ID_AA64PFR0] = 0x12;
    f.id[ID_AA64DFR0] = 0xf00 | 5 << 12 | 3 << 20;
    features_derive(&f);
    assert_int_equal(f.pa_range_bits, 44);
    assert_true(f.vmid16);
    assert_true(f.aarch32_el0);
    assert_false(f.aarch32_el1);
    assert_false(f.pmu); /* 0xf: not an architected one */
    assert_int_equal(f.nr_breakpoints, 6);
    assert_int_equal(f.nr_watchpoints, 4);
    f.id[ID_AA64DFR0] = 0x100;
    features_derive(&f);
    assert_true(f.pmu);
}

static void id_read_traps(void **state) {
    (void)state;
    assert_int_equal(do_read(SYSREG(3, 0, 0, 4, 0)), guest_idregs[ID_AA64PFR0]);
    assert_int_equal(guest_idregs[ID_AA64PFR0], 0x22);
    assert_int_equal(do_read(SYSREG(3, 0, 0, 5, 0)), guest_idregs[ID_AA64DFR0]);
    assert_int_equal(do_read(SYSREG(3, 0, 0, 7, 7)), 0);          /* reserved */
    trap_sysreg(&vc, &regs, EL1_READ(SYSREG(3, 0, 0, 4, 0), 31)); /* into XZR */
    assert_int_equal(seen.undefined, 0);
    do_write(SYSREG(3, 0, 0, 4, 0), 1);
    assert_int_equal(seen.undefined, 1);
    assert_int_equal(guest_idregs[ID_AA64PFR0], 0x22);
}

/* ---- other registers ---- */

static void plain_registers(void **state) {
    (void)state;
    do_write(SYSREG(3, 0, 1, 0, 1), ~0ULL);
    assert_int_equal(do_read(SYSREG(3, 0, 1, 0, 1)), 0);   /* ACTLR */
    assert_int_equal(do_read(SYSREG(3, 0, 12, 12, 5)), 7); /* ICC_SRE */
    *fake_sysreg("cntpct_el0") = 1000;
    dom.vtimer_offset = 400;
    assert_int_equal(do_read(SYSREG(3, 3, 14, 0, 1)), 600);
    assert_int_equal(seen.undefined, 0);
}

static void timer_registers(void **state) {
    (void)state;
    assert_int_equal(do_read(SYSREG(3, 3, 14, 2, 1)), 0x1234567890ULL);
    assert_int_equal(seen.timer_reg, PTIMER_CTL);
    do_write(SYSREG(3, 3, 14, 2, 2), 77);
    assert_int_equal(seen.timer_reg, PTIMER_CVAL);
    assert_int_equal(seen.timer_value, 77);
    do_write(SYSREG(3, 3, 14, 2, 0), 78);
    assert_int_equal(seen.timer_reg, PTIMER_TVAL);
}

static void sgi_registers(void **state) {
    (void)state;
    do_write(SYSREG(3, 0, 12, 11, 5), 0xabc);
    assert_int_equal(seen.sgi, 0xabc);
    assert_int_equal(seen.sgi_group, 1);
    do_write(SYSREG(3, 0, 12, 11, 7), 0xabd);
    assert_int_equal(seen.sgi_group, 0);
    assert_int_equal(seen.undefined, 0);
    do_read(SYSREG(3, 0, 12, 11, 5)); /* write-only */
    assert_int_equal(seen.undefined, 1);
    do_write(SYSREG(3, 0, 12, 11, 1), 27);
    assert_int_equal(seen.dir, 27);
}

static void set_way(void **state) {
    static const unsigned crm[] = {6, 10, 14};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        do_write(SYSREG(1, 0, 7, crm[i], 2), 0x40 + i);
        assert_int_equal(seen.setway, i + 1);
        assert_int_equal(seen.operand, 0x40 + i);
    }
    assert_int_equal(seen.undefined, 0);
}

static void denied_and_unknown(void **state) {
    static const uint32_t denied[] = {
        SYSREG(3, 3, 9, 12, 0), SYSREG(3, 0, 9, 14, 1), SYSREG(3, 3, 14, 15, 7),
        SYSREG(3, 0, 5, 3, 0),  SYSREG(3, 0, 10, 4, 3), SYSREG(3, 0, 2, 1, 0),
        SYSREG(3, 1, 15, 2, 0), SYSREG(3, 0, 11, 1, 1), SYSREG(1, 0, 15, 0, 0)};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(denied); i++) {
        do_read(denied[i]);
        assert_int_equal(seen.undefined, i + 1);
    }
    assert_int_equal(seen.log, 0);
    do_read(SYSREG(3, 0, 13, 0, 7));
    assert_int_equal(seen.log, 1);
    assert_true(seen.insn32);
}

/* ---- debug ---- */

#define MDSCR SYSREG(2, 0, 0, 2, 2)
#define OSLAR SYSREG(2, 0, 1, 0, 4)
#define OSLSR SYSREG(2, 0, 1, 1, 4)
#define BVR(n) SYSREG(2, 0, 0, n, 4)
#define BCR(n) SYSREG(2, 0, 0, n, 5)
#define WVR(n) SYSREG(2, 0, 0, n, 6)
#define WCR(n) SYSREG(2, 0, 0, n, 7)

static void debug_is_lazy(void **state) {
    (void)state;
    assert_true(*fake_sysreg("mdcr_el2") & MDCR_TDA);
    do_write(BVR(5), 0xffff000012345678ULL);
    do_write(BCR(5), ~0ULL);
    do_write(WVR(3), 0xffff000012345677ULL);
    do_write(WCR(3), 0x1ff7);
    assert_int_equal(do_read(BVR(5)), 0xffff000012345678ULL);
    assert_int_equal(do_read(BCR(5)), 0x00ffe1e7);
    assert_int_equal(do_read(WVR(3)), 0xffff000012345674ULL);
    do_write(MDSCR, 0);
    assert_false(vc.arch.debug.live);
    assert_int_equal(*fake_sysreg("dbgbvr5_el1"), 0);

    do_write(MDSCR, MDSCR_MDE);
    assert_true(vc.arch.debug.live);
    assert_false(*fake_sysreg("mdcr_el2") & MDCR_TDA);
    assert_true(*fake_sysreg("mdcr_el2") & MDCR_TDOSA);
    assert_true(*fake_sysreg("mdcr_el2") & MDCR_TPM);
    assert_int_equal(*fake_sysreg("dbgbvr5_el1"), 0xffff000012345678ULL);
    assert_int_equal(*fake_sysreg("dbgwcr3_el1"), 0x1ff7);
    assert_int_equal(*fake_sysreg("mdscr_el1"), MDSCR_MDE);
}

static void debug_switches(void **state) {
    (void)state;
    do_write(MDSCR, MDSCR_SS);
    *fake_sysreg("dbgbvr0_el1") = 0x1234; /* the guest writes while it is live */
    debug_save(&vc);
    assert_true(vc.arch.debug.live);
    assert_int_equal(vc.arch.debug.bvr[0], 0x1234);
    assert_int_equal(*fake_sysreg("mdscr_el1"), 0); /* the next vCPU must not step */
    assert_true(*fake_sysreg("mdcr_el2") & MDCR_TDA);
    *fake_sysreg("dbgbvr0_el1") = 0x9999;
    debug_load(&vc);
    assert_int_equal(*fake_sysreg("dbgbvr0_el1"), 0x1234);
    assert_int_equal(*fake_sysreg("mdscr_el1"), MDSCR_SS);
    assert_false(*fake_sysreg("mdcr_el2") & MDCR_TDA);

    *fake_sysreg("mdscr_el1") = 0; /* the guest turns it off */
    debug_save(&vc);
    assert_false(vc.arch.debug.live);
    debug_load(&vc);
    assert_true(*fake_sysreg("mdcr_el2") & MDCR_TDA);
}

static void os_lock(void **state) {
    (void)state;
    assert_int_equal(do_read(OSLSR), 8);
    do_write(OSLAR, 1);
    assert_int_equal(do_read(OSLSR), 0xa);
    do_write(MDSCR, MDSCR_MDE);
    assert_false(vc.arch.debug.live); /* locked: no debug exceptions */
    do_write(OSLAR, 0);
    assert_true(vc.arch.debug.live);
    do_write(OSLAR, 1);
    assert_false(vc.arch.debug.live);
    assert_true(*fake_sysreg("mdcr_el2") & MDCR_TDA);
    assert_int_equal(do_read(MDSCR), MDSCR_MDE);
}

static void debug_bounds(void **state) {
    (void)state;
    do_write(BVR(6), 1);
    assert_int_equal(seen.undefined, 1);
    do_write(WCR(4), 1);
    assert_int_equal(seen.undefined, 2);
    do_read(BCR(15));
    assert_int_equal(seen.undefined, 3);
    assert_int_equal(seen.log, 0);
    do_read(SYSREG(2, 1, 0, 0, 0)); /* trace unit */
    assert_int_equal(seen.undefined, 4);
}

static void debug_quiet_registers(void **state) {
    (void)state;
    do_write(SYSREG(2, 0, 1, 3, 4), 1); /* OSDLR */
    assert_int_equal(do_read(SYSREG(2, 0, 1, 3, 4)), 0);
    assert_int_equal(do_read(SYSREG(2, 0, 1, 0, 0)), 0); /* MDRAR */
    assert_int_equal(do_read(SYSREG(2, 3, 0, 1, 0)), 0); /* MDCCSR */
    assert_int_equal(seen.undefined, 0);
}

/* ---- AArch32 ---- */

static void cp15_registers(void **state) {
    (void)state;
    guest_idregs[ID_MMFR0] = 0x10201105;
    cp(3, CPREG(0, 0, 1, 4), true);
    assert_int_equal(regs.x[3], 0x10201105);
    assert_int_equal(regs.pc, 0x1004);
    cp(3, CPREG(0, 1, 0, 1), true); /* ACTLR */
    assert_int_equal(regs.x[3], 0);
    regs.x[3] = 0x123;
    cp(3, CPREG(0, 7, 14, 2), false);
    assert_int_equal(seen.setway, 1);
    assert_int_equal(seen.operand, 0x123);
    cp(3, CPREG(0, 14, 2, 1), true);
    assert_int_equal(seen.timer_reg, PTIMER_CTL);
    assert_int_equal(regs.x[3], 0x34567890); /* 32 bits */
    regs.x[3] = 0xfffffff0;
    cp(3, CPREG(0, 14, 2, 0), false);
    assert_int_equal(seen.timer_value, (uint64_t)-16);
    cp(3, CPREG(0, 9, 12, 0), true); /* PMCR: not offered, quietly */
    assert_int_equal(seen.undefined, 1);
    assert_int_equal(seen.log, 0);
    cp(8, CPREG(7, 6, 0, 0), true); /* VMRS MVFR1 */
    assert_int_equal(regs.x[3], guest_idregs[ID_MVFR1]);
}

static void cp15_pairs(void **state) {
    uint64_t esr = 4ULL << 26 | ESR_IL | BIT(24) | 0xeULL << 20 | 4u << 10 | 3u << 5;

    (void)state;
    regs.x[3] = 0x11;
    regs.x[4] = 0x22;
    trap_cp(&vc, &regs, esr | 12u << 1); /* ICC_SGI1R */
    assert_int_equal(seen.sgi, 0x2200000011ULL);
    assert_int_equal(seen.sgi_group, 1);
    trap_cp(&vc, &regs, esr | 2u << 16 | 14u << 1 | 1); /* CNTP_CVAL */
    assert_int_equal(seen.timer_reg, PTIMER_CVAL);
    assert_int_equal(regs.x[3], 0x34567890);
    assert_int_equal(regs.x[4], 0x12);
    trap_cp(&vc, &regs, esr | 9u << 16 | 2u << 1);
    assert_int_equal(seen.undefined, 1);
}

static void cp14_registers(void **state) {
    (void)state;
    cp(5, CPREG(0, 0, 0, 0),
       true); /* DBGDIDR: 4 watchpoints, 6 breakpoints, 2 with context, v8 debug */
    assert_int_equal(regs.x[3], 0x35169000);
    regs.x[3] = 0x8000;
    cp(5, CPREG(0, 0, 2, 2), false); /* DBGDSCRext */
    assert_true(vc.arch.debug.live);
    vc.arch.debug.live = false;
    vc.arch.debug.bvr[2] = 0x1111222233334444ULL;
    cp(5, CPREG(0, 1, 2, 1), true); /* DBGBXVR2 */
    assert_int_equal(regs.x[3], 0x11112222);
    regs.x[3] = 0xaaaa;
    cp(5, CPREG(0, 1, 2, 1), false);
    assert_int_equal(vc.arch.debug.bvr[2], 0xaaaa33334444ULL);
    assert_int_equal(seen.undefined, 0);
    cp(6, 0, true);
    assert_int_equal(seen.undefined, 1);
}

/* All sixteen conditions against all flags, by the definition of Arm ARM F1.2.3. */
static void conditions(void **state) {
    (void)state;
    for (unsigned flags = 0; flags < 16; flags++)
        for (unsigned cond = 0; cond < 16; cond++) {
            bool n = flags & 8, z = flags & 4, c = flags & 2, o = flags & 1;
            const bool want[16] = {
                z,          !z,     c,      !c,           n,           !n,   o,   !o, c && !z,
                !(c && !z), n == o, n != o, !z && n == o, z || n != o, true, true};

            assert_int_equal(
                aarch32_condition_holds((uint64_t)flags << 28, BIT(24) | (uint64_t)cond << 20),
                want[cond]);
        }
    /* T32 without COND: the condition is in ITSTATE (here NE: 0001 1000). */
    assert_true(aarch32_condition_holds(PSR32_T | 0x6ULL << 10, 0));
    assert_false(aarch32_condition_holds(PSR32_T | 0x6ULL << 10 | BIT(30), 0));
    assert_true(aarch32_condition_holds(PSR32_T | BIT(30), 0)); /* no IT block */
}

static void failed_condition_skips(void **state) {
    (void)state;
    regs.x[3] = 9;
    /* MRC with EQ while Z is clear: nothing happens but the step over it */
    trap_cp(&vc, &regs, 3ULL << 26 | ESR_IL | BIT(24) | CPREG(0, 1, 0, 1) | 3u << 5 | 1);
    assert_int_equal(regs.x[3], 9);
    assert_int_equal(regs.pc, 0x1004);
    trap_smc32(&vc, &regs, 0x13ULL << 26 | ESR_IL | BIT(24) | BIT(19));
    assert_int_equal(seen.smccc, 0);
    assert_int_equal(regs.pc, 0x1008);
    trap_smc32(&vc, &regs, 0x13ULL << 26 | ESR_IL);
    assert_int_equal(seen.smccc, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_denied_is_offered),
        cmocka_unit_test(offered_as_the_machine_has_it),
        cmocka_unit_test(combine),
        cmocka_unit_test(derive),
        cmocka_unit_test_setup(id_read_traps, setup),
        cmocka_unit_test_setup(plain_registers, setup),
        cmocka_unit_test_setup(timer_registers, setup),
        cmocka_unit_test_setup(sgi_registers, setup),
        cmocka_unit_test_setup(set_way, setup),
        cmocka_unit_test_setup(denied_and_unknown, setup),
        cmocka_unit_test_setup(debug_is_lazy, setup),
        cmocka_unit_test_setup(debug_switches, setup),
        cmocka_unit_test_setup(os_lock, setup),
        cmocka_unit_test_setup(debug_bounds, setup),
        cmocka_unit_test_setup(debug_quiet_registers, setup),
        cmocka_unit_test_setup(cp15_registers, setup32),
        cmocka_unit_test_setup(cp15_pairs, setup32),
        cmocka_unit_test_setup(cp14_registers, setup32),
        cmocka_unit_test_setup(conditions, setup32),
        cmocka_unit_test_setup(failed_condition_skips, setup32),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
