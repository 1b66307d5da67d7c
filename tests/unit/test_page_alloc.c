/* The page allocator: frame table, fresh sections, buddy lists, xenheap. */
/* SOURCES: common/mm/boot_mem.c common/mm/heap.c common/mm/fresh.c common/mm/xenheap.c common/mm/page_owner.c common/mm/page_ref.c common/mm/static_mem.c common/mm/pt_read.c tests/fake/mm_world.c */
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

#include "../../common/mm/heap.h"
#include "../fake/mm_world.h"
#include "child.h"

#define BASE 0x40000000ULL
/* What the address space of the test has room for; none of it is touched. */
#define WIDE (sizeof(void *) == 8)
#define MUCH (WIDE ? GB(64) : GB(1))

static unsigned hyp_maps;
static uint64_t hyp_mapped;
int hyp_map(vaddr_t va, paddr_t pa, uint64_t size, enum hyp_prot prot) {
    /* The frame table can be mapped by blocks: same offset in 2 MiB on both sides. */
    if (((va - FRAMETABLE_VA) ^ pa.pa) & (MB(2) - 1) & ~(uint64_t)(PAGE_SIZE - 1))
        return -EINVAL;
    if (prot != HYP_RW || (size & (PAGE_SIZE - 1)))
        return -EINVAL;
    hyp_maps++;
    hyp_mapped += size;
    return 0;
}

#define CHECK(c)                                                                                   \
    do {                                                                                           \
        if (!(c)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c);                                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* The allocator's state lives as long as the process: one process per test. */
static void in_child(void (*fn)(void)) {
    pid_t pid = fork();
    int status = -1;

    if (!pid) {
        fn();
        world_check_locks();
        child_ends();
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

/* What is handed out, and what was cleared since, frame by frame. */
static uint8_t *owned, *cleared;
static uint64_t frames;

static uint64_t index_of(const struct page_info *page) {
    return page_to_mfn(page).mfn - (BASE >> PAGE_SHIFT);
}

/* Also says how many of its frames are to be cleared. */
static uint64_t claim(struct page_info *page, unsigned order) {
    struct dirty d = heap_dirty(page);
    uint64_t n = index_of(page);

    CHECK(!(page_to_mfn(page).mfn & ((1ULL << order) - 1)));
    CHECK(d.first <= d.end && d.end <= 1ULL << order);
    for (uint64_t i = 0; i < 1ULL << order; i++) {
        CHECK((i >= d.first && i < d.end) || cleared[n + i]);
        cleared[n + i] = 0;
    }
    for (uint64_t i = n; i < n + (1ULL << order); i++) {
        CHECK(i < frames);
        CHECK(!owned[i]);
        owned[i] = 1;
    }
    return d.end - d.first;
}

static void clear(struct page_info *page) {
    CHECK(!owned[index_of(page)]);
    cleared[index_of(page)] = 1;
}
static void unclaim(struct page_info *page, unsigned order) {
    memset(owned + (page_to_mfn(page).mfn - (BASE >> PAGE_SHIFT)), 0, 1UL << order);
}
static void boot(uint64_t size) {
    frames = size >> PAGE_SHIFT;
    owned = calloc(1, frames);
    cleared = calloc(1, frames);
    world_create(BASE, size);
    CHECK(boot_mem_add(paddr(BASE), size) == 0);
}

static void nothing_is_touched_at_boot(void) {
    uint64_t before;

    boot(MUCH);
    page_alloc_init();
    CHECK(hyp_maps == 1 && hyp_mapped == (MUCH >> PAGE_SHIFT) * sizeof(struct page_info));
    before = heap_free_pages();
    CHECK(before == heap_total_pages());
    CHECK(before == (MUCH - hyp_mapped - ALIGN_UP(MUCH / MB(16) / 8, PAGE_SIZE)) >> PAGE_SHIFT);
    /* The garbage of the frame table is still there. */
    for (uint64_t i = 0; i < MIN(MB(32) / sizeof(struct page_info), frames); i++)
        CHECK(frame_table[(BASE >> PAGE_SHIFT) + i].count_info ==
              (count_info_t)0x5a5a5a5a5a5a5a5aULL);
    CHECK(!mfn_is_managed(mfn(BASE >> PAGE_SHIFT)));
    claim(heap_alloc(0), 0);
    CHECK(heap_free_pages() == before - 1);
}

static void reserved_is_never_given(void) {
    struct page_info *page;
    uint64_t given = 0, free_before;

    boot(MB(256));
    for (unsigned i = 0; i < 100; i++) {
        uint64_t at = ((uint64_t)rand() << 12) % MB(256), n = (1 + (uint64_t)rand() % 100) << 12;

        n = MIN(n, MB(256) - at);
        CHECK(boot_mem_reserve(paddr(BASE + at), n) == 0);
        memset(owned + (at >> 12), 1, n >> 12);
    }
    page_alloc_init();
    free_before = heap_free_pages();
    for (unsigned order = 9; order-- > 0;)
        while ((page = heap_alloc(order))) {
            claim(page, order);
            given += 1ULL << order;
        }
    CHECK(given == free_before && heap_free_pages() == 0);
}

static void every_page_once(void) {
    struct page_info *page;
    uint64_t total;

    boot(MB(200)); /* not a multiple of a section */
    CHECK(boot_mem_reserve(paddr(BASE + MB(33)), MB(1)) == 0);
    memset(owned + (MB(33) >> 12), 1, MB(1) >> 12);
    page_alloc_init();
    total = heap_free_pages();
    for (uint64_t i = 0; i < total; i++) {
        page = heap_alloc(0);
        CHECK(page);
        claim(page, 0);
    }
    CHECK(!heap_alloc(0));
    CHECK(heap_free_pages() == 0);
    for (uint64_t i = 0; i < frames; i++)
        if (owned[i] && (i < MB(33) >> 12 || i >= MB(34) >> 12))
            heap_free(frame_table + (BASE >> 12) + i, 0), owned[i] = 0;
    CHECK(heap_free_pages() == total);
    /* All merged: the largest aligned blocks are there again. */
    for (unsigned i = 0; i < 2; i++) /* 0..32 M, 64..128 M less the frame table's place */
        CHECK(heap_alloc(13));
}

static void one_gigabyte(void) {
    struct page_info *a, *b;

    boot(WIDE ? GB(4) : GB(2)); /* less one GiB where the frame table is */
    page_alloc_init();
    CHECK(heap_alloc(0));
    a = heap_alloc(18);
    b = heap_alloc(18);
    CHECK(a && !b == !WIDE && a != b);
    CHECK(!heap_alloc(19));
    claim(a, 18);
    if (b)
        claim(b, 18);
    heap_free(a, 18);
    CHECK(heap_alloc(18) == a);
    heap_free_run(a + 1, (1 << 18) - 1);
    heap_free(a, 0);
    CHECK(heap_alloc(18) == a);
}

/* What lies in the frame table at boot may look like free blocks: nothing is believed before it is
 * formatted. */
static void garbage_that_looks_free(void) {
    struct page_info *page;
    uint64_t total;

    boot(MB(512));
    for (uint64_t i = 0; i < frames; i++) {
        page = frame_table + (BASE >> PAGE_SHIFT) + i;
        page->count_info = PGC_free;
        page->u.block.order = 12;
        page->next = page->prev = PAGE_LINK_NONE;
    }
    page_alloc_init();
    total = heap_free_pages();
    for (unsigned i = 0; i < 3; i++) {
        page = heap_alloc(12);
        CHECK(page);
        claim(page, 12);
        unclaim(page, 12);
        heap_free(page, 12);
        CHECK(heap_free_pages() == total);
    }
    for (unsigned order = 18; order-- > 0;)
        while ((page = heap_alloc(order))) {
            claim(page, order);
            total -= 1ULL << order;
        }
    CHECK(total == 0);
}

static uint64_t dirty_pages(void) {
    struct heap_summary s;

    heap_summarize(&s);
    CHECK(s.fresh + s.dirty + s.clean == heap_free_pages());
    return s.dirty;
}

/* Each step clears one page of what was to be cleared, until all is. */
static void scrub_all(void) {
    for (uint64_t left = dirty_pages(); left--;) {
        CHECK(heap_scrub_step(clear));
        CHECK(dirty_pages() == left);
    }
    CHECK(!heap_scrub_step(clear));
}

/* Blocks of 8 pages are taken until it is this one: how many of its pages are to be cleared. */
static uint64_t cost_of(const struct page_info *wanted) {
    for (;;) {
        struct page_info *page = heap_alloc(3);
        uint64_t cost;

        CHECK(page);
        cost = claim(page, 3);
        if (page == wanted)
            return cost;
        CHECK(cost == 0);
    }
}

static void put_back(struct page_info *page) {
    unclaim(page, 3);
    heap_free(page, 3);
}

static void idle_cpus_clear(void) {
    struct page_info *block[8];

    boot(MB(256));
    page_alloc_init();
    for (unsigned i = 0; i < ARRAY_SIZE(block); i++)
        CHECK(claim(block[i] = heap_alloc(3), 3) == 8);
    CHECK(!heap_scrub_step(clear)); /* the machine still boots */
    heap_scrub_start();
    scrub_all();
    /* The clean blocks come first; what comes back is dirty, and no more than that. */
    put_back(block[1]);
    CHECK(dirty_pages() == 8);
    CHECK(cost_of(block[1]) == 8);
    scrub_all();
    /* A block that is half cleared stays so, until its other half was. */
    put_back(block[1]);
    for (unsigned i = 0; i < 4; i++)
        CHECK(heap_scrub_step(clear));
    CHECK(cost_of(block[1]) == 4);
    /* One page that joins seven clean ones is all there is to do. */
    put_back(block[3]);
    scrub_all();
    CHECK(cost_of(block[3]) == 0);
    heap_free_run(block[3] + 1, 7);
    unclaim(block[3], 3);
    owned[index_of(block[3])] = 1;
    scrub_all();
    owned[index_of(block[3])] = 0;
    heap_free(block[3], 0);
    CHECK(dirty_pages() == 1);
    CHECK(cost_of(block[3]) == 1);
}

/* Who finds the heap's lock taken looks again: the holder may have other things to do. */
static void scrubbing_outlives_a_taken_lock(void) {
    boot(MB(64));
    page_alloc_init();
    heap_free(heap_alloc(0), 0);
    heap_scrub_start();
    fake_trylock_fails = 3;
    for (unsigned i = 3; i--;) {
        CHECK(heap_scrub_step(clear));
        CHECK(dirty_pages() && fake_trylock_fails == i);
    }
    scrub_all();
    fake_trylock_fails = 1;
    CHECK(!heap_scrub_step(clear) && fake_trylock_fails == 1); /* nor is it tried for nothing */
}

static unsigned asked;
static bool first_fails(void) {
    return !asked++;
}

/* Not one for each kind of memory, of which another would serve. */
static void an_allocation_fails_once(void) {
    boot(MB(64));
    page_alloc_init();
    mm_fail_hook = first_fails;
    CHECK(!heap_alloc(0) && asked == 1);
    CHECK(heap_alloc(0) && asked == 2);
    asked = 0;
    CHECK(!heap_alloc_direct(0) && asked == 1);
    CHECK(heap_alloc_direct(0) && asked == 2);
}

static void random_against_a_map(void) {
    struct {
        struct page_info *page;
        unsigned order;
    } have[512];
    unsigned n = 0;
    uint64_t total, out = 0, fresh;
    struct page_info *page;

    boot(MB(320));
    for (unsigned i = 0; i < 10; i++) {
        uint64_t at = ((uint64_t)rand() << 12) % MB(320);

        CHECK(boot_mem_reserve(paddr(BASE + at), PAGE_SIZE) == 0);
        owned[at >> 12] = 1;
    }
    page_alloc_init();
    heap_scrub_start();
    total = heap_free_pages();
    for (unsigned i = 0; i < 200000; i++) {
        for (unsigned steps = (unsigned)rand() % 32; steps && heap_scrub_step(clear); steps--)
            ;
        if (n < ARRAY_SIZE(have) && rand() % 2) {
            unsigned order = rand() % 8 ? (unsigned)rand() % 5 : (unsigned)rand() % 15;
            struct page_info *page = heap_alloc(order);

            if (!page)
                continue;
            claim(page, order);
            have[n].page = page;
            have[n++].order = order;
            out += 1ULL << order;
        } else if (n) {
            unsigned k = (unsigned)rand() % n;

            unclaim(have[k].page, have[k].order);
            if (rand() % 4)
                heap_free(have[k].page, have[k].order);
            else
                heap_free_run(have[k].page, 1ULL << have[k].order);
            out -= 1ULL << have[k].order;
            have[k] = have[--n];
        }
        CHECK(heap_free_pages() == total - out);
        (void)dirty_pages();
    }
    while (n--) {
        unclaim(have[n].page, have[n].order);
        heap_free(have[n].page, have[n].order);
    }
    CHECK(heap_free_pages() == total);
    scrub_all();
    fresh = fresh_pages();
    for (unsigned order = 0; order <= MAX_ORDER; order++)
        while ((page = heap_alloc(order)) && fresh_pages() == fresh)
            CHECK(claim(page, order) == 0);
    world_check_locks();
}

static void two_banks(void) {
    world_create(BASE, GB(1) + MB(512));
    CHECK(boot_mem_add(paddr(BASE + MB(3)), MB(50)) == 0);
    CHECK(boot_mem_add(paddr(BASE + GB(1)), MB(100) + PAGE_SIZE) == 0);
    page_alloc_init();
    CHECK(hyp_maps == 2);
    for (struct page_info *page; (page = heap_alloc(0));) {
        uint64_t pa = mfn_to_paddr(page_to_mfn(page)).pa - BASE;

        CHECK((pa >= MB(3) && pa < MB(53)) || (pa >= GB(1) && pa <= GB(1) + MB(100)));
        CHECK(mfn_is_managed(page_to_mfn(page)));
    }
    CHECK(!mfn_is_managed(mfn((BASE + MB(512)) >> 12)));
    CHECK(!mfn_is_managed(mfn(0)));
    CHECK(!mfn_is_managed(mfn(~0ULL)));
}

/* What the hypervisor uses itself is in the direct map; guests have that only when the rest is
 * gone. */
static void two_zones(void) {
    uint64_t total, others = 0;
    struct page_info *page;
    void *ours;

    fake_direct_end = BASE + GB(1);
    boot(GB(2));
    page_alloc_init();
    total = heap_free_pages();
    ours = xenheap_alloc(0);
    CHECK(ours && virt_to_phys(ours).pa < fake_direct_end);
    owned[index_of(virt_to_page(ours))] = 1;
    for (unsigned order = MAX_ORDER + 1; order-- > 0;) {
        while ((page = heap_alloc(order)) &&
               mfn_to_paddr(page_to_mfn(page)).pa >= fake_direct_end) {
            claim(page, order);
            others += 1ULL << order;
        }
        if (page)
            heap_free(page, order);
    }
    page = heap_alloc(0);
    CHECK(page && mfn_to_paddr(page_to_mfn(page)).pa < fake_direct_end);
    claim(page, 0);
    CHECK(heap_free_pages() == total - others - 2);
    CHECK(others > (GB(1) - MB(32)) >> PAGE_SHIFT);
    /* Blocks of one zone are not merged with those of the other. */
    heap_free_run(mfn_to_page(mfn((BASE + GB(1)) >> PAGE_SHIFT)), MB(512) >> PAGE_SHIFT);
    unclaim(mfn_to_page(mfn((BASE + GB(1)) >> PAGE_SHIFT)), MAX_ORDER - 1);
    while ((page = heap_alloc_direct(0))) {
        CHECK(mfn_to_paddr(page_to_mfn(page)).pa < fake_direct_end);
        claim(page, 0);
    }
    CHECK(heap_free_pages() == MB(512) >> PAGE_SHIFT);
    page = heap_alloc(MAX_ORDER - 1);
    CHECK(page && mfn_to_paddr(page_to_mfn(page)).pa == fake_direct_end);
}

static void fragmented_fresh(void) {
    /* More holes than there are entries to split further: taking blocks must never lose or double a
     * frame. */
    uint64_t apart = WIDE ? MB(32) : MB(4);
    struct page_info *page;

    boot(256 * apart);
    for (unsigned i = 1; i < 250; i++) {
        CHECK(boot_mem_reserve(paddr(BASE + i * apart), PAGE_SIZE) == 0);
        owned[(i * apart) >> 12] = 1;
    }
    page_alloc_init();
    for (unsigned order = 13; order-- > 0;)
        for (unsigned i = 0; i < 60 && (page = heap_alloc(order)); i++)
            claim(page, order);
}

static void xenheap_pages(void) {
    uint64_t before;
    void *a, *b;

    boot(MB(64));
    page_alloc_init();
    before = heap_free_pages();
    a = xenheap_alloc(0);
    b = xenheap_alloc(3);
    CHECK(a && b && heap_free_pages() == before - 9);
    CHECK(virt_to_page(b)[7].count_info == (PGC_xenheap | 1));
    CHECK(virt_to_page(b)[7].type_info == PGT_TYPE_INFO_INITIALIZER);
    memset(b, 0xff, PAGE_SIZE << 3);
    xenheap_free(b, 3);
    CHECK(virt_to_page(b)[7].count_info == 0 && !get_page_if_used(virt_to_page(b) + 7));
    xenheap_free(a, 0);
    CHECK(heap_free_pages() == before);
    panic_expected = 1;
    if (!setjmp(panic_jmp)) {
        xenheap_free(a, 0); /* twice */
        CHECK(!"no panic");
    }
    world_reset_locks();
}

#define CHILD(fn)                                                                                  \
    static void test_##fn(void **state) {                                                          \
        (void)state;                                                                               \
        in_child(fn);                                                                              \
    }
CHILD(nothing_is_touched_at_boot)
CHILD(reserved_is_never_given)
CHILD(every_page_once)
CHILD(one_gigabyte)
CHILD(garbage_that_looks_free)
CHILD(idle_cpus_clear)
CHILD(scrubbing_outlives_a_taken_lock)
CHILD(an_allocation_fails_once)
CHILD(random_against_a_map)
CHILD(two_banks)
CHILD(two_zones)
CHILD(fragmented_fresh)
CHILD(xenheap_pages)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_touched_at_boot),
        cmocka_unit_test(test_reserved_is_never_given),
        cmocka_unit_test(test_every_page_once),
        cmocka_unit_test(test_one_gigabyte),
        cmocka_unit_test(test_garbage_that_looks_free),
        cmocka_unit_test(test_idle_cpus_clear),
        cmocka_unit_test(test_scrubbing_outlives_a_taken_lock),
        cmocka_unit_test(test_an_allocation_fails_once),
        cmocka_unit_test(test_random_against_a_map),
        cmocka_unit_test(test_two_banks),
        cmocka_unit_test(test_two_zones),
        cmocka_unit_test(test_fragmented_fresh),
        cmocka_unit_test(test_xenheap_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
