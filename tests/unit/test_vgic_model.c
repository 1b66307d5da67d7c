/* SOURCES: common/virt/vgic.c common/virt/vgic_lr.c common/virt/vgic_bank.c */
/* SOURCES: common/virt/vgic_dist.c common/virt/vgic_redist.c common/virt/vgic_v2.c common/lib/spinlock.c */
/*
 * The virtual GIC against a naive model without list registers: random lines, edges, SGIs, register
 * writes, handlers and vCPU switches, by random vCPUs. After each step the registers must read as
 * the model says, and what a CPU takes must be among the most urgent that the model has for it.
 * In both versions; a GICv2's SGIs are pending for each sender. HF_SEED=n repeats a run.
 */
#include "vgic_world.h"

#define CPUS 3
#define SPIS 64
#define STEPS 60000

struct irq {
    bool enabled, edge, line, latch, active, group0;
    uint8_t prio;
    uint8_t from;    /* a GICv2's SGIs: who sent them, and latch is that of any */
    unsigned target; /* SPIs */
    unsigned taker;  /* whose handler runs, while active */
};

static struct irq priv[CPUS][32], spi[SPIS];
static struct {
    unsigned iar[64];
    unsigned depth;
} stack[CPUS];
static bool loaded[CPUS];
static bool dist_on, v2;
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

/* Whose registers can be reached. */
static unsigned some_cpu(unsigned intid) {
    return v2 && intid < 32 ? cpu_number : rnd(CPUS);
}

static void check_registers(void) {
    unsigned intid = rnd(32 + SPIS), cpu = some_cpu(intid);
    const struct irq *q = irq_at(cpu, intid);

    if (v2 && intid < 16)
        check(rd(0xf20 + intid, 1) == q->from, "SPENDSGIR", cpu, intid);

    check(rd_bit(0x200, cpu, intid) == pending(q), "ISPENDR", cpu, intid);
    check(rd_bit(0x300, cpu, intid) == q->active, "ISACTIVER", cpu, intid);
    check(rd_bit(0x180, cpu, intid) == q->enabled, "ICENABLER", cpu, intid);
}

/* ---- guests ---- */

static void take_one(unsigned cpu) {
    unsigned iar, intid, best = fake_running();
    struct irq *q;

    for (unsigned i = 0; i < 32 + SPIS; i++)
        if (on_offer(cpu, i) && irq_at(cpu, i)->prio < best)
            best = irq_at(cpu, i)->prio;
    iar = fake_ack();
    intid = iar & 0x3ff;
    if (intid == 1023) {
        check(best == fake_running(), "nothing was taken", cpu, best);
        return;
    }
    check(on_offer(cpu, intid), "was taken", cpu, intid);
    q = irq_at(cpu, intid);
    check(q->prio == best, "was taken before a more urgent one", cpu, intid);
    q->active = true;
    check(!(v2 && intid < 16) || (q->from >> (iar >> 10) & 1), "nobody sent it", cpu, intid);
    q->from &= (uint8_t) ~(1u << (iar >> 10));
    q->latch = q->from;
    q->taker = cpu;
    stack[cpu].iar[stack[cpu].depth++] = iar;
}

static void end_one(unsigned cpu) {
    unsigned iar;

    if (!stack[cpu].depth)
        return;
    iar = stack[cpu].iar[--stack[cpu].depth];
    irq_at(cpu, iar & 0x3ff)->active = false;
    fake_eoi(iar);
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

static void write_pending(unsigned cpu, unsigned intid, bool set) {
    struct irq *q = irq_at(cpu, intid);
    uint8_t from = (uint8_t)rnd(1 << CPUS);

    wr_bit(set ? 0x200 : 0x280, cpu, intid);
    if (!v2 || intid >= 16) {
        q->latch = set;
        return; /* else only SPENDSGIR and CPENDSGIR do it */
    }
    wr((set ? 0xf20 : 0xf10) + intid, 1, from);
    q->from = (uint8_t)(set ? q->from | from : q->from & ~from);
    q->latch = q->from;
}

static void write_target(unsigned intid) {
    unsigned target = rnd(CPUS + 1);

    spi[intid - 32].target = target;
    if (v2) /* the first of several; none beyond the last vCPU */
        wr(0x800 + intid, 1, (rnd(256) << (target + 1)) | (target < CPUS ? 1u << target : 0));
    else
        wr(GICD + 0x6000 + 8 * intid, 8, target);
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
    case 4:
        write_pending(cpu, intid, rnd(2));
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
        if (intid >= 32)
            write_target(intid);
        break;
    }
}

static void write_rarely(unsigned cpu, unsigned intid) {
    struct irq *q = irq_at(cpu, intid);
    unsigned group = frame(cpu, intid) + 0x80 + intid / 32 * 4;
    unsigned cfg = frame(cpu, intid) + 0xc00 + intid / 16 * 4;

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
        if ((list >> i & 1) && (v2 || !priv[i][intid].group0)) {
            priv[i][intid].latch = true;
            priv[i][intid].from |= (uint8_t)(v2 << from);
        }
    if (v2)
        wr(0xf00, 4, list << 16 | intid);
    else
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
    unsigned cpu = rnd(CPUS), intid = some_intid();

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
            write_rarely(some_cpu(intid), intid);
        break;
    default:
        write_something(some_cpu(intid), intid);
        break;
    }
    all_return();
}

static void run(unsigned first_seed, unsigned lrs, unsigned version) {
    seed = run_seed = first_seed;
    fake_ops.version = version;
    v2 = version == 2;
    memset(priv, 0, sizeof(priv));
    memset(spi, 0, sizeof(spi));
    memset(stack, 0, sizeof(stack));
    world_make(CPUS, SPIS);
    fake_ops.nr_lrs = lrs;
    dist_on = true;
    wr(GICD, 4, 2);
    for (unsigned i = 0; v2 && i < 32 + SPIS; i += 32)
        wr(GICD + 0x80 + i / 8, 4, ~0u);
    for (unsigned i = 0; i < CPUS; i++) {
        loaded[i] = true;
        on_cpu(i);
        wr(frame(i, 0) + 0x80, 4, ~0u);
        for (unsigned n = 0; n < 16; n++)
            priv[i][n].edge = priv[i][n].enabled = true;
    }
    for (step = 0; step < STEPS; step++)
        one_step();
    world_drop();
}

static void random_steps(unsigned version) {
    const char *given = getenv("HF_SEED");
    unsigned first = given ? (unsigned)strtoul(given, NULL, 0) : 1;

    for (unsigned i = 0; i < (given ? 1 : 4); i++)
        for (unsigned lrs = 2; lrs <= VGIC_MAX_LRS; lrs *= 2) {
            print_message("GICv%u, seed %u, %u list registers\n", version, first + i, lrs);
            run(first + i, lrs, version);
        }
}

static void gicv2(void **state) {
    (void)state;
    random_steps(2);
}

static void gicv3(void **state) {
    (void)state;
    random_steps(3);
}

int main(void) {
    static const struct CMUnitTest tests[] = {cmocka_unit_test(gicv2), cmocka_unit_test(gicv3)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
