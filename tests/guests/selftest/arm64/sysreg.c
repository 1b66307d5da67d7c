/* System registers: what is offered, what is denied, and that a denial is an undefined instruction
 * at its place. */
#include "selftest.h"

#define KEY(op0, op1, crn, crm, op2)                                                               \
    ((uint32_t)(op0) << 19 | (op1) << 16 | (crn) << 12 | (crm) << 8 | (op2) << 5)
/* MRS and MSR with x0. */
#define MRS(key) (0xd5200000 | (key))
#define MSR(key) (0xd5000000 | (key))

static uint64_t id(unsigned crm, unsigned op2) {
    uint64_t r[4] = {~0ULL};

    TRY(run_word(MRS(KEY(3, 0, 0, crm, op2)), r));
    EQ(me()->caught.count, 0);
    return r[0];
}

TEST(sysreg_identification_space) {
    for (unsigned crm = 1; crm < 8; crm++)
        for (unsigned op2 = 0; op2 < 8; op2++)
            EQ(id(crm, op2), id(crm, op2));
}

TEST(sysreg_features_not_offered) {
    uint64_t pfr0 = id(4, 0), pfr1 = id(4, 1), dfr0 = id(5, 0), isar1 = id(6, 1), mmfr1 = id(7, 1);

    EQ(FIELD(pfr0, 15, 8), 0);      /* EL2, EL3 */
    EQ(FIELD(pfr0, 31, 28), 0);     /* RAS */
    EQ(FIELD(pfr0, 35, 32), 0);     /* SVE */
    EQ(FIELD(pfr0, 47, 40), 0);     /* MPAM, AMU */
    EQ(FIELD(pfr1, 11, 8), 0);      /* MTE */
    EQ(FIELD(pfr1, 27, 24), 0);     /* SME */
    EQ(FIELD(dfr0, 11, 4), 0);      /* PMU, trace */
    EQ(FIELD(dfr0, 35, 32), 0);     /* SPE */
    EQ(FIELD(isar1, 11, 4), 0);     /* pointer authentication */
    EQ(FIELD(mmfr1, 19, 16), 0);    /* LORegions */
    EQ(FIELD(mmfr1, 11, 8), 0);     /* VHE */
    EQ(id(4, 4), 0);                /* ZFR0 */
    EQ(id(4, 5), 0);                /* SMFR0 */
    EQ(FIELD(id(1, 2), 27, 24), 0); /* the PMU for AArch32 */
}

TEST(sysreg_features_offered) {
    uint64_t pfr0 = id(4, 0), dfr0 = id(5, 0);

    TRUE(FIELD(pfr0, 3, 0) >= 1); /* AArch64 at EL0 and EL1 */
    TRUE(FIELD(pfr0, 7, 4) >= 1);
    TRUE(FIELD(pfr0, 19, 16) != 15); /* FP and SIMD */
    TRUE(FIELD(pfr0, 23, 20) != 15);
    EQ(FIELD(pfr0, 27, 24), !gic_v2);     /* the GIC's system registers */
    TRUE(FIELD(dfr0, 3, 0) >= 6);   /* debug architecture */
    TRUE(FIELD(dfr0, 15, 12) >= 1); /* breakpoints, watchpoints */
    TRUE(FIELD(dfr0, 23, 20) >= 1);
    TRUE(FIELD(id(7, 0), 31, 28) != 15); /* 4 KiB pages */
}

TEST(sysreg_machine) {
    EQ(sysreg_read(mpidr_el1) & BIT(31), BIT(31));
    EQ(sysreg_read(mpidr_el1) & 0xffffff, cpu_affinity(0));
    TRUE(sysreg_read(midr_el1));
    (void)sysreg_read(revidr_el1);
    EQ(FIELD(sysreg_read(ctr_el0), 31, 31), 1);
    TRUE(FIELD(sysreg_read(clidr_el1), 2, 0));
    sysreg_write(csselr_el1, 1);
    EQ(sysreg_read(csselr_el1), 1);
    sysreg_write(csselr_el1, 0);
    TRUE(sysreg_read(ccsidr_el1));
    EQ(sysreg_read(currentel), 4);
    EQ(FIELD(sysreg_read(dczid_el0), 3, 0), 4);
}

struct hidden {
    uint32_t key;
    const char *name;
};

/* The guest's own traps of FP, SVE and SME are lifted, so that the hypervisor has to answer. */
static void undefined(uint32_t word, const char *name) {
    uint64_t r[4] = {0x1234}, cpacr = sysreg_read(cpacr_el1);

    sysreg_write(cpacr_el1, cpacr | 3 << 24 | 3 << 16);
    TRY(run_word(word, r));
    sysreg_write(cpacr_el1, cpacr);
    check_equal(name, __LINE__, me()->caught.count, 1);
    check_equal(name, __LINE__, me()->caught.ec, EC_UNKNOWN);
    check_equal(name, __LINE__, me()->caught.esr & 0x1ffffff, 0);
    check_equal(name, __LINE__, me()->caught.elr, run_at);
    check_equal(name, __LINE__, r[0], 0x1234);
}

TEST(sysreg_denied) {
    static const struct hidden hidden[] = {
        {KEY(3, 3, 9, 12, 0), "PMCR_EL0"},        {KEY(3, 3, 9, 12, 1), "PMCNTENSET_EL0"},
        {KEY(3, 3, 9, 12, 3), "PMOVSCLR_EL0"},    {KEY(3, 3, 9, 12, 5), "PMSELR_EL0"},
        {KEY(3, 3, 9, 13, 0), "PMCCNTR_EL0"},     {KEY(3, 3, 9, 13, 1), "PMXEVTYPER_EL0"},
        {KEY(3, 3, 9, 13, 2), "PMXEVCNTR_EL0"},   {KEY(3, 3, 9, 14, 0), "PMUSERENR_EL0"},
        {KEY(3, 0, 9, 14, 1), "PMINTENSET_EL1"},  {KEY(3, 3, 14, 8, 0), "PMEVCNTR0_EL0"},
        {KEY(3, 3, 14, 12, 0), "PMEVTYPER0_EL0"}, {KEY(3, 3, 14, 15, 7), "PMCCFILTR_EL0"},
        {KEY(3, 0, 5, 3, 1), "ERRSELR_EL1"},      {KEY(3, 0, 5, 4, 1), "ERXCTLR_EL1"},
        {KEY(3, 0, 5, 4, 2), "ERXSTATUS_EL1"},    {KEY(3, 0, 5, 4, 3), "ERXADDR_EL1"},
        {KEY(3, 0, 5, 5, 0), "ERXMISC0_EL1"},     {KEY(3, 0, 1, 2, 0), "ZCR_EL1"},
        {KEY(3, 0, 1, 2, 6), "SMCR_EL1"},         {KEY(3, 0, 1, 0, 6), "GCR_EL1"},
        {KEY(3, 0, 1, 0, 5), "RGSR_EL1"},         {KEY(3, 0, 5, 6, 0), "TFSR_EL1"},
        {KEY(3, 0, 5, 6, 1), "TFSRE0_EL1"},       {KEY(3, 0, 10, 4, 0), "LORSA_EL1"},
        {KEY(3, 0, 10, 4, 3), "LORC_EL1"},        {KEY(3, 0, 2, 1, 0), "APIAKeyLo_EL1"},
        {KEY(3, 0, 2, 3, 1), "APGAKeyHi_EL1"},    {KEY(3, 0, 1, 2, 1), "TRFCR_EL1"},
        {KEY(3, 0, 9, 9, 0), "PMSCR_EL1"},        {KEY(3, 0, 9, 11, 0), "TRBLIMITR_EL1"},
        {KEY(3, 3, 13, 2, 0), "AMCR_EL0"},        {KEY(3, 0, 10, 5, 0), "MPAM1_EL1"},
        {KEY(3, 3, 13, 0, 5), "TPIDR2_EL0"},      {KEY(3, 3, 4, 2, 2), "SVCR"},
        {KEY(3, 0, 13, 0, 7), "SCXTNUM_EL1"},     {KEY(3, 4, 1, 1, 0), "HCR_EL2"},
        {KEY(3, 4, 12, 11, 1), "ICH_VTR_EL2"},    {KEY(3, 4, 14, 0, 3), "CNTVOFF_EL2"},
        {KEY(3, 5, 1, 0, 0), "SCTLR_EL12"},       {KEY(3, 6, 1, 1, 0), "SCR_EL3"},
        {KEY(3, 7, 14, 2, 1), "CNTPS_CTL_EL1"},   {KEY(3, 0, 15, 0, 0), "S3_0_C15_C0_0"},
        {KEY(3, 1, 15, 2, 0), "S3_1_C15_C2_0"},   {KEY(3, 1, 11, 0, 2), "S3_1_C11_C0_2"},
        {KEY(3, 3, 15, 12, 0), "S3_3_C15_C12_0"}, {KEY(2, 1, 0, 1, 0), "TRCPRGCTLR"},
        {KEY(2, 1, 9, 0, 0), "BRBCR_EL1"},
    };
    /* These can only be read. */
    static const struct hidden readable[] = {
        {KEY(3, 0, 5, 3, 0), "ERRIDR_EL1"},   {KEY(3, 0, 5, 4, 0), "ERXFR_EL1"},
        {KEY(3, 0, 10, 4, 7), "LORID_EL1"},   {KEY(3, 0, 9, 9, 7), "PMSIDR_EL1"},
        {KEY(3, 3, 9, 12, 6), "PMCEID0_EL0"}, {KEY(3, 0, 10, 4, 4), "MPAMIDR_EL1"},
        {KEY(3, 0, 9, 14, 6), "PMMIR_EL1"},
    };

    for (unsigned i = 0; i < COUNT(hidden); i++) {
        undefined(MRS(hidden[i].key), hidden[i].name);
        undefined(MSR(hidden[i].key), hidden[i].name);
    }
    for (unsigned i = 0; i < COUNT(readable); i++)
        undefined(MRS(readable[i].key), readable[i].name);
}

TEST(sysreg_write_to_read_only) {
    undefined(MSR(KEY(3, 0, 0, 4, 0)), "ID_AA64PFR0_EL1");
    undefined(MSR(KEY(3, 0, 0, 0, 5)), "MPIDR_EL1");
    undefined(MSR(KEY(3, 3, 14, 0, 1)), "CNTPCT_EL0");
    undefined(MSR(KEY(3, 3, 14, 0, 2)), "CNTVCT_EL0");
    undefined(MSR(KEY(3, 3, 14, 0, 0)), "CNTFRQ_EL0");
    undefined(MRS(KEY(3, 0, 12, 11, 5)), "ICC_SGI1R_EL1");
    undefined(MRS(KEY(3, 0, 12, 11, 1)), "ICC_DIR_EL1");
    undefined(MRS(KEY(2, 0, 1, 0, 4)), "OSLAR_EL1");
    undefined(MSR(KEY(2, 0, 1, 1, 4)), "OSLSR_EL1");
}

/* SVE, SME and pointer authentication by their instructions; the last are no-ops until EnIA is set.
 */
TEST(sysreg_instructions_denied) {
    uint64_t sctlr = sysreg_read(sctlr_el1);

    undefined(0x04e0e3e0 /* cntd x0 */, "cntd");
    undefined(0xd503477f /* smstart */, "smstart");
    sysreg_write(sctlr_el1, sctlr | BIT(31));
    undefined(0xdac123e0 /* paciza x0 */, "paciza");
    sysreg_write(sctlr_el1, sctlr);
    undefined(0x00000000, "udf");
}

TEST(sysreg_actlr) {
    uint64_t r[4] = {~0ULL};

    TRY(run_word(MSR(KEY(3, 0, 1, 0, 1)), r));
    EQ(me()->caught.count, 0);
    TRY(run_word(MRS(KEY(3, 0, 1, 0, 1)), r));
    EQ(me()->caught.count, 0);
    EQ(r[0], 0);
}

TEST(sysreg_from_el0) {
    uint32_t midr = 0xd5380000, pmcr = MRS(KEY(3, 3, 9, 12, 0));

    TRY(run_word_el0(pmcr, 0));
    EQ(me()->caught.count, 1);
    EQ(me()->caught.elr, EL0_PROBE);
    EQ(me()->caught.spsr & 0xf, 0);
    TRY(run_word_el0(midr, 0));
    EQ(me()->caught.count, 1);
    EQ(me()->caught.elr, EL0_PROBE);
    /* An ID register trapped to the hypervisor belongs to EL1 all the same. */
    TRY(run_word_el0(MRS(KEY(3, 0, 0, 4, 0)), 0));
    EQ(me()->caught.count, 1);
    TRY(run_word_el0(MRS(KEY(3, 3, 14, 2, 1)) /* CNTP_CTL_EL0 */, 0));
    EQ(me()->caught.count, 1);
}

/* FP is refused when the guest itself does. */
TEST(sysreg_cpacr_is_the_guests) {
    uint64_t r[4] = {0};

    sysreg_write(cpacr_el1, 0);
    TRY(run_word(0x9e6703e0 /* fmov d0, xzr */, r));
    sysreg_write(cpacr_el1, 3 << 20);
    EQ(me()->caught.ec, 7);
    TRY(run_word(0x9e6703e0 /* fmov d0, xzr */, r));
    EQ(me()->caught.count, 0);
}
