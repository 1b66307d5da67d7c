/* Small objects of the hypervisor: hv_zalloc, hv_free. */
/* SOURCES: common/mm/boot_mem.c common/mm/heap.c common/mm/fresh.c common/mm/xenheap.c common/mm/page_owner.c common/mm/page_ref.c common/mm/static_mem.c common/mm/pt_read.c common/mm/slab.c tests/fake/mm_world.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hv/bits.h>

#include "../fake/mm_world.h"

int hyp_map(vaddr_t va, paddr_t pa, uint64_t size, enum hyp_prot prot) {
    (void)va;
    (void)pa;
    (void)size;
    (void)prot;
    return 0;
}

static int setup(void **state) {
    (void)state;
    world_boot(0x40000000, MB(64));
    return 0;
}

static bool is_zero(const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

static void test_sizes(void **state) {
    uint64_t before = heap_free_pages();

    (void)state;
    for (size_t size = 0; size <= 20000; size += size < 2100 ? 1 : 517) {
        uint8_t *p = hv_zalloc(size), *q = hv_zalloc(size);

        assert_non_null(p);
        assert_non_null(q);
        assert_false((uintptr_t)p & 15);
        assert_true(is_zero(p, size) && is_zero(q, size));
        assert_true(p + size <= q || q + size <= p);
        memset(p, 0xff, size);
        memset(q, 0xee, size);
        hv_free(p);
        hv_free(q);
        assert_int_equal(heap_free_pages(), before);
    }
    hv_free(NULL);
    world_check_locks();
}

static void test_random(void **state) {
    static struct {
        uint8_t *p;
        size_t size;
        uint8_t fill;
    } have[3000];
    unsigned n = 0;
    uint64_t before = heap_free_pages();

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        if (n < ARRAY_SIZE(have) && rand() % 5 < 3) {
            size_t size = rand() % 50 ? (size_t)rand() % 2500 : (size_t)rand() % 30000;
            uint8_t *p = hv_zalloc(size);

            if (!p)
                continue;
            assert_true(is_zero(p, size));
            have[n].p = p;
            have[n].size = size;
            have[n].fill = (uint8_t)rand();
            memset(p, have[n].fill, size);
            n++;
        } else if (n) {
            unsigned k = (unsigned)rand() % n;

            for (size_t b = 0; b < have[k].size; b++)
                assert_int_equal(have[k].p[b], have[k].fill);
            hv_free(have[k].p);
            have[k] = have[--n];
        }
    }
    while (n--)
        hv_free(have[n].p);
    assert_int_equal(heap_free_pages(), before);
    world_check_locks();
}

static void test_bad_free(void **state) {
    char *p = hv_zalloc(100), *whole = xenheap_alloc(0);

    (void)state;
    EXPECT_PANIC(hv_free(p + 16));
    xenheap_free(whole, 0);
    EXPECT_PANIC(hv_free(whole)); /* a page that is nobody's */
}

/* What is freed from a full page is found again before a new page is taken. */
static void test_full_page(void **state) {
    void *p[32], *other;
    uint64_t before;

    (void)state;
    for (unsigned i = 0; i < 32; i++)
        p[i] = hv_zalloc(128);
    before = heap_free_pages();
    hv_free(p[17]);
    other = hv_zalloc(128);
    assert_ptr_equal(other, p[17]);
    assert_int_equal(heap_free_pages(), before);
    for (unsigned i = 0; i < 32; i++)
        hv_free(p[i]);
    assert_int_equal(heap_free_pages(), before + 1);
}

static void test_exhausted(void **state) {
    unsigned n = 0;

    (void)state;
    assert_null(hv_zalloc(GB(2)));
    while (xenheap_alloc(0))
        ;
    while (hv_zalloc(2048))
        n++;
    assert_true(n <= 2);
    assert_null(hv_zalloc(8192));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),     cmocka_unit_test(test_random),
        cmocka_unit_test(test_full_page), cmocka_unit_test(test_bad_free),
        cmocka_unit_test(test_exhausted),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
