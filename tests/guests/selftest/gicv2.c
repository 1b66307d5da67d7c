/* What only a GICv2 has (IHI 0048, 4.3 and 4.4): its distributor's registers, SGIs with a sender. */
#include "selftest.h"

#define GICD_CTLR (GICD + 0x0)
#define GICD_TYPER (GICD + 0x4)
#define GICD_IIDR (GICD + 0x8)
#define ITARGETSR (GICD + 0x800)
#define SGIR (GICD + 0xf00)
#define CPENDSGIR (GICD + 0xf10)
#define SPENDSGIR (GICD + 0xf20)
#define ICPIDR2 (GICD + 0xfe8)
#define GICC_IIDR (GICC + 0xfc)
#define SELF (2 << 24)

TEST(gicv2_identification) {
    ONLY_GICV(2);
    EQ(FIELD(read32(ICPIDR2), 7, 4), 2);
    EQ(FIELD(read32(GICC_IIDR), 19, 16), 2);
    EQ(FIELD(read32(GICD_TYPER), 4, 0), 2); /* nr_spis = <64> */
    EQ(FIELD(read32(GICD_TYPER), 7, 5), nr_cpus - 1);
    EQ(FIELD(read32(GICD_TYPER), 10, 10), 0); /* no Security Extensions */
    TRUE(read32(GICD_IIDR));
    EQ(gic_registers_offered(), 0);
}

TEST(gicv2_set_and_clear) {
    ONLY_GICV(2);
    for (unsigned set = ISENABLER; set <= ISACTIVER; set += 0x100)
        for (unsigned word = 1; word <= 2; word++) {
            write32(GICD + set + 4 * word, 0x5a5a5a5a & ~1u);
            EQ(read32(GICD + set + 0x80 + 4 * word) & ~1u, 0x5a5a5a5a & ~1u);
            write32(GICD + set + 0x80 + 4 * word, 0xf0f0f0f0);
            EQ(read32(GICD + set + 4 * word) & ~1u, 0x0a0a0a0a & ~1u);
            write32(GICD + set + 0x80 + 4 * word, ~1u);
        }
}

TEST(gicv2_bytes) {
    ONLY_GICV(2);
    write32(GICD + IPRIORITYR + 44, 0);
    write8(GICD + IPRIORITYR + 45, 0xff);
    write16(GICD + IPRIORITYR + 46, 0x4321);
    EQ(read32(GICD + IPRIORITYR + 44), 0x4020f800);
    EQ(read16(GICD + IPRIORITYR + 46), 0x4020);
    EQ(read8(GICD + IPRIORITYR + 45), 0xf8);
}

static volatile uint32_t own_targets;

static void read_own_targets(void) {
    own_targets = read32(ITARGETSR + 4);
}

TEST_SMP(gicv2_targets) {
    ONLY_GICV(2);
    EQ(read32(ITARGETSR), 0x01010101); /* CPU 0 reads */
    cpu_start(1, read_own_targets);
    cpu_join(1);
    EQ(own_targets, 0x02020202);
    write32(ITARGETSR, ~0u);
    EQ(read32(ITARGETSR + 28), 0x01010101);
    write8(ITARGETSR + 41, 3);
    EQ(read8(ITARGETSR + 41), 3);
    write8(ITARGETSR + 41, 0);
    EQ(read8(ITARGETSR + 41), 0);
}

/* An SGI is pending for each that sent it; IAR says who did. */
TEST(gicv2_sgi_of_several_senders) {
    uint32_t first, second;

    ONLY_GICV(2);
    gic_enable(7, 0x80);
    write8(SPENDSGIR + 7, ~0u); /* only those that are there count */
    EQ(read8(SPENDSGIR + 7), BIT(nr_cpus) - 1);
    write8(CPENDSGIR + 7, ~0u);
    EQ(read32(SPENDSGIR + 4), 0);
    EQ(gic_bit(ISPENDR, 7), false);
    write32(SGIR, SELF | 7);
    EQ(read32(CPENDSGIR + 4), 1 << 24);
    first = read32(GICC + V2_ICC_IAR1_EL1);
    EQ(first, 7);
    write32(SGIR, SELF | 7); /* again, while it is active */
    TRUE(gic_bit(ISACTIVER, 7) && gic_bit(ISPENDR, 7));
    EQ(read32(GICC + V2_ICC_HPPIR1_EL1) & 0x3ff, IRQ_NONE);
    write32(GICC + V2_ICC_EOIR1_EL1, first);
    second = read32(GICC + V2_ICC_IAR1_EL1);
    EQ(second, 7);
    write32(GICC + V2_ICC_EOIR1_EL1, second);
    TRUE(!gic_bit(ISACTIVER, 7) && !gic_bit(ISPENDR, 7));
}

static void send_to_cpu_0(void) {
    write32(SGIR, BIT(16) | 9);
}

TEST_SMP(gicv2_senders_are_told) {
    uint64_t seen = 0;

    ONLY_GICV(2);
    gic_enable(9, 0x80);
    for (unsigned i = 1; i < nr_cpus; i++) {
        cpu_start(i, send_to_cpu_0);
        cpu_join(i);
    }
    EQ(read8(SPENDSGIR + 9), BIT(nr_cpus) - 2);
    for (unsigned i = 1; i < nr_cpus; i++) {
        uint32_t iar = read32(GICC + V2_ICC_IAR1_EL1);

        EQ(iar & 0x3ff, 9);
        seen |= BIT(iar >> 10);
        write32(GICC + V2_ICC_EOIR1_EL1, iar);
    }
    EQ(seen, BIT(nr_cpus) - 2);
    EQ(read32(GICC + V2_ICC_IAR1_EL1) & 0x3ff, IRQ_NONE);
}

/* Both groups; group 1 is acknowledged where AckCtl says so. */
TEST(gicv2_groups) {
    ONLY_GICV(2);
    EQ(read32(GICD + 0x84), 0);
    write32(GICD + 0x84, BIT(10));
    EQ(read32(GICD + 0x84), BIT(10));
    gic_enable(42, 0x80);
    write32(GICD_CTLR, 3);
    write32(GICC, 3);
    gic_set(ISPENDR, 42);
    EQ(read32(GICC + V2_ICC_IAR1_EL1), 1022);
    write32(GICC, 7);
    EQ(read32(GICC + V2_ICC_IAR1_EL1), 42);
    write32(GICC + V2_ICC_EOIR1_EL1, 42);
    TRUE(!gic_bit(ISACTIVER, 42));
    write32(GICD + 0x84, 0);
}

TEST(gicv2_interface) {
    ONLY_GICV(2);
    EQ(read32(GICC + V2_ICC_IAR1_EL1), IRQ_NONE);
    EQ(read32(GICC + V2_ICC_HPPIR1_EL1), IRQ_NONE);
    EQ(read32(GICC + V2_ICC_RPR_EL1), 0xff);
    write32(GICC + V2_ICC_PMR_EL1, 0x70);
    EQ(read32(GICC + V2_ICC_PMR_EL1), 0x70);
    EQ(read32(GICC + V2_ICC_DIR_EL1), 0);
    write32(GICC + V2_ICC_DIR_EL1, 1019); /* nothing is active there */
    write32(GICC + V2_ICC_DIR_EL1, ~0u);
}
