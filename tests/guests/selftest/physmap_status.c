/*
 * Status frames of the grant table: xenheap pages that come with version 2 and go with version 1,
 * while the guest has them mapped. Where the domain may not choose version 2 these tests are skipped.
 */
#include "physmap.h"

#define STATUS(n) (XENMAPIDX_grant_table_status | (n))

static int64_t set_version(uint32_t version) {
    struct gnttab_set_version op = {.version = version};

    return grant_table_op(GNTTABOP_set_version, &op, 1);
}

static uint32_t get_version(void) {
    struct gnttab_get_version op = {.dom = DOMID_SELF};

    EQ(grant_table_op(GNTTABOP_get_version, &op, 1), 0);
    return op.version;
}

/* True in version 2; a test that got it ends with leave(). */
static bool enter(void) {
    int64_t rc = set_version(2);

    if (rc == -XEN_ENOSYS) {
        skip("version 1 only");
        return false;
    }
    EQ(rc, 0);
    EQ(get_version(), 2);
    return !failed();
}

static void leave(void) {
    EQ(set_version(1), 0);
    EQ(get_version(), 1);
}

/* Where status frame n is reported to be; there must be so many. */
static uint64_t reported(unsigned n) {
    uint64_t frames[8];
    struct gnttab_get_status_frames op = {.dom = DOMID_SELF, .nr_frames = n + 1};

    op.frame_list.p = frames;
    EQ(grant_table_op(GNTTABOP_get_status_frames, &op, 1), 0);
    EQ(op.status, GNTST_okay);
    return frames[n];
}

static bool is_hole(uint64_t gfn) {
    TRY((void)*(volatile uint64_t *)word_at(gfn));
    return me()->caught.ec == EC_DATA;
}

TEST(status_frames_go_while_mapped) {
    uint64_t g = HOLE_GFN(0);

    if (!enter())
        return;
    EQ(set_version(2), 0); /* nothing to do */
    EQ(reported(0), ~0ULL);
    EQ(add(XENMAPSPACE_grant_table, STATUS(0), g), 0);
    EQ(reported(0), g);
    EQ(add(XENMAPSPACE_grant_table, STATUS(0), HOLE_GFN(1)), -XEN_EBUSY);
    EQ(*word_at(g), 0);
    *word_at(g) = 0x1234;
    leave();
    TRUE(is_hole(g));
    EQ(take(g), -XEN_ENOENT);
    EQ(add(XENMAPSPACE_grant_table, STATUS(0), g), -XEN_EINVAL);
    /* Its place is free for something else, which the next change leaves alone. */
    EQ(add(XENMAPSPACE_shared_info, 0, g), 0);
    *word_at(g) = 0x5678;
    TRUE(enter());
    EQ(reported(0), ~0ULL);
    EQ(add(XENMAPSPACE_grant_table, STATUS(0), HOLE_GFN(1)), 0);
    EQ(*word_at(HOLE_GFN(1)), 0);
    leave();
    EQ(*word_at(g), 0x5678);
    *word_at(g) = 0;
    EQ(take(g), 0);
    TRUE(is_hole(HOLE_GFN(1)));
}

TEST(status_frames_displace_and_are_displaced) {
    uint64_t g = spare_gfn(0), pages = (uint64_t)question(XENMEM_current_reservation);

    if (!enter())
        return;
    EQ(add(XENMAPSPACE_grant_table, STATUS(0), g), 0); /* over RAM, which goes back */
    EQ(question(XENMEM_current_reservation), pages - 1);
    EQ(add(XENMAPSPACE_shared_info, 0, g), 0);
    EQ(reported(0), ~0ULL);
    *word_at(g) = 0x77;
    leave(); /* the frame that was there once does not take what is there now */
    EQ(*word_at(g), 0x77);
    *word_at(g) = 0;
    TRUE(enter());
    EQ(add(XENMAPSPACE_grant_table, STATUS(0), g), 0);
    EQ(add(XENMAPSPACE_shared_info, 0, HOLE_GFN(0)), 0); /* it had lost its place */
    EQ(take(HOLE_GFN(0)), 0);
    leave();
    TRUE(is_hole(g));
    restore(g);
    EQ(question(XENMEM_current_reservation), pages);
}

/* A frame of version 2 has 256 grants: the ninth needs a second page of status. */
TEST(status_frames_grow_while_mapped) {
    if (!enter())
        return;
    EQ(add(XENMAPSPACE_grant_table, STATUS(0), HOLE_GFN(0)), 0);
    *word_at(HOLE_GFN(0)) = 0x99;
    EQ(add(XENMAPSPACE_grant_table, STATUS(1), HOLE_GFN(1)), -XEN_EINVAL);
    EQ(add(XENMAPSPACE_grant_table, 8, HOLE_GFN(2)), 0);
    EQ(add(XENMAPSPACE_grant_table, STATUS(1), HOLE_GFN(1)), 0);
    EQ(reported(0), HOLE_GFN(0));
    EQ(reported(1), HOLE_GFN(1));
    EQ(*word_at(HOLE_GFN(0)), 0x99);
    EQ(take(HOLE_GFN(0)), 0);
    EQ(reported(0), ~0ULL);
    leave();
    TRUE(is_hole(HOLE_GFN(0)));
    TRUE(is_hole(HOLE_GFN(1)));
    /* Frames of the table itself stay. */
    EQ(*word_at(HOLE_GFN(2)), 0);
    EQ(take(HOLE_GFN(2)), 0);
}

TEST(status_frames_bad_arguments) {
    struct gnttab_get_status_frames op = {.dom = DOMID_SELF, .nr_frames = 9};
    uint64_t frames[9];

    if (!enter())
        return;
    op.frame_list.p = frames;
    EQ(grant_table_op(GNTTABOP_get_status_frames, &op, 1), 0);
    EQ(op.status, GNTST_general_error); /* not so many */
    op.nr_frames = 1;
    op.frame_list.p = (uint64_t *)NOTHING;
    EQ(grant_table_op(GNTTABOP_get_status_frames, &op, 1), 0);
    EQ(op.status, GNTST_bad_virt_addr);
    op.dom = 0x1234;
    EQ(grant_table_op(GNTTABOP_get_status_frames, &op, 1), 0);
    EQ(op.status, GNTST_bad_domain);
    EQ(add(XENMAPSPACE_grant_table, STATUS(16), HOLE_GFN(0)), -XEN_EINVAL);
    EQ(set_version(0), -XEN_EINVAL);
    EQ(set_version(3), -XEN_EINVAL);
    EQ(get_version(), 2);
    leave();
    op.dom = DOMID_SELF;
    op.frame_list.p = frames;
    EQ(grant_table_op(GNTTABOP_get_status_frames, &op, 1), 0);
    EQ(op.status, GNTST_general_error);
}

/* One CPU changes the version back and forth while another maps what comes and goes with it. */
static void place_status(void) {
    uint64_t frame;
    struct gnttab_get_status_frames op = {.dom = DOMID_SELF, .nr_frames = 1};

    op.frame_list.p = &frame;
    for (unsigned i = 0; i < 300; i++) {
        add(XENMAPSPACE_grant_table, STATUS(0), HOLE_GFN(40 + i % 2));
        add(XENMAPSPACE_shared_info, 0, HOLE_GFN(40 + i % 3));
        grant_table_op(GNTTABOP_get_status_frames, &op, 1);
        take(HOLE_GFN(40 + i % 3));
    }
}

static void change(void) {
    for (unsigned i = 0; i < 300; i++) {
        set_version(1 + i % 2);
        add(XENMAPSPACE_grant_table, i % 3, HOLE_GFN(40 + i % 3));
    }
}

static void race(void) {
    if (cpu_number())
        place_status();
    else
        change();
}

TEST_SMP(status_frames_race) {
    if (!enter())
        return;
    cpu_start(1, race);
    race();
    cpu_join(1);
    for (unsigned i = 0; i < 3; i++)
        take(HOLE_GFN(40 + i));
    set_version(2);
    EQ(reported(0), ~0ULL);
    EQ(add(XENMAPSPACE_grant_table, STATUS(0), HOLE_GFN(40)), 0);
    EQ(add(XENMAPSPACE_shared_info, 0, HOLE_GFN(41)), 0);
    leave();
    TRUE(is_hole(HOLE_GFN(40)));
    EQ(take(HOLE_GFN(41)), 0);
}
