/* What firmware's and the hypervisor's calls keep, what a CPU that starts finds, and that CPUs keep their own. */
#include "selftest.h"

#define SMCCC_VERSION 0x80000000

/* x4 to x17 belong to the caller from SMCCC 1.1 on, x18 to x30 always; so do x1 to x3 where PSCI
 * returns x0 only. */
#define DEFINE_KEEPS(conduit)                                                                      \
    static void keeps_##conduit(uint64_t function, uint64_t x[31]) {                               \
        register uint64_t base __asm__("x19") = (uint64_t)x;                                       \
                                                                                                   \
        x[0] = function;                                                                           \
        for (unsigned i = 1; i < 31; i++)                                                          \
            x[i] = 0x1111111111111111 * (i % 15 + 1) + i;                                          \
        __asm__ volatile("stp x29, x30, [sp, #-16]!\n\tldp x0, x1, [x19]\n\t"                      \
                         "ldp x2, x3, [x19, #16]\n\tldp x4, x5, [x19, #32]\n\t"                    \
                         "ldp x6, x7, [x19, #48]\n\tldp x8, x9, [x19, #64]\n\t"                    \
                         "ldp x10, x11, [x19, #80]\n\tldp x12, x13, [x19, #96]\n\t"                \
                         "ldp x14, x15, [x19, #112]\n\tldp x16, x17, [x19, #128]\n\t"              \
                         "ldr x18, [x19, #144]\n\tldp x20, x21, [x19, #160]\n\t"                   \
                         "ldp x22, x23, [x19, #176]\n\tldp x24, x25, [x19, #192]\n\t"              \
                         "ldp x26, x27, [x19, #208]\n\tldp x28, x29, [x19, #224]\n\t"              \
                         "ldr x30, [x19, #240]\n\t" #conduit " #0\n\t"                             \
                         "stp x0, x1, [x19]\n\tstp x2, x3, [x19, #16]\n\t"                         \
                         "stp x4, x5, [x19, #32]\n\tstp x6, x7, [x19, #48]\n\t"                    \
                         "stp x8, x9, [x19, #64]\n\tstp x10, x11, [x19, #80]\n\t"                  \
                         "stp x12, x13, [x19, #96]\n\tstp x14, x15, [x19, #112]\n\t"               \
                         "stp x16, x17, [x19, #128]\n\tstr x18, [x19, #144]\n\t"                   \
                         "stp x20, x21, [x19, #160]\n\tstp x22, x23, [x19, #176]\n\t"              \
                         "stp x24, x25, [x19, #192]\n\tstp x26, x27, [x19, #208]\n\t"              \
                         "stp x28, x29, [x19, #224]\n\tstr x30, [x19, #240]\n\t"                   \
                         "ldp x29, x30, [sp], #16" ::"r"(base)                                     \
                         : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10",      \
                           "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x20", "x21",   \
                           "x22", "x23", "x24", "x25", "x26", "x27", "x28", "memory");             \
    }
DEFINE_KEEPS(hvc)
DEFINE_KEEPS(smc)

static void expect_kept(const uint64_t x[31]) {
    for (unsigned i = 1; i < 31; i++)
        if (i != 19)
            EQ(x[i], 0x1111111111111111 * (i % 15 + 1) + i);
}

TEST(smccc_registers_are_kept) {
    static const uint32_t functions[] = {PSCI_VERSION, SMCCC_VERSION, 0xc2001234,
                                         PSCI_AFFINITY_INFO};
    uint64_t x[31];

    for (unsigned i = 0; i < COUNT(functions); i++) {
        keeps_hvc(functions[i], x);
        expect_kept(x);
        keeps_smc(functions[i], x);
        expect_kept(x);
    }
}

TEST(smccc_64_bit_answer) {
    static const uint32_t functions[] = {0xc400001f, 0xc4000005, 0xc2001234, 0xc5000000};

    for (unsigned i = 0; i < COUNT(functions); i++) {
        register uint64_t x0 __asm__("x0") = functions[i];

        __asm__ volatile("hvc #0" : "+r"(x0)::"x1", "x2", "x3", "memory");
        EQ(x0, ~0ULL);
    }
}

/* HVC is not for EL0, SMC neither. */
TEST(smccc_not_from_el0) {
    TRY(run_word_el0(0xd4000002 /* hvc #0 */, PSCI_VERSION));
    EQ(me()->caught.ec, EC_UNKNOWN);
    EQ(me()->caught.elr, EL0_PROBE);
    TRY(run_word_el0(0xd4000003 /* smc #0 */, PSCI_VERSION));
    EQ(me()->caught.ec, EC_UNKNOWN);
    EQ(me()->caught.elr, EL0_PROBE);
}

TEST(timer_at_el0) {
    TRY(run_word_el0(0xd53be040 /* mrs x0, cntvct_el0 */, 0));
    EQ(me()->caught.count, 1); /* CNTKCTL_EL1 does not allow it yet */
    sysreg_write(cntkctl_el1, 3);
    TRY(EQ(run_word_el0(0xd53be040, 0) >> 63, 0));
    EQ(me()->caught.count, 0);
    sysreg_write(cntkctl_el1, 0);
}

/* What a CPU that starts finds (DEN0022, 6.4): MMU and caches off, all interrupts masked, EL1, the
 * context. */
static volatile uint64_t found[4];
__asm__(
    ".text\n"
    "raw_entry:\n\t"
    "adrp x4, found\n\tadd x4, x4, :lo12:found\n\t"
    "str x0, [x4]\n\tmrs x1, sctlr_el1\n\tstr x1, [x4, #8]\n\t"
    "mrs x1, daif\n\tstr x1, [x4, #16]\n\tmrs x1, currentel\n\tmrs x2, spsel\n\torr x1, x1, x2\n\t"
    "dsb sy\n\tstr x1, [x4, #24]\n\tdsb sy\n\t"
    "mov w0, #0x84000000\n\tadd w0, w0, #2\n\thvc #0\n\tb .\n");
void raw_entry(void);

TEST_SMP(smp_state_at_entry) {
    __asm__ volatile("dc civac, %0\n\tdsb sy" ::"r"(found) : "memory");
    EQ(hvc(PSCI_CPU_ON, cpu_affinity(1), (uint64_t)raw_entry, 0x123456789abcdef0), 0);
    WAIT(hvc(PSCI_AFFINITY_INFO, cpu_affinity(1), 0, 0) == 1);
    __asm__ volatile("dc civac, %0\n\tdsb sy" ::"r"(found) : "memory");
    EQ(found[0], 0x123456789abcdef0);
    EQ(found[1] & (BIT(0) | BIT(2) | BIT(12)), 0);
    EQ(found[2], 0x3c0);
    EQ(found[3], 5);
}

static void keep_vectors(void) {
    uint64_t pattern[66], now[66], end = counter() + ticks_us(KEEP_US);

    for (unsigned i = 0; i < 64; i++)
        pattern[i] = 0x0101010101010101 * (i + 1) + 0x8000 * (cpu_number() + 1);
    pattern[64] = (uint64_t)(cpu_number() & 3) << 22; /* FPCR: rounding */
    pattern[65] = BIT(27) | (cpu_number() & 15);      /* FPSR: saturation, flags */
#define EACH_PAIR(op)                                                                              \
    op " q0, q1, [%0]\n\t" op " q2, q3, [%0, #32]\n\t" op " q4, q5, [%0, #64]\n\t" op              \
       " q6, q7, [%0, #96]\n\t" op " q8, q9, [%0, #128]\n\t" op " q10, q11, [%0, #160]\n\t" op     \
       " q12, q13, [%0, #192]\n\t" op " q14, q15, [%0, #224]\n\t" op                               \
       " q16, q17, [%0, #256]\n\t" op " q18, q19, [%0, #288]\n\t" op                               \
       " q20, q21, [%0, #320]\n\t" op " q22, q23, [%0, #352]\n\t" op                               \
       " q24, q25, [%0, #384]\n\t" op " q26, q27, [%0, #416]\n\t" op                               \
       " q28, q29, [%0, #448]\n\t" op " q30, q31, [%0, #480]\n\t"
    __asm__ volatile(
        ".arch_extension simd\n\t" EACH_PAIR("ldp") ".arch_extension nosimd" ::"r"(pattern)
        : "memory");
    sysreg_write(fpcr, pattern[64]);
    sysreg_write(fpsr, pattern[65]);
    while (counter() < end && !failed()) {
        __asm__ volatile(
            ".arch_extension simd\n\t" EACH_PAIR("stp") ".arch_extension nosimd" ::"r"(now)
            : "memory");
        now[64] = sysreg_read(fpcr);
        now[65] = sysreg_read(fpsr);
        for (unsigned i = 0; i < COUNT(pattern); i++)
            EQ(now[i], pattern[i]);
    }
}

TEST_SMP(smp_vectors_are_kept) {
    everywhere(keep_vectors);
}

/* Registers that change nothing the test runs on. */
#define EACH_REGISTER(X)                                                                           \
    X(tpidr_el0)                                                                                   \
    X(tpidrro_el0) X(sp_el0) X(elr_el1) X(far_el1) X(afsr0_el1) X(contextidr_el1) X(esr_el1)

static void keep_registers(void) {
    uint64_t end = counter() + ticks_us(KEEP_US), value = 0x1010 * (cpu_number() + 1);
    uint64_t amair = sysreg_read(amair_el1);

    sysreg_write(amair_el1, value);
    value = sysreg_read(amair_el1) | value; /* may be read-only zero */
    sysreg_write(amair_el1, amair);
#define SET(name) sysreg_write(name, value);
#define STILL(name)                                                                                \
    if (FIELD(sysreg_read(name), 31, 0) != before_##name)                                          \
        EQ(sysreg_read(name), before_##name);
#define BEFORE(name) uint64_t before_##name = FIELD(sysreg_read(name), 31, 0);
    EACH_REGISTER(SET)
    sysreg_write(csselr_el1, cpu_number() & 1);
    sysreg_write(cntkctl_el1, cpu_number() & 3);
    sysreg_write(spsr_el1, 0x3c5 | (uint64_t)cpu_number() << 28);
    __asm__ volatile("at s1e1r, %0\n\tisb" ::"r"(RAM + 4096ULL * cpu_number()) : "memory");
    {
        uint64_t par = sysreg_read(par_el1);

        EACH_REGISTER(BEFORE)
        EQ(before_tpidr_el0, value);
        while (counter() < end && !failed()) {
            EACH_REGISTER(STILL)
            EQ(sysreg_read(csselr_el1), cpu_number() & 1);
            EQ(sysreg_read(cntkctl_el1), cpu_number() & 3);
            EQ(sysreg_read(spsr_el1), 0x3c5 | (uint64_t)cpu_number() << 28);
            EQ(sysreg_read(par_el1), par);
        }
    }
    sysreg_write(cntkctl_el1, 0);
    sysreg_write(csselr_el1, 0);
}

TEST_SMP(smp_system_registers_are_kept) {
    everywhere(keep_registers);
}
