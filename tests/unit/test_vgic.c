/* SOURCES: common/virt/vgic.c common/virt/vgic_lr.c common/virt/vgic_bank.c */
/* SOURCES: common/virt/vgic_dist.c common/virt/vgic_redist.c common/virt/vgic_v2.c common/lib/spinlock.c */
/* The virtual GIC: registers, delivery through list registers, more interrupts than list registers,
 * other CPUs. */
#include "vgic_world.h"

#define ISENABLER 0x100
#define ICENABLER 0x180
#define ISPENDR 0x200
#define ICPENDR 0x280
#define ISACTIVER 0x300
#define ICACTIVER 0x380

static int setup(void **state) {
    (void)state;
    world_make(3, 64);
    wr(GICD, 4, 3);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    world_drop();
    return 0;
}

/* ---- registers ---- */

static void identification(void **state) {
    (void)state;
    assert_int_equal(rd(0x0004, 4), 2 | 9 << 19 | 1 << 25);
    assert_int_equal(rd(0xffe8, 4), 0x3b);
    assert_int_equal(rd(GICR(1) + 0xffe8, 4), 0x3b);
    assert_int_equal(rd(0, 4), 0x53);
    wr(0, 4, 0);
    assert_int_equal(rd(0, 4), 0x50);
    assert_int_equal(rd(GICR(1) + 8, 8), 1ULL << 32 | 1 << 8);
    assert_int_equal(rd(GICR(2) + 8, 8), 2ULL << 32 | 2 << 8 | 1 << 4);
    assert_int_equal(rd(GICR(2) + 8, 4), 2 << 8 | 1 << 4);
    assert_int_equal(rd(GICR(2) + 12, 4), 2);
}

static void waker(void **state) {
    (void)state;
    assert_int_equal(rd(GICR(1) + 0x14, 4), 6);
    wr(GICR(1) + 0x14, 4, 0);
    assert_int_equal(rd(GICR(1) + 0x14, 4), 0);
    assert_int_equal(rd(GICR(0) + 0x14, 4), 6);
}

static void enable_of_all_sizes(void **state) {
    (void)state;
    wr(GICD + ISENABLER + 4, 1, 0x81);
    wr(GICD + ISENABLER + 6, 2, 0x8001);
    assert_int_equal(rd(GICD + ISENABLER + 4, 4), 0x80010081);
    assert_int_equal(rd(GICD + ICENABLER + 6, 2), 0x8001);
    assert_int_equal(rd(GICD + ICENABLER + 7, 1), 0x80);
    wr(GICD + ISENABLER + 8, 8, ~0ULL); /* bank 2, and one that is not there */
    assert_int_equal(rd(GICD + ISENABLER, 8), 0x8001008100000000);
    assert_int_equal(rd(GICD + ISENABLER + 8, 8), 0xffffffff);
    wr(GICD + ICENABLER + 4, 4, 0x80);
    assert_int_equal(rd(GICD + ISENABLER + 4, 4), 0x80010001);
}

static void priority_bytes(void **state) {
    (void)state;
    wr(GICD + 0x400 + 32, 4, 0xffa35207);
    assert_int_equal(rd(GICD + 0x400 + 32, 4), 0xf8a05000);
    wr(GICD + 0x400 + 34, 1, 0x10);
    assert_int_equal(rd(GICD + 0x400 + 32, 8), 0xf8105000);
    wr(GICD + 0x400, 4, ~0u); /* the private ones are not here */
    assert_int_equal(rd(GICD + 0x400, 4), 0);
    wr(SGI_FRAME(1) + 0x400 + 28, 4, 0x08101820);
    assert_int_equal(rd(SGI_FRAME(1) + 0x400 + 28, 4), 0x08101820);
    assert_int_equal(rd(SGI_FRAME(0) + 0x400 + 28, 4), 0);
}

static void configuration(void **state) {
    (void)state;
    assert_int_equal(rd(SGI_FRAME(0) + 0xc00, 4), 0xaaaaaaaa);
    wr(SGI_FRAME(0) + 0xc00, 4, 0);
    assert_int_equal(rd(SGI_FRAME(0) + 0xc00, 4), 0xaaaaaaaa);
    wr(SGI_FRAME(0) + 0xc04, 4, 0xffff0000);
    assert_int_equal(rd(SGI_FRAME(0) + 0xc04, 4), 0xaaaa0000);
    wr(GICD + 0xc0c, 4, 0x2);
    assert_int_equal(rd(GICD + 0xc0c, 4), 0x2);
    assert_int_equal(rd(GICD + 0xc08, 4), 0);
    assert_int_equal(rd(GICD + 0xc00, 4), 0);
    wr(GICD + 0xc0c, 1, 0);
    assert_int_equal(rd(GICD + 0xc0c, 4), 0);
}

static void groups_and_reserved(void **state) {
    (void)state;
    assert_int_equal(rd(GICD + 0x84, 4), ~0u);
    wr(GICD + 0x84, 4, 0xf0);
    assert_int_equal(rd(GICD + 0x84, 4), 0xf0);
    assert_int_equal(rd(GICD + 0x80, 4), 0);
    for (unsigned at = 0; at < 0x10000; at += 8) {
        wr(at == 0 ? 8 : at, 8, 0);
        rd(at, 8);
    }
    for (unsigned at = 0; at < 0x20000; at += 8) {
        wr(GICR(1) + at, 8, ~0ULL);
        rd(GICR(1) + at, 8);
    }
    assert_int_equal(rd(GICD + 0x800 + 32, 4), 0); /* ITARGETSR */
    assert_int_equal(rd(GICD + 0xd00, 8), 0);
}

static void routes(void **state) {
    (void)state;
    wr(GICD + 0x6000 + 8 * 40, 8, 0xff00ab0102ULL);
    assert_int_equal(rd(GICD + 0x6000 + 8 * 40, 8), 0xab0102);
    wr(GICD + 0x6000 + 8 * 40, 4, 2);
    assert_int_equal(rd(GICD + 0x6000 + 8 * 40, 8), 2);
    wr(GICD + 0x6000 + 8 * 31, 8, 1);
    assert_int_equal(rd(GICD + 0x6000 + 8 * 31, 8), 0);
    wr(GICD + 0x6000 + 8 * 96, 8, 1);
    assert_int_equal(rd(GICD + 0x6000 + 8 * 96, 8), 0);
}

static void last_interrupts(void **state) {
    (void)state;
    world_drop();
    world_make(1, 988);
    assert_int_equal(rd(4, 4) & 31, 31);
    wr(GICD + ISENABLER + 4 * 31, 4, ~0u);
    assert_int_equal(rd(GICD + ISENABLER + 4 * 31, 4), 0x0fffffff);
    wr(GICD + ISPENDR + 4 * 31, 4, ~0u);
    assert_int_equal(rd(GICD + ISPENDR + 4 * 31, 4), 0x0fffffff);
    assert_int_equal(vgic_init_domain(&dom, 989), -EINVAL);
}

/* ---- delivery ---- */

static void take(unsigned intid) {
    assert_int_equal(fake_ack(), intid);
}
static void end(unsigned intid) {
    fake_eoi(intid);
    return_to_guest();
}

static void level_spi(void **state) {
    (void)state;
    vgic_set_level(&dom, NULL, 40, true);
    assert_true(rd_bit(ISPENDR, 0, 40));
    assert_int_equal(fake_ack(), 1023); /* not enabled */
    wr_bit(ISENABLER, 0, 40);
    take(40);
    assert_true(rd_bit(ISACTIVER, 0, 40));
    assert_true(rd_bit(ISPENDR, 0, 40)); /* the line is still high */
    end(40);
    take(40); /* again */
    vgic_set_level(&dom, NULL, 40, false);
    assert_false(rd_bit(ISPENDR, 0, 40));
    assert_true(rd_bit(ISACTIVER, 0, 40));
    end(40);
    assert_int_equal(fake_ack(), 1023);
    assert_false(rd_bit(ISACTIVER, 0, 40));
}

static void level_withdrawn(void **state) {
    (void)state;
    wr_bit(ISENABLER, 0, 40);
    vgic_set_level(&dom, NULL, 40, true);
    vgic_set_level(&dom, NULL, 40, false);
    assert_int_equal(fake_ack(), 1023);
    wr_bit(ISPENDR, 0, 40); /* latched: the line does not matter */
    wr_bit(ICPENDR, 0, 40);
    assert_int_equal(fake_ack(), 1023);
    wr_bit(ISPENDR, 0, 40);
    take(40);
    end(40);
    assert_int_equal(fake_ack(), 1023);
}

static void edge_spi(void **state) {
    (void)state;
    wr(GICD + 0xc08, 4, 2u << 16);
    wr_bit(ISENABLER, 0, 40);
    vgic_set_level(&dom, NULL, 40, true);
    take(40);
    assert_false(rd_bit(ISPENDR, 0, 40));
    vgic_set_level(&dom, NULL, 40, false);
    vgic_set_level(&dom, NULL, 40, true); /* while active: pending again */
    assert_true(rd_bit(ISPENDR, 0, 40));
    assert_int_equal(fake_ack(), 1023);
    end(40);
    take(40);
    end(40);
    assert_int_equal(fake_ack(), 1023);
    vgic_inject_edge(&dom, NULL, 40);
    take(40);
    end(40);
}

/* No trap after the last end: the list register is stale, and must not hide the next event. */
static void silent_end(void **state) {
    (void)state;
    wr(GICD + 0xc08, 4, 2u << 16);
    wr_bit(ISENABLER, 0, 40);
    for (unsigned i = 0; i < 10; i++) {
        vgic_inject_edge(&dom, NULL, 40);
        take(40);
        fake_eoi(40);
        assert_false(vgic_has_pending(current));
    }
}

static void sgi_targets(void **state) {
    (void)state;
    vgic_sgi1r(vcpus[0], 5ULL << 24 | 0x6, 1);
    assert_int_equal(fake_ack(), 1023);
    all_return();
    for (unsigned i = 1; i < 3; i++) {
        on_cpu(i);
        take(5);
        end(5);
    }
    on_cpu(1);
    vgic_sgi1r(vcpus[1], 7ULL << 24 | 1ULL << 40, 1); /* all but self */
    assert_int_equal(fake_ack(), 1023);
    all_return();
    on_cpu(0);
    take(7);
    on_cpu(2);
    take(7);
    /* nobody: other clusters, other groups, a range of higher numbers */
    on_cpu(0);
    vgic_sgi1r(vcpus[0], 1ULL << 24 | 1ULL << 16 | 1, 1);
    vgic_sgi1r(vcpus[0], 1ULL << 24 | 1ULL << 32 | 1, 1);
    vgic_sgi1r(vcpus[0], 1ULL << 24 | 1ULL << 48 | 1, 1);
    vgic_sgi1r(vcpus[0], 1ULL << 24 | 1ULL << 44 | 1, 1);
    vgic_sgi1r(vcpus[0], 1ULL << 24 | 1, 0);
    vgic_sgi1r(vcpus[0], 1ULL << 24 | 0xfff8, 1);
    assert_int_equal(rd(SGI_FRAME(0) + ISPENDR, 4), 0);
}

static void sgi_clusters(void **state) {
    (void)state;
    world_drop();
    world_make(20, 0);
    wr(GICD, 4, 3);
    vgic_sgi1r(vcpus[0], 3ULL << 24 | 1ULL << 16 | 0xffff, 1);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(rd(SGI_FRAME(i) + ISPENDR, 4), i >= 16 ? 8 : 0);
    assert_int_equal(rd(GICR(17) + 12, 4), 0x101);
}

static void group_zero(void **state) {
    (void)state;
    wr(SGI_FRAME(0) + 0x80, 4, ~2u);
    vgic_sgi1r(vcpus[0], 1ULL << 24 | 1, 1); /* not the register for it */
    assert_int_equal(fake_ack(), 1023);
    vgic_sgi1r(vcpus[0], 1ULL << 24 | 1, 0);
    assert_false(fake_cpu[0].lr[0] & LR_GROUP1);
    take(1);
    end(1);
    wr(GICD, 4, 2);
    vgic_sgi1r(vcpus[0], 1ULL << 24 | 1, 0);
    assert_int_equal(fake_ack(), 1023);
    wr(GICD, 4, 1);
    take(1);
}

static void distributor_off(void **state) {
    (void)state;
    wr_bit(ISENABLER, 0, 40);
    vgic_set_level(&dom, NULL, 40, true);
    vgic_sgi1r(vcpus[0], 1, 1);
    wr(GICD, 4, 0);
    assert_int_equal(fake_ack(), 1023);
    assert_true(rd_bit(ISPENDR, 0, 40) && rd_bit(ISPENDR, 0, 0));
    wr(GICD, 4, 2);
    assert_int_not_equal(fake_ack(), 1023);
}

static void by_priority(void **state) {
    (void)state;
    for (unsigned i = 0; i < 20; i++)
        set_prio(0, 32 + i, (uint8_t)(0x98 - 8 * i));
    wr(GICD + ISENABLER + 4, 4, ~0u);
    for (unsigned i = 0; i < 20; i++) /* more and more urgent: each displaces one */
        vgic_set_level(&dom, NULL, 32 + i, true);
    for (unsigned i = 20; i--;) {
        take(32 + i);
        vgic_set_level(&dom, NULL, 32 + i, false);
        end(32 + i);
    }
    assert_int_equal(fake_ack(), 1023);
    assert_int_equal(fake_cpu[0].hcr, VHCR_EN);
}

/* Handlers interrupted by ever more urgent ones, deeper than there are list registers. */
static void nested(void **state) {
    (void)state;
    for (unsigned i = 0; i < 20; i++)
        set_prio(0, 32 + i, (uint8_t)(0xa0 - 8 * i));
    wr(GICD + ISENABLER + 4, 4, ~0u);
    for (unsigned i = 0; i < 20; i++) {
        wr_bit(ISPENDR, 0, 32 + i);
        take(32 + i);
    }
    assert_int_equal(rd(GICD + ISACTIVER + 4, 4), 0xfffff);
    for (unsigned i = 20; i--;) {
        end(32 + i);
        assert_int_equal(rd(GICD + ISACTIVER + 4, 4), (1u << i) - 1);
    }
    assert_int_equal(fake_cpu[0].hcr, VHCR_EN);
}

static void trapped_deactivation(void **state) {
    (void)state;
    for (unsigned i = 0; i < 8; i++)
        set_prio(0, 32 + i, (uint8_t)(0xa0 - 8 * i));
    wr(GICD + ISENABLER + 4, 4, ~0u);
    for (unsigned i = 0; i < 8; i++) {
        wr_bit(ISPENDR, 0, 32 + i);
        take(32 + i);
    }
    assert_true(fake_cpu[0].hcr & VHCR_TDIR);
    fake_cpu[0].depth = 0;
    for (unsigned i = 0; i < 8; i++) { /* in the wrong order */
        vgic_dir(current, 32 + i);
        assert_int_equal(rd(GICD + ISACTIVER + 4, 4), 0xff & ~((2u << i) - 1));
    }
    vgic_dir(current, 1023);
    vgic_dir(current, 0xffffff);
    assert_int_equal(fake_cpu[0].hcr, VHCR_EN);
}

static void active_by_register(void **state) {
    (void)state;
    wr_bit(ISENABLER, 0, 40);
    wr_bit(ISACTIVER, 0, 40);
    vgic_set_level(&dom, NULL, 40, true);
    assert_int_equal(fake_ack(), 1023);
    assert_true(rd_bit(ISACTIVER, 0, 40));
    wr_bit(ICACTIVER, 0, 40);
    take(40);
    wr_bit(ICACTIVER, 0, 40); /* under the handler's feet */
    assert_false(rd_bit(ICACTIVER, 0, 40));
}

/* ---- other CPUs ---- */

static void routed_away(void **state) {
    (void)state;
    wr_bit(ISENABLER, 0, 40);
    vgic_set_level(&dom, NULL, 40, true);
    wr(GICD + 0x6000 + 8 * 40, 8, 1);
    assert_int_equal(fake_ack(), 1023);
    all_return();
    on_cpu(1);
    take(40);
    /* moved on while its handler runs: ends here, comes back there */
    wr(GICD + 0x6000 + 8 * 40, 8, 2);
    end(40);
    assert_int_equal(fake_ack(), 1023);
    all_return();
    on_cpu(2);
    take(40);
    /* nowhere, and back */
    vgic_set_level(&dom, NULL, 40, false);
    end(40);
    wr(GICD + 0x6000 + 8 * 40, 8, 0x70);
    vgic_set_level(&dom, NULL, 40, true);
    all_return();
    assert_int_equal(fake_ack(), 1023);
    wr(GICD + 0x6000 + 8 * 40, 8, 0);
    all_return();
    on_cpu(0);
    take(40);
}

/* A register is written here while the interrupt is in a list register there. */
static void changed_from_afar(void **state) {
    (void)state;
    wr_bit(ISENABLER, 1, 20);
    wr(SGI_FRAME(1) + 0xc04, 4, 2u << 8);
    vgic_inject_edge(&dom, vcpus[1], 20);
    all_return();
    assert_int_equal((uint32_t)fake_cpu[1].lr[0], 20);
    wr_bit(ICENABLER, 1, 20); /* waits for CPU 1 */
    on_cpu(1);
    assert_int_equal(fake_ack(), 1023);
    on_cpu(0);
    wr_bit(ISENABLER, 1, 20);
    all_return();
    on_cpu(1);
    take(20);
    on_cpu(0);
    assert_true(rd_bit(ISACTIVER, 1, 20));
    assert_false(rd_bit(ISPENDR, 1, 20));
    vgic_inject_edge(&dom, vcpus[1], 20);
    assert_true(rd_bit(ISPENDR, 1, 20));
    on_cpu(1);
    end(20);
    take(20);
    on_cpu(0);
    wr_bit(ICACTIVER, 1, 20);
    assert_false(rd_bit(ISACTIVER, 1, 20));
    wr_bit(ISACTIVER, 1, 20);
    assert_true(rd_bit(ISACTIVER, 1, 20));
}

/* Its level stays high: what the write ended comes again, which hardware must be free to say. */
static void tied_timer_cleared_from_afar(void **state) {
    (void)state;
    assert_int_equal(vgic_map_hw(&dom, vcpus[1], 27, 27), 0);
    for (unsigned switched = 0; switched < 2; switched++) {
        timer_line = fake_cpu[1].phys_active[27] = true;
        on_cpu(1);
        vgic_set_level(&dom, vcpus[1], 27, true); /* disabled: in no list register */
        on_cpu(0);
        if (switched)
            switch_out(1);
        kicks = 0;
        wr_bit(ICPENDR, 1, 27); /* waits for CPU 1 */
        assert_int_equal(kicks, !switched);
        if (switched)
            switch_in(1);
        assert_false(fake_cpu[1].phys_active[27]);
        assert_false(vcpus[1]->vgic.resync);
    }
}

static void off_its_cpu(void **state) {
    (void)state;
    wr_bit(ISENABLER, 1, 20);
    vgic_set_level(&dom, vcpus[1], 20, true);
    all_return();
    switch_out(1);
    assert_int_equal(fake_cpu[1].hcr, 0);
    for (unsigned i = 0; i < FAKE_LRS; i++)
        assert_int_equal(fake_cpu[1].lr[i] & LR_STATE, 0);
    assert_true(vgic_has_pending(vcpus[1]));
    vgic_set_level(&dom, vcpus[1], 20, false);
    assert_false(vgic_has_pending(vcpus[1]));
    kicks = 0;
    vgic_set_level(&dom, vcpus[1], 20, true);
    assert_int_equal(kicks, 1);
    assert_true(vcpus[1]->work & VCPU_WORK_IRQ);
    switch_in(1);
    on_cpu(1);
    take(20);
}

/* ---- waiting ---- */

static void ends_a_wfi(void **state) {
    (void)state;
    assert_false(vgic_has_pending(current));
    vgic_set_level(&dom, NULL, 40, true);
    assert_false(vgic_has_pending(current));
    wr_bit(ISENABLER, 0, 40);
    assert_true(vgic_has_pending(current));
    fake_cpu[0].vmcr &= ~VMCR_ENG1;
    assert_false(vgic_has_pending(current));
    fake_cpu[0].vmcr |= VMCR_ENG1;
    set_prio(0, 40, 0xf8);
    wr_bit(ICENABLER, 0, 40);
    wr_bit(ISENABLER, 0, 40);
    assert_false(vgic_has_pending(current)); /* at the mask's priority */
    set_prio(0, 40, 0xf0);
    wr_bit(ICENABLER, 0, 40);
    wr_bit(ISENABLER, 0, 40);
    take(40);
    assert_false(vgic_has_pending(current));
}

/* With nobody else to run, a vCPU waits with its state loaded. */
static void wakes_in_place(void **state) {
    (void)state;
    wr_bit(ISENABLER, 0, 20);
    vcpus[0]->state = VCPU_BLOCKED;
    kicks = 0;
    vgic_set_level(&dom, vcpus[0], 21, true);
    assert_int_equal(kicks, 0);
    vgic_set_level(&dom, vcpus[0], 20, true);
    assert_int_equal(kicks, 1);
    wr_bit(ISENABLER, 0, 40);
    kicks = 0;
    vgic_set_level(&dom, NULL, 40, true);
    assert_int_equal(kicks, 1);
    on_cpu(1);
    vgic_set_level(&dom, NULL, 40, false);
    vgic_set_level(&dom, NULL, 40, true);
    kicks = 0;
    on_cpu(0);
    vgic_flush(vcpus[0]);
    assert_true(vgic_has_pending(vcpus[0]));
}

/* ---- physical interrupts ---- */

static void tied_timer(void **state) {
    (void)state;
    assert_int_equal(vgic_map_hw(&dom, vcpus[0], 27, 27), 0);
    assert_int_equal(vgic_map_hw(&dom, vcpus[0], 27, 27), -EBUSY);
    assert_int_equal(vgic_map_hw(&dom, vcpus[0], 32, 27), -EINVAL);
    assert_int_equal(vgic_map_hw(&dom, NULL, 96, 70), -EINVAL);
    wr_bit(ISENABLER, 0, 27);
    for (unsigned i = 0; i < 3; i++) {
        timer_line = fake_cpu[0].phys_active[27] = true;
        vgic_set_level(&dom, vcpus[0], 27, true);
        assert_true(fake_cpu[0].lr[0] & LR_HW);
        take(27);
        timer_line = false;
        fake_eoi(27); /* no trap */
        assert_false(fake_cpu[0].phys_active[27]);
    }
    assert_false(rd_bit(ISPENDR, 0, 27));
}

static void tied_timer_switched(void **state) {
    (void)state;
    assert_int_equal(vgic_map_hw(&dom, vcpus[0], 27, 27), 0);
    wr_bit(ISENABLER, 0, 27);
    timer_line = fake_cpu[0].phys_active[27] = true;
    vgic_set_level(&dom, vcpus[0], 27, true);
    switch_out(0);
    assert_false(fake_cpu[0].phys_active[27]);
    switch_in(0);
    assert_true(fake_cpu[0].phys_active[27]);
    take(27);
    switch_out(0);
    assert_false(fake_cpu[0].phys_active[27]);
    switch_in(0);
    assert_true(fake_cpu[0].phys_active[27]);
    timer_line = false;
    end(27);
    switch_out(0);
    switch_in(0);
    assert_false(fake_cpu[0].phys_active[27]);
}

/* What a guest made pending at the source and has not taken goes where its vCPU goes. */
static void tied_timer_asked_for(void **state) {
    (void)state;
    assert_int_equal(vgic_map_hw(&dom, vcpus[0], 27, 27), 0);
    wr_bit(ISENABLER, 0, 27);
    wr_bit(ISPENDR, 0, 27);
    assert_int_equal(fake_pended, 27);
    switch_out(0);
    assert_int_equal(fake_pended, 0); /* the next one here has no such interrupt */
    switch_in(0);
    assert_int_equal(fake_pended, 27);

    switch_out(0);
    on_cpu(1);
    wr_bit(ICPENDR, 0, 27);
    on_cpu(0);
    switch_in(0);
    assert_int_equal(fake_pended, 0);
}

/* The guest polls: its interrupt is off at the redistributor, its pending bit follows the timer. */
static void tied_timer_polled(void **state) {
    (void)state;
    assert_int_equal(vgic_map_hw(&dom, vcpus[0], 27, 27), 0);
    for (unsigned enabled = 0; enabled < 2; enabled++) {
        timer_line = fake_cpu[0].phys_active[27] = true;
        vgic_set_level(&dom, vcpus[0], 27, true);
        assert_true(rd_bit(ISPENDR, 0, 27));
        assert_int_equal(vgic_has_pending(current), enabled);
        timer_line = false;
        assert_false(rd_bit(ISPENDR, 0, 27));
        assert_false(fake_cpu[0].phys_active[27]); /* it can come again */
        assert_int_equal(fake_ack(), 1023);
        wr_bit(ISENABLER, 0, 27);
    }
}

static void tied_spi(void **state) {
    (void)state;
    assert_int_equal(vgic_map_hw(&dom, NULL, 40, 70), 0);
    wr_bit(ISENABLER, 0, 40);
    wr_bit(ISPENDR, 0, 40);
    assert_int_equal(fake_pended, 70);
    for (unsigned i = 0; i < 3; i++) { /* it comes on a CPU where its vCPU is not */
        fake_spi_active[70] = true;
        on_cpu(1);
        vgic_set_level(&dom, NULL, 40, true);
        all_return();
        on_cpu(0);
        take(40);
        fake_eoi(40);
        assert_false(fake_spi_active[70]);
    }
    fake_spi_active[70] = true;
    vgic_set_level(&dom, NULL, 40, true);
    vgic_unmap_hw(&dom, NULL, 40);
    assert_false(fake_spi_active[70]);
    assert_int_equal(fake_ack(), 1023);
}

/* Each edge is one interrupt, on whatever CPU it comes, and however fast after the last one's end.
 */
static void tied_edge_spi(void **state) {
    (void)state;
    assert_int_equal(vgic_map_hw(&dom, NULL, 40, 70), 0);
    wr(GICD + 0xc00 + 4 * (40 / 16), 4, 2u << 2 * (40 % 16));
    wr_bit(ISENABLER, 0, 40);
    for (unsigned i = 0; i < 8; i++) {
        fake_spi_active[70] = true;
        on_cpu(i / 2 % 2);
        vgic_set_level(&dom, NULL, 40, true);
        all_return();
        on_cpu(0);
        take(40);
        fake_eoi(40);
        assert_false(fake_spi_active[70]);
        assert_int_equal(fake_ack(), 1023);
    }
    assert_false(rd_bit(ISPENDR, 0, 40));
}

/* A second event without a second trap costs one list register write. */
static void cheap_self_sgi(void **state) {
    (void)state;
    vgic_sgi1r(vcpus[0], 1, 1);
    take(0);
    fake_eoi(0);
    fake_cpu[0].writes = 0;
    vgic_sgi1r(vcpus[0], 1, 1);
    assert_int_equal(fake_cpu[0].writes, 1);
    assert_false(vcpus[0]->work);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    static const struct CMUnitTest tests[] = {
        T(identification),
        T(waker),
        T(enable_of_all_sizes),
        T(priority_bytes),
        T(configuration),
        T(groups_and_reserved),
        T(routes),
        T(last_interrupts),
        T(level_spi),
        T(level_withdrawn),
        T(edge_spi),
        T(silent_end),
        T(sgi_targets),
        T(sgi_clusters),
        T(group_zero),
        T(distributor_off),
        T(by_priority),
        T(nested),
        T(trapped_deactivation),
        T(active_by_register),
        T(routed_away),
        T(changed_from_afar),
        T(tied_timer_cleared_from_afar),
        T(off_its_cpu),
        T(ends_a_wfi),
        T(wakes_in_place),
        T(tied_timer),
        T(tied_timer_switched),
        T(tied_timer_polled),
        T(tied_timer_asked_for),
        T(tied_spi),
        T(tied_edge_spi),
        T(cheap_self_sgi),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
