/* The p2m: hypervisor pages added, removed, replaced; references; GFNs. */
/* SOURCES: common/mm/boot_mem.c common/mm/heap.c common/mm/fresh.c common/mm/xenheap.c common/mm/page_owner.c common/mm/page_ref.c common/mm/static_mem.c common/mm/pt.c common/mm/pt_page.c common/mm/pt_read.c common/mm/p2m.c common/mm/p2m_global.c common/mm/p2m_map.c common/mm/p2m_unmap.c common/mm/p2m_pool.c common/mm/p2m_populate.c common/mm/p2m_audit.c tests/fake/mm_world.c */
#include "p2m_world.h"

/* ---- xenheap pages: add, remove, replace ---- */

static struct page_info *lend(struct domain *d) {
    void *va = xenheap_alloc(0);

    CHECK(va && xenheap_share(va, &d->pages) == 0);
    return virt_to_page(va);
}

static void add_and_remove(void) {
    struct page_info *p;

    boot(MB(128), 40, 1024);
    p = lend(&dom);
    CHECK(page_get_gfn(p).gfn == INVALID_GFN.gfn);
    CHECK(p2m_map(&dom.p2m, gfn(0x38000), page_to_mfn(p), 0, P2M_XENHEAP_RW) == 0);
    CHECK(page_get_gfn(p).gfn == 0x38000 && type_at(0x38000) == P2M_XENHEAP_RW);
    CHECK((p->count_info & PGC_COUNT_MASK) == 2);
    settled();
    /* invariant 5 */
    CHECK(p2m_map(&dom.p2m, gfn(0x38000), page_to_mfn(p), 0, P2M_XENHEAP_RW) == -EBUSY);
    CHECK(p2m_map(&dom.p2m, gfn(0x38001), page_to_mfn(p), 0, P2M_XENHEAP_RW) == -EBUSY);
    CHECK(page_get_gfn(p).gfn == 0x38000 && at(0x38001).mfn == INVALID_MFN.mfn);
    CHECK((p->count_info & PGC_COUNT_MASK) == 2);
    tlb_touch(&dom.p2m, 0x38000);
    settled();
    /* invariant 6 */
    CHECK(p2m_unmap_exact(&dom.p2m, gfn(0x38000), mfn_add(page_to_mfn(p), 1), P2M_ANY_XENHEAP) ==
          -EILSEQ);
    CHECK(p2m_unmap_exact(&dom.p2m, gfn(0x38000), page_to_mfn(p), P2M_ANY_RAM) == -EILSEQ);
    CHECK(p2m_unmap_exact(&dom.p2m, gfn(0x38001), page_to_mfn(p), P2M_ANY_XENHEAP) == -ENOENT);
    CHECK(p2m_unmap_exact(&dom.p2m, gfn(1ULL << 40), page_to_mfn(p), P2M_ANY_XENHEAP) == -ENOENT);
    CHECK(page_get_gfn(p).gfn == 0x38000);
    CHECK(p2m_unmap_exact(&dom.p2m, gfn(0x38000), page_to_mfn(p), P2M_ANY_XENHEAP) == 0);
    CHECK(page_get_gfn(p).gfn == INVALID_GFN.gfn && (p->count_info & PGC_COUNT_MASK) == 1);
    settled();
    CHECK(p2m_unmap_page(&dom.p2m, p) == -ENOENT);
    CHECK(p2m_map(&dom.p2m, gfn(0x39000), page_to_mfn(p), 0, P2M_XENHEAP_RO) == 0);
    CHECK(p2m_gfn_of(&dom.p2m, p).gfn == 0x39000);
    CHECK(p2m_unmap_page(&dom.p2m, p) == 0);
    CHECK(at(0x39000).mfn == INVALID_MFN.mfn);
    settled();
    /* freed by its owner while mapped: it lives until the mapping is gone */
    CHECK(p2m_map(&dom.p2m, gfn(0x39000), page_to_mfn(p), 0, P2M_XENHEAP_RW) == 0);
    xenheap_unshare(page_to_virt(p));
    CHECK((p->count_info & PGC_COUNT_MASK) == 1 && dom.pages.xenheap_pages == 1);
    settled();
    CHECK(p2m_unmap(&dom.p2m, gfn(0x39000), 1) == 0);
    CHECK(dom.pages.xenheap_pages == 0);
    finish();
}

static void add_displaces(void) {
    struct page_info *p, *q;
    uint64_t before;
    mfn_t ram;

    boot(MB(128), 40, 1024);
    p = lend(&dom);
    q = lend(&dom);
    CHECK(p2m_populate(&dom.p2m, gfn(G0), 1024) == 0);
    before = heap_free_pages();
    ram = at(G0 + 7);
    tlb_touch(&dom.p2m, G0 + 7);
    tlb_touch(&dom.p2m, G0 + 8);
    /* over RAM: the page goes back to the heap and to the domain's count */
    CHECK(p2m_map(&dom.p2m, gfn(G0 + 7), page_to_mfn(p), 0, P2M_XENHEAP_RW) == 0);
    CHECK(heap_free_pages() == before + 1 && dom.pages.tot_pages == 1023);
    CHECK(!(mfn_to_page(ram)->count_info & PGC_COUNT_MASK));
    CHECK(tlb_count_to(ram.mfn) == 0);
    settled();
    /* over a xenheap page: it loses its GFN, and stays */
    tlb_touch(&dom.p2m, G0 + 7);
    CHECK(p2m_map(&dom.p2m, gfn(G0 + 7), page_to_mfn(q), 0, P2M_XENHEAP_RO) == 0);
    CHECK(page_get_gfn(p).gfn == INVALID_GFN.gfn && page_get_gfn(q).gfn == G0 + 7);
    CHECK((p->count_info & PGC_COUNT_MASK) == 1 && (q->count_info & PGC_COUNT_MASK) == 2);
    CHECK(tlb_count_to(page_to_mfn(p).mfn) == 0);
    settled();
    CHECK(p2m_unmap(&dom.p2m, gfn(G0 + 7), 1) == 0);
    settled();
    CHECK(p2m_populate(&dom.p2m, gfn(G0 + 7), 1) == 0); /* the count allows it again */
    settled();
    xenheap_unshare(page_to_virt(p));
    xenheap_unshare(page_to_virt(q));
    finish();
}

static void refused(void) {
    struct page_info *p, *mine;
    uint64_t table_pages;

    boot(MB(128), 60, 1024);
    make_domain(&other, 2, 40, 1024);
    p = lend(&other);
    mine = lend(&dom);
    CHECK(p2m_populate(&other.p2m, gfn(G0), 16) == 0);
    table_pages = dom.p2m.pool_free;
    /* another's page, as one's own */
    CHECK(p2m_map(&dom.p2m, gfn(5), page_to_mfn(p), 0, P2M_XENHEAP_RW) == -EPERM);
    CHECK(p2m_map(&dom.p2m, gfn(5), p2m_lookup(&other.p2m, gfn(G0), NULL, NULL), 0, P2M_RAM_RW) ==
          -EPERM);
    /* the wrong class */
    CHECK(p2m_map(&dom.p2m, gfn(5), page_to_mfn(mine), 0, P2M_RAM_RW) == -EPERM);
    /* no such type, too high, too large */
    CHECK(p2m_map(&dom.p2m, gfn(5), page_to_mfn(mine), 0, P2M_INVALID) == -EINVAL);
    CHECK(p2m_map(&dom.p2m, gfn(5), page_to_mfn(mine), 0, P2M_NR_TYPES) == -EINVAL);
    CHECK(p2m_map(&dom.p2m, gfn(GFN_LIMIT), page_to_mfn(mine), 0, P2M_XENHEAP_RW) == -EINVAL);
    CHECK(p2m_map(&dom.p2m, gfn(5), page_to_mfn(mine), 19, P2M_XENHEAP_RW) == -EINVAL);
    CHECK(dom.p2m.pool_free == table_pages);
    settled();
    /* over a grant, a foreign page, a device: refused, nothing changed */
    CHECK(get_page(p, &other.pages));
    CHECK(p2m_map(&dom.p2m, gfn(16), page_to_mfn(p), 0, P2M_FOREIGN_RW) == 0);
    CHECK(p2m_map(&dom.p2m, gfn(17), mfn(0x9000), 0, P2M_GRANT_RW) == 0);
    CHECK(p2m_map_mmio(&dom.p2m, gfn(18), mfn(0x9000), 1) == 0);
    for (uint64_t g = 16; g < 19; g++)
        CHECK(p2m_map(&dom.p2m, gfn(g), page_to_mfn(mine), 0, P2M_XENHEAP_RW) == -EBUSY);
    CHECK(page_get_gfn(mine).gfn == INVALID_GFN.gfn && (mine->count_info & PGC_COUNT_MASK) == 1);
    settled();
    /* a foreign mapping never touches the owner's GFN, and its reference goes with it */
    CHECK(page_get_gfn(p).gfn == INVALID_GFN.gfn && (p->count_info & PGC_COUNT_MASK) == 2);
    CHECK(p2m_unmap(&dom.p2m, gfn(16), 1) == 0);
    CHECK((p->count_info & PGC_COUNT_MASK) == 1);
    CHECK(p2m_unmap(&dom.p2m, gfn(17), 1) == -EILSEQ);
    CHECK(p2m_unmap_exact(&dom.p2m, gfn(17), mfn(0x9000), P2M_ANY_GRANT) == 0);
    CHECK(p2m_unmap(&dom.p2m, gfn(18), 1) == 0);
    settled();
    /* dying: invariant 10 */
    dom.p2m.dying = true;
    CHECK(p2m_map(&dom.p2m, gfn(5), page_to_mfn(mine), 0, P2M_XENHEAP_RW) == -EPERM);
    dom.p2m.dying = false;
    dom.pages.dying = true;
    CHECK(p2m_populate(&dom.p2m, gfn(G0), 1) == -ENOMEM);
    void *unlent = xenheap_alloc(0);
    CHECK(xenheap_share(unlent, &dom.pages) == -ENOMEM);
    xenheap_free(unlent, 0);
    dom.pages.dying = false;
    xenheap_unshare(page_to_virt(p));
    xenheap_unshare(page_to_virt(mine));
    end_domain(&other);
    finish();
}

/* ---- references ---- */

static void referenced_page_outlives_its_mapping(void) {
    struct page_info *page;
    enum p2m_type t;
    uint64_t before;

    boot(MB(128), 40, 1024);
    CHECK(p2m_populate(&dom.p2m, gfn(G0), 512) == 0);
    before = heap_free_pages();
    page = p2m_get_page(&dom.p2m, gfn(G0 + 3), &t);
    CHECK(page && t == P2M_RAM_RW);
    CHECK(!p2m_get_page(&dom.p2m, gfn(G0 + 512), &t));
    CHECK(p2m_unmap(&dom.p2m, gfn(G0), 512) == 0);
    CHECK(heap_free_pages() == before + 511 && dom.pages.tot_pages == 1);
    settled();
    put_page(page);
    CHECK(heap_free_pages() == before + 512 && dom.pages.tot_pages == 0);
    finish();
}

/* ---- what a CPU may still reach is nobody else's ---- */

static const struct page_info *watched;
static unsigned flushed;

static void still_held_at_first(void) {
    CHECK(flushed++ || (watched->count_info & PGC_COUNT_MASK));
}
static void still_held(void) {
    CHECK(watched->count_info & PGC_COUNT_MASK);
    flushed++;
}
/* The flush came, with the page still held; now it is free, or has only its owner's reference. */
static void let_go(uint64_t references) {
    CHECK(flushed && (watched->count_info & PGC_COUNT_MASK) == references);
    CHECK(!tlb_count_to(page_to_mfn(watched).mfn));
    flushed = 0;
}
static void watch(uint64_t g) {
    watched = mfn_to_page(at(g));
    tlb_touch(&dom.p2m, g);
    CHECK(tlb_count_to(at(g).mfn) == 1);
}

static void freed_after_the_flush(void) {
    void *shared;

    boot(MB(64), 100, 4096);
    make_domain(&other, 2, 20, 4096);
    CHECK(p2m_populate(&dom.p2m, gfn(G0), 1024) == 0);
    CHECK(p2m_populate(&other.p2m, gfn(G0), 1) == 0);
    CHECK((shared = xenheap_alloc(0)) && xenheap_share(shared, &dom.pages) == 0);
    tlb_flush_hook = still_held;
    watch(G0); /* out of a block */
    CHECK(p2m_unmap(&dom.p2m, gfn(G0), 1) == 0);
    let_go(0);
    watch(G0 + 1); /* replaced */
    CHECK(p2m_map(&dom.p2m, gfn(G0 + 1), page_to_mfn(virt_to_page(shared)), 0, P2M_XENHEAP_RW) ==
          0);
    let_go(0);
    watch(G0 + 600); /* a whole block */
    CHECK(p2m_unmap(&dom.p2m, gfn(G0 + 512), 512) == 0);
    let_go(0);
    watch(G0 + 1); /* the hypervisor's */
    CHECK(p2m_unmap_page(&dom.p2m, virt_to_page(shared)) == 0);
    let_go(1);
    /* Another's, whose owner has given it up. */
    watched = p2m_get_page(&other.p2m, gfn(G0), &(enum p2m_type){0});
    CHECK(p2m_map(&dom.p2m, gfn(G0), page_to_mfn(watched), 0, P2M_FOREIGN_RW) == 0);
    CHECK(p2m_unmap(&other.p2m, gfn(G0), 1) == 0);
    CHECK((watched->count_info & PGC_COUNT_MASK) == 1);
    flushed = 0;
    watch(G0);
    CHECK(p2m_unmap(&dom.p2m, gfn(G0), 1) == 0);
    let_go(0);
    watch(G0 + 3); /* with the domain */
    xenheap_unshare(shared);
    end_domain(&other);
    flushed = 0;
    tlb_flush_hook = still_held_at_first; /* the VMID goes after the pages */
    finish();
    let_go(0);
}

static void a_thousand_domains(void) {
    uint64_t before;

    boot(MB(64), 4, 0);
    before = heap_free_pages();
    for (unsigned i = 0; i < 1000; i++) {
        struct page_info *lent;

        make_domain(&other, 2, 20, 700);
        lent = virt_to_page(xenheap_alloc(0));
        CHECK(xenheap_share(page_to_virt(lent), &other.pages) == 0);
        CHECK(p2m_populate(&other.p2m, gfn(G0 + i), 600) == 0);
        CHECK(p2m_map(&other.p2m, gfn(G0 + i + 3), page_to_mfn(lent), 0, P2M_XENHEAP_RW) == 0);
        CHECK(p2m_unmap(&other.p2m, gfn(G0 + i + 5), 1) == 0);
        xenheap_unshare(page_to_virt(lent)); /* still mapped */
        other.pages.dying = other.p2m.dying = true;
        while (p2m_relinquish(&other.p2m))
            ;
        CHECK(other.pages.tot_pages == 0 && other.pages.xenheap_pages == 0);
        p2m_destroy(&other.p2m);
        CHECK(heap_free_pages() == before);
    }
    finish();
}

static void held_pages_do_not_stop_the_drain(void) {
    struct page_info *held[700];
    enum p2m_type t;

    boot(MB(128), 40, 2048);
    CHECK(p2m_populate(&dom.p2m, gfn(G0), 2048) == 0);
    for (unsigned i = 0; i < 700; i++)
        CHECK((held[i] = p2m_get_page(&dom.p2m, gfn(G0 + i), &t)));
    dom.pages.dying = dom.p2m.dying = true;
    for (int rc = -EAGAIN, n = 0; rc; n++) {
        rc = p2m_relinquish(&dom.p2m);
        CHECK(n < 100);
    }
    CHECK(dom.pages.tot_pages == 700);
    for (unsigned i = 0; i < 700; i++)
        put_page(held[i]);
    CHECK(dom.pages.tot_pages == 0 && dom.pages.parked == 0);
    finish();
}

static void wrong_gfn_is_a_bug(void) {
    struct page_info *p;
    bool caught = false;

    boot(MB(128), 40, 1024);
    p = lend(&dom);
    page_set_gfn(p, INVALID_GFN, gfn(5));
    panic_expected = 1;
    if (!setjmp(panic_jmp))
        page_set_gfn(p, gfn(6), gfn(7));
    else
        caught = true;
    CHECK(caught && page_get_gfn(p).gfn == 5);
    caught = false;
    panic_expected = 1;
    if (!setjmp(panic_jmp))
        page_set_gfn(p, INVALID_GFN, gfn(7));
    else
        caught = true;
    CHECK(caught && page_get_gfn(p).gfn == 5);
    panic_expected = 0;
    CHECK(p2m_audit(&dom.p2m) == 1); /* a GFN, and no entry */
    exit(0);
}

static void leaked_not_freed(void) {
    struct page_info *p;
    uint64_t before;

    boot(MB(128), 40, 1024);
    p = lend(&dom);
    page_set_gfn(p, INVALID_GFN, gfn(5));
    before = heap_free_pages();
    messages = 0;
    xenheap_unshare(page_to_virt(p));
    CHECK(messages == 1 && strstr(last_message, "leaking mfn"));
    CHECK(heap_free_pages() == before && dom.pages.xenheap_pages == 0);
    CHECK(!get_page(p, &dom.pages) && !get_page_if_used(p));
    exit(0);
}

#define COUNT_MAX ((1u << PGT_COUNT_BITS) - 1)

static void reference_count_is_full(void) {
    struct page_info *p;

    boot(MB(128), 40, 1024);
    p = lend(&dom);
    p->count_info |= PGC_COUNT_MASK;
    CHECK(!get_page(p, &dom.pages));
    CHECK((p->count_info & PGC_COUNT_MASK) == PGC_COUNT_MASK);
    p->count_info = (p->count_info & ~PGC_COUNT_MASK) | 1;
    CHECK(!get_page(p, &other.pages));
    CHECK((p->count_info & PGC_COUNT_MASK) == 1);
    for (unsigned i = 0; i < COUNT_MAX; i++)
        CHECK(get_page_writable(p));
    CHECK(!get_page_writable(p));
    for (unsigned i = 0; i < COUNT_MAX; i++)
        put_page_writable(p);
    xenheap_unshare(page_to_virt(p));
    finish();
}

/* ---- the audit ---- */

#define BROKEN(field, value, text)                                                                 \
    do {                                                                                           \
        __typeof__(field) before_ = (field);                                                       \
                                                                                                   \
        CHECK(p2m_audit(&dom.p2m) == 0);                                                           \
        messages = 0;                                                                              \
        (field) = (__typeof__(field))(value);                                                      \
        CHECK(p2m_audit(&dom.p2m) > 0 && messages);                                                \
        CHECK(strstr(last_message, text));                                                         \
        (field) = before_;                                                                         \
    } while (0)

/* One thing at a time is not as it should be; the last line that is said names it, or what follows
 * from it. */
static void audit_tells(void) {
    struct page_info *page;
    struct p2m_summary sum;

    boot(MB(64), 20, 4096);
    CHECK(p2m_populate(&dom.p2m, gfn(G0), 513) == 0);
    CHECK(p2m_map_mmio(&dom.p2m, gfn(G0 + 1024), mfn(0x9000), 3) == 0);
    page = mfn_to_page(at(G0 + 512));
    BROKEN(page->type_info, type_info_with_gfn(page->type_info, gfn(G0 + 3)), "tracked elsewhere");
    BROKEN(page->type_info, type_info_with_gfn(page->type_info, INVALID_GFN), "pages with a GFN");
    BROKEN(page->u.owner, &other.pages, "page on the list of another");
    BROKEN(page->count_info, page->count_info | PGC_xenheap, "type class");
    BROKEN(page->count_info, page->count_info & ~PGC_COUNT_MASK, "not the owner's");
    BROKEN(dom.p2m.max_mapped_gfn, G0 + 1025, "above the highest");
    BROKEN(dom.p2m.grants, 1, "grant entries");
    BROKEN(dom.p2m.pool_free, dom.p2m.pool_free - 1, "table pages");
    BROKEN(dom.p2m.pool_total, dom.p2m.pool_total + 1, "table pages");
    BROKEN(dom.pages.tot_pages, 512, "pages on the list");
    BROKEN(dom.pages.reserve_pages, 1, "static pages in reserve");
    p2m_summarize(&dom.p2m, &sum);
    CHECK(sum.pages[P2M_RAM_RW] == 513 && sum.pages[P2M_MMIO_DIRECT] == 3);
    CHECK(sum.leaves[2] == 1 && sum.leaves[3] == 4);
    finish();
}

/* Debug builds look by themselves, after so many changes. */
static void audit_when_due(void) {
    boot(MB(64), 20, 4096);
    CHECK(p2m_populate(&dom.p2m, gfn(G0), 8) == 0);
    p2m_audit_every = 3;
    dom.p2m.changes = 0;
    for (unsigned i = 0; i < 3; i++) {
        CHECK(dom.p2m.changes == i);
        CHECK(p2m_unmap(&dom.p2m, gfn(G0 + i), 1) == 0);
        p2m_audit_if_due(&dom.p2m);
    }
    CHECK(dom.p2m.changes == 0);
    p2m_audit_every = 0;
    finish();
}

CHILD(add_and_remove)
CHILD(add_displaces)
CHILD(refused)
CHILD(referenced_page_outlives_its_mapping)
CHILD(freed_after_the_flush)
CHILD(audit_tells)
CHILD(audit_when_due)
CHILD(a_thousand_domains)
CHILD(held_pages_do_not_stop_the_drain)
CHILD(wrong_gfn_is_a_bug)
CHILD(leaked_not_freed)
CHILD(reference_count_is_full)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_and_remove),
        cmocka_unit_test(test_add_displaces),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_referenced_page_outlives_its_mapping),
        cmocka_unit_test(test_freed_after_the_flush),
        cmocka_unit_test(test_audit_tells),
        cmocka_unit_test(test_audit_when_due),
        cmocka_unit_test(test_a_thousand_domains),
        cmocka_unit_test(test_held_pages_do_not_stop_the_drain),
        cmocka_unit_test(test_wrong_gfn_is_a_bug),
        cmocka_unit_test(test_leaked_not_freed),
        cmocka_unit_test(test_reference_count_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
