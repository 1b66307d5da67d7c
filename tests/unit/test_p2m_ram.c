/* The p2m: RAM, given, taken back whole or in part, and torn down. */
/* SOURCES: common/mm/boot_mem.c common/mm/heap.c common/mm/fresh.c common/mm/xenheap.c common/mm/page_owner.c common/mm/page_ref.c common/mm/static_mem.c common/mm/pt.c common/mm/pt_page.c common/mm/pt_read.c common/mm/p2m.c common/mm/p2m_global.c common/mm/p2m_map.c common/mm/p2m_unmap.c common/mm/p2m_pool.c common/mm/p2m_populate.c common/mm/p2m_audit.c tests/fake/mm_world.c */
#include "p2m_world.h"

#include <asm/s2.h>

/* ---- populate ---- */

/* Half of what the address space of the test has room for. */
#define MUCH (sizeof(void *) == 8 ? GB(2) : GB(1))

static void populate_uses_large_blocks(void) {
    boot(2 * MUCH, p2m_pool_size_for(MUCH, 2), MUCH >> 12);
    CHECK(p2m_populate(&dom.p2m, gfn(G0), MUCH >> 12) == 0);
    CHECK(order_at(G0) == 18 && order_at(G0 + (MUCH >> 12) - 5) == 18);
    CHECK(dom.pages.tot_pages == MUCH >> 12);
    CHECK(dom.p2m.pool_total - dom.p2m.pool_free ==
          1u + S2_ROOT_ORDER + (dom.p2m.pt.start_level == 0));
    for (uint64_t g = G0; g < G0 + (MUCH >> 12); g += 997) {
        struct page_info *page = mfn_to_page(at(g));

        CHECK(page_get_gfn(page).gfn == g);
        CHECK(page->count_info == (PGC_allocated | 1));
    }
    CHECK(at(G0 - 1).mfn == INVALID_MFN.mfn && at(G0 + (MUCH >> 12)).mfn == INVALID_MFN.mfn);
    finish();
}

static void populate_unaligned(void) {
    static const uint8_t zero[4096];

    boot(MB(256), p2m_pool_size_for(MB(64), 1), MB(64) >> 12);
    /* 3 pages, then 2 MiB blocks, then 5 pages */
    CHECK(p2m_populate(&dom.p2m, gfn(G0 + 509), 3 + 4 * 512 + 5) == 0);
    CHECK(order_at(G0 + 509) == 0 && order_at(G0 + 512) == 9 && order_at(G0 + 512 * 5) == 0);
    for (uint64_t g = G0 + 509; g < G0 + 509 + 3 + 4 * 512 + 5; g++)
        CHECK(!memcmp(fake_at(mfn_to_paddr(at(g))), zero, 4096));
    settled();
    finish();
}

static void populate_limits(void) {
    uint64_t done;

    boot(MB(64), p2m_pool_size_for(MB(64), 1), 1000);
    CHECK(p2m_populate_some(&dom.p2m, gfn(G0), 1001, &done) == -ENOMEM);
    CHECK(done < 1001 && dom.pages.tot_pages == done);
    settled();
    CHECK(p2m_populate(&dom.p2m, gfn(G0 + done), 1000 - done) == 0);
    CHECK(dom.pages.tot_pages == 1000);
    /* beyond the address limit */
    dom.pages.max_pages = 5000;
    CHECK(p2m_populate(&dom.p2m, gfn(GFN_LIMIT), 1) == -EINVAL);
    CHECK(p2m_populate(&dom.p2m, gfn(GFN_LIMIT - 1), 1) == 0);
    CHECK(p2m_populate(&dom.p2m, gfn(~0ULL), 1) == -EINVAL);
    CHECK(dom.pages.tot_pages == 1001);
    settled();
    finish();
}

static void heap_exhausted(void) {
    uint64_t done;

    boot(MB(64), 100, MB(256) >> 12);
    CHECK(p2m_populate_some(&dom.p2m, gfn(G0), MB(128) >> 12, &done) == -ENOMEM);
    CHECK(done > (MB(48) >> 12) && heap_free_pages() == 0);
    settled();
    finish();
}

static void populate_over_populated(void) {
    uint64_t before;
    mfn_t old;

    boot(MB(128), p2m_pool_size_for(MB(16), 1), MB(16) >> 12);
    CHECK(p2m_populate(&dom.p2m, gfn(G0), 1024) == 0);
    for (unsigned i = 0; i < 1024; i++)
        tlb_touch(&dom.p2m, G0 + i);
    before = heap_free_pages();
    old = at(G0 + 700);
    CHECK(p2m_populate(&dom.p2m, gfn(G0 + 700), 1) == 0);
    CHECK(heap_free_pages() == before && dom.pages.tot_pages == 1024);
    (void)old;
    settled();
    CHECK(order_at(G0) == 9 && order_at(G0 + 512) == 0);
    /* a whole block over pages: one block again */
    CHECK(p2m_populate(&dom.p2m, gfn(G0 + 512), 512) == 0);
    CHECK(order_at(G0 + 512) == 9);
    CHECK(heap_free_pages() == before && dom.pages.tot_pages == 1024);
    settled();
    finish();
}

/* ---- unmap ---- */

static void unmap_gives_back(void) {
    uint64_t before;

    boot(MB(128), p2m_pool_size_for(MB(16), 1), MB(16) >> 12);
    before = heap_free_pages();
    CHECK(p2m_populate(&dom.p2m, gfn(G0), 4096) == 0);
    for (unsigned i = 0; i < 4096; i++)
        tlb_touch(&dom.p2m, G0 + i);
    CHECK(p2m_unmap(&dom.p2m, gfn(G0 + 100), 1) == 0);
    settled();
    CHECK(order_at(G0 + 101) == 0 && order_at(G0 + 512) == 9);
    CHECK(at(G0 + 100).mfn == INVALID_MFN.mfn);
    CHECK(heap_free_pages() == before - 4095);
    /* a hole: nothing changed */
    CHECK(p2m_unmap(&dom.p2m, gfn(G0 + 99), 3) == -ENOENT);
    CHECK(p2m_unmap(&dom.p2m, gfn(G0 + 100), 1) == -ENOENT);
    CHECK(heap_free_pages() == before - 4095);
    settled();
    tlb_flushes_vmid = tlb_flushes_ipa = 0;
    CHECK(p2m_unmap(&dom.p2m, gfn(G0 + 101), 3000) == 0);
    CHECK(tlb_flushes_vmid == 1 && tlb_flushes_ipa <= 1); /* one flush, one split */
    CHECK(heap_free_pages() == before - 1095);
    settled();
    tlb_flushes_vmid = tlb_flushes_ipa = 0;
    CHECK(p2m_unmap(&dom.p2m, gfn(G0), 100) == 0);
    CHECK(p2m_unmap(&dom.p2m, gfn(G0 + 3101), 4096 - 3101) == 0);
    CHECK(heap_free_pages() == before);
    CHECK(dom.p2m.pool_total - dom.p2m.pool_free ==
          1u << S2_ROOT_ORDER); /* only the root is left */
    CHECK(p2m_unmap(&dom.p2m, gfn(1ULL << 40), 1) == -ENOENT);
    CHECK(p2m_unmap(&dom.p2m, gfn(~0ULL), ~0ULL) == -ENOENT);
    finish();
}

/* A whole table and one page of the next: both are forgotten by the TLB. */
static void table_and_page_go_together(void) {
    boot(MB(128), p2m_pool_size_for(MB(16), 1), MB(16) >> 12);
    CHECK(p2m_populate(&dom.p2m, gfn(G0), 1024) == 0);
    for (unsigned i = 0; i < 1024; i += 512) { /* pages instead of blocks */
        CHECK(p2m_unmap(&dom.p2m, gfn(G0 + i + 9), 1) == 0);
        CHECK(p2m_populate(&dom.p2m, gfn(G0 + i + 9), 1) == 0);
    }
    for (unsigned i = 0; i < 1024; i++)
        tlb_touch(&dom.p2m, G0 + i);
    CHECK(p2m_unmap(&dom.p2m, gfn(G0), 513) == 0);
    CHECK(dom.pages.tot_pages == 511);
    settled();
    CHECK(p2m_populate(&dom.p2m, gfn(G0 + 3), 5) == 0); /* the table comes again */
    settled();
    finish();
}

/* One page beside a table that goes as a whole: the flush is of both. */
static void table_and_one_page_are_flushed(void) {
    boot(MB(128), 40, 1024);
    for (uint64_t i = 0; i < 1024; i++)
        CHECK(p2m_populate(&dom.p2m, gfn(G0 + i), 1) == 0);
    tlb_touch(&dom.p2m, G0 + 3);
    tlb_touch(&dom.p2m, G0 + 512);
    CHECK(p2m_unmap(&dom.p2m, gfn(G0), 513) == 0);
    settled();
    finish();
}

static void block_goes_as_one(void) {
    boot(MB(128), p2m_pool_size_for(MB(16), 1), MB(16) >> 12);
    CHECK(p2m_populate(&dom.p2m, gfn(G0), 1024) == 0);
    for (unsigned i = 0; i < 1024; i++)
        tlb_touch(&dom.p2m, G0 + i);
    tlb_flushes_vmid = tlb_flushes_ipa = 0;
    CHECK(p2m_unmap(&dom.p2m, gfn(G0), 512) == 0);
    CHECK(tlb_flushes_vmid + tlb_flushes_ipa == 1);
    settled();
    CHECK(order_at(G0 + 512) == 9);
    finish();
}

/* Invariant 16. */
static void split_without_tables(void) {
    uint64_t before;

    boot(MB(128), sizeof(void *) == 8 ? 2 : 1,
         MB(16) >> 12); /* root, two tables for the path, none for a split */
    CHECK(p2m_populate(&dom.p2m, gfn(G0), 1024) == 0);
    CHECK(dom.p2m.pool_free == 1); /* kept for the teardown */
    before = heap_free_pages();
    CHECK(p2m_unmap(&dom.p2m, gfn(G0 + 1), 1) == -ENOMEM);
    CHECK(order_at(G0) == 9 && dom.pages.tot_pages == 1024 && heap_free_pages() == before);
    settled();
    CHECK(p2m_populate(&dom.p2m, gfn(0x80000), 1) == -ENOMEM);
    CHECK(p2m_populate(&dom.p2m, gfn(0x80000), 2) == -ENOMEM);
    CHECK(p2m_populate(&dom.p2m, gfn(G0 + 2), 2) == -ENOMEM); /* over a part of a block */
    CHECK(p2m_map_mmio(&dom.p2m, gfn(0x80000), mfn(0x9000), 3) == -ENOMEM);
    CHECK(dom.pages.tot_pages == 1024 && heap_free_pages() == before);
    settled();
    CHECK(p2m_unmap(&dom.p2m, gfn(G0), 512) == 0);
    settled();
    finish();
}

/* Blocks of 1 GiB, every table the guest may have in use: they still go in bounded steps. */
static void teardown_in_steps(void) {
    boot(2 * MUCH, 1, MUCH >> 12);
    CHECK(p2m_populate(&dom.p2m, gfn(G0), MUCH >> 12) == 0);
    CHECK(order_at(G0) == 18 && p2m_unmap(&dom.p2m, gfn(G0), 1) == -ENOMEM);
    dom.pages.dying = dom.p2m.dying = true;
    CHECK(!p2m_get_page(&dom.p2m, gfn(G0), NULL)); /* nobody gets hold of a page any more */
    for (uint64_t left = dom.pages.tot_pages; left; left = dom.pages.tot_pages) {
        int rc = p2m_relinquish(&dom.p2m);

        CHECK(rc == -EAGAIN || !dom.pages.tot_pages);
        CHECK(dom.pages.tot_pages < left && left - dom.pages.tot_pages <= 4096);
    }
    finish();
    dom.p2m.pt.root = paddr(0); /* its page is another's by now: it is not looked at */
    CHECK(!p2m_get_page(&dom.p2m, gfn(G0), NULL));
}

/* After every third change; the changes that fail count too. */
static void audit_when_due(void) {
    boot(MB(64), 8, 100);
    p2m_audit_every = 3;
    CHECK(p2m_populate(&dom.p2m, gfn(G0), 1) == 0);
    page_set_gfn(mfn_to_page(at(G0)), gfn(G0), gfn(G0 + 5)); /* wrong */
    messages = 0;
    p2m_audit_if_due(&dom.p2m);
    CHECK(p2m_unmap(&dom.p2m, gfn(1), 1) == -ENOENT);
    p2m_audit_if_due(&dom.p2m);
    CHECK(messages == 0);
    CHECK(p2m_unmap(&dom.p2m, gfn(1), 2) == -ENOENT);
    p2m_audit_if_due(&dom.p2m);
    CHECK(messages == 1);
    p2m_audit_if_due(&dom.p2m);
    CHECK(messages == 1);
    page_set_gfn(mfn_to_page(at(G0)), gfn(G0 + 5), gfn(G0));
    p2m_audit_every = 0;
    for (unsigned i = 0; i < 10; i++)
        CHECK(p2m_unmap(&dom.p2m, gfn(1), 1) == -ENOENT);
    p2m_audit_if_due(&dom.p2m);
    CHECK(dom.p2m.changes >= 10); /* none since */
    finish();
}

/* ---- what a device sees that looks past the caches ---- */

static uint8_t *beyond; /* memory itself; the caches are fake_ram */

void fake_dcache_cleaned(const void *va, size_t size) {
    if (beyond)
        memcpy(beyond + ((const uint8_t *)va - fake_ram), va, size);
}

static void device_sees_zero(uint64_t nr) {
    static const uint8_t zero[PAGE_SIZE];

    for (uint64_t g = G0; g < G0 + nr; g++)
        CHECK(!memcmp(beyond + (mfn_to_paddr(at(g)).pa - BASE), zero, PAGE_SIZE));
}

/* Whatever stage 2 makes of the guest's own accesses: cleared when given, or by an idle CPU. */
static void cleared_past_the_caches(void) {
    const uint64_t nr = MB(4) >> PAGE_SHIFT;

#ifdef __LP64__
    cpu_features.id[ID_AA64MMFR2] = 1ULL << MMFR2_FWB_SHIFT;
#endif
    boot(MB(32), p2m_pool_size_for(MB(32), 1), MB(32) >> PAGE_SHIFT);
    beyond = malloc(MB(32));
    memset(beyond, 0xa5, MB(32)); /* the last owner's, everywhere */
    heap_scrub_start();
    p2m_devices_come = true;
    for (unsigned owner = 0; owner < 2; owner++) {
        for (uint64_t i = 0; i < nr / 2 && heap_scrub_idle(); i++)
            ;
        CHECK(p2m_populate(&dom.p2m, gfn(G0), nr) == 0);
        device_sees_zero(nr);
        for (uint64_t g = G0; g < G0 + nr; g++)
            memset(beyond + (mfn_to_paddr(at(g)).pa - BASE), 0xa5, PAGE_SIZE);
        CHECK(p2m_unmap(&dom.p2m, gfn(G0), nr) == 0);
    }
    finish();
    free(beyond);
}

CHILD(populate_uses_large_blocks)
CHILD(populate_unaligned)
CHILD(populate_limits)
CHILD(heap_exhausted)
CHILD(populate_over_populated)
CHILD(unmap_gives_back)
CHILD(table_and_page_go_together)
CHILD(table_and_one_page_are_flushed)
CHILD(block_goes_as_one)
CHILD(split_without_tables)
CHILD(teardown_in_steps)
CHILD(audit_when_due)
CHILD(cleared_past_the_caches)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_populate_uses_large_blocks),
        cmocka_unit_test(test_populate_unaligned),
        cmocka_unit_test(test_populate_limits),
        cmocka_unit_test(test_heap_exhausted),
        cmocka_unit_test(test_populate_over_populated),
        cmocka_unit_test(test_unmap_gives_back),
        cmocka_unit_test(test_table_and_page_go_together),
        cmocka_unit_test(test_table_and_one_page_are_flushed),
        cmocka_unit_test(test_block_goes_as_one),
        cmocka_unit_test(test_split_without_tables),
        cmocka_unit_test(test_teardown_in_steps),
        cmocka_unit_test(test_audit_when_due),
        cmocka_unit_test(test_cleared_past_the_caches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
