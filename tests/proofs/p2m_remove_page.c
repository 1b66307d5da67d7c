/*
 * Proof: p2m_unmap_page() and p2m_unmap_exact(), which remove an entry only where it leads to the
 * page that is meant.
 *
 * Bounds: those of p2m_world.h; one call with the frame of the case, and GFN and any set of types
 * or (ANYWHERE) wherever the page is; it is in nobody's writable use then.
 */
#include "p2m_world.h"

static void check_removed(unsigned g, unsigned m) {
    CHECK(before.at[g].t != P2M_INVALID && before.at[g].mfn == m, "the entry was the page's");
    CHECK(walk(g).t == P2M_INVALID, "the entry is gone");
    for (unsigned i = 0; i < NR_GFNS; i++)
        if (i != g)
            check_same_entry(i);
    check_let_go(before.at[g]);
}

static void remove_page_anywhere(void) {
    struct page_info *page = world_frames.page + MFN;
    gfn_t g;
    unsigned n = entries_of(MFN, &g);
    int rc;

    /* All of the word is known here, and told to the search as a constant. */
    ASSUME(page->type_info == type_info_gfn_field(g));
    page->type_info = type_info_gfn_field(g);
    rc = p2m_unmap_page(&p2m, page);
    if (!rc) {
        check_removed((unsigned)g.gfn, MFN);
        return;
    }
    check_nothing_changed();
    if (page->u.owner != &owner || !n)
        CHECK(rc == -ENOENT, "a page that is nowhere is told");
    else
        CHECK(rc == -ENOMEM && p2m.pool_free < ENOUGH_TABLES, "nothing else stands in the way");
}

static void remove_exactly(void) {
    struct found was = before.at[GFN];
    unsigned types = ANY(unsigned);
    int rc = p2m_unmap_exact(&p2m, gfn(GFN), mfn(MFN), types);

    if (!rc) {
        CHECK(types >> was.t & 1, "the entry was of a type that is meant");
        check_removed(GFN, MFN);
        return;
    }
    check_nothing_changed();
    if (was.t == P2M_INVALID)
        CHECK(rc == -ENOENT, "a hole is told");
    else if (was.mfn != MFN || !(types >> was.t & 1))
        CHECK(rc == -EILSEQ, "a mismatch is told");
    else
        CHECK(rc == -ENOMEM && p2m.pool_free < ENOUGH_TABLES, "nothing else stands in the way");
}

void proof(void) {
    make_world();
    if (ANYWHERE)
        remove_page_anywhere();
    else
        remove_exactly();
    check_invariants();
}
