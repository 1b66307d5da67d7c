/* Interrupts on one CPU: pending, taken, active, ended; priorities; more of them than list
 * registers. */
#include "selftest.h"

#define FIRST 40
#define MANY 20

static unsigned seen; /* in a handler */

static void look(unsigned intid) {
    seen++;
    TRUE(gic_bit(ISACTIVER, intid));
    TRUE(!gic_bit(ISPENDR, intid));
    EQ(icc_read(ICC_RPR_EL1), 0x80);
}

static void lifecycle(unsigned intid) {
    seen = 0;
    irq_forget();
    me()->on_irq = look;
    gic_enable(intid, 0x80);
    gic_set(ISPENDR, intid);
    TRUE(gic_bit(ISPENDR, intid));
    TRUE(!gic_bit(ISACTIVER, intid));
    EQ(icc_read(ICC_HPPIR1_EL1), intid);
    TRUE(sysreg_read(isr_el1) & BIT(7));
    irq_enable();
    EQ(irq_taken(intid), 1);
    EQ(seen, 1);
    TRUE(!gic_bit(ISPENDR, intid));
    TRUE(!gic_bit(ISACTIVER, intid));
    EQ(icc_read(ICC_RPR_EL1), 0xff);
    EQ(me()->irqs, 1);
    irq_disable();
}

TEST(irq_life_of_an_spi) {
    lifecycle(FIRST);
    lifecycle(95);
}

TEST(irq_life_of_an_sgi) {
    lifecycle(0);
    lifecycle(15);
}

TEST(irq_life_of_a_ppi) {
    lifecycle(20);
}

TEST(irq_pending_while_disabled) {
    gic_enable(FIRST, 0x80);
    gic_disable(FIRST);
    irq_enable();
    gic_set(ISPENDR, FIRST);
    TRUE(gic_bit(ISPENDR, FIRST));
    EQ(irq_taken(FIRST), 0);
    gic_set(ICPENDR, FIRST);
    TRUE(!gic_bit(ISPENDR, FIRST));
    gic_enable(FIRST, 0x80);
    EQ(irq_taken(FIRST), 0);
    gic_disable(FIRST);
    gic_set(ISPENDR, FIRST);
    gic_enable(FIRST, 0x80);
    WAIT(irq_taken(FIRST));
    EQ(irq_taken(FIRST), 1);
}

/* Taken back before it was acknowledged. */
TEST(irq_cleared_or_disabled_before_taken) {
    gic_enable(FIRST, 0x80);
    gic_set(ISPENDR, FIRST);
    gic_set(ICPENDR, FIRST);
    EQ(icc_read(ICC_IAR1_EL1), IRQ_NONE);
    gic_set(ISPENDR, FIRST);
    gic_disable(FIRST);
    EQ(icc_read(ICC_IAR1_EL1), IRQ_NONE);
    TRUE(gic_bit(ISPENDR, FIRST));
    irq_enable();
    EQ(me()->irqs, 0);
}

static void again(unsigned intid) {
    if (irq_taken(intid) < 3)
        gic_set(ISPENDR, intid);
    if (irq_taken(intid) < 3)
        TRUE(gic_bit(ISPENDR, intid) && gic_bit(ISACTIVER, intid));
}

TEST(irq_pending_again_while_active) {
    me()->on_irq = again;
    gic_enable(FIRST, 0x80);
    gic_enable(3, 0x80);
    irq_enable();
    gic_set(ISPENDR, FIRST);
    EQ(irq_taken(FIRST), 3);
    gic_send_sgi(3, 0);
    WAIT(irq_taken(3) == 3);
}

/* Active by a register write: its next event waits for the deactivation. */
TEST(irq_active_by_write) {
    gic_enable(FIRST, 0x80);
    gic_set(ISACTIVER, FIRST);
    TRUE(gic_bit(ISACTIVER, FIRST));
    irq_enable();
    gic_set(ISPENDR, FIRST);
    delay_us(100);
    EQ(irq_taken(FIRST), 0);
    gic_set(ICACTIVER, FIRST);
    WAIT(irq_taken(FIRST));
    TRUE(!gic_bit(ISACTIVER, FIRST));
}

TEST(irq_forwarding_off) {
    gic_enable(FIRST, 0x80);
    irq_enable();
    write32(GICD, 0);
    gic_set(ISPENDR, FIRST);
    EQ(irq_taken(FIRST), 0);
    write32(GICD, gic_v2 ? 1 : 2);
    WAIT(irq_taken(FIRST) == 1);
    gic_set_on(0);
    gic_set(ISPENDR, FIRST);
    delay_us(100);
    EQ(irq_taken(FIRST), 1);
    gic_set_on(1);
    EQ(irq_taken(FIRST), 2);
}

/* ---- the console's interrupt, a level ---- */

#define IMSC (VPL011 + 0x38)
#define TX BIT(5)

TEST(irq_level_is_seen) {
    write32(VPL011, '\r'); /* the transmit interrupt comes when there is room again */
    EQ(read32(VPL011 + 0x3c) & TX, TX);
    TRUE(!gic_bit(ISPENDR, SPI_CONSOLE));
    write32(IMSC, TX);
    TRUE(gic_bit(ISPENDR, SPI_CONSOLE));
    gic_set(ICPENDR, SPI_CONSOLE);
    TRUE(gic_bit(ISPENDR, SPI_CONSOLE)); /* the line is still high */
    write32(IMSC, 0);
    TRUE(!gic_bit(ISPENDR, SPI_CONSOLE));
}

static void third_time(unsigned intid) {
    if (irq_taken(intid) == 3)
        write32(IMSC, 0);
}

TEST(irq_level_until_silenced) {
    me()->on_irq = third_time;
    gic_enable(SPI_CONSOLE, 0x80);
    irq_enable();
    write32(VPL011, '\r');
    write32(IMSC, TX);
    WAIT(irq_taken(SPI_CONSOLE) == 3);
    delay_us(100);
    EQ(irq_taken(SPI_CONSOLE), 3);
    TRUE(!gic_bit(ISPENDR, SPI_CONSOLE));
}

/* Pending by software on a level interrupt: one time, then only the line counts. */
TEST(irq_level_set_pending) {
    gic_enable(SPI_CONSOLE, 0x80);
    irq_enable();
    gic_set(ISPENDR, SPI_CONSOLE);
    WAIT(irq_taken(SPI_CONSOLE));
    delay_us(100);
    EQ(irq_taken(SPI_CONSOLE), 1);
}

/* ---- SGIs ---- */

static void take_each_sgi(void) {
    for (unsigned i = 0; i < 16; i++)
        gic_enable(i, 0x80);
    irq_enable();
    for (unsigned i = 0; i < 16; i++) {
        gic_send_sgi(i, 0);
        WAIT(irq_taken(i) == 1);
    }
    EQ(me()->irqs, 16);
}

TEST(irq_sgi_to_self) {
    take_each_sgi();
    gic_send_sgi_to_others(1);
    gic_send_sgi_to_list(1, 0);
    delay_us(100);
    EQ(me()->irqs, 16);
}

TEST(irq_sgi_to_others) {
    ONLY_GICV(3);
    take_each_sgi();
    /* Other clusters; other group. */
    sysreg_write(ICC_SGI1R_EL1, 1 << 24 | 0x77 << 16 | 1);
    sysreg_write(ICC_SGI1R_EL1, 1 << 24 | BIT(48) | 1);
    sysreg_write(ICC_SGI1R_EL1, 1 << 24 | BIT(44) | 1);
    sysreg_write(ICC_SGI0R_EL1, 1 << 24 | 1);
    sysreg_write(ICC_ASGI1R_EL1, 1 << 24 | 1);
    delay_us(100);
    EQ(me()->irqs, 16);
}

/* ---- priorities ---- */

TEST(irq_priority_mask) {
    gic_enable(FIRST, 0x80);
    gic_enable(FIRST + 1, 0x40);
    icc_write(ICC_PMR_EL1, 0x60);
    irq_enable();
    gic_set(ISPENDR, FIRST);
    gic_set(ISPENDR, FIRST + 1);
    EQ(irq_taken(FIRST + 1), 1);
    EQ(irq_taken(FIRST), 0);
    icc_write(ICC_PMR_EL1, 0x80); /* must be higher, not equal */
    EQ(irq_taken(FIRST), 0);
    icc_write(ICC_PMR_EL1, 0x88);
    EQ(irq_taken(FIRST), 1);
}

static unsigned inner_before_end;

static void nest(unsigned intid) {
    if (intid != FIRST)
        return;
    gic_set(ISPENDR, FIRST + 2); /* lower */
    gic_set(ISPENDR, FIRST + 1); /* higher */
    irq_enable();
    isb();
    irq_disable();
    inner_before_end = irq_taken(FIRST + 1) | irq_taken(FIRST + 2) << 8;
}

static unsigned preempts(unsigned outer, unsigned inner) {
    irq_forget();
    me()->on_irq = nest;
    gic_enable(FIRST, outer);
    gic_enable(FIRST + 1, inner);
    gic_enable(FIRST + 2, outer + 0x20);
    irq_enable();
    gic_set(ISPENDR, FIRST);
    WAIT(me()->irqs == 3);
    EQ(irq_taken(FIRST + 1), 1);
    EQ(irq_taken(FIRST + 2), 1);
    irq_disable();
    return inner_before_end;
}

TEST(irq_preemption) {
    EQ(preempts(0x80, 0x40), 1);
    EQ(preempts(0x80, 0x80), 0);
    EQ(preempts(0x50, 0x40), 1);
    /* With the priority's upper two bits as group, these two are of one. */
    icc_write(ICC_BPR1_EL1, gic_v2 ? 5 : 6);
    EQ(preempts(0x50, 0x40), 0);
    EQ(preempts(0x80, 0x40), 1);
}

/* ---- many ---- */

static unsigned priority_of(unsigned i) {
    return 8 * (i * 7 % MANY) + 0x10;
}

static void raise_many(void) {
    for (unsigned i = 0; i < MANY; i++)
        gic_enable(FIRST + i, priority_of(i));
    for (unsigned i = 0; i < MANY; i++)
        gic_set(ISPENDR, FIRST + i);
}

static void expect_in_order(void) {
    const struct cpu *c = me();

    EQ(c->irqs, MANY);
    for (unsigned i = 0; i < MANY; i++)
        EQ(irq_taken(FIRST + i), 1);
    for (unsigned i = 1; i < MANY; i++)
        TRUE(priority_of(c->order[i] - FIRST) > priority_of(c->order[i - 1] - FIRST));
}

TEST(irq_many_in_order_of_priority) {
    raise_many();
    irq_enable();
    WAIT(me()->irqs == MANY);
    expect_in_order();
}

/* By one write of a whole register, with some taken back again. */
TEST(irq_many_by_one_write) {
    for (unsigned i = 0; i < 32; i++)
        gic_enable(64 + i, 0x80);
    write32(GICD + ISPENDR + 8, ~0u);
    write32(GICD + ICPENDR + 8, 0xf0f0f0f0);
    write32(GICD + ICENABLER + 8, 0x0000000f);
    EQ(read32(GICD + ISPENDR + 8), 0x0f0f0f0f);
    irq_enable();
    WAIT(me()->irqs == 12);
    delay_us(100);
    EQ(me()->irqs, 12);
    EQ(read32(GICD + ISPENDR + 8), 0x0000000f);
}

/* All active at once, ended from inside out. */
static void go_deeper(unsigned intid) {
    if (intid + 1 == FIRST + MANY)
        return;
    gic_set(ISPENDR, intid + 1);
    irq_enable();
    isb();
    irq_disable();
    TRUE(gic_bit(ISACTIVER, intid));
    TRUE(!gic_bit(ISACTIVER, intid + 1));
    EQ(icc_read(ICC_RPR_EL1), 0xf0 - 8 * (intid - FIRST));
}

TEST(irq_nested_deeply) {
    me()->on_irq = go_deeper;
    for (unsigned i = 0; i < MANY; i++)
        gic_enable(FIRST + i, 0xf0 - 8 * i);
    gic_set(ISPENDR, FIRST);
    irq_enable();
    WAIT(me()->irqs == MANY);
    irq_disable();
    for (unsigned i = 0; i < MANY; i++) {
        EQ(me()->order[i], FIRST + i);
        TRUE(!gic_bit(ISACTIVER, FIRST + i));
    }
    EQ(icc_read(ICC_RPR_EL1), 0xff);
}

/* ---- priority drop apart from deactivation ---- */

TEST(irq_eoi_mode_1) {
    me()->keep_active = true;
    gic_set_eoi_mode(1);
    gic_enable(FIRST, 0x80);
    gic_set(ISPENDR, FIRST);
    irq_enable();
    EQ(irq_taken(FIRST), 1);
    EQ(icc_read(ICC_RPR_EL1), 0xff);
    TRUE(gic_bit(ISACTIVER, FIRST));
    gic_set(ISPENDR, FIRST);
    delay_us(100);
    EQ(irq_taken(FIRST), 1); /* not while it is active */
    icc_write(ICC_DIR_EL1, FIRST);
    WAIT(irq_taken(FIRST) == 2);
    icc_write(ICC_DIR_EL1, FIRST);
    TRUE(!gic_bit(ISACTIVER, FIRST));
}

/* More active ones than list registers, deactivated in another order than taken. */
TEST(irq_eoi_mode_1_many) {
    me()->keep_active = true;
    gic_set_eoi_mode(1);
    raise_many();
    irq_enable();
    WAIT(me()->irqs == MANY);
    expect_in_order();
    for (unsigned i = 0; i < MANY; i++)
        TRUE(gic_bit(ISACTIVER, FIRST + i));
    for (unsigned i = 0; i < MANY; i++) {
        unsigned intid = FIRST + i * 3 % MANY;

        icc_write(ICC_DIR_EL1, intid);
        TRUE(!gic_bit(ISACTIVER, intid));
    }
    raise_many(); /* every one of them can come again */
    WAIT(me()->irqs == 2 * MANY);
    for (unsigned i = 0; i < MANY; i++)
        icc_write(ICC_DIR_EL1, FIRST + i);
}

/* A timer must not be lost among the others. */
TEST(irq_timer_among_many) {
    me()->keep_active = true;
    gic_set_eoi_mode(1);
    raise_many();
    irq_enable();
    WAIT(me()->irqs == MANY);
    gic_enable(PPI_VTIMER, 0x80);
    for (unsigned i = 1; i <= 3; i++) {
        sysreg_write(cntv_cval_el0, counter() + ticks_us(100));
        sysreg_write(cntv_ctl_el0, 1);
        WAIT(irq_taken(PPI_VTIMER) == i);
        icc_write(ICC_DIR_EL1, PPI_VTIMER);
    }
    for (unsigned i = 0; i < MANY; i++)
        icc_write(ICC_DIR_EL1, FIRST + i);
}

/* Routed to nobody it waits for a target. */
TEST(irq_route_to_nobody) {
    gic_enable(FIRST, 0x80);
    irq_enable();
    gic_route(FIRST, NOBODY);
    gic_set(ISPENDR, FIRST);
    if (gic_v2 && nr_cpus == 1) { /* all interrupts are a lone CPU's */
        EQ(irq_taken(FIRST), 1);
        return;
    }
    delay_us(100);
    EQ(irq_taken(FIRST), 0);
    TRUE(gic_bit(ISPENDR, FIRST));
    gic_route(FIRST, 0);
    WAIT(irq_taken(FIRST) == 1);
}
