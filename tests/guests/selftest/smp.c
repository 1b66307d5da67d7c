/* Several CPUs: starting and stopping, interrupts between them, and that each keeps its own state.
 */
#include "selftest.h"

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

extern char vectors[];

static void note_identity(void) {
    EQ(sysreg_read(mpidr_el1) & 0xffffff, cpu_affinity(cpu_number()));
    EQ(sysreg_read(midr_el1) != 0, 1);
    EQ(sysreg_read(vbar_el1), (uint64_t)vectors);
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
    level1[SPARE_GIB] = self ? level1[0] : level1[1];
    mine[self][0] = 0x55;
    dsb();
    sysreg_write(ttbr0_el1, (uint64_t)level1);
    while (counter() < end && !failed()) {
        uint64_t at = ((uint64_t)SPARE_GIB << 30) + (self ? VPL011 + 0xfe0 : (uint64_t)mine[0] - RAM);

        EQ(read32(at), self ? 0x11 : 0x55);
    }
    sysreg_write(ttbr0_el1, ttbr0);
    flush_tlb();
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
