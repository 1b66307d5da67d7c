/* PSCI 1.1 (DEN0022) and the SMC calling convention 1.2 (DEN0028). */
#include "selftest.h"

#define SMC64 (REGISTER_BITS == 64)
#define NOT_SUPPORTED (-1)
#define INVALID_PARAMETERS (-2)
#define INVALID_ADDRESS (-9)
#define CPU_ON32 0x84000003
#define AFFINITY_INFO32 0x84000004
#define MIGRATE_INFO_TYPE 0x84000006
#define SMCCC_VERSION 0x80000000
#define SMCCC_ARCH_FEATURES 0x80000001

TEST(psci_version) {
    EQ(hvc(PSCI_VERSION, 0, 0, 0), 0x10001);
    EQ(smc(PSCI_VERSION, 0, 0, 0), 0x10001);
    EQ(hvc(MIGRATE_INFO_TYPE, 0, 0, 0), 2);
}

TEST(psci_features) {
    static const uint32_t offered[] = {
        0x84000000, 0x84000001, 0xc4000001, 0x84000002, 0x84000003, 0xc4000003,    0x84000004,
        0xc4000004, 0x84000006, 0x84000008, 0x84000009, 0x8400000a, SMCCC_VERSION,
    };
    static const uint32_t denied[] = {
        0x84000005 /* MIGRATE */,
        0xc4000005,
        0xc4000000,
        0xc4000002,
        0xc4000008,
        0x8400000b,
        0x8400001f,
        0x0,
        0xffffffff,
    };

    for (unsigned i = 0; i < COUNT(offered); i++)
        EQ(hvc(PSCI_FEATURES, offered[i], 0, 0), offered[i] & BIT(30) && !SMC64 ? NOT_SUPPORTED : 0);
    for (unsigned i = 0; i < COUNT(denied); i++)
        EQ(hvc(PSCI_FEATURES, denied[i], 0, 0), NOT_SUPPORTED);
}

TEST(psci_cpu_on_errors) {
    uint64_t self = sysreg_read(mpidr_el1) & 0xff00ffffff, entry = (uint64_t)secondary;

    EQ(hvc(PSCI_CPU_ON, self, entry, 0), PSCI_ALREADY_ON);
    EQ(hvc(CPU_ON32, self, entry, 0), PSCI_ALREADY_ON);
    EQ(smc(PSCI_CPU_ON, self, entry, 0), PSCI_ALREADY_ON);
    EQ(hvc(PSCI_CPU_ON, 0x77, entry, 0), INVALID_PARAMETERS);
    EQ(hvc(PSCI_CPU_ON, 0x10000, entry, 0), INVALID_PARAMETERS);
    if (SMC64)
        EQ(hvc(PSCI_CPU_ON, self | 1ULL << 32, entry, 0), INVALID_PARAMETERS);
    EQ(hvc(PSCI_CPU_ON, ~0ULL, entry, 0), INVALID_PARAMETERS);
    EQ(hvc(PSCI_CPU_ON, nr_cpus, entry, 0), INVALID_PARAMETERS);
}

TEST_SMP(psci_cpu_on_bad_entry) {
    static const uint64_t entries[] = {NOTHING, NOTHING_NORMAL, VPL011, 1ULL << 48, ~3ULL};

    for (unsigned i = 0; i < COUNT(entries); i++)
        EQ(hvc(PSCI_CPU_ON, cpu_affinity(1), entries[i], 0), INVALID_ADDRESS);
    EQ(hvc(PSCI_AFFINITY_INFO, cpu_affinity(1), 0, 0), 1);
}

TEST(psci_affinity_info) {
    uint64_t self = sysreg_read(mpidr_el1) & 0xffffff;

    EQ(hvc(PSCI_AFFINITY_INFO, self, 0, 0), 0);
    EQ(hvc(AFFINITY_INFO32, self, 0, 0), 0);
    for (unsigned i = 1; i < nr_cpus; i++)
        EQ(hvc(PSCI_AFFINITY_INFO, cpu_affinity(i), 0, 0), 1);
    EQ(hvc(PSCI_AFFINITY_INFO, cpu_affinity(0), 1, 0), 0);
    EQ(hvc(PSCI_AFFINITY_INFO, 0x5500, 0, 0), INVALID_PARAMETERS);
    EQ(hvc(PSCI_AFFINITY_INFO, self, 4, 0), INVALID_PARAMETERS);
}

TEST(psci_unknown_functions) {
    static const uint32_t functions[] = {
        0x8400001f, 0xc400001f, 0x84000005, 0xc4000005, 0xc4000000, 0xc4000002, 0xc4000008,
        0x82001234, 0xc2001234, 0xbf00ffff, 0xff00ffff, 0x80007fff, 0x85000000, 0xc5000000,
    };

    for (unsigned i = 0; i < COUNT(functions); i++) {
        EQ(smc(functions[i], 0, 0, 0), NOT_SUPPORTED);
        EQ(hvc(functions[i], 0, 0, 0), NOT_SUPPORTED);
    }
}

TEST(psci_cpu_suspend) {
    uint64_t start = counter();

    gic_enable(PPI_VTIMER, 0x80);
    sysreg_write(cntv_cval_el0, start + ticks_us(2000));
    sysreg_write(cntv_ctl_el0, 1);
    EQ(hvc(PSCI_CPU_SUSPEND, 0, (uint64_t)secondary, 0), 0);
    TRUE(counter() >= start + ticks_us(2000));
    TRUE(counter() < start + ticks_us(50000));
    EQ(irq_taken(PPI_VTIMER), 0);
    irq_enable();
    EQ(irq_taken(PPI_VTIMER), 1);
}

TEST(smccc_version) {
    EQ(hvc(SMCCC_VERSION, 0, 0, 0), 0x10002);
    EQ(smc(SMCCC_VERSION, 0, 0, 0), 0x10002);
    EQ(hvc(SMCCC_ARCH_FEATURES, SMCCC_VERSION, 0, 0), 0);
    EQ(hvc(SMCCC_ARCH_FEATURES, SMCCC_ARCH_FEATURES, 0, 0), 0);
    EQ(hvc(SMCCC_ARCH_FEATURES, 0x8000ffff, 0, 0), NOT_SUPPORTED);
    EQ(hvc(SMCCC_ARCH_FEATURES, 0xc4000003, 0, 0), NOT_SUPPORTED);
}
