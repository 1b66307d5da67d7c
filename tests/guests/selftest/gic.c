/* Register files of the distributor and the redistributors (IHI 0069, chapter 12). */
#include "selftest.h"

#define GICD_CTLR (GICD + 0x0)
#define GICD_TYPER (GICD + 0x4)
#define GICD_IIDR (GICD + 0x8)
#define PIDR2 0xffe8
#define ARE BIT(4)
#define DS BIT(6)

static uint64_t redist(unsigned cpu) {
    return GICR + 0x20000 * cpu;
}

static unsigned last_intid(void) {
    return 32 * ((unsigned)FIELD(read32(GICD_TYPER), 4, 0) + 1) - 1;
}

TEST(gicd_identification) {
    ONLY_GICV(3);
    EQ(FIELD(read32(GICD + PIDR2), 7, 4), 3);
    EQ(last_intid(), 95); /* nr_spis = <64> */
    EQ(FIELD(read32(GICD_TYPER), 23, 19), 9);
    EQ(FIELD(read32(GICD_TYPER), 17, 17), 0); /* no LPIs */
    TRUE(read32(GICD_IIDR));
    write32(GICD_TYPER, 0);
    write32(GICD_IIDR, 0);
    EQ(last_intid(), 95);
    TRUE(read32(GICD_IIDR));
}

TEST(gicr_identification) {
    ONLY_GICV(3);
    for (unsigned i = 0; i < nr_cpus; i++) {
        uint64_t typer = read64(redist(i) + 8);

        EQ(FIELD(read32(redist(i) + PIDR2), 7, 4), 3);
        EQ(FIELD(typer, 23, 8), i);
        EQ(FIELD(typer, 4, 4), i + 1 == nr_cpus);
        EQ(typer & 1, 0);
        EQ(typer & 0xffffffff, read32(redist(i) + 8));
        EQ(typer >> 32, read32(redist(i) + 12));
        for (unsigned j = 0; j < i; j++)
            TRUE(cpu_affinity(j) != cpu_affinity(i));
        TRUE(read32(redist(i) + 4));
    }
    EQ(cpu_affinity(0), sysreg_read(mpidr_el1) & 0xffffff);
}

TEST(gicd_affinity_routing_is_fixed) {
    ONLY_GICV(3);
    write32(GICD_CTLR, 0);
    EQ(read32(GICD_CTLR), ARE | DS);
    write32(GICD_CTLR, 3);
    EQ(read32(GICD_CTLR), ARE | DS | 3);
    write32(GICD_CTLR, 2);
    EQ(read32(GICD_CTLR), ARE | DS | 2);
}

TEST(gic_waker) {
    ONLY_GICV(3);
    EQ(read32(redist(0) + 0x14) & 6, 0);
    write32(redist(0) + 0x14, 2);
    WAIT((read32(redist(0) + 0x14) & 6) == 6);
    write32(redist(0) + 0x14, 0);
    WAIT((read32(redist(0) + 0x14) & 6) == 0);
}

/* With affinity routing the private part of the distributor, the target registers and SGIR are not
 * there. */
TEST(gicd_reserved_registers) {
    ONLY_GICV(3);
    static const uint16_t offsets[] = {
        0x00c, 0x020,  0x080,  0x100,  0x180,  0x200,  0x280,          0x300, 0x380,
        0x400, 0x41c,  0x800,  0x820,  0xc00,  0xc04,  0xe00,          0xf00, 0xf10,
        0xf20, 0x6000, 0x60f8, 0x60fc, 0x1000, 0xc000, 0xfff0 - 0x100,
    };

    for (unsigned i = 0; i < COUNT(offsets); i++) {
        write32(GICD + offsets[i], ~0u);
        EQ(read32(GICD + offsets[i]), 0);
    }
    EQ(gic_bit(ISENABLER, 5), false);
}

TEST(gicd_interrupts_past_the_last) {
    ONLY_GICV(3);
    unsigned intid = last_intid() + 1;

    for (unsigned reg = ISENABLER; reg <= ICACTIVER; reg += 0x80) {
        write32(GICD + reg + intid / 8, ~0u);
        EQ(read32(GICD + reg + intid / 8), 0);
    }
    write32(GICD + IPRIORITYR + intid, ~0u);
    EQ(read32(GICD + IPRIORITYR + intid), 0);
    write32(GICD + ICFGR + intid / 4, ~0u);
    EQ(read32(GICD + ICFGR + intid / 4), 0);
    write64(GICD + IROUTER + 8 * intid, 1);
    EQ(read64(GICD + IROUTER + 8 * intid), 0);
    write64(GICD + IROUTER + 8 * 1019, 1);
    EQ(read64(GICD + IROUTER + 8 * 1019), 0);
}

/* Set and clear registers: ones act, zeros do not, and both read alike. */
static void set_clear(uint64_t frame, unsigned set, unsigned word, uint32_t bits) {
    uint64_t s = frame + set + 4 * word, c = s + 0x80;

    write32(c, bits);
    EQ(read32(s) & bits, 0);
    write32(s, bits & 0x0f0f0f0f);
    EQ(read32(s) & bits, bits & 0x0f0f0f0f);
    write32(s, bits & 0x00ff00ff);
    EQ(read32(c) & bits, bits & 0x0fff0fff);
    write32(s, 0);
    write32(c, 0);
    EQ(read32(c) & bits, bits & 0x0fff0fff);
    write32(c, bits & 0xffff0000);
    EQ(read32(s) & bits, bits & 0x0fff);
    write32(c, bits);
    EQ(read32(s) & bits, 0);
}

TEST(gicd_set_and_clear) {
    ONLY_GICV(3);
    for (unsigned set = ISENABLER; set <= ISACTIVER; set += 0x100)
        for (unsigned word = 1; word <= last_intid() / 32; word++)
            set_clear(GICD, set, word, ~1u); /* not the console's */
}

/* Other CPUs' too; without the timers, which follow their device. */
TEST(gicr_set_and_clear) {
    ONLY_GICV(3);
    uint32_t bits = ~(1u << PPI_VTIMER | 1u << PPI_PTIMER);

    for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
        for (unsigned set = ISENABLER; set <= ISACTIVER; set += 0x100)
            set_clear(redist(cpu) + 0x10000, set, 0, bits);
}

TEST(gic_groups) {
    ONLY_GICV(3);
    uint64_t at = GICD + 0x84, priv = redist(0) + 0x10080;

    write32(at, 0x12345678);
    EQ(read32(at), 0x12345678);
    write32(at, ~0u);
    EQ(read32(at), ~0u);
    write32(priv, 0xffff0000);
    EQ(read32(priv), 0xffff0000);
    write32(priv, ~0u);
}

TEST(gic_priorities_by_byte) {
    ONLY_GICV(3);
    uint64_t at = GICD + IPRIORITYR + 44, priv = redist(nr_cpus - 1) + 0x10000 + IPRIORITYR;

    write64(at, 0);
    write8(at + 1, 0xff);
    EQ(read32(at), 0xf800);
    EQ(read8(at + 1), 0xf8);
    EQ(read8(at), 0);
    write32(at, 0x87654321);
    EQ(read32(at), 0x80604020);
    EQ(read8(at + 3), 0x80);
    EQ(read16(at + 2), 0x8060);
    for (unsigned i = 0; i < 32; i++)
        write8(priv + i, 8 * i);
    for (unsigned i = 0; i < 32; i++)
        EQ(read8(priv + i), 8 * i);
    for (unsigned i = 0; i < 32; i++)
        write8(priv + i, 0);
}

TEST(gic_routes) {
    ONLY_GICV(3);
    uint64_t at = GICD + IROUTER + 8 * 50;

    write64(at, 0x010203);
    EQ(read64(at), 0x010203);
    EQ(read32(at), 0x010203);
    EQ(read32(at + 4), 0);
    write32(at, 0x000001);
    EQ(read64(at), 0x000001);
    write64(at, ~0ULL);
    EQ(read64(at) & 0x7f000000, 0); /* reserved; bit 31 is for any CPU */
    write64(at, 0);
}

TEST(gic_configuration) {
    ONLY_GICV(3);
    uint64_t at = GICD + ICFGR + 48 / 4, sgi = redist(0) + 0x10000 + ICFGR;

    write32(at, ~0u);
    EQ(read32(at) & 0xaaaaaaaa, 0xaaaaaaaa);
    write32(at, 0x00ff00ff);
    EQ(read32(at) & 0xaaaaaaaa, 0x00aa00aa);
    write32(at, 0);
    EQ(read32(at), 0);
    write32(sgi, 0);
    EQ(read32(sgi), 0xaaaaaaaa); /* SGIs are edges */
}

TEST(gic_cpu_interface) {
    ONLY_GICV(3);
    EQ(sysreg_read(ICC_SRE_EL1) & 7, 7);
    sysreg_write(ICC_SRE_EL1, 0);
    EQ(sysreg_read(ICC_SRE_EL1) & 7, 7);
    EQ(sysreg_read(ICC_IAR1_EL1), IRQ_NONE);
    EQ(sysreg_read(ICC_HPPIR1_EL1), IRQ_NONE);
    EQ(sysreg_read(ICC_RPR_EL1), 0xff);
    sysreg_write(ICC_PMR_EL1, 0x70);
    EQ(sysreg_read(ICC_PMR_EL1), 0x70);
    TRUE(FIELD(sysreg_read(ICC_CTLR_EL1), 10, 8) >= 4); /* PRIbits - 1 */
}
