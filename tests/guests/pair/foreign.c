/* A domain maps pages of the other one, if it may. */
#include "pair.h"

#define SHOWN ((RAM + 0x2800000) >> 12) /* the page of the other domain */
#define AT(n) HOLE_GFN(80 + (n))
#define STORY(n) (0x5746000 + (n))

static volatile uint64_t *words(uint64_t gfn) {
    return (volatile uint64_t *)(gfn << 12);
}

static int64_t add_foreign(unsigned whose, uint64_t gfn, uint64_t at) {
    struct xen_add_to_physmap_batch op = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_gmfn_foreign, .size = 1};
    xen_ulong_t idx = gfn;
    xen_pfn_t gpfn = at;
    int err = 1;

    op.u.foreign_domid = (domid_t)whose;
    op.idxs.p = &idx;
    op.gpfns.p = &gpfn;
    op.errs.p = &err;
    EQ(memory_op(XENMEM_add_to_physmap_batch, &op), 0);
    return err;
}

static void refused(void) {
    EQ(add_foreign(self(), SHOWN, AT(0)), -XEN_EINVAL);
    EQ(add_foreign(DOMID_SELF, SHOWN, AT(0)), -XEN_EINVAL);
    EQ(add_foreign(0x1234, SHOWN, AT(0)), -XEN_ESRCH);
    EQ(take(AT(0)), -XEN_ENOENT);
}

/* Since the other domain's last life: its page is still there, with what it wrote. */
static unsigned story;

static void map_and_look(void) {
    xen_pfn_t hole = AT(3);

    if (story) {
        EQ(words(AT(2))[0], STORY(story));
        EQ(take(AT(2)), 0);
    }
    story++;
    EQ(add_foreign(other(), SHOWN, AT(1)), 0);
    EQ(add_foreign(other(), SHOWN, AT(2)), 0); /* twice is no harm */
    EQ(words(AT(1))[0], STORY(0));
    words(AT(1))[1] = STORY(1);
    EQ(words(AT(2))[1], STORY(1));
    words(AT(2))[0] = STORY(story);
    EQ(add_foreign(other(), SHOWN, AT(1)), -XEN_EBUSY); /* a foreign page is not displaced */
    EQ(add_foreign(other(), hole, AT(3)), -XEN_EINVAL); /* nothing there */
    EQ(add_foreign(other(), ~0ULL, AT(3)), -XEN_EINVAL);
    EQ(add_foreign(other(), VPL011 >> 12, AT(3)), -XEN_EINVAL);
    EQ(add_foreign(other(), SHOWN, ~0ULL >> 12), -XEN_EINVAL);
    EQ(add(XENMAPSPACE_grant_table, 0, AT(1)), -XEN_EBUSY);
    EQ(take(AT(1)), 0);
    EQ(take(AT(1)), -XEN_ENOENT);
    /* The one at AT(2) stays, when the other domain ends too. */
}

TEST(pair_foreign) {
    int64_t rc;

    if (role() == 1) {
        words(SHOWN)[0] = STORY(0);
        words(SHOWN)[1] = 0;
    }
    barrier();
    if (role() == 0) {
        refused();
        rc = add_foreign(other(), SHOWN, AT(0));
        print("foreign: %lu\n", (uint64_t)-rc);
        if (!rc) {
            EQ(take(AT(0)), 0);
            map_and_look();
        }
    }
    barrier();
    if (role() == 1)
        print("foreign saw 0x%lx\n", words(SHOWN)[1]);
}
