/* Interrupts: to oneself, from the timer, and to and fro between two CPUs. */
#include "bench.h"

#define SGI 3
#define ROUNDS 16

/* What to write to send it: not asked for in what is measured, since the affinity is in an emulated
 * register. */
static uint64_t sgi_to(unsigned cpu) {
    uint64_t a = cpu_affinity(cpu);

    return (uint64_t)SGI << 24 | FIELD(a, 15, 8) << 16 | BIT(a & 15);
}

static void send_sgi(uint64_t value) {
    sysreg_write(ICC_SGI1R_EL1, value);
}

ROW(sgi_to_self) {
    uint64_t self = sgi_to(0);

    gic_enable(SGI, 0x80);
    irq_enable();
    for (unsigned i = 0; i < RUNS; i++) {
        uint64_t before = interrupts[0], cost;

        cost = MEASURE_TO_HANDLER(send_sgi(self));
        WAIT(interrupts[0] != before);
        EQ(interrupts[0], before + 1);
        sample("sgi_to_self", cost);
    }
}

/* From the moment the timer was set for, to the handler. */
static void timer(const char *key, bool asleep) {
    gic_enable(PPI_VTIMER, 0x80);
    irq_enable();
    for (unsigned i = 0; i < RUNS; i++) {
        uint64_t before = interrupts[0], when;

        MARK(MARK_BEGIN);
        when = counter() + 100000;
        sysreg_write(cntv_cval_el0, when);
        sysreg_write(cntv_ctl_el0, 1);
        if (asleep)
            wfi();
        while (interrupts[0] == before)
            ;
        MARK(MARK_END);
        marked++;
        EQ(interrupts[0], before + 1);
        TRUE(handler_entered() >= when);
        sample(key, handler_entered() - when);
    }
}

ROW(virtual_timer_busy) {
    timer("timer_busy", false);
}

ROW(virtual_timer_asleep) {
    timer("timer_asleep", true);
}

/* ---- ping-pong ---- */

static volatile bool ready, stop, asleep;

/* An interrupt that comes between the look and the WFI ends the WFI: both are masked meanwhile. */
static void wait_beyond(unsigned cpu, uint64_t before) {
    while (interrupts[cpu] == before) {
        if (!asleep) {
            __asm__ volatile("yield" ::: "memory");
            continue;
        }
        irq_disable();
        if (interrupts[cpu] == before)
            wfi();
        irq_enable();
    }
}

static void echo(void) {
    uint64_t before = interrupts[1], reply = sgi_to(0);

    gic_enable(SGI, 0x80);
    irq_enable();
    ready = true;
    while (!stop) {
        wait_beyond(1, before);
        before++;
        send_sgi(reply);
    }
    irq_disable();
}

static void ping_pong(const char *key) {
    uint64_t to_other = sgi_to(1);

    ready = stop = false;
    gic_enable(SGI, 0x80);
    irq_enable();
    cpu_start(1, echo);
    WAIT(ready);
    for (unsigned i = 0; i < ROUNDS && !failed(); i++) {
        uint64_t mine = interrupts[0], theirs = interrupts[1], cost;

        stop = i == ROUNDS - 1;
        cost = MEASURE((send_sgi(to_other), wait_beyond(0, mine)));
        EQ(interrupts[0], mine + 1);
        EQ(interrupts[1], theirs + 1);
        sample(key, cost);
    }
    cpu_join(1);
}

ROW_SMP(ping_pong_spinning) {
    asleep = false;
    ping_pong("ping_pong_spinning");
}

ROW_SMP(ping_pong_asleep) {
    asleep = true;
    ping_pong("ping_pong_asleep");
}
