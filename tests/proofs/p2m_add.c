/*
 * Proof: p2m_map() of one page or a block, onto whatever is there (add, replace).
 *
 * Bounds: those of p2m_world.h; one call with the GFN, first frame and order of the case, any type.
 */
#include "p2m_world.h"

#define NR (1u << ORDER)

static bool is_mappable(enum p2m_type t) {
    for (unsigned i = 0; is_tracked(t) && i < NR; i++) {
        const struct page_info *page = before.page + MFN + i;

        if (page->u.owner != &owner || !(page->count_info & PGC_allocated) ||
            !(page->count_info & PGC_xenheap) != !is_xenheap(t))
            return false;
    }
    return true;
}

static bool is_mapped(enum p2m_type t) {
    for (unsigned i = 0; is_tracked(t) && i < NR; i++)
        if (type_info_has_gfn(before.page[MFN + i].type_info))
            return true;
    return false;
}

/* Something is there that only its own unmap removes. */
static bool is_taken(void) {
    for (unsigned i = GFN; i < GFN + NR; i++)
        if (before.at[i].t != P2M_INVALID && !is_tracked(before.at[i].t))
            return true;
    return false;
}

static void check_success(enum p2m_type t) {
    CHECK(!p2m.dying, "no mapping into a dying domain");
    CHECK(is_mappable(t), "pages of the owner and of the type's kind");
    CHECK(!is_mapped(t), "mapped nowhere before");
    CHECK(!is_taken(), "only the domain's own is displaced");
    for (unsigned i = 0; i < NR_GFNS; i++) {
        if (i < GFN || i >= GFN + NR) {
            check_same_entry(i);
            continue;
        }
        CHECK(walk(i).t == t && walk(i).mfn == MFN + (i - GFN), "the entry is what was asked for");
        check_let_go(before.at[i]);
    }
}

static void check_failure(int rc, enum p2m_type t) {
    check_nothing_changed();
    if (rc == -EPERM)
        CHECK(p2m.dying || !is_mappable(t), "refused for a reason");
    else if (rc == -EBUSY)
        CHECK(is_mapped(t) || is_taken(), "busy for a reason");
    else
        CHECK(rc == -ENOMEM && p2m.pool_free < ENOUGH_TABLES, "nothing else can go wrong");
}

void proof(void) {
    enum p2m_type t = MFN == MMIO_MFN ? P2M_MMIO_DIRECT : ANY(enum p2m_type);
    int rc;

    ASSUME(t > P2M_INVALID && t < P2M_NR_TYPES);
    /* Whose frames they are is what the callers of these types know. */
    ASSUME((MFN == FOREIGN) == (is_foreign(t) || is_grant(t)));
    ASSUME((MFN == MMIO_MFN) == (t == P2M_MMIO_DIRECT));
    make_world();
    /* The caller's reference, which a foreign entry takes over. */
    if (is_foreign(t))
        world_frames.page[FOREIGN].count_info++;
    rc = p2m_map(&p2m, gfn(GFN), mfn(MFN), ORDER, t);
    if (rc && is_foreign(t))
        put_page(world_frames.page + FOREIGN);
    check_invariants();
    if (rc)
        check_failure(rc, t);
    else
        check_success(t);
}
