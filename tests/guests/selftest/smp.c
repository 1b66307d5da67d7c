/* Several CPUs: starting and stopping, interrupts between them, and that each keeps its own state.
 */
#include "selftest.h"

#define KEEP_US 40000 /* several time slices, when two vCPUs share a CPU */

static volatile unsigned turn, arrived;
static volatile bool stop;

static void nothing(void) {
    arrived++;
}

/* ---- on and off ---- */

TEST_SMP(smp_on_and_off_often) {
    arrived = 0;
    for (unsigned i = 0; i < 50 && !failed(); i++) {
        unsigned cpu = 1 + i % (nr_cpus - 1);

        cpu_start(cpu, nothing);
        cpu_join(cpu);
        EQ(arrived, i + 1);
    }
}

static void wait_for_stop(void) {
    arrived++;
    WAIT(stop);
}

TEST_SMP(smp_already_on) {
    stop = false;
    arrived = 0;
    cpu_start(1, wait_for_stop);
    WAIT(arrived == 1);
    EQ(hvc(PSCI_AFFINITY_INFO, cpu_affinity(1), 0, 0), 0);
    EQ(hvc(PSCI_CPU_ON, cpu_affinity(1), (uint64_t)secondary, 1), PSCI_ALREADY_ON);
    stop = true;
    cpu_join(1);
}

static void note_identity(void) {
    EQ(sysreg_read(mpidr_el1) & 0xffffff, cpu_affinity(cpu_number()));
    EQ(sysreg_read(midr_el1) != 0, 1);
    EQ(sysreg_read(vbar_el1) & 2047, 0);
    arrived++;
}

TEST_SMP(smp_every_cpu_is_itself) {
    arrived = 0;
    for (unsigned i = 1; i < nr_cpus; i++) {
        cpu_start(i, note_identity);
        cpu_join(i);
    }
    EQ(arrived, nr_cpus - 1);
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

/* ---- interrupts ---- */

static void take_until_stop(void) {
    for (unsigned i = 0; i < 8; i++)
        gic_enable(i, 0x80);
    irq_enable();
    arrived++;
    WAIT(stop);
    irq_disable();
}

static unsigned taken_by(unsigned cpu, unsigned intid) {
    return *(volatile uint16_t *)&cpus[cpu].taken[intid];
}

static void start_takers(void (*run)(void)) {
    stop = false;
    arrived = 0;
    for (unsigned i = 1; i < nr_cpus; i++) {
        cpus[i] = (struct cpu){0};
        cpu_start(i, run);
    }
    WAIT(arrived == nr_cpus - 1);
}

static void end_takers(void) {
    stop = true;
    for (unsigned i = 1; i < nr_cpus; i++)
        cpu_join(i);
}

TEST_SMP(smp_sgi_to_each) {
    start_takers(take_until_stop);
    for (unsigned cpu = 1; cpu < nr_cpus; cpu++) {
        gic_send_sgi(cpu, cpu);
        WAIT(taken_by(cpu, cpu) == 1);
        for (unsigned other = 0; other < nr_cpus; other++)
            if (other != cpu)
                EQ(taken_by(other, cpu), 0);
    }
    end_takers();
}

TEST_SMP(smp_sgi_to_all_others) {
    gic_enable(5, 0x80);
    irq_enable();
    start_takers(take_until_stop);
    gic_send_sgi_to_others(5);
    for (unsigned cpu = 1; cpu < nr_cpus; cpu++)
        WAIT(taken_by(cpu, 5) == 1);
    EQ(irq_taken(5), 0);
    gic_send_sgi_to_list(5, 0xff); /* a list, self and CPUs that are not there in it */
    for (unsigned cpu = 1; cpu < nr_cpus; cpu++)
        WAIT(taken_by(cpu, 5) == 2);
    WAIT(irq_taken(5) == 1);
    end_takers();
}

/* By the pending register in another CPU's redistributor. */
TEST_SMP(smp_pending_of_another) {
    ONLY_GICV(3); /* another CPU's registers cannot be reached */
    start_takers(take_until_stop);
    write32(gic_frame(1, 6) + ISPENDR, BIT(6));
    WAIT(taken_by(1, 6) == 1);
    write32(gic_frame(1, 6) + ICENABLER, BIT(6));
    write32(gic_frame(1, 6) + ISPENDR, BIT(6));
    EQ(read32(gic_frame(1, 6) + ISPENDR), BIT(6));
    delay_us(100);
    EQ(taken_by(1, 6), 1);
    write32(gic_frame(1, 6) + ISENABLER, BIT(6));
    WAIT(taken_by(1, 6) == 2);
    end_takers();
}

/* Interrupts that wake a CPU from WFI; each is answered by the other side. */
static void answer(unsigned intid) {
    if (intid == 1)
        gic_send_sgi(2, 0);
}

static void sleep_and_answer(void) {
    me()->on_irq = answer;
    gic_enable(1, 0x80);
    arrived++;
    while (!stop) { /* masked: one that comes between the look and the WFI ends it */
        wfi();
        irq_enable();
        irq_disable();
    }
}

TEST_SMP(smp_ping_pong) {
    stop = false;
    arrived = 0;
    cpu_start(1, sleep_and_answer);
    WAIT(arrived == 1);
    gic_enable(2, 0x80);
    irq_enable();
    for (unsigned i = 1; i <= 100 && !failed(); i++) {
        if (i == 100)
            stop = true;
        gic_send_sgi(1, 1);
        while (irq_taken(2) < i) {
            irq_disable();
            if (irq_taken(2) < i)
                wfi();
            irq_enable();
        }
        EQ(irq_taken(2), i);
    }
    cpu_join(1);
}

TEST_SMP(smp_spi_follows_its_route) {
    start_takers(take_until_stop);
    gic_enable(40, 0x80);
    irq_enable();
    for (unsigned i = 0; i < 4 * nr_cpus && !failed(); i++) {
        unsigned cpu = i % nr_cpus, before = taken_by(cpu, 40);

        gic_route(40, cpu);
        gic_set(ISPENDR, 40);
        WAIT(taken_by(cpu, 40) == before + 1);
    }
    for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
        EQ(taken_by(cpu, 40), 4);
    end_takers();
}

/* Pending here, masked; then routed away. */
TEST_SMP(smp_pending_spi_moves) {
    start_takers(take_until_stop);
    gic_enable(41, 0x80);
    gic_set(ISPENDR, 41);
    EQ(icc_read(ICC_HPPIR1_EL1), 41);
    gic_route(41, 1);
    WAIT(taken_by(1, 41) == 1);
    EQ(icc_read(ICC_HPPIR1_EL1), IRQ_NONE);
    irq_enable();
    EQ(irq_taken(41), 0);
    end_takers();
}

/* Active on another CPU, seen and ended from here. */
TEST_SMP(smp_active_elsewhere) {
    start_takers(take_until_stop);
    cpus[1].keep_active = true;
    gic_set_eoi_mode(0);
    gic_enable(42, 0x80);
    gic_route(42, 1);
    gic_set(ISACTIVER, 42);
    gic_set(ISPENDR, 42);
    delay_us(100);
    EQ(taken_by(1, 42), 0);
    gic_set(ICACTIVER, 42);
    WAIT(taken_by(1, 42) == 1);
    WAIT(!gic_bit(ISACTIVER, 42));
    end_takers();
}

/* ---- timers and counters ---- */

static volatile uint64_t last_count;

static void count_in_turn(void) {
    for (unsigned i = 0; i < 20; i++) {
        if (!WAIT_ASLEEP(turn == cpu_number()))
            return;
        TRUE(counter() >= last_count);
        last_count = counter();
        turn = (turn + 1) % 2;
    }
}

TEST_SMP(smp_counter_is_one) {
    turn = 0;
    last_count = 0;
    cpu_start(1, count_in_turn);
    count_in_turn();
    cpu_join(1);
}

static void sleep_often(void) {
    unsigned self = cpu_number();

    gic_enable(PPI_VTIMER, 0x80);
    irq_enable();
    for (unsigned i = 0; i < 30; i++) {
        unsigned before = taken_by(self, PPI_VTIMER);
        uint64_t wanted = counter() + ticks_us(100 + 37 * self);

        sysreg_write(cntv_cval_el0, wanted);
        sysreg_write(cntv_ctl_el0, 1);
        while (taken_by(self, PPI_VTIMER) == before)
            wfi();
        TRUE(counter() >= wanted);
    }
    EQ(taken_by(self, PPI_VTIMER), 30);
    irq_disable();
}

TEST_SMP(smp_everyone_sleeps) {
    for (unsigned i = 1; i < nr_cpus; i++) {
        cpus[i] = (struct cpu){0};
        cpu_start(i, sleep_often);
    }
    sleep_often();
    for (unsigned i = 1; i < nr_cpus; i++)
        cpu_join(i);
}

/* ---- state that is each CPU's own ---- */

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

static void everywhere(void (*run)(void)) {
    for (unsigned i = 1; i < nr_cpus; i++)
        cpu_start(i, run);
    run();
    for (unsigned i = 1; i < nr_cpus; i++)
        cpu_join(i);
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

/* The virtual CPU interface: priorities, mask, an active interrupt. */
static void keep_interface(void) {
    unsigned intid = 8 + cpu_number(), bpr = (gic_v2 ? 3 : 4) + cpu_number() % 2;
    uint64_t end = counter() + ticks_us(KEEP_US), mask = 0xf0 - 8 * cpu_number(), iar;

    gic_enable(intid, 0x20 + 8 * cpu_number());
    icc_write(ICC_PMR_EL1, mask);
    icc_write(ICC_BPR1_EL1, bpr);
    gic_set(ISPENDR, intid);
    iar = icc_read(ICC_IAR1_EL1);
    EQ(iar_intid(iar), intid);
    while (counter() < end && !failed()) {
        EQ(icc_read(ICC_PMR_EL1), mask);
        EQ(icc_read(ICC_BPR1_EL1), bpr);
        EQ(icc_read(ICC_RPR_EL1) & 0xe0, 0x20 + (8 * cpu_number() & 0xe0));
        TRUE(gic_bit(ISACTIVER, intid));
    }
    icc_write(ICC_EOIR1_EL1, iar);
    EQ(icc_read(ICC_RPR_EL1), 0xff);
    TRUE(!gic_bit(ISACTIVER, intid));
}

TEST_SMP(smp_interrupt_state_is_kept) {
    everywhere(keep_interface);
}

/* Each at its own address space: TLBs must not mix vCPUs of one domain, not even under one ASID. */
static uint64_t tables[2][512] __attribute__((aligned(4096)));

static void keep_address_space(void) {
    unsigned self = cpu_number();
    uint64_t end = counter() + ticks_us(KEEP_US), ttbr0 = sysreg_read(ttbr0_el1);
    static uint64_t mine[2][512] __attribute__((aligned(4096)));
    uint64_t *level1 = tables[self];

    if (self > 1)
        return;
    /* One GiB at the next free address: CPU 0 sees RAM there, CPU 1 devices. */
    for (unsigned i = 0; i < 512; i++)
        level1[i] = ((const uint64_t *)ttbr0)[i];
    level1[8] = self ? level1[0] : level1[1];
    mine[self][0] = 0x55;
    dsb();
    sysreg_write(ttbr0_el1, (uint64_t)level1);
    while (counter() < end && !failed()) {
        uint64_t at = (8ULL << 30) + (self ? VPL011 + 0xfe0 : (uint64_t)mine[0] - RAM);

        EQ(read32(at), self ? 0x11 : 0x55);
    }
    sysreg_write(ttbr0_el1, ttbr0);
    __asm__ volatile("tlbi vmalle1\n\tdsb nsh\n\tisb" ::: "memory");
}

TEST_SMP(smp_address_spaces_are_kept) {
    everywhere(keep_address_space);
}

/* ---- what one CPU does to the interrupts of another ---- */

static void clear_vtimer_of_cpu_0(void) {
    write32(gic_frame(0, PPI_VTIMER) + ICPENDR, BIT(PPI_VTIMER));
}

static void use_vtimer(void) {
    gic_enable(PPI_VTIMER, 0x80);
    irq_forget();
    irq_enable();
    for (unsigned i = 1; i <= 3; i++) {
        sysreg_write(cntv_cval_el0, counter() + ticks_us(100));
        sysreg_write(cntv_ctl_el0, 1);
        WAIT(irq_taken(PPI_VTIMER) == i);
    }
    irq_disable();
}

/* Neither this CPU's timer nor that of one that shares a real CPU with it may be dead afterwards.
 */
TEST_SMP(smp_timer_cleared_by_another_cpu) {
    ONLY_GICV(3); /* another CPU's registers cannot be reached */
    gic_disable(PPI_VTIMER);
    sysreg_write(cntv_cval_el0, 0);
    sysreg_write(cntv_ctl_el0, 1);
    delay_us(100);
    cpu_start(1, clear_vtimer_of_cpu_0);
    cpu_join(1);
    sysreg_write(cntv_ctl_el0, 0);
    for (unsigned cpu = 1; cpu < nr_cpus; cpu++) {
        cpu_start(cpu, use_vtimer);
        cpu_join(cpu);
    }
    use_vtimer();
}

static volatile bool enough;

static void take_interrupts(void) {
    for (unsigned i = 0; i < 16; i++)
        gic_enable(i, 0x80);
    irq_enable();
    while (!enough)
        for (unsigned i = 0; i < 16; i++)
            gic_send_sgi(i, cpu_number()); /* to itself */
    irq_disable();
}

/* The distributor is turned off and on, and SPIs move, while the other CPU takes interrupts. */
TEST_SMP(smp_distributor_changes_under_load) {
    uint32_t ctlr = read32(GICD);

    enough = false;
    for (unsigned i = 40; i < 48; i++)
        gic_enable(i, 0x80);
    cpu_start(1, take_interrupts);
    for (unsigned n = 0; n < 500; n++) {
        unsigned intid = 40 + n % 8;

        gic_route(intid, 1);
        gic_set(ISPENDR, intid);
        gic_route(intid, 0);
        write32(GICD, 0);
        write32(GICD, ctlr);
    }
    enough = true;
    cpu_join(1);
    EQ(read32(GICD), ctlr);
}
