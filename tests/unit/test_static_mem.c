/* Static memory: a domain's own frames, from the reserve and back, never to the heap. */
/* SOURCES: common/mm/boot_mem.c common/mm/heap.c common/mm/fresh.c common/mm/xenheap.c common/mm/page_owner.c common/mm/page_ref.c common/mm/static_mem.c common/mm/pt.c common/mm/pt_page.c common/mm/pt_read.c common/mm/p2m.c common/mm/p2m_global.c common/mm/p2m_map.c common/mm/p2m_unmap.c common/mm/p2m_pool.c common/mm/p2m_populate.c common/mm/p2m_audit.c tests/fake/mm_world.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <hv/bits.h>
#include <hv/errno.h>

#include <asm/features.h>

#include "../fake/mm_world.h"

#define BASE 0x40000000ULL
#define RAM MB(64)
#define AT (BASE + MB(34) + 3 * PAGE_SIZE) /* from the middle of a section on */
#define PAGES 2060u                        /* 8 MiB and a little */
#define G0 0x40000ULL

struct cpu_features cpu_features = {.pa_range_bits = 44, .vmid16 = true};

int hyp_map(vaddr_t va, paddr_t pa, uint64_t size, enum hyp_prot prot) {
    (void)va;
    (void)pa;
    (void)size;
    (void)prot;
    return 0;
}

static struct domain dom, other;
static uint64_t heap;
static struct page_info *before_static; /* kept from all others */

static uint64_t first(void) {
    return AT >> PAGE_SHIFT;
}
static bool is_static(mfn_t m) {
    return m.mfn - first() < PAGES;
}

static void make(struct domain *d, uint16_t id) {
    domain_pages_init(&d->pages, id, PAGES);
    assert_int_equal(p2m_init(&d->p2m, d, 40), 0);
}

static void end(struct domain *d) {
    d->pages.dying = d->p2m.dying = true;
    for (int rc = -EAGAIN; rc;) {
        rc = p2m_relinquish(&d->p2m);
        assert_true(rc == 0 || rc == -EAGAIN);
    }
    p2m_destroy(&d->p2m);
}

/* The frame of the heap that lies right before the static ones. */
static struct page_info *neighbour(void) {
    struct page_list others = PAGE_LIST_INIT;
    struct page_info *page;

    while ((page = heap_alloc(0)) && page_to_mfn(page).mfn != first() - 1)
        page_list_push(&others, page);
    for (struct page_info *other_page; (other_page = page_list_pop(&others));)
        heap_free(other_page, 0);
    return page;
}

static void boot_once(void) {
    static bool booted;

    if (booted)
        return;
    booted = true;
    world_create(BASE, RAM);
    assert_int_equal(boot_mem_add(paddr(BASE), RAM), 0);
    assert_int_equal(boot_mem_reserve(paddr(AT), PAGES * PAGE_SIZE), 0);
    page_alloc_init();
    p2m_global_init();
    before_static = neighbour();
    assert_non_null(before_static);
    heap = heap_free_pages();
}

/* Two domains; dom has the static frames. */
static void start(bool direct) {
    mfn_t bad;

    boot_once();
    assert_int_equal(heap_free_pages(), heap);
    make(&dom, 1);
    make(&other, 2);
    dom.pages.direct_map = direct;
    assert_int_equal(domain_add_static(&dom.pages, mfn(first()), PAGES, &bad), 0);
    assert_int_equal(dom.pages.reserve_pages, PAGES);
    assert_int_equal(p2m_audit(&dom.p2m), 0);
}

static void stop(void) {
    end(&other);
    end(&dom);
    assert_int_equal(dom.pages.tot_pages, 0);
    assert_int_equal(dom.pages.reserve_pages, 0);
    for (uint64_t i = 0; i < PAGES; i++) { /* nobody's: a later domain may be where dom was */
        assert_int_equal(mfn_to_page(mfn(first() + i))->count_info, PGC_static);
        assert_null(mfn_to_page(mfn(first() + i))->u.owner);
    }
    assert_int_equal(heap_free_pages(), heap);
    world_check_locks();
}

static mfn_t frame_at(struct domain *d, uint64_t g) {
    return p2m_lookup(&d->p2m, gfn(g), NULL, NULL);
}
static char *byte_at(uint64_t g) {
    return phys_to_virt(mfn_to_paddr(frame_at(&dom, g)));
}

static void test_ram_is_static(void **state) {
    uint64_t free_pages;

    (void)state;
    start(false);
    free_pages = heap_free_pages();
    assert_int_equal(p2m_populate(&dom.p2m, gfn(G0), PAGES), 0);
    assert_int_equal(heap_free_pages(), free_pages);
    assert_int_equal(dom.pages.tot_pages, PAGES);
    assert_int_equal(dom.pages.reserve_pages, 0);
    for (uint64_t i = 0; i < PAGES; i++)
        assert_int_equal(frame_at(&dom, G0 + i).mfn, first() + i);
    assert_int_equal(p2m_audit(&dom.p2m), 0);
    assert_int_equal(p2m_populate(&dom.p2m, gfn(G0 + PAGES), 1), -ENOMEM); /* not from the heap */
    stop();
}

static void test_ballooning_stays_in_it(void **state) {
    (void)state;
    start(false);
    assert_int_equal(p2m_populate(&dom.p2m, gfn(G0), PAGES), 0);
    memset(byte_at(G0 + 700), 0x5a, PAGE_SIZE);
    assert_int_equal(p2m_unmap(&dom.p2m, gfn(G0 + 512), 512), 0);
    assert_int_equal(p2m_unmap(&dom.p2m, gfn(G0 + 1), 1), 0);
    assert_int_equal(dom.pages.reserve_pages, 513);
    assert_int_equal(dom.pages.tot_pages, PAGES - 513);
    assert_int_equal(p2m_audit(&dom.p2m), 0);
    assert_int_equal(p2m_populate(&dom.p2m, gfn(G0 + 0x10000), 513), 0);
    for (uint64_t g = G0 + 0x10000; g < G0 + 0x10000 + 513; g++) {
        assert_true(is_static(frame_at(&dom, g)));
        assert_int_equal(*byte_at(g), 0); /* cleared */
    }
    assert_int_equal(p2m_audit(&dom.p2m), 0);
    stop();
}

static void test_one_page(void **state) {
    (void)state;
    start(false);
    assert_int_equal(p2m_populate(&dom.p2m, gfn(G0), 3), 0);
    assert_int_equal(p2m_unmap(&dom.p2m, gfn(G0 + 1), 1), 0);
    assert_int_equal(dom.pages.reserve_pages, PAGES - 2);
    assert_int_equal(p2m_audit(&dom.p2m), 0);
    stop();
}

static void test_neighbours_go_where_they_came_from(void **state) {
    uint64_t free_pages;

    (void)state;
    start(false);
    free_pages = heap_free_pages();
    assert_int_equal(domain_assign_pages(&dom.pages, before_static, 0), 0);
    assert_int_equal(p2m_map(&dom.p2m, gfn(G0 - 1), mfn(first() - 1), 0, P2M_RAM_RW), 0);
    assert_int_equal(p2m_populate(&dom.p2m, gfn(G0), 2), 0);
    assert_int_equal(frame_at(&dom, G0).mfn, first());
    assert_int_equal(p2m_unmap(&dom.p2m, gfn(G0 - 1), 3), 0);
    assert_int_equal(heap_free_pages(), free_pages + 1);
    assert_ptr_equal(neighbour(), before_static);
    assert_int_equal(dom.pages.reserve_pages, PAGES);
    assert_int_equal(dom.pages.tot_pages, 0);
    assert_int_equal(p2m_audit(&dom.p2m), 0);
    stop();
}

/* A whole block that comes back together leaves together, and is one block in the table again. */
static void test_blocks(void **state) {
    uint64_t block = ALIGN_UP(first(), 512), g = G0 + (block - first());
    uint64_t shift = 512 - (block - first());
    unsigned order;

    (void)state;
    start(false);
    g = G0 + 512;
    /* The frames before the first aligned one, then the rest at an aligned address. */
    assert_int_equal(p2m_populate(&dom.p2m, gfn(G0 + shift), 512 - shift), 0);
    assert_int_equal(p2m_populate(&dom.p2m, gfn(g), 1024), 0);
    assert_int_equal(p2m_lookup(&dom.p2m, gfn(g), NULL, &order).mfn, block);
    assert_int_equal(order, 9);
    assert_int_equal(p2m_unmap(&dom.p2m, gfn(G0 + shift), 512 - shift), 0);
    assert_int_equal(p2m_unmap(&dom.p2m, gfn(g + 512), 512), 0);
    assert_int_equal(p2m_audit(&dom.p2m), 0);
    stop();
}

/* An aligned frame at the head of the reserve does not make what follows it a block. */
static void test_no_block(void **state) {
    uint64_t block = ALIGN_UP(first(), 512);

    (void)state;
    start(false);
    assert_int_equal(p2m_populate(&dom.p2m, gfn(G0), PAGES), 0);
    assert_int_equal(p2m_unmap(&dom.p2m, gfn(G0 + block - first()), 1), 0);
    for (uint64_t i = 511; i; i--)
        assert_int_equal(p2m_unmap(&dom.p2m, gfn(G0 + block - first() + i), 1), 0);
    assert_int_equal(p2m_populate(&dom.p2m, gfn(0x10000), 512), 0);
    assert_int_equal(frame_at(&dom, 0x10000).mfn, block);
    assert_int_equal(frame_at(&dom, 0x10001).mfn, block + 511);
    assert_int_equal(p2m_audit(&dom.p2m), 0);
    stop();
}

static void test_direct_map(void **state) {
    uint64_t f = first();

    (void)state;
    start(true);
    assert_int_equal(p2m_populate(&dom.p2m, gfn(f), PAGES), 0);
    for (uint64_t i = 0; i < PAGES; i++)
        assert_int_equal(frame_at(&dom, f + i).mfn, f + i);
    assert_int_equal(p2m_unmap(&dom.p2m, gfn(f + 5), 3), 0);
    assert_int_equal(p2m_populate(&dom.p2m, gfn(f + PAGES), 1), -ENOMEM); /* another frame */
    assert_int_equal(p2m_populate(&dom.p2m, gfn(f + 4), 1), -ENOMEM);     /* in use */
    assert_int_equal(p2m_populate(&dom.p2m, gfn(f + 7), 1), 0);
    assert_int_equal(frame_at(&dom, f + 7).mfn, f + 7);
    assert_int_equal(p2m_populate(&dom.p2m, gfn(1ULL << 26), 1), -ENOMEM); /* no frame at all */
    assert_int_equal(p2m_populate(&dom.p2m, gfn(f + 5), 2), 0);
    assert_int_equal(dom.pages.reserve_pages, 0);
    assert_int_equal(p2m_audit(&dom.p2m), 0);
    stop();
}

/* Two directly mapped domains: neither gets the other's frames. */
static void test_frames_of_another(void **state) {
    mfn_t bad;

    (void)state;
    boot_once();
    make(&dom, 1);
    make(&other, 2);
    dom.pages.direct_map = other.pages.direct_map = true;
    assert_int_equal(domain_add_static(&dom.pages, mfn(first()), 10, &bad), 0);
    assert_int_equal(domain_add_static(&other.pages, mfn(first() + 10), 10, &bad), 0);
    assert_int_equal(p2m_populate(&dom.p2m, gfn(first() + 10), 1), -ENOMEM);
    assert_int_equal(p2m_populate(&other.p2m, gfn(first() + 9), 1), -ENOMEM);
    assert_int_equal(p2m_populate(&other.p2m, gfn(first() + 10), 10), 0);
    end(&other);
    make(&other, 3);
    assert_int_equal(p2m_populate(&dom.p2m, gfn(first() + 10), 1), -ENOMEM); /* nobody's now */
    stop();
}

/* A frame that another domain still has when its owner has gone is not the owner's next life's. */
static void test_still_held(void **state) {
    struct page_info *page;
    mfn_t bad;

    (void)state;
    start(false);
    assert_int_equal(p2m_populate(&dom.p2m, gfn(G0), PAGES), 0);
    page = p2m_get_page(&dom.p2m, gfn(G0 + 9), NULL);
    assert_non_null(page);
    end(&dom);
    assert_int_equal(dom.pages.tot_pages, 1);
    assert_int_equal(dom.pages.reserve_pages, 0);

    {
        struct domain next;

        make(&next, 3);
        assert_int_equal(domain_add_static(&next.pages, mfn(first()), PAGES, &bad), -EBUSY);
        assert_true(bad.mfn <= first() + 9 && first() + 9 < bad.mfn + 512);
        end(&next);
        put_page(page);
        assert_int_equal(dom.pages.tot_pages, 0);
        assert_int_equal(page->count_info, PGC_static);
        make(&next, 3);
        assert_int_equal(domain_add_static(&next.pages, mfn(first()), PAGES, &bad), 0);
        assert_int_equal(p2m_populate(&next.p2m, gfn(G0), PAGES), 0);
        assert_int_equal(p2m_audit(&next.p2m), 0);
        end(&next);
    }
    end(&other);
    assert_int_equal(heap_free_pages(), heap);
}

/* Held while its owner lives: back in the reserve with the last reference. */
static void test_late_return(void **state) {
    struct page_info *page;

    (void)state;
    start(false);
    assert_int_equal(p2m_populate(&dom.p2m, gfn(G0), 8), 0);
    page = p2m_get_page(&dom.p2m, gfn(G0 + 3), NULL);
    assert_int_equal(p2m_unmap(&dom.p2m, gfn(G0), 8), 0);
    assert_int_equal(dom.pages.reserve_pages, PAGES - 1);
    assert_int_equal(p2m_audit(&dom.p2m), 0);
    put_page(page);
    assert_int_equal(dom.pages.reserve_pages, PAGES);
    assert_int_equal(p2m_audit(&dom.p2m), 0);
    stop();
}

static void test_limits(void **state) {
    (void)state;
    start(false);
    dom.pages.max_pages = 4;
    assert_int_equal(p2m_populate(&dom.p2m, gfn(G0), 5), -ENOMEM);
    assert_int_equal(dom.pages.tot_pages, 4);
    assert_int_equal(dom.pages.reserve_pages, PAGES - 4); /* what could not be had went back */
    assert_int_equal(p2m_audit(&dom.p2m), 0);
    stop();
}

static void test_no_ram(void **state) {
    mfn_t bad;

    (void)state;
    boot_once();
    make(&dom, 1);
    assert_int_equal(domain_add_static(&dom.pages, mfn((BASE + RAM) >> PAGE_SHIFT), 1, &bad),
                     -EINVAL);
    assert_int_equal(bad.mfn, (BASE + RAM) >> PAGE_SHIFT);
    end(&dom);
}

static void test_audit_sees(void **state) {
    struct page_info *page;

    (void)state;
    start(false);
    page = page_list_first(&dom.pages.reserve);
    page->count_info |= 1;
    assert_int_equal(p2m_audit(&dom.p2m), 1);
    page->count_info = PGC_static;
    dom.pages.reserve_pages--;
    assert_int_equal(p2m_audit(&dom.p2m), 1);
    dom.pages.reserve_pages++;
    stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ram_is_static),
        cmocka_unit_test(test_ballooning_stays_in_it),
        cmocka_unit_test(test_one_page),
        cmocka_unit_test(test_neighbours_go_where_they_came_from),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_direct_map),
        cmocka_unit_test(test_no_block),
        cmocka_unit_test(test_frames_of_another),
        cmocka_unit_test(test_still_held),
        cmocka_unit_test(test_late_return),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_no_ram),
        cmocka_unit_test(test_audit_sees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
