/* The audit, and a summary. The audit: every invariant of docs/memory.md that can be seen from one
 * p2m. */
#include <hv/bits.h>
#include <hv/p2m.h>
#include <hv/printk.h>

#include "p2m_internal.h"

#define AUDIT_MAX_LINES 16u

struct audit {
    struct p2m *p2m;
    unsigned breaches;
    uint64_t tracked_pages; /* seen in the table */
    uint64_t grants;        /* likewise */
};

static void breach(struct audit *a, const char *what, gfn_t g, mfn_t m) {
    if (a->breaches++ < AUDIT_MAX_LINES)
        printk("audit: d%u: %s: gfn %#llx mfn %#llx\n", a->p2m->owner->domid, what,
               (unsigned long long)g.gfn, (unsigned long long)m.mfn);
}

/* Invariant 1 from the table's side, and 2: one GFN per page means at most one such entry. */
static void audit_tracked(struct audit *a, gfn_t g, mfn_t m, enum p2m_type t) {
    const struct page_info *page;
    count_info_t c;

    if (!mfn_is_managed(m)) {
        breach(a, "RAM-type entry of no RAM", g, m);
        return;
    }
    page = mfn_to_page(m);
    c = page->count_info;
    a->tracked_pages++;
    if (!gfn_eq(page_get_gfn(page), g))
        breach(a, "page is tracked elsewhere", g, m);
    if (!(c & PGC_COUNT_MASK) || page->u.owner != a->p2m->owner)
        breach(a, "mapped page is not the owner's", g, m);
    if (!(c & PGC_xenheap) != !p2m_type_in(t, P2M_ANY_XENHEAP))
        breach(a, "type class does not match the page", g, m);
}

static int audit_leaf(void *arg, uint64_t va, uint64_t size, pte_t e, unsigned level) {
    struct audit *a = arg;
    gfn_t g = gfn(va >> PAGE_SHIFT);
    mfn_t m = mfn(pte_addr(e) >> PAGE_SHIFT);
    enum p2m_type t = p2m_pte_type(e);

    if (!pte_is_valid(e))
        return 0;
    if (t == P2M_INVALID)
        breach(a, "entry without a type", g, m);
    else if (e != pte_make_leaf(pte_addr(e), level, p2m_pte_attr(t)))
        breach(a, "descriptor is not that of the type", g, m);
    if (g.gfn + (size >> PAGE_SHIFT) - 1 > a->p2m->max_mapped_gfn)
        breach(a, "above the highest mapped gfn", g, m);
    if (p2m_type_in(t, P2M_ANY_GRANT))
        a->grants += size >> PAGE_SHIFT;
    for (uint64_t i = 0; p2m_type_in(t, P2M_TRACKED) && i < size >> PAGE_SHIFT; i++)
        audit_tracked(a, gfn_add(g, i), mfn_add(m, i), t);
    return 0;
}

/* Invariant 1 from the pages' side: as many owned pages have a GFN as the table has entries of such
 * pages. */
static uint64_t count_gfns(struct audit *a, const struct page_list *l, uint64_t expected) {
    uint64_t with_gfn = 0, pages = 0;

    for (const struct page_info *p = page_list_first(l); p; p = page_list_next(p), pages++) {
        if (p->u.owner != a->p2m->owner)
            breach(a, "page on the list of another", page_get_gfn(p), page_to_mfn(p));
        if (type_info_has_gfn(p->type_info))
            with_gfn++;
    }
    if (pages != expected)
        breach(a, "pages on the list are not those counted", gfn(expected), mfn(pages));
    return with_gfn;
}

/* What waits to become RAM again is nobody's and nowhere. */
static void audit_reserve(struct audit *a) {
    struct domain_pages *o = a->p2m->owner;
    uint64_t pages = 0;

    for (const struct page_info *p = page_list_first(&o->reserve); p;
         p = page_list_next(p), pages++)
        if (p->count_info != PGC_static || p->u.owner != o || type_info_has_gfn(p->type_info))
            breach(a, "static page in reserve is in use", page_get_gfn(p), page_to_mfn(p));
    if (pages != o->reserve_pages)
        breach(a, "static pages in reserve are not those counted", gfn(o->reserve_pages),
               mfn(pages));
}

static void audit_owner(struct audit *a) {
    struct domain_pages *o = a->p2m->owner;
    uint64_t with_gfn;

    spin_lock(&o->lock);
    with_gfn = count_gfns(a, &o->pages, o->tot_pages);
    with_gfn += count_gfns(a, &o->xenheap, o->xenheap_pages);
    audit_reserve(a);
    spin_unlock(&o->lock);
    if (with_gfn != a->tracked_pages)
        breach(a, "pages with a GFN are not those in the table", gfn(with_gfn),
               mfn(a->tracked_pages));
}

/* Invariant 12. */
static void audit_pool(struct audit *a) {
    struct p2m *p2m = a->p2m;
    uint64_t tables = pt_count_tables(&p2m->pt), listed = 0;

    for (const struct page_info *p = page_list_first(&p2m->pool); p; p = page_list_next(p))
        listed++;
    if (listed != p2m->pool_free || tables + listed != p2m->pool_total)
        breach(a, "table pages are not those of the pool", gfn(tables), mfn(listed));
    if (pt_count_bad_tables(&p2m->pt))
        breach(a, "count of entries in a table is wrong", INVALID_GFN, INVALID_MFN);
}

unsigned p2m_audit(struct p2m *p2m) {
    struct audit a = {.p2m = p2m};

    read_lock(&p2m->lock);
    (void)pt_walk(&p2m->pt, 0, 1ULL << p2m->pt.addr_bits, audit_leaf, &a);
    if (a.grants != p2m->grants)
        breach(&a, "grant entries are not those counted", gfn(p2m->grants), mfn(a.grants));
    audit_owner(&a);
    audit_pool(&a);
    if (p2m->mirror)
        a.breaches += p2m->mirror->audit(p2m->mirror_arg);
    read_unlock(&p2m->lock);
    if (a.breaches > AUDIT_MAX_LINES)
        printk("audit: d%u: %u breaches in all\n", p2m->owner->domid, a.breaches);
    return a.breaches;
}

#define SUMMARY_STEP MB(64) /* under one hold of the lock */

/* A leaf that reaches into the next piece is counted where it begins. */
static int count_leaf(void *arg, uint64_t va, uint64_t size, pte_t e, unsigned level) {
    struct p2m_summary *s = arg;

    if (!pte_is_valid(e))
        return 0;
    s->pages[p2m_pte_type(e)] += size >> PAGE_SHIFT;
    if (!(va & ((1ULL << pt_level_shift(level)) - 1)))
        s->leaves[level]++;
    return 0;
}

void p2m_summarize(struct p2m *p2m, struct p2m_summary *s) {
    uint64_t at = 0;
    bool more;

    *s = (struct p2m_summary){{0}, {0}};
    do {
        read_lock(&p2m->lock);
        more = pt_next_mapped(&p2m->pt, at, &at);
        if (more)
            (void)pt_walk(&p2m->pt, at, SUMMARY_STEP, count_leaf, s);
        read_unlock(&p2m->lock);
        at += SUMMARY_STEP;
        mm_preempt_point();
    } while (more);
}

uint64_t p2m_audit_every;

void p2m_audit_if_due(struct p2m *p2m) {
    uint64_t every = p2m_audit_every;

    if (likely(READ_ONCE(p2m->changes) < every) || !every ||
        READ_ONCE(p2m->changes) <
            every * (1 + READ_ONCE(p2m->owner->tot_pages) / (MB(64) / PAGE_SIZE)))
        return;
    WRITE_ONCE(p2m->changes, 0);
    p2m_audit(p2m);
}
