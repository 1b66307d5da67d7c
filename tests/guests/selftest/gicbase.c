/* The interrupt controller as the tests use it. */
#include "selftest.h"

#define GICD_CTLR (GICD + 0)
#define GICD_ITARGETSR (GICD + 0x800)
#define GICD_SGIR (GICD + 0xf00)
#define GICD_CPENDSGIR 0xf10
#define GICD_SPENDSGIR (GICD + 0xf20)
#define GICR_WAKER 0x14
#define GICC_CTLR GICC
#define V2_EOI_MODE BIT(9)
#define FIRST_SPI 32

bool gic_v2;

unsigned gic_probe(void) {
    unsigned n = 0;

    gic_v2 = FIELD(read32(GICD + 0xfe8), 7, 4) == 2; /* with a GICv3 nothing is there */
    if (gic_v2)
        return (unsigned)FIELD(read32(GICD + 4), 7, 5) + 1;
    while (!(read64(GICR + 0x20000 * n++ + 8) & BIT(4)) && n < MAX_CPUS)
        ;
    return n;
}

/* Affinity and number of a CPU are related as in the redistributors' TYPER. */
uint64_t cpu_affinity(unsigned cpu) {
    return gic_v2 ? cpu : read64(GICR + 0x20000 * cpu + 8) >> 32;
}

void gic_set_eoi_mode(unsigned mode) {
    if (gic_v2)
        write32(GICC_CTLR, 1 | (mode ? V2_EOI_MODE : 0));
    else
        sysreg_write(ICC_CTLR_EL1, 2 * mode);
}

unsigned gic_eoi_mode(void) {
    return (unsigned)(gic_v2 ? FIELD(read32(GICC_CTLR), 9, 9)
                             : FIELD(sysreg_read(ICC_CTLR_EL1), 1, 1));
}

void gic_set_on(bool on) {
    if (gic_v2)
        write32(GICC_CTLR, (read32(GICC_CTLR) & ~BIT(0)) | on);
    else
        sysreg_write(ICC_IGRPEN1_EL1, on);
}

void gic_route(unsigned intid, unsigned cpu) {
    if (gic_v2)
        write8(GICD_ITARGETSR + intid, cpu == NOBODY ? 0 : BIT(cpu));
    else
        write64(GICD + IROUTER + 8 * intid, cpu == NOBODY ? 0x5500 : cpu_affinity(cpu));
}

static uint64_t target_of(unsigned cpu) {
    uint64_t a = cpu_affinity(cpu);

    return FIELD(a, 23, 16) << 32 | FIELD(a, 15, 8) << 16 | BIT(a & 15);
}

void gic_send_sgi(unsigned sgi, unsigned cpu) {
    if (gic_v2)
        write32(GICD_SGIR, BIT(16 + cpu) | sgi);
    else
        sysreg_write(ICC_SGI1R_EL1, (uint64_t)sgi << 24 | target_of(cpu));
}

void gic_send_sgi_to_others(unsigned sgi) {
    if (gic_v2)
        write32(GICD_SGIR, BIT(24) | sgi);
    else
        sysreg_write(ICC_SGI1R_EL1, BIT(40) | (uint64_t)sgi << 24);
}

void gic_send_sgi_to_list(unsigned sgi, unsigned list) {
    if (gic_v2)
        write32(GICD_SGIR, (uint64_t)list << 16 | sgi);
    else
        sysreg_write(ICC_SGI1R_EL1, (uint64_t)sgi << 24 | list);
}

bool gic_bit(unsigned reg, unsigned intid) {
    return read32(gic_frame(cpu_number(), intid) + reg + intid / 32 * 4) >> intid % 32 & 1;
}

void gic_set(unsigned reg, unsigned intid) {
    if (gic_v2 && reg == ISPENDR && intid < 16)
        write8(GICD_SPENDSGIR + intid, BIT(cpu_number()));
    else
        write32(gic_frame(cpu_number(), intid) + reg + intid / 32 * 4, BIT(intid % 32));
}

void gic_enable(unsigned intid, unsigned priority) {
    uint64_t frame = gic_frame(cpu_number(), intid);

    write8(frame + IPRIORITYR + intid, priority);
    if (intid >= FIRST_SPI) {
        uint64_t cfg = frame + ICFGR + intid / 16 * 4;

        gic_route(intid, cpu_number());
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
    uint64_t frame = gic_frame(cpu_number(), 0);

    if (!gic_v2)
        write32(frame - 0x10000 + GICR_WAKER, 0);
    clear_all(frame, 0, 4);
    if (gic_v2)
        for (unsigned reg = GICD_CPENDSGIR; reg < GICD_CPENDSGIR + 16; reg += 4)
            write32(frame + reg, ~0u);
    else
        sysreg_write(ICC_SRE_EL1, 7);
    icc_write(ICC_PMR_EL1, 0xf8);
    icc_write(ICC_BPR1_EL1, 0);
    gic_set_eoi_mode(0);
    gic_set_on(true);
}

void gic_reset(void) {
    write32(GICD_CTLR, gic_v2 ? 1 : 2);
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
