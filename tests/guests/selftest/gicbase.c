/* The interrupt controller as the tests use it. */
#include "selftest.h"

#define GICD_CTLR (GICD + 0)
#define GICR_WAKER 0x14
#define FIRST_SPI 32

bool gic_bit(unsigned reg, unsigned intid) {
    return read32(gic_frame(cpu_number(), intid) + reg + intid / 32 * 4) >> intid % 32 & 1;
}

void gic_set(unsigned reg, unsigned intid) {
    write32(gic_frame(cpu_number(), intid) + reg + intid / 32 * 4, BIT(intid % 32));
}

void gic_enable(unsigned intid, unsigned priority) {
    uint64_t frame = gic_frame(cpu_number(), intid);

    write8(frame + IPRIORITYR + intid, priority);
    if (intid >= FIRST_SPI) {
        uint64_t cfg = frame + ICFGR + intid / 16 * 4;

        write64(frame + IROUTER + 8 * intid, cpu_affinity(cpu_number()));
        if (intid != SPI_CONSOLE)
            write32(cfg, read32(cfg) | 2ULL << intid % 16 * 2);
    }
    gic_set(ISENABLER, intid);
}

void gic_disable(unsigned intid) {
    gic_set(ICENABLER, intid);
}

static void clear_all(uint64_t frame, unsigned from, unsigned to) {
    for (unsigned reg = from; reg < to; reg += 4) {
        write32(frame + ICENABLER + reg, ~0u);
        write32(frame + ICPENDR + reg, ~0u);
        write32(frame + ICACTIVER + reg, ~0u);
    }
}

void gic_init_cpu(void) {
    uint64_t redist = GICR + 0x20000 * cpu_number();

    write32(redist + GICR_WAKER, 0);
    clear_all(redist + 0x10000, 0, 4);
    sysreg_write(ICC_SRE_EL1, 7);
    sysreg_write(ICC_PMR_EL1, 0xf8);
    sysreg_write(ICC_BPR1_EL1, 0);
    sysreg_write(ICC_CTLR_EL1, 0);
    sysreg_write(ICC_IGRPEN1_EL1, 1);
}

void gic_reset(void) {
    write32(GICD_CTLR, 2);
    clear_all(GICD, 4, 4 + FIELD(read32(GICD + 4), 4, 0) * 4);
    write32(VPL011 + 0x38, 0);
    sysreg_write(cntv_ctl_el0, 0);
    sysreg_write(cntp_ctl_el0, 0);
    gic_init_cpu();
}

void irq_forget(void) {
    struct cpu *c = me();

    c->irqs = c->spurious = 0;
    for (unsigned i = 0; i < MAX_INTID; i++)
        c->taken[i] = 0;
}
