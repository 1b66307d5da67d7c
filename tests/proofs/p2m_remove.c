/*
 * Proof: p2m_unmap() of one to four pages, whatever is there, blocks and their splitting included.
 *
 * Bounds: those of p2m_world.h; one call with the GFN and number of the case.
 */
#include "p2m_world.h"

/* Of what is there, the first that may not be removed decides. */
static int expected(unsigned g, unsigned nr) {
    for (unsigned i = g; i < g + nr; i++) {
        if (i >= NR_GFNS)
            return -ENOENT;
        if (before.at[i].t == P2M_INVALID)
            return -ENOENT;
        if (is_grant(before.at[i].t))
            return -EILSEQ;
    }
    return 0;
}

void proof(void) {
    unsigned g = GFN, nr = NR;
    int rc, wanted;

    make_world();
    wanted = g + nr > NR_GFNS ? -ENOENT : expected(g, nr);
    rc = p2m_unmap(&p2m, gfn(g), nr);
    check_invariants();
    if (rc) {
        check_nothing_changed();
        CHECK(rc == wanted || (!wanted && rc == -ENOMEM && p2m.pool_free < ENOUGH_TABLES),
              "for this reason");
        return;
    }
    CHECK(!wanted, "only what is there and no grant is removed");
    for (unsigned i = 0; i < NR_GFNS; i++) {
        if (i < g || i >= g + nr) {
            check_same_entry(i);
            continue;
        }
        CHECK(walk(i).t == P2M_INVALID, "the entry is gone");
        check_let_go(before.at[i]);
    }
}
