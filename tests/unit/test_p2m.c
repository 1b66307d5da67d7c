/* The p2m: mapping, unmapping, tracking, pool, TLB; each test is a machine of its own. */
/* SOURCES: common/mm/boot_mem.c common/mm/heap.c common/mm/fresh.c common/mm/xenheap.c common/mm/page_owner.c common/mm/page_ref.c common/mm/static_mem.c common/mm/pt.c common/mm/pt_page.c common/mm/pt_read.c common/mm/p2m.c common/mm/p2m_global.c common/mm/p2m_map.c common/mm/p2m_unmap.c common/mm/p2m_pool.c common/mm/p2m_populate.c common/mm/p2m_audit.c tests/fake/mm_world.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <hv/bits.h>
#include <hv/errno.h>

#include <asm/features.h>

#include "../fake/mm_world.h"

#define BASE 0x40000000ULL
#define G0 0x40000ULL /* a domain's first RAM gfn */

struct cpu_features cpu_features = {.pa_range_bits = 44, .vmid16 = true};

int hyp_map(vaddr_t va, paddr_t pa, uint64_t size, enum hyp_prot prot) {
    (void)va;
    (void)pa;
    (void)size;
    (void)prot;
    return 0;
}

#define CHECK(c)                                                                                   \
    do {                                                                                           \
        if (!(c)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c);                                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static struct domain dom, other;
static uint64_t heap_at_start;

static void make_domain(struct domain *d, unsigned id, uint32_t pool, uint64_t max_pages) {
    domain_pages_init(&d->pages, (uint16_t)id, max_pages);
    CHECK(p2m_init(&d->p2m, d, pool) == 0);
}

static void boot(uint64_t ram, uint32_t pool, uint64_t max_pages) {
    world_boot(BASE, ram);
    p2m_global_init();
    heap_at_start = heap_free_pages();
    make_domain(&dom, 1, pool, max_pages);
}

/* A table from the pool is used as it is. */
static void pool_is_zero(struct p2m *p2m) {
    static const uint8_t zero[PAGE_SIZE];

    for (struct page_info *p = page_list_first(&p2m->pool); p; p = page_list_next(p))
        CHECK(!memcmp(page_to_virt(p), zero, PAGE_SIZE));
}

/* True after every operation, whatever it was. */
static void settled(void) {
    pool_is_zero(&dom.p2m);
    world_check_locks();
    CHECK(p2m_audit(&dom.p2m) == 0);
    CHECK(tlb_count_stale(&dom.p2m) == 0);
}

static void end_domain(struct domain *d) {
    d->pages.dying = d->p2m.dying = true;
    for (int rc = -EAGAIN; rc;) {
        rc = p2m_relinquish(&d->p2m);
        CHECK(rc == 0 || rc == -EAGAIN);
        CHECK(p2m_audit(&d->p2m) == 0);
    }
    p2m_destroy(&d->p2m);
}

static void finish(void) {
    settled();
    end_domain(&dom);
    CHECK(dom.pages.tot_pages == 0);
    CHECK(heap_free_pages() == heap_at_start);
}

static mfn_t at(uint64_t g) {
    return p2m_lookup(&dom.p2m, gfn(g), NULL, NULL);
}
static unsigned order_at(uint64_t g) {
    unsigned order;

    p2m_lookup(&dom.p2m, gfn(g), NULL, &order);
    return order;
}
static enum p2m_type type_at(uint64_t g) {
    enum p2m_type t;

    p2m_lookup(&dom.p2m, gfn(g), &t, NULL);
    return t;
}

/* ---- shape ---- */

static void check_shape(unsigned pa, unsigned ipa, unsigned start, uint64_t ps) {
    cpu_features.pa_range_bits = pa;
    boot(MB(64), 4, 100);
    CHECK(dom.p2m.pt.addr_bits == ipa);
    CHECK(dom.p2m.pt.start_level == start);
    CHECK((dom.p2m.vtcr & 0x3f) == 64 - ipa);
    CHECK(((dom.p2m.vtcr >> 6) & 3) == (start ? 1 : 2));
    CHECK(((dom.p2m.vtcr >> 16) & 7) == ps);
    CHECK(((dom.p2m.vtcr >> 8) & 0x3f) == 0x35); /* write-back walks, inner shareable */
    CHECK((dom.p2m.vttbr >> 48) == dom.p2m.vmid && dom.p2m.vmid);
    CHECK((dom.p2m.vttbr & 0xffffffffffff) == dom.p2m.pt.root.pa);
    CHECK(p2m_gfn_limit(&dom.p2m) == 1ULL << (ipa - 12));
    CHECK(p2m_populate(&dom.p2m, gfn((1ULL << (ipa - 12)) - 1), 1) == 0);
    finish();
}
static void shape_48(void) {
    check_shape(48, 44, 0, 5);
}
static void shape_44(void) {
    check_shape(44, 44, 0, 4);
}
static void shape_40(void) {
    check_shape(40, 39, 1, 2);
}
static void shape_36(void) {
    check_shape(36, 36, 1, 1);
}

static void vmids(void) {
    uint16_t first;
    struct domain d = {0};

    cpu_features.vmid16 = false;
    boot(MB(64), 4, 0);
    first = dom.p2m.vmid;
    for (unsigned i = 0; i < 600; i++) {
        make_domain(&d, 2, 0, 0);
        CHECK(d.p2m.vmid && d.p2m.vmid != first && d.p2m.vmid < 256);
        end_domain(&d);
    }
    for (unsigned i = 0; i < 254; i++) {
        struct domain *x = calloc(1, sizeof(*x));

        make_domain(x, 3, 0, 0);
    }
    domain_pages_init(&d.pages, 4, 0);
    CHECK(p2m_init(&d.p2m, &d, 0) == -ENOSPC);
    _exit(0);
}

/* ---- populate ---- */

static void populate_uses_large_blocks(void) {
    boot(GB(4), p2m_pool_size_for(GB(2), 2), GB(2) >> 12);
    CHECK(p2m_populate(&dom.p2m, gfn(G0), GB(2) >> 12) == 0);
    CHECK(order_at(G0) == 18 && order_at(G0 + (1 << 18) + 5) == 18);
    CHECK(dom.pages.tot_pages == GB(2) >> 12);
    CHECK(dom.p2m.pool_total - dom.p2m.pool_free == 2);
    for (uint64_t g = G0; g < G0 + (GB(2) >> 12); g += 997) {
        struct page_info *page = mfn_to_page(at(g));

        CHECK(page_get_gfn(page).gfn == g);
        CHECK(page->count_info == (PGC_allocated | 1));
    }
    CHECK(at(G0 - 1).mfn == INVALID_MFN.mfn && at(G0 + (GB(2) >> 12)).mfn == INVALID_MFN.mfn);
    finish();
}

static void populate_unaligned(void) {
    static const uint8_t zero[4096];

    boot(MB(256), p2m_pool_size_for(MB(64), 1), MB(64) >> 12);
    /* 3 pages, then 2 MiB blocks, then 5 pages */
    CHECK(p2m_populate(&dom.p2m, gfn(G0 + 509), 3 + 4 * 512 + 5) == 0);
    CHECK(order_at(G0 + 509) == 0 && order_at(G0 + 512) == 9 && order_at(G0 + 512 * 5) == 0);
    for (uint64_t g = G0 + 509; g < G0 + 509 + 3 + 4 * 512 + 5; g++)
        CHECK(!memcmp(phys_to_virt(mfn_to_paddr(at(g))), zero, 4096));
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
    CHECK(p2m_populate(&dom.p2m, gfn(1ULL << 32), 1) == -EINVAL);
    CHECK(p2m_populate(&dom.p2m, gfn((1ULL << 32) - 1), 1) == 0);
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
    CHECK(dom.p2m.pool_total - dom.p2m.pool_free == 1); /* only the root is left */
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

    boot(MB(128), 2, MB(16) >> 12); /* root, two tables for the path, none for a split */
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
    boot(GB(4), 1, GB(2) >> 12);
    CHECK(p2m_populate(&dom.p2m, gfn(G0), GB(2) >> 12) == 0);
    CHECK(order_at(G0) == 18 && p2m_unmap(&dom.p2m, gfn(G0), 1) == -ENOMEM);
    dom.pages.dying = dom.p2m.dying = true;
    for (uint64_t left = dom.pages.tot_pages; left; left = dom.pages.tot_pages) {
        int rc = p2m_relinquish(&dom.p2m);

        CHECK(rc == -EAGAIN || !dom.pages.tot_pages);
        CHECK(dom.pages.tot_pages < left && left - dom.pages.tot_pages <= 4096);
    }
    finish();
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
    CHECK(p2m_map(&dom.p2m, gfn(1ULL << 32), page_to_mfn(mine), 0, P2M_XENHEAP_RW) == -EINVAL);
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
    CHECK(!get_page(p, &dom.pages) && !get_page_any(p));
    exit(0);
}

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
    for (unsigned i = 0; i < 1023; i++)
        CHECK(get_page_writable(p));
    CHECK(!get_page_writable(p));
    for (unsigned i = 0; i < 1023; i++)
        put_page_writable(p);
    xenheap_unshare(page_to_virt(p));
    finish();
}

static void mmio(void) {
    boot(MB(128), 40, 1024);
    CHECK(p2m_map_mmio(&dom.p2m, gfn(0x8000), mfn(0x8000), 513) == 0);
    CHECK(order_at(0x8000) == 9 && order_at(0x8200) == 0);
    CHECK(type_at(0x8100) == P2M_MMIO_DIRECT && at(0x8123).mfn == 0x8123);
    CHECK(p2m_map_mmio(&dom.p2m, gfn(0x8200), mfn(0x8000), 1) == -EBUSY);
    CHECK(p2m_map_mmio(&dom.p2m, gfn(0x10000), mfn(0x10001), 1024) == 0); /* not congruent */
    CHECK(order_at(0x10000) == 0 && at(0x103ff).mfn == 0x10400);
    CHECK(p2m_map_mmio(&dom.p2m, gfn(0), mfn(1ULL << 36), 1) == -EINVAL);
    CHECK(p2m_map_mmio(&dom.p2m, gfn(0), mfn(0), ~0ULL) == -EINVAL);
    CHECK(p2m_map_mmio(&dom.p2m, gfn(0), mfn(0), 0) == -EINVAL);
    CHECK(p2m_unmap(&dom.p2m, gfn(0x8000), 513) == 0);
    settled();
    finish();
}

static void attributes(void) {
    static const struct {
        enum p2m_type t;
        bool write, exec, device;
    } want[] = {
        {P2M_RAM_RW, true, true, false},       {P2M_RAM_RO, false, true, false},
        {P2M_XENHEAP_RW, true, false, false},  {P2M_XENHEAP_RO, false, false, false},
        {P2M_MMIO_DIRECT, true, false, true},  {P2M_GRANT_RW, true, false, false},
        {P2M_GRANT_RO, false, false, false},   {P2M_FOREIGN_RW, true, false, false},
        {P2M_FOREIGN_RO, false, false, false},
    };
    extern pte_t p2m_attr[];

    boot(MB(64), 4, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
        pte_t a = p2m_attr[want[i].t];

        CHECK(!!(a & S2_WRITE) == want[i].write);
        CHECK(!!(a & S2_XN) != want[i].exec);
        CHECK((a & S2_READ) && (a & PTE_AF));
        CHECK(((a >> 2) & 0xf) == (want[i].device ? 1 : 0xf));
        CHECK(want[i].device || (a & PTE_SH_INNER) == PTE_SH_INNER);
        CHECK(pte_sw(a) == want[i].t);
        CHECK(!(a & (PTE_ADDR | PTE_VALID | PTE_TABLE)));
    }
    finish();
}

#define CHILD(fn)                                                                                  \
    static void test_##fn(void **state) {                                                          \
        (void)state;                                                                               \
        in_child(fn);                                                                              \
    }
static void in_child(void (*fn)(void)) {
    pid_t pid = fork();
    int status = -1;

    if (!pid) {
        fn();
        _exit(0);
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}
CHILD(shape_48)
CHILD(shape_44)
CHILD(shape_40)
CHILD(shape_36)
CHILD(vmids)
CHILD(populate_uses_large_blocks)
CHILD(populate_unaligned)
CHILD(populate_limits)
CHILD(heap_exhausted)
CHILD(populate_over_populated)
CHILD(unmap_gives_back)
CHILD(table_and_page_go_together)
CHILD(block_goes_as_one)
CHILD(split_without_tables)
CHILD(audit_when_due)
CHILD(teardown_in_steps)
CHILD(add_and_remove)
CHILD(add_displaces)
CHILD(refused)
CHILD(referenced_page_outlives_its_mapping)
CHILD(a_thousand_domains)
CHILD(held_pages_do_not_stop_the_drain)
CHILD(wrong_gfn_is_a_bug)
CHILD(leaked_not_freed)
CHILD(reference_count_is_full)
CHILD(mmio)
CHILD(attributes)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape_48),
        cmocka_unit_test(test_shape_44),
        cmocka_unit_test(test_shape_40),
        cmocka_unit_test(test_shape_36),
        cmocka_unit_test(test_vmids),
        cmocka_unit_test(test_populate_uses_large_blocks),
        cmocka_unit_test(test_populate_unaligned),
        cmocka_unit_test(test_populate_limits),
        cmocka_unit_test(test_heap_exhausted),
        cmocka_unit_test(test_populate_over_populated),
        cmocka_unit_test(test_unmap_gives_back),
        cmocka_unit_test(test_table_and_page_go_together),
        cmocka_unit_test(test_block_goes_as_one),
        cmocka_unit_test(test_split_without_tables),
        cmocka_unit_test(test_audit_when_due),
        cmocka_unit_test(test_teardown_in_steps),
        cmocka_unit_test(test_add_and_remove),
        cmocka_unit_test(test_add_displaces),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_referenced_page_outlives_its_mapping),
        cmocka_unit_test(test_a_thousand_domains),
        cmocka_unit_test(test_held_pages_do_not_stop_the_drain),
        cmocka_unit_test(test_wrong_gfn_is_a_bug),
        cmocka_unit_test(test_leaked_not_freed),
        cmocka_unit_test(test_reference_count_is_full),
        cmocka_unit_test(test_mmio),
        cmocka_unit_test(test_attributes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
