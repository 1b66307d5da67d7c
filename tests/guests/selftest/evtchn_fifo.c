/* Event channels with the FIFO ABI, consumed as a guest does. */
#include "evtchn.h"

#define WORDS 1024u
#define LINK_MASK EVTCHN_FIFO_LINK_MASK

static volatile event_word_t words[2 * WORDS] __attribute__((aligned(4096)));
static volatile struct evtchn_fifo_control_block blocks[MAX_CPUS] __attribute__((aligned(4096)));
static uint32_t heads[MAX_CPUS][EVTCHN_FIFO_MAX_QUEUES]; /* what the guest is about to consume */

static int64_t init_control(uint32_t vcpu, uint64_t gfn, uint64_t offset) {
    struct evtchn_init_control op = {
        .control_gfn = gfn, .offset = (uint32_t)offset, .vcpu = vcpu};
    int64_t rc = evtchn_op(EVTCHNOP_init_control, &op);

    if (!rc)
        EQ(op.link_bits, EVTCHN_FIFO_LINK_BITS);
    return rc;
}

static int64_t control_of(uint32_t vcpu) {
    uint64_t at = (uint64_t)&blocks[vcpu];

    return init_control(vcpu, at >> 12, at & 4095);
}

static int64_t expand(uint64_t gfn) {
    struct evtchn_expand_array op = {.array_gfn = gfn};

    return evtchn_op(EVTCHNOP_expand_array, &op);
}

static int64_t expand_by(unsigned page) {
    return expand((uint64_t)&words[page * WORDS] >> 12);
}

static int64_t set_priority(int64_t port, uint32_t priority) {
    struct evtchn_set_priority op = {.port = (uint32_t)port, .priority = priority};

    return evtchn_op(EVTCHNOP_set_priority, &op);
}

static bool word_has(int64_t port, unsigned bit) {
    return words[port] >> bit & 1;
}

static void change_word(int64_t port, event_word_t clear, event_word_t set) {
    event_word_t old = words[port];

    while (!__atomic_compare_exchange_n(&words[port], &old, (old & ~clear) | set, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
}

/* The next event of the highest priority there is; 0: none. Takes it off its queue. */
static uint32_t next_event(unsigned cpu) {
    uint32_t ready = blocks[cpu].ready, port, next;
    unsigned q;

    if (!ready)
        return 0;
    q = (unsigned)__builtin_ctz(ready);
    if (!heads[cpu][q])
        heads[cpu][q] = blocks[cpu].head[q];
    port = heads[cpu][q];
    if (!port || port >= 2 * WORDS)
        return 0;
    next = words[port] & LINK_MASK;
    change_word(port, BIT(EVTCHN_FIFO_LINKED) | LINK_MASK, 0);
    if (!next)
        __atomic_fetch_and(&blocks[cpu].ready, ~(uint32_t)BIT(q), __ATOMIC_SEQ_CST);
    heads[cpu][q] = next;
    return port;
}

/* The same, and it is pending no more, if it was. */
static uint32_t consume_event(unsigned cpu) {
    uint32_t port = next_event(cpu);

    if (port)
        change_word(port, BIT(EVTCHN_FIFO_PENDING), 0);
    return port;
}

static unsigned upcalls(void) {
    unsigned n;

    irq_enable();
    delay_us(20);
    irq_disable();
    n = irq_taken(PPI_UPCALL);
    irq_forget();
    info_of(0)->evtchn_upcall_pending = 0;
    return n;
}

static void fifo_begin(void) {
    events_begin();
    for (unsigned i = 0; i < 2 * WORDS; i++)
        words[i] = 0;
    for (unsigned i = 0; i < MAX_CPUS; i++) {
        blocks[i].ready = 0;
        for (unsigned q = 0; q < EVTCHN_FIFO_MAX_QUEUES; q++)
            blocks[i].head[q] = heads[i][q] = 0;
    }
    EQ(control_of(0), 0);
    EQ(expand_by(0), 0);
}

TEST(fifo_init_errors) {
    uint64_t g = (uint64_t)&blocks[0] >> 12, offset = (uint64_t)&blocks[0] & 4095;

    events_begin();
    EQ(init_control(nr_cpus, g, offset), -XEN_ENOENT);
    EQ(init_control(~0u, g, offset), -XEN_ENOENT);
    EQ(init_control(0, g, offset + 4), -XEN_EINVAL);
    EQ(init_control(0, g, 4096 - 72 + 8), -XEN_EINVAL);
    EQ(init_control(0, g, 0xfffffff8), -XEN_EINVAL);
    EQ(init_control(0, NOTHING_NORMAL >> 12, 0), -XEN_EINVAL);
    EQ(init_control(0, 1ULL << 50, 0), -XEN_EINVAL);
    EQ(init_control(0, ~0ULL, 0), -XEN_EINVAL);
    EQ(init_control(0, VPL011 >> 12, 0), -XEN_EINVAL);
    EQ(expand_by(0), -XEN_EOPNOTSUPP); /* nothing of that made it a FIFO domain */
    EQ(control_of(0), 0);
    EQ(control_of(0), -XEN_EINVAL); /* once for each vCPU */
    EQ(expand(NOTHING_NORMAL >> 12), -XEN_EINVAL);
    EQ(expand(VPL011 >> 12), -XEN_EINVAL);
    EQ(expand(~0ULL), -XEN_EINVAL);
    EQ(expand_by(0), 0);
    events_end();
    events_begin();
    EQ(expand_by(0), -XEN_EOPNOTSUPP); /* reset has taken it back */
    events_end();
}

TEST(fifo_array_is_full) {
    fifo_begin();
    for (unsigned i = 1; i < 128; i++)
        EQ(expand_by(1), 0);
    EQ(expand_by(1), -XEN_ENOSPC);
    events_end();
}

TEST(fifo_one_event) {
    int64_t p;

    fifo_begin();
    p = new_ipi(0);
    EQ(send(p), 0);
    EQ(words[p], BIT(EVTCHN_FIFO_PENDING) | BIT(EVTCHN_FIFO_LINKED));
    EQ(blocks[0].ready, BIT(EVTCHN_FIFO_PRIORITY_DEFAULT));
    EQ(blocks[0].head[EVTCHN_FIFO_PRIORITY_DEFAULT], p);
    EQ(upcalls(), 1);
    EQ(send(p), 0);
    EQ(upcalls(), 0);
    EQ(consume_event(0), p);
    EQ(consume_event(0), 0);
    EQ(words[p], 0);
    EQ(blocks[0].ready, 0);
    for (unsigned i = 0; i < 3; i++) { /* it is the tail it is put behind */
        EQ(send(p), 0);
        EQ(upcalls(), 1);
        EQ(consume_event(0), p);
        EQ(consume_event(0), 0);
    }
    events_end();
}

TEST(fifo_order_and_priority) {
    int64_t p[6];

    fifo_begin();
    for (unsigned i = 0; i < COUNT(p); i++)
        p[i] = new_ipi(0);
    EQ(set_priority(p[1], 16), -XEN_EINVAL);
    EQ(set_priority(p[1], ~0u), -XEN_EINVAL);
    EQ(set_priority(1 << 20, 1), -XEN_EINVAL);
    EQ(set_priority(p[1], EVTCHN_FIFO_PRIORITY_MIN), 0);
    EQ(set_priority(p[3], EVTCHN_FIFO_PRIORITY_MAX), 0);
    EQ(set_priority(p[4], EVTCHN_FIFO_PRIORITY_MAX), 0);
    for (unsigned i = 0; i < COUNT(p); i++)
        EQ(send(p[i]), 0);
    EQ(upcalls(), 1);
    EQ(blocks[0].ready, BIT(0) | BIT(7) | BIT(15));
    EQ(consume_event(0), p[3]);
    EQ(send(p[3]), 0); /* again, behind the other one */
    EQ(consume_event(0), p[4]);
    EQ(consume_event(0), p[3]);
    EQ(consume_event(0), p[0]);
    EQ(consume_event(0), p[2]);
    EQ(set_priority(p[5], EVTCHN_FIFO_PRIORITY_MAX), 0); /* it is on its queue already */
    EQ(consume_event(0), p[5]);
    EQ(consume_event(0), p[1]);
    EQ(consume_event(0), 0);
    EQ(send(p[5]), 0);
    EQ(blocks[0].ready, BIT(0));
    EQ(consume_event(0), p[5]);
    events_end();
}

TEST(fifo_masked) {
    int64_t p;

    fifo_begin();
    p = new_ipi(0);
    change_word(p, 0, BIT(EVTCHN_FIFO_MASKED));
    EQ(send(p), 0);
    EQ(words[p], BIT(EVTCHN_FIFO_PENDING) | BIT(EVTCHN_FIFO_MASKED));
    EQ(upcalls(), 0);
    EQ(unmask(p), 0);
    EQ(words[p], BIT(EVTCHN_FIFO_PENDING) | BIT(EVTCHN_FIFO_LINKED));
    EQ(upcalls(), 1);
    EQ(unmask(p), 0);
    EQ(upcalls(), 0);
    /* Masked while linked: it is consumed and stays pending. */
    change_word(p, 0, BIT(EVTCHN_FIFO_MASKED));
    EQ(next_event(0), p);
    EQ(send(p), 0);
    TRUE(!word_has(p, EVTCHN_FIFO_LINKED));
    EQ(unmask(p), 0);
    EQ(consume_event(0), p);
    EQ(consume_event(0), 0);
    events_end();
}

/* A number in use is not given out while its event is on a queue. */
TEST(fifo_closed_while_linked) {
    int64_t p, q;

    fifo_begin();
    p = new_ipi(0);
    EQ(send(p), 0);
    EQ(close(p), 0);
    TRUE(!word_has(p, EVTCHN_FIFO_PENDING));
    q = new_ipi(0);
    EQ(q, p + 1);
    EQ(next_event(0), p);
    EQ(new_ipi(0), p);
    events_end();
}

/* What is pending when the ABI changes, and when its word comes, is not lost. */
TEST(fifo_pending_before_words) {
    int64_t p[3];

    events_begin();
    p[0] = new_ipi(0);
    EQ(send(p[0]), 0);
    TRUE(pending(p[0]));
    for (unsigned i = 0; i < WORDS; i++)
        words[i] = 0;
    for (unsigned q = 0; q < EVTCHN_FIFO_MAX_QUEUES; q++)
        blocks[0].head[q] = heads[0][q] = 0;
    blocks[0].ready = 0;
    EQ(control_of(0), 0);
    p[1] = new_ipi(0);
    p[2] = new_ipi(0);
    EQ(send(p[1]), 0);
    upcalls();
    EQ(expand_by(0), 0);
    EQ(consume_event(0), p[0]);
    EQ(consume_event(0), p[1]);
    EQ(consume_event(0), 0);
    EQ(upcalls(), 1);
    EQ(words[p[2]], 0);
    events_end();
}

/* Rubbish in every place that is shared: the guest's events are lost, and nothing else. */
TEST(fifo_rubbish) {
    int64_t p[3];

    fifo_begin();
    for (unsigned i = 0; i < COUNT(p); i++)
        p[i] = new_ipi(0);
    for (unsigned round = 0; round < 64; round++) {
        uint32_t noise = 0x9e3779b9u * (round + 1);

        for (unsigned i = 0; i < COUNT(p); i++) {
            words[p[i]] = noise ^ (noise << i);
            EQ(send(p[i]), 0);
            words[p[(i + 1) % 3]] = (noise >> i) | BIT(EVTCHN_FIFO_LINKED);
        }
        blocks[0].ready = noise;
        for (unsigned q = 0; q < EVTCHN_FIFO_MAX_QUEUES; q++)
            blocks[0].head[q] = noise * q;
        EQ(set_priority(p[round % 3], round % 16), 0);
        EQ(unmask(p[round % 3]), 0);
    }
    events_end();
    fifo_begin(); /* and a clean start is one */
    p[0] = new_ipi(0);
    EQ(send(p[0]), 0);
    EQ(consume_event(0), p[0]);
    events_end();
}

/* ---- other CPUs ---- */

static volatile bool stop;
static volatile unsigned arrived, got[2 * WORDS];

/* Other vCPUs may have the same real CPU; QEMU runs another of its CPUs after the instruction. */
static void yield(void) {
    __asm__ volatile("yield" ::: "memory");
    sched_op(SCHEDOP_yield, 0);
}
#define WAIT_BY_YIELDS(condition) WAIT_BY(condition, yield())

static void drain(unsigned intid) {
    unsigned cpu = cpu_number();
    uint32_t port;

    if (intid != PPI_UPCALL)
        return;
    info_of(cpu)->evtchn_upcall_pending = 0;
    dsb();
    while ((port = consume_event(cpu)))
        got[port]++;
}

static void drain_upcalls(void) {
    unsigned self = cpu_number();

    if (!registered[self])
        EQ(register_info(self), 0);
    registered[self] = true;
    EQ(control_of(self), 0);
    gic_enable(PPI_UPCALL, 0x80);
    cpus[self].on_irq = drain;
    irq_enable();
    delay_us(20);
    arrived++;
    /* Mostly runs when events come, and does not keep a real CPU from vCPU 0. */
    for (unsigned n = 1; !stop; n++)
        if (n % 64 == 0)
            yield();
    irq_disable();
    drain(PPI_UPCALL);
}

static void start_cpu_1(void) {
    stop = false;
    arrived = 0;
    for (unsigned i = 0; i < COUNT(got); i++)
        got[i] = 0;
    cpus[1] = (struct cpu){0};
    cpu_start(1, drain_upcalls);
    WAIT_BY_YIELDS(arrived);
}

static void end_cpu_1(void) {
    stop = true;
    cpu_join(1);
}

TEST_SMP(fifo_to_another_cpu) {
    int64_t p, q;

    fifo_begin();
    start_cpu_1();
    p = new_ipi(1);
    for (unsigned i = 1; i <= 200 && !failed(); i++) {
        EQ(send(p), 0);
        WAIT_BY_YIELDS(got[p] == i);
    }
    q = new_bound(DOMID_SELF, (uint32_t)new_unbound(DOMID_SELF));
    EQ(consume_event(0), q);
    upcalls();
    EQ(to_vcpu(q, 1), 0);
    EQ(send(status_of(q).u.interdomain.port), 0);
    WAIT_BY_YIELDS(got[q] == 1);
    EQ(upcalls(), 0);
    end_cpu_1();
    events_end();
}

static void scribble(void) {
    for (uint32_t n = 1; !stop; n++) {
        words[n % 8] = n * 0x9e3779b9u;
        blocks[0].head[n % EVTCHN_FIFO_MAX_QUEUES] = n;
        blocks[0].ready = n * 0x85ebca6bu;
        __atomic_fetch_xor(&words[(n + 3) % 8], BIT(EVTCHN_FIFO_LINKED), __ATOMIC_RELAXED);
    }
}

/* The same rubbish, written while events are sent. */
TEST_SMP(fifo_scribbled_over) {
    int64_t p[6];

    fifo_begin();
    for (unsigned i = 0; i < COUNT(p); i++)
        p[i] = new_ipi(i % 2);
    stop = false;
    cpu_start(1, scribble);
    for (unsigned i = 0; i < 2000; i++) {
        EQ(send(p[i % 6]), 0);
        EQ(unmask(p[(i + 1) % 6]), 0);
        EQ(set_priority(p[i % 6], i % 16), 0);
    }
    stop = true;
    cpu_join(1);
    events_end();
    fifo_begin();
    p[0] = new_ipi(0);
    EQ(send(p[0]), 0);
    EQ(consume_event(0), p[0]);
    events_end();
}

/* One port sent all the time while it moves from vCPU to vCPU and changes its priority. */
TEST_SMP(fifo_moves_under_load) {
    int64_t p;
    unsigned sent = 0;

    fifo_begin();
    start_cpu_1();
    me()->on_irq = drain;
    irq_enable();
    p = new_bound(DOMID_SELF, (uint32_t)new_unbound(DOMID_SELF));
    for (unsigned i = 0; i < 1000 && !failed(); i++) {
        uint64_t peer = status_of(p).u.interdomain.port;

        EQ(to_vcpu(p, i % 2), 0);
        EQ(set_priority(p, i % 16), 0);
        EQ(send((int64_t)peer), 0);
        sent++;
        if (i % 8 == 7)
            WAIT_BY_YIELDS(!(words[p] & (BIT(EVTCHN_FIFO_PENDING) | BIT(EVTCHN_FIFO_LINKED))));
    }
    WAIT_BY_YIELDS(!(words[p] & (BIT(EVTCHN_FIFO_PENDING) | BIT(EVTCHN_FIFO_LINKED))));
    TRUE(got[p] && got[p] <= sent + 1);
    irq_disable();
    end_cpu_1();
    EQ(blocks[0].ready | blocks[1].ready, 0);
    events_end();
}
