/* The virtual timer, the emulated physical one, and waiting for them. */
#include "selftest.h"

#define ENABLE 1
#define IMASK 2
#define ISTATUS 4

/* One timer by its registers; a system register's name is part of the instruction. */
struct timer {
    unsigned ppi;
    uint64_t (*now)(void); /* the two counters are apart by CNTVOFF_EL2 */
    uint64_t (*ctl)(void);
    void (*set_ctl)(uint64_t);
    uint64_t (*cval)(void);
    void (*set_cval)(uint64_t);
    uint64_t (*tval)(void);
    void (*set_tval)(uint64_t);
};
static uint64_t physical_counter(void) {
    isb();
    return sysreg_read(cntpct_el0);
}

#define DEFINE_TIMER(name, number, now)                                                            \
    static uint64_t name##_ctl(void) {                                                             \
        return sysreg_read(name##_ctl_el0);                                                        \
    }                                                                                              \
    static void name##_set_ctl(uint64_t value) {                                                   \
        sysreg_write(name##_ctl_el0, value);                                                       \
    }                                                                                              \
    static uint64_t name##_cval(void) {                                                            \
        return sysreg_read(name##_cval_el0);                                                       \
    }                                                                                              \
    static void name##_set_cval(uint64_t value) {                                                  \
        sysreg_write(name##_cval_el0, value);                                                      \
    }                                                                                              \
    static uint64_t name##_tval(void) {                                                            \
        return sysreg_read(name##_tval_el0);                                                       \
    }                                                                                              \
    static void name##_set_tval(uint64_t value) {                                                  \
        sysreg_write(name##_tval_el0, value);                                                      \
    }                                                                                              \
    static const struct timer name = {                                                             \
        number,          now,         name##_ctl,     name##_set_ctl, name##_cval,                 \
        name##_set_cval, name##_tval, name##_set_tval};
DEFINE_TIMER(cntv, PPI_VTIMER, counter)
DEFINE_TIMER(cntp, PPI_PTIMER, physical_counter)
static const struct timer *const timers[] = {&cntv, &cntp};

static void start(const struct timer *t, uint64_t us) {
    t->set_cval(t->now() + ticks_us(us));
    t->set_ctl(ENABLE);
}

static void fires(const struct timer *t) {
    uint64_t begin = counter(), tenth = ticks_us(100);

    irq_forget();
    gic_enable(t->ppi, 0x80);
    irq_enable();
    start(t, 1000);
    EQ(t->ctl(), ENABLE);
    EQ(irq_taken(t->ppi), 0);
    WAIT(irq_taken(t->ppi));
    TRUE(counter() - begin >= 10 * tenth);
    TRUE(counter() - begin < 100 * tenth);
    delay_us(300);
    EQ(irq_taken(t->ppi), 1);
    irq_disable();
}

TEST(timer_virtual_fires) {
    fires(&cntv);
}

TEST(timer_physical_fires) {
    fires(&cntp);
}

TEST(timer_registers) {
    for (unsigned i = 0; i < COUNT(timers); i++) {
        const struct timer *t = timers[i];

        t->set_ctl(0);
        EQ(t->ctl() & 3, 0);
        t->set_cval(0x123456789abcdef);
        EQ(t->cval(), 0x123456789abcdef);
        t->set_tval(0x10000000);
        TRUE(t->cval() - t->now() <= 0x10000000);
        TRUE(t->cval() - t->now() > 0x10000000 - ticks_us(10000));
        TRUE((uint32_t)t->tval() <= 0x10000000);
        EQ(t->tval() >> 32, 0);
        t->set_tval((uint32_t)-1000); /* signed: in the past */
        TRUE(t->cval() < t->now());
        TRUE((int32_t)t->tval() < 0);
        t->set_ctl(ENABLE | IMASK);
        EQ(t->ctl(), ENABLE | IMASK | ISTATUS);
        t->set_cval(~0ULL);
        EQ(t->ctl(), ENABLE | IMASK);
        t->set_ctl(0xfffffffc);
        EQ(t->ctl() & 3, 0);
    }
}

/* ISTATUS follows the condition; IMASK keeps the interrupt back, and lifting it lets it come. */
TEST(timer_masked) {
    for (unsigned i = 0; i < COUNT(timers); i++) {
        const struct timer *t = timers[i];

        gic_enable(t->ppi, 0x80);
        irq_enable();
        t->set_cval(t->now());
        t->set_ctl(ENABLE | IMASK);
        delay_us(200);
        EQ(t->ctl(), ENABLE | IMASK | ISTATUS);
        EQ(irq_taken(t->ppi), 0);
        t->set_ctl(ENABLE);
        WAIT(irq_taken(t->ppi));
        irq_disable();
    }
}

/* The interrupt is a level: turned off before it is taken, it is gone. */
TEST(timer_turned_off_before_taken) {
    for (unsigned i = 0; i < COUNT(timers); i++) {
        const struct timer *t = timers[i];

        gic_enable(t->ppi, 0x80);
        start(t, 100);
        delay_us(500);
        EQ(t->ctl(), ENABLE | ISTATUS);
        TRUE(gic_bit(ISPENDR, t->ppi));
        t->set_ctl(0);
        TRUE(!gic_bit(ISPENDR, t->ppi));
        irq_enable();
        delay_us(200);
        EQ(irq_taken(t->ppi), 0);
        irq_disable();
    }
}

/* Pending is visible also while the interrupt is disabled at the redistributor. */
TEST(timer_pending_while_disabled) {
    for (unsigned i = 0; i < COUNT(timers); i++) {
        const struct timer *t = timers[i];

        gic_disable(t->ppi);
        irq_enable();
        start(t, 100);
        delay_us(500);
        TRUE(gic_bit(ISPENDR, t->ppi));
        EQ(irq_taken(t->ppi), 0);
        gic_enable(t->ppi, 0x80);
        WAIT(irq_taken(t->ppi));
        irq_disable();
        TRUE(!gic_bit(ISPENDR, t->ppi));
    }
}

static const struct timer *ticking;
static unsigned ticks_left;

static void rearm(unsigned intid) {
    EQ(intid, ticking->ppi);
    if (--ticks_left)
        ticking->set_cval(ticking->cval() + ticks_us(500));
    else
        ticking->set_ctl(0);
}

TEST(timer_rearmed_in_its_handler) {
    for (unsigned i = 0; i < COUNT(timers); i++) {
        uint64_t begin = counter();

        ticking = timers[i];
        ticks_left = 20;
        me()->on_irq = rearm;
        irq_forget();
        gic_enable(ticking->ppi, 0x80);
        irq_enable();
        start(ticking, 500);
        WAIT(!*(volatile unsigned *)&ticks_left);
        EQ(irq_taken(ticking->ppi), 20);
        TRUE(counter() - begin >= ticks_us(20 * 500));
        TRUE(counter() - begin < ticks_us(40 * 500));
        irq_disable();
    }
}

/* A handler that does not quiet a level takes it again. */
static unsigned ignored;

static void ignore_twice(unsigned intid) {
    (void)intid;
    if (++ignored == 3)
        ticking->set_ctl(0);
}

TEST(timer_level_comes_again) {
    for (unsigned i = 0; i < COUNT(timers); i++) {
        ticking = timers[i];
        if (gic_v2 && ticking->ppi == PPI_VTIMER)
            continue; /* QEMU's GICv2 does not look at a device's line again at an EOI in GICV */
        ignored = 0;
        me()->on_irq = ignore_twice;
        irq_forget();
        gic_enable(ticking->ppi, 0x80);
        irq_enable();
        start(ticking, 100);
        WAIT(irq_taken(ticking->ppi) == 3);
        delay_us(300);
        EQ(irq_taken(ticking->ppi), 3);
        irq_disable();
    }
}

TEST(timer_both_at_once) {
    gic_enable(PPI_VTIMER, 0x80);
    gic_enable(PPI_PTIMER, 0x40);
    cntv.set_cval(counter());
    cntv.set_ctl(ENABLE);
    cntp.set_cval(physical_counter());
    cntp.set_ctl(ENABLE);
    delay_us(200);
    irq_enable();
    EQ(irq_taken(PPI_VTIMER), 1);
    EQ(irq_taken(PPI_PTIMER), 1);
    EQ(me()->order[0], PPI_PTIMER);
}

/* The least distance of the counters that several looks see: time may pass between two reads. */
static uint64_t apart(void) {
    uint64_t least = ~0ULL;

    for (unsigned i = 0; i < 20; i++) {
        uint64_t virtual = counter(), distance = physical_counter() - virtual;

        if (distance < least)
            least = distance;
    }
    return least;
}

TEST(timer_counter_is_monotonic) {
    uint64_t last = counter();

    TRUE(sysreg_read(cntfrq_el0) > 1000000);
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t now = counter();

        TRUE(now >= last);
        last = now;
    }
    /* The physical one runs along. */
    last = apart();
    delay_us(5000);
    TRUE(apart() - last + ticks_us(10) < 2 * ticks_us(10));
}

/* ---- waiting ---- */

static void wakes(const struct timer *t, bool masked) {
    uint64_t begin = counter();

    irq_forget();
    gic_enable(t->ppi, 0x80);
    if (!masked)
        irq_enable();
    start(t, 3000);
    while (counter() - begin < ticks_us(3000))
        wfi();
    TRUE(counter() - begin < ticks_us(30000));
    EQ(irq_taken(t->ppi), !masked);
    irq_disable();
    t->set_ctl(0);
}

TEST(wfi_woken_by_timers) {
    wakes(&cntv, false);
    wakes(&cntp, false);
}

/* PSTATE.I does not matter to WFI. */
TEST(wfi_woken_by_masked_timers) {
    wakes(&cntv, true);
    wakes(&cntp, true);
}

TEST(wfi_returns_with_an_interrupt_pending) {
    gic_enable(40, 0x80);
    gic_set(ISPENDR, 40);
    for (unsigned i = 0; i < 10; i++)
        wfi();
    EQ(irq_taken(40), 0);
    irq_enable();
    EQ(irq_taken(40), 1);
}

/* Many short sleeps: none is lost. */
TEST(wfi_many) {
    gic_enable(PPI_VTIMER, 0x80);
    irq_enable();
    for (unsigned i = 0; i < 50; i++) {
        unsigned before = irq_taken(PPI_VTIMER);

        start(&cntv, 20 + i % 7 * 30);
        while (irq_taken(PPI_VTIMER) == before)
            wfi();
    }
    EQ(irq_taken(PPI_VTIMER), 50);
}

TEST(wfe_ends) {
    __asm__ volatile("sev\n\twfe\n\tsev\n\twfe" ::: "memory");
}
