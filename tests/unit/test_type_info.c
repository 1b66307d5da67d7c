/* The packed word type_info, at the width of the architecture. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <hv/type_info.h>

static uint64_t max_gfn(void) {
    return PGT_GFN_BITS == 29 ? (1ULL << 28) - 1 : (1ULL << 52) - 1;
}

static void test_layout(void **state) {
    (void)state;
    /* The table of docs/memory.md, number by number. */
    if (sizeof(type_info_t) == 8) {
        assert_int_equal(PGT_TYPE_MASK, 1ULL << 63);
        assert_int_equal(PGT_COUNT_MASK, 0x7fe0000000000000ULL);
        assert_int_equal(PGT_GFN_MASK, 0x001fffffffffffffULL);
    } else {
        assert_int_equal(PGT_TYPE_MASK, 1ULL << 31);
        assert_int_equal(PGT_COUNT_MASK, 0x60000000ULL);
        assert_int_equal(PGT_GFN_MASK, 0x1fffffffULL);
    }
    assert_int_equal(PGT_MAX_GFN, max_gfn());
    assert_int_equal((type_info_t)(PGT_TYPE_MASK | PGT_COUNT_MASK | PGT_GFN_MASK),
                     (type_info_t)~0ULL);
    assert_int_equal(PGT_TYPE_MASK & PGT_COUNT_MASK, 0);
    assert_int_equal(PGT_COUNT_MASK & PGT_GFN_MASK, 0);
    assert_true(PGT_MAX_GFN < PGT_INVALID_GFN);
}

static void test_initializer(void **state) {
    type_info_t t = PGT_TYPE_INFO_INITIALIZER;

    (void)state;
    assert_false(type_info_has_gfn(t));
    assert_int_equal(type_info_gfn(t).gfn, INVALID_GFN.gfn);
    assert_int_equal(type_info_count(t), 0);
    assert_int_equal(t & PGT_TYPE_MASK, PGT_none);
}

static void check_gfn(type_info_t t, uint64_t g) {
    type_info_t with = type_info_with_gfn(t, gfn(g));

    assert_true(type_info_has_gfn(with));
    assert_int_equal(type_info_gfn(with).gfn, g);
    assert_int_equal(with & ~PGT_GFN_MASK, t & ~PGT_GFN_MASK);
    with = type_info_with_gfn(with, INVALID_GFN);
    assert_false(type_info_has_gfn(with));
    assert_int_equal(with & ~PGT_GFN_MASK, t & ~PGT_GFN_MASK);
    assert_int_equal(type_info_gfn_field(gfn(g)), g);
}

static void test_gfn(void **state) {
    (void)state;
    for (unsigned type = 0; type < 2; type++)
        for (type_info_t c = 0; c < (type_info_t)1 << PGT_COUNT_BITS; c++) {
            type_info_t t =
                (type ? PGT_writable_page : PGT_none) | c << PGT_COUNT_SHIFT | PGT_INVALID_GFN;

            check_gfn(t, 0);
            check_gfn(t, 1);
            check_gfn(t, max_gfn());
            check_gfn(t, max_gfn() - 1);
            for (unsigned bit = 0; 1ULL << bit <= max_gfn(); bit++)
                check_gfn(t, 1ULL << bit);
            check_gfn(t, ((uint64_t)rand() << 31 ^ (uint64_t)rand()) & max_gfn());
        }
}

static void test_writable_count(void **state) {
    type_info_t t = type_info_with_gfn(PGT_TYPE_INFO_INITIALIZER, gfn(max_gfn())), more = 0;
    unsigned full = (1u << PGT_COUNT_BITS) - 1;

    (void)state;
    assert_false(type_info_put_writable(t, &more));
    for (unsigned i = 1; i <= full; i++) {
        assert_true(type_info_get_writable(t, &t));
        assert_int_equal(type_info_count(t), i);
        assert_int_equal(t & PGT_TYPE_MASK, PGT_writable_page);
        assert_int_equal(type_info_gfn(t).gfn, max_gfn());
    }
    more = 0;
    assert_false(type_info_get_writable(t, &more));
    assert_int_equal(more, 0);
    for (unsigned i = full; i--;) {
        assert_true(type_info_put_writable(t, &t));
        assert_int_equal(type_info_count(t), i);
        assert_int_equal(t & PGT_TYPE_MASK, i ? PGT_writable_page : PGT_none);
        assert_int_equal(type_info_gfn(t).gfn, max_gfn());
    }
    assert_false(type_info_put_writable(t, &more));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_initializer),
        cmocka_unit_test(test_gfn),
        cmocka_unit_test(test_writable_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
