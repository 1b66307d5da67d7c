/* SOURCES: common/virt/vgic.c common/virt/vgic_lr.c common/virt/vgic_bank.c */
/* SOURCES: common/virt/vgic_dist.c common/virt/vgic_redist.c common/virt/vgic_v2.c */
/* SOURCES: common/lib/spinlock.c */
/* What a GICv2 has and a GICv3 has not: its distributor's registers, targets, and SGIs of several
 * senders. */
#include "vgic_world.h"

#define SGIR 0xf00
#define CPENDSGIR 0xf10
#define SPENDSGIR 0xf20
#define ITARGETSR 0x800
#define ISPENDR 0x200
#define ICPENDR 0x280
#define ISACTIVER 0x300
#define DIR 0x10000 /* the page after GICV's first */

#define OTHERS 1u << 24
#define SELF 2u << 24
#define TO(cpus) (cpus) << 16
#define IAR(sgi, from) ((sgi) | (from) << 10)

static int setup(void **state) {
    (void)state;
    fake_ops.version = 2;
    mapped_pages = 0;
    world_make(3, 64);
    wr(GICD, 4, 3);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    world_drop();
    return 0;
}

static void send(unsigned from, uint32_t what) {
    on_cpu(from);
    wr(SGIR, 4, what);
    all_return();
}

/* What CPU `cpu` takes now, which it ends at once. */
static unsigned take(unsigned cpu) {
    unsigned iar;

    on_cpu(cpu);
    iar = fake_ack();
    if (iar != 1023)
        fake_eoi(iar);
    return_to_guest();
    return iar;
}

static void identification(void **state) {
    (void)state;
    assert_int_equal(rd(0x4, 4), 2 | 2 << 5);
    assert_int_equal(rd(0x8, 4) & 0xfff, 0x43b);
    assert_int_equal(rd(0xfe8, 4), 0x2b);
    assert_int_equal(rd(0, 4), 3);
    wr(0, 4, ~0u);
    assert_int_equal(rd(0, 4), 3);
    assert_int_equal(rd(0x84, 4), 0); /* everything is group 0 after reset */
    assert_int_equal(mapped_pages, 1);
}

static void no_more_than_eight(void **state) {
    struct domain d = {.max_vcpus = 9};

    (void)state;
    assert_int_equal(vgic_max_vcpus(), 8);
    assert_int_equal(vgic_init_domain(&d, 32), -EINVAL);
}

/* Also what is not there. */
static void every_register(void **state) {
    (void)state;
    for (unsigned size = 1; size <= 4; size *= 2)
        for (unsigned at = 4; at < 0x1000; at += size) {
            wr(at, size, at >= 0xf00 ? 0 : ~0u);
            rd(at, size);
        }
    for (unsigned at = 8; at < 0xf00; at += 8) { /* two registers at once */
        wr(at, 8, ~0ULL);
        rd(at, 8);
    }
    all_return();
}

static void private_registers_are_the_readers(void **state) {
    (void)state;
    wr_bit(0x100, 0, 27);
    set_prio(0, 27, 0x80);
    assert_true(rd_bit(0x100, 0, 27));
    on_cpu(1);
    assert_false(rd_bit(0x100, 1, 27));
    assert_int_equal(rd(0x400 + 27, 1), 0);
    wr(0x100, 4, 1u << 28);
    on_cpu(0);
    assert_false(rd(0x180, 4) >> 28 & 1);
    assert_int_equal(rd(0xc00, 4), 0xaaaaaaaa);
}

static void targets(void **state) {
    (void)state;
    for (unsigned cpu = 0; cpu < 3; cpu++) {
        on_cpu(cpu);
        wr(ITARGETSR + 4, 4, ~0u);
        assert_int_equal(rd(ITARGETSR + 4, 4), 0x01010101u << cpu);
        assert_int_equal(rd(ITARGETSR + 31, 1), 1u << cpu);
    }
    assert_int_equal(rd(ITARGETSR + 32, 4), 0x01010101);
    wr(ITARGETSR + 33, 1, 0xff);
    assert_int_equal(rd(ITARGETSR + 32, 4), 0x01010701);
    wr(ITARGETSR + 34, 2, 0x0402);
    assert_int_equal(rd(ITARGETSR + 32, 4), 0x04020701);
    wr(ITARGETSR + 96, 4, ~0u); /* past the last interrupt */
    assert_int_equal(rd(ITARGETSR + 96, 4), 0);
}

/* An SPI goes where it is sent; with no target it waits for one. */
static void spi_follows_its_target(void **state) {
    (void)state;
    wr_bit(0x100, 0, 40);
    wr(ITARGETSR + 40, 1, 6);
    vgic_inject_edge(&dom, NULL, 40);
    all_return();
    assert_int_equal(take(2), 1023);
    assert_int_equal(take(1), 40);
    wr(ITARGETSR + 40, 1, 0);
    vgic_inject_edge(&dom, NULL, 40);
    all_return();
    for (unsigned cpu = 0; cpu < 3; cpu++)
        assert_int_equal(take(cpu), 1023);
    wr(ITARGETSR + 40, 1, 4);
    all_return();
    assert_int_equal(take(2), 40);
}

static void lone_cpu_has_no_targets(void **state) {
    (void)state;
    world_drop();
    world_make(1, 32);
    wr(GICD, 4, 1);
    wr(ITARGETSR + 40, 1, 0);
    assert_int_equal(rd(ITARGETSR + 40, 4), 0);
    assert_int_equal(rd(ITARGETSR, 4), 0);
    wr_bit(0x100, 0, 40);
    vgic_inject_edge(&dom, NULL, 40);
    assert_int_equal(take(0), 40);
}

static void sgi_filters(void **state) {
    (void)state;
    send(1, TO(0xfd) | 5);
    assert_int_equal(take(0), IAR(5, 1));
    assert_int_equal(take(1), 1023);
    assert_int_equal(take(2), IAR(5, 1));
    send(2, OTHERS | TO(4) | 6);
    assert_int_equal(take(0), IAR(6, 2));
    assert_int_equal(take(1), IAR(6, 2));
    assert_int_equal(take(2), 1023);
    send(2, SELF | TO(3) | 7);
    assert_int_equal(take(0), 1023);
    assert_int_equal(take(2), IAR(7, 2));
    send(2, 3u << 24 | TO(7) | 7);
    for (unsigned cpu = 0; cpu < 3; cpu++)
        assert_int_equal(take(cpu), 1023);
}

/* Each sender's comes once, also while that of another is in the list register or active. */
static void sgi_of_several_senders(void **state) {
    unsigned first;

    (void)state;
    send(2, TO(1) | 3);
    send(1, TO(1) | 3);
    send(1, TO(1) | 3);
    assert_int_equal(rd(SPENDSGIR + 3, 1), 0); /* CPU 1's own */
    on_cpu(0);
    assert_int_equal(rd(SPENDSGIR + 3, 1), 6);
    assert_int_equal(rd(ISPENDR, 4), 8);
    first = fake_ack();
    assert_true(first == IAR(3, 1) || first == IAR(3, 2));
    send(first >> 10, TO(1) | 3); /* again, while it is active */
    on_cpu(0);
    assert_int_equal(rd(SPENDSGIR + 3, 1), 6);
    assert_int_equal(rd(ISACTIVER, 4), 8);
    fake_eoi(first);
    return_to_guest();
    assert_int_equal(take(0) + take(0), IAR(3, 1) + IAR(3, 2));
    assert_int_equal(take(0), 1023);
    assert_int_equal(rd(SPENDSGIR + 3, 1), 0);
}

static void sgi_pending_registers(void **state) {
    (void)state;
    wr(SPENDSGIR + 4, 4, 0xff000006); /* SGIs 4 and 7; only three CPUs are there */
    assert_int_equal(rd(SPENDSGIR + 4, 4), 0x07000006);
    assert_int_equal(rd(CPENDSGIR + 4, 4), 0x07000006);
    assert_int_equal(rd(ISPENDR, 4), 0x90);
    wr(CPENDSGIR + 7, 1, 5);
    wr(CPENDSGIR + 4, 1, 2);
    assert_int_equal(rd(SPENDSGIR + 4, 4), 0x02000004);
    wr(ICPENDR, 4, 0xffff); /* not by these */
    wr(ISPENDR, 4, 0xffff);
    assert_int_equal(rd(ISPENDR, 4), 0x90);
    assert_int_equal(take(0), IAR(4, 2));
    wr(CPENDSGIR + 4, 4, ~0u);
    assert_int_equal(take(0), 1023);
    on_cpu(1);
    assert_int_equal(rd(SPENDSGIR + 4, 4), 0);
}

/* Of a vCPU that does not run: it finds it when it comes. */
static void sgi_to_one_that_is_away(void **state) {
    (void)state;
    switch_out(1);
    send(0, TO(2) | 1);
    send(2, TO(2) | 1);
    switch_in(1);
    assert_int_equal(take(1) + take(1), IAR(1, 0) + IAR(1, 2));
    assert_int_equal(take(1), 1023);
}

static void deactivation(void **state) {
    unsigned iar;

    (void)state;
    send(1, TO(1) | 2);
    on_cpu(0);
    iar = fake_ack();
    fake_this()->depth--; /* EOImode 1: the priority drops, no more */
    assert_int_equal(rd(ISACTIVER, 4), 4);
    assert_int_equal(rd(DIR, 4), 0);
    wr(DIR + 4, 4, iar); /* nothing is there */
    assert_int_equal(rd(ISACTIVER, 4), 4);
    wr(DIR, 4, iar);
    assert_int_equal(rd(ISACTIVER, 4), 0);
    wr(DIR, 4, ~0u);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    static const struct CMUnitTest tests[] = {
        T(identification),
        T(no_more_than_eight),
        T(every_register),
        T(private_registers_are_the_readers),
        T(targets),
        T(spi_follows_its_target),
        T(lone_cpu_has_no_targets),
        T(sgi_filters),
        T(sgi_of_several_senders),
        T(sgi_pending_registers),
        T(sgi_to_one_that_is_away),
        T(deactivation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
