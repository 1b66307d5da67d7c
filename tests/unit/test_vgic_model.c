/* SOURCES: common/virt/vgic.c common/virt/vgic_lr.c common/virt/vgic_bank.c */
/* SOURCES: common/virt/vgic_dist.c common/virt/vgic_redist.c common/virt/vgic_v2.c common/lib/spinlock.c */
/*
 * The virtual GIC against a naive model without list registers: random lines, edges, SGIs, register
 * writes, handlers and vCPU switches, by random vCPUs. After each step the registers must read as
 * the model says, and what a CPU takes must be among the most urgent that the model has for it.
 * HF_SEED=n repeats a run.
 */
#include "vgic_world.h"

#define CPUS 3
#define SPIS 64
#define STEPS 60000

struct irq {
    bool enabled, edge, line, latch, active, group0;
    uint8_t prio;
    unsigned target; /* SPIs */
    unsigned taker;  /* whose handler runs, while active */
};

static struct irq priv[CPUS][32], spi[SPIS];
static struct {
    unsigned intid[64];
    unsigned depth;
} stack[CPUS];
static bool loaded[CPUS];
static bool dist_on;
static unsigned seed, run_seed, step;

static unsigned rnd(unsigned n) {
    seed = seed * 1664525u + 1013904223u;
    return (unsigned)((uint64_t)(seed >> 8) * n >> 24);
}

static struct irq *irq_at(unsigned cpu, unsigned intid) {
    return intid < 32 ? &priv[cpu][intid] : &spi[intid - 32];
}

static bool pending(const struct irq *q) {
    return q->latch || (q->line && !q->edge);
}

static bool on_offer(unsigned cpu, unsigned intid) {
    const struct irq *q = irq_at(cpu, intid);

    return pending(q) && q->enabled && !q->active && dist_on && !q->group0 &&
           (intid < 32 || q->target == cpu);
}

static void check(bool ok, const char *what, unsigned cpu, unsigned intid) {
    if (!ok)
        fail_msg("seed %u step %u cpu %u intid %u: %s", run_seed, step, cpu, intid, what);
}

static void check_registers(void) {
    unsigned cpu = rnd(CPUS), intid = rnd(32 + SPIS);
    const struct irq *q = irq_at(cpu, intid);

    check(rd_bit(0x200, cpu, intid) == pending(q), "ISPENDR", cpu, intid);
    check(rd_bit(0x300, cpu, intid) == q->active, "ISACTIVER", cpu, intid);
    check(rd_bit(0x180, cpu, intid) == q->enabled, "ICENABLER", cpu, intid);
}

/* ---- guests ---- */

static void take_one(unsigned cpu) {
    unsigned intid, best = fake_running();
    struct irq *q;

    for (unsigned i = 0; i < 32 + SPIS; i++)
        if (on_offer(cpu, i) && irq_at(cpu, i)->prio < best)
            best = irq_at(cpu, i)->prio;
    intid = fake_ack();
    if (intid == 1023) {
        check(best == fake_running(), "nothing was taken", cpu, best);
        return;
    }
    check(on_offer(cpu, intid), "was taken", cpu, intid);
    q = irq_at(cpu, intid);
    check(q->prio == best, "was taken before a more urgent one", cpu, intid);
    q->active = true;
    q->latch = false;
    q->taker = cpu;
    stack[cpu].intid[stack[cpu].depth++] = intid;
}

static void end_one(unsigned cpu) {
    unsigned intid;

    if (!stack[cpu].depth)
        return;
    intid = stack[cpu].intid[--stack[cpu].depth];
    irq_at(cpu, intid)->active = false;
    fake_eoi(intid);
}

/* ---- registers ---- */

static bool busy(unsigned cpu, unsigned intid) {
    const struct irq *q = irq_at(cpu, intid);

    return q->active || pending(q);
}

static void write_active(unsigned cpu, unsigned intid) {
    struct irq *q = irq_at(cpu, intid);

    /* Those at the lowest priority are never taken (the mask is there), so no EOI is meant for
     * them. */
    if (q->prio != 0xf8)
        return;
    q->active = rnd(2);
    wr_bit(q->active ? 0x300 : 0x380, cpu, intid);
}

static void write_something(unsigned cpu, unsigned intid) {
    struct irq *q = irq_at(cpu, intid);

    switch (rnd(8)) {
    case 0:
    case 1:
        q->enabled = true;
        wr_bit(0x100, cpu, intid);
        break;
    case 2:
        q->enabled = false;
        wr_bit(0x180, cpu, intid);
        break;
    case 3:
        q->latch = true;
        wr_bit(0x200, cpu, intid);
        break;
    case 4:
        q->latch = false;
        wr_bit(0x280, cpu, intid);
        break;
    case 5:
        write_active(cpu, intid);
        break;
    case 6:
        if (!busy(cpu, intid)) {
            q->prio = (uint8_t)(rnd(32) * 8);
            set_prio(cpu, intid, q->prio);
        }
        break;
    default:
        if (intid >= 32) {
            q->target = rnd(CPUS + 1);
            wr(GICD + 0x6000 + 8 * intid, 8, q->target);
        }
        break;
    }
}

static void write_rarely(unsigned cpu, unsigned intid) {
    struct irq *q = irq_at(cpu, intid);
    unsigned group = (intid < 32 ? SGI_FRAME(cpu) : GICD) + 0x80 + intid / 32 * 4;
    unsigned cfg = (intid < 32 ? SGI_FRAME(cpu) : GICD) + 0xc00 + intid / 16 * 4;

    switch (rnd(3)) {
    case 0:
        dist_on = !dist_on;
        wr(GICD, 4, dist_on ? 2 : 0);
        break;
    case 1:
        q->group0 = !q->group0; /* which is off all the time */
        wr(group, 4, (uint32_t)rd(group, 4) ^ 1u << intid % 32);
        break;
    default:
        if (intid >= 16 && !busy(cpu, intid)) {
            q->edge = !q->edge;
            wr(cfg, 4, (uint32_t)rd(cfg, 4) ^ 2u << 2 * (intid % 16));
        }
        break;
    }
}

/* ---- devices ---- */

static void move_line(unsigned cpu, unsigned intid) {
    struct irq *q = irq_at(cpu, intid);

    if (intid < 16)
        return;
    if (!q->line && q->edge)
        q->latch = true;
    q->line = !q->line;
    vgic_set_level(&dom, intid < 32 ? vcpus[cpu] : NULL, intid, q->line);
}

static void send_sgis(unsigned from) {
    unsigned intid = rnd(16), list = rnd(1 << CPUS);

    for (unsigned i = 0; i < CPUS; i++)
        if ((list >> i & 1) && !priv[i][intid].group0)
            priv[i][intid].latch = true;
    vgic_sgi1r(vcpus[from], (uint64_t)intid << 24 | list, 1);
}

static void switch_some(void) {
    unsigned cpu = rnd(CPUS);

    if (cpu == cpu_number)
        return;
    if (loaded[cpu])
        switch_out(cpu);
    else
        switch_in(cpu);
    loaded[cpu] = !loaded[cpu];
}

/* Often the same few, so that things happen to them while they are busy. */
static unsigned some_intid(void) {
    return rnd(3) ? rnd(2) ? rnd(3) + 15 : rnd(10) + 32 : rnd(32 + SPIS);
}

static void one_step(void) {
    unsigned cpu = rnd(CPUS);

    if (!loaded[cpu])
        cpu = cpu_number;
    on_cpu(cpu);
    switch (rnd(12)) {
    case 0:
    case 1:
    case 2:
        take_one(cpu);
        break;
    case 3:
    case 4:
        end_one(cpu);
        break;
    case 5:
    case 6:
        move_line(rnd(CPUS), some_intid());
        break;
    case 7:
        send_sgis(cpu);
        break;
    case 8:
        check_registers();
        break;
    case 9:
        if (!rnd(4))
            switch_some();
        break;
    case 10:
        if (!rnd(10))
            write_rarely(rnd(CPUS), some_intid());
        break;
    default:
        write_something(rnd(CPUS), some_intid());
        break;
    }
    all_return();
}

static void run(unsigned first_seed, unsigned lrs) {
    seed = run_seed = first_seed;
    memset(priv, 0, sizeof(priv));
    memset(spi, 0, sizeof(spi));
    memset(stack, 0, sizeof(stack));
    world_make(CPUS, SPIS);
    fake_ops.nr_lrs = lrs;
    dist_on = true;
    wr(GICD, 4, 2);
    for (unsigned i = 0; i < CPUS; i++) {
        loaded[i] = true;
        for (unsigned n = 0; n < 16; n++)
            priv[i][n].edge = priv[i][n].enabled = true;
    }
    for (step = 0; step < STEPS; step++)
        one_step();
    world_drop();
}

static void random_steps(void **state) {
    const char *given = getenv("HF_SEED");
    unsigned first = given ? (unsigned)strtoul(given, NULL, 0) : 1;

    (void)state;
    for (unsigned i = 0; i < (given ? 1 : 4); i++)
        for (unsigned lrs = 2; lrs <= VGIC_MAX_LRS; lrs *= 2) {
            print_message("seed %u, %u list registers\n", first + i, lrs);
            run(first + i, lrs);
        }
}

int main(void) {
    static const struct CMUnitTest tests[] = {cmocka_unit_test(random_steps)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
