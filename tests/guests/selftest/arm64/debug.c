/* Self-hosted debug (Arm ARM D2): breakpoints, watchpoints, single step, and the OS lock. */
#include "selftest.h"

#define MDSCR_SS BIT(0)
#define MDSCR_KDE BIT(13)
#define MDSCR_MDE BIT(15)
#define AT_EL1 (1 << 1)
#define ALL_BYTES (0xf << 5)
#define LOAD_STORE (3 << 3)

#define debug_unmask() __asm__ volatile("msr daifclr, #8\n\tisb" ::: "memory")
#define debug_mask() __asm__ volatile("msr daifset, #8\n\tisb" ::: "memory")

static void debug_off(void) {
    debug_mask();
    sysreg_write(mdscr_el1, 0);
    sysreg_write(dbgbcr0_el1, 0);
    sysreg_write(dbgwcr0_el1, 0);
    sysreg_write(oslar_el1, 0);
}

TEST(debug_brk) {
    uint64_t r[4] = {0};

    TRY(run_word(0xd4200000 | 0x123 << 5 /* brk #0x123 */, r));
    EQ(me()->caught.ec, EC_BRK);
    EQ(me()->caught.esr & 0xffff, 0x123);
    EQ(me()->caught.elr, run_at);
}

TEST(debug_registers_remember) {
    sysreg_write(dbgbvr0_el1, 0x40001230);
    sysreg_write(dbgbvr1_el1, 0xffff000040001234);
    sysreg_write(dbgwvr0_el1, 0x40005678);
    sysreg_write(dbgbcr1_el1, ALL_BYTES | AT_EL1);
    sysreg_write(dbgwcr0_el1, ALL_BYTES | AT_EL1 | LOAD_STORE);
    for (unsigned pass = 0; pass < 2; pass++) {
        /* The same values when the registers are the processor's. */
        sysreg_write(mdscr_el1, pass ? MDSCR_MDE : 0);
        EQ(sysreg_read(mdscr_el1), pass ? MDSCR_MDE : 0);
        EQ(sysreg_read(dbgbvr0_el1), 0x40001230);
        EQ(sysreg_read(dbgbvr1_el1), 0xffff000040001234);
        EQ(sysreg_read(dbgwvr0_el1), 0x40005678);
        EQ(sysreg_read(dbgbcr1_el1), ALL_BYTES | AT_EL1);
        EQ(sysreg_read(dbgwcr0_el1), ALL_BYTES | AT_EL1 | LOAD_STORE);
    }
    debug_off();
    sysreg_write(dbgbcr1_el1, 0);
    (void)sysreg_read(mdccsr_el0);
    (void)sysreg_read(mdrar_el1);
    (void)sysreg_read(dbgclaimclr_el1);
}

static volatile unsigned calls;
static void __attribute__((noinline)) target(void) {
    calls++;
}

static void break_at(uint64_t at) {
    sysreg_write(dbgbvr0_el1, at);
    sysreg_write(dbgbcr0_el1, 1 | AT_EL1 | ALL_BYTES);
    sysreg_write(mdscr_el1, MDSCR_MDE | MDSCR_KDE);
}

TEST(debug_breakpoint) {
    calls = 0;
    break_at((uint64_t)target);
    TRY(target()); /* masked by PSTATE.D */
    EQ(me()->caught.count, 0);
    debug_unmask();
    TRY(target());
    debug_mask();
    EQ(me()->caught.count, 1);
    EQ(me()->caught.ec, EC_BREAKPOINT);
    EQ(me()->caught.elr, (uint64_t)target);
    EQ(calls, 2);
    debug_off();
    debug_unmask();
    TRY(target());
    debug_mask();
    EQ(me()->caught.count, 0);
}

TEST(debug_watchpoint) {
    static volatile uint32_t watched[4];

    sysreg_write(dbgwvr0_el1, (uint64_t)watched & ~7ULL);
    sysreg_write(dbgwcr0_el1, 1 | AT_EL1 | LOAD_STORE | 0xff << 5);
    sysreg_write(mdscr_el1, MDSCR_MDE | MDSCR_KDE);
    debug_unmask();
    TRY(watched[0] = 5);
    debug_mask();
    EQ(me()->caught.count, 1);
    EQ(me()->caught.ec, EC_WATCHPOINT);
    EQ(me()->caught.far, watched);
    EQ(me()->caught.esr & ESR_WNR, ESR_WNR);
    EQ(watched[0], 5); /* resumed with debug masked */
    debug_unmask();
    TRY(watched[2] = 6);
    debug_mask();
    EQ(me()->caught.count, 0);
    debug_unmask();
    TRY((void)watched[0]);
    debug_mask();
    EQ(me()->caught.ec, EC_WATCHPOINT);
    EQ(me()->caught.esr & ESR_WNR, 0);
    debug_off();
}

/* ---- single step ---- */

static uint64_t stepped_to[8];
static unsigned steps, steps_wanted;

/* From its BRK on a piece of code runs step by step. */
static bool step(struct frame *f, unsigned ec) {
    if (ec == EC_BRK) {
        f->elr += 4;
        f->spsr = (f->spsr | SPSR_SS) & ~SPSR_D;
        return true;
    }
    if (ec != EC_STEP)
        return false;
    stepped_to[steps++] = f->elr;
    if (steps < steps_wanted) {
        f->spsr = (f->spsr | SPSR_SS) & ~SPSR_D;
    } else {
        sysreg_write(mdscr_el1, 0);
        f->spsr = (f->spsr | SPSR_D) & ~SPSR_SS;
    }
    return true;
}

/* One step over each of the instructions behind the BRK at run_at. */
static void expect_steps(unsigned n) {
    EQ(steps, n);
    for (unsigned i = 0; i < n; i++)
        EQ(stepped_to[i], run_at + 8 + 4 * i);
}

static void prepare_steps(unsigned n) {
    steps = 0;
    steps_wanted = n;
    me()->on_exception = step;
    sysreg_write(mdscr_el1, MDSCR_SS | MDSCR_KDE);
}

TEST(debug_single_step) {
    uint64_t r[4] = {1, 2};

    prepare_steps(3);
    TRY(RUN("brk #0\n\tadd x0, x0, x1\n\tadd x0, x0, x1\n\tnop", r));
    expect_steps(3);
    EQ(r[0], 5);
    EQ(sysreg_read(mdscr_el1), 0);
}

/* An instruction that the hypervisor carries out is one step too. */
TEST(debug_single_step_over_emulation) {
    uint64_t r[4] = {0, 0, VPL011 + 0xfe0};

    prepare_steps(4);
    TRY(RUN("brk #0\n\tldr w0, [x2]\n\tmrs x1, id_aa64pfr0_el1\n\tldr w3, [x2], #4\n\tnop", r));
    expect_steps(4);
    EQ(r[0], 0x11);
    EQ(r[2], VPL011 + 0xfe4);
    EQ(r[3], 0x11);
}

TEST(debug_single_step_over_calls) {
    uint64_t r[4] = {PSCI_VERSION};

    prepare_steps(1);
    TRY(RUN("brk #0\n\thvc #0", r));
    expect_steps(1);
    EQ(r[0], 0x10001);
    r[0] = PSCI_VERSION;
    prepare_steps(1);
    TRY(RUN("brk #0\n\tsmc #0", r));
    expect_steps(1);
    EQ(r[0], 0x10001);
    gic_enable(40, 0x80);
    gic_set(ISPENDR, 40);
    prepare_steps(2);
    TRY(RUN("brk #0\n\twfi\n\tnop", r));
    expect_steps(2);
}

/* An instruction that aborts was not stepped over: the step is left for what its handler returns
 * to. */
TEST(debug_single_step_over_an_abort) {
    uint64_t r[4] = {0, 0, NOTHING};

    prepare_steps(1);
    TRY(RUN("brk #0\n\tldr w0, [x2]\n\tnop\n\tnop", r));
    EQ(me()->caught.count, 3);
    EQ(me()->caught.ec, EC_STEP);
    EQ(steps, 1);
    EQ(stepped_to[0], run_at + 12);
}

TEST(debug_os_lock) {
    EQ(sysreg_read(oslsr_el1) & 8, 8); /* implemented */
    sysreg_write(oslar_el1, 1);
    EQ(sysreg_read(oslsr_el1) & 2, 2);
    break_at((uint64_t)target);
    debug_unmask();
    TRY(target());
    EQ(me()->caught.count, 0);
    EQ(sysreg_read(dbgbvr0_el1), (uint64_t)target);
    sysreg_write(oslar_el1, 0);
    EQ(sysreg_read(oslsr_el1) & 2, 0);
    TRY(target());
    EQ(me()->caught.ec, EC_BREAKPOINT);
    debug_off();
}

/* More breakpoints than the processor has do not exist. */
TEST(debug_numbers) {
    uint64_t dfr0 = sysreg_read(id_aa64dfr0_el1), r[4] = {0};
    unsigned breakpoints = (unsigned)FIELD(dfr0, 15, 12) + 1,
             watchpoints = (unsigned)FIELD(dfr0, 23, 20) + 1;

    for (unsigned n = 0; n < 16; n++) {
        TRY(run_word(0xd5300080 | n << 8 /* mrs x0, dbgbvr<n>_el1 */, r));
        EQ(me()->caught.count, n >= breakpoints);
        TRY(run_word(0xd53000c0 | n << 8 /* mrs x0, dbgwvr<n>_el1 */, r));
        EQ(me()->caught.count, n >= watchpoints);
    }
}

/* ---- two vCPUs on one CPU keep their own ---- */

static void keep_registers(bool live) {
    uint64_t mine = 0x40000000 + 0x100000 * cpu_number(), end = counter() + ticks_us(40000);

    sysreg_write(dbgbvr0_el1, mine);
    sysreg_write(dbgwvr1_el1, mine + 8);
    sysreg_write(dbgbcr2_el1, AT_EL1 | ALL_BYTES | cpu_number() << 20);
    sysreg_write(mdscr_el1, live ? MDSCR_MDE : 0);
    while (counter() < end && !failed()) {
        EQ(sysreg_read(dbgbvr0_el1), mine);
        EQ(sysreg_read(dbgwvr1_el1), mine + 8);
        EQ(sysreg_read(dbgbcr2_el1), AT_EL1 | ALL_BYTES | cpu_number() << 20);
        EQ(sysreg_read(mdscr_el1), live ? MDSCR_MDE : 0);
    }
    sysreg_write(mdscr_el1, 0);
}

static void keep_live(void) {
    keep_registers(true);
}

static void keep_quiet(void) {
    keep_registers(false);
}

TEST_SMP(debug_registers_survive_switches) {
    cpu_start(1, keep_quiet);
    keep_live();
    cpu_join(1);
    cpu_start(1, keep_live);
    keep_live();
    cpu_join(1);
}

/* A breakpoint of one CPU is none of another's. */
static void call_often(void) {
    uint64_t end = counter() + ticks_us(30000);

    debug_unmask();
    while (counter() < end)
        target();
    debug_mask();
}

TEST_SMP(debug_breakpoint_is_of_one_cpu) {
    uint64_t end;
    unsigned hits = 0;

    cpu_start(1, call_often); /* an exception there ends the test guest */
    break_at((uint64_t)target);
    end = counter() + ticks_us(30000);
    while (counter() < end) {
        debug_unmask();
        TRY(target());
        debug_mask();
        EQ(me()->caught.ec, EC_BREAKPOINT);
        hits++;
        delay_us(100);
    }
    TRUE(hits > 10);
    debug_off();
    cpu_join(1);
}
