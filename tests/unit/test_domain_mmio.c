/* Which device frames are a domain's. */
/* SOURCES: common/virt/domain_mmio.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <hv/domain.h>
#include <hv/domain_mmio.h>
#include <hv/errno.h>
#include <hv/mm.h>

static bool heap_is_empty;
static int allocations;

void *hv_zalloc(size_t size) {
    if (heap_is_empty)
        return NULL;
    allocations++;
    return calloc(1, size);
}
void hv_free(void *p) {
    allocations--;
    free(p);
}
void panic(const char *fmt, ...) {
    (void)fmt;
    mock_assert(0, "no panic", __FILE__, __LINE__);
    abort();
}

static void test_ranges(void **state) {
    struct domain d = {.state = DOMAIN_BUILDING};

    (void)state;
    assert_false(domain_owns_mmio(&d, mfn(0)));
    assert_int_equal(domain_give_mmio(&d, mfn(0x10000), 16), 0);
    assert_int_equal(domain_give_mmio(&d, mfn(~0ULL - 1), 2), 0); /* up to the very last frame */
    assert_int_equal(domain_give_mmio(&d, mfn(5), 0), 0);
    assert_false(domain_owns_mmio(&d, mfn(0xffff)));
    assert_true(domain_owns_mmio(&d, mfn(0x10000)));
    assert_true(domain_owns_mmio(&d, mfn(0x1000f)));
    assert_false(domain_owns_mmio(&d, mfn(0x10010)));
    assert_false(domain_owns_mmio(&d, mfn(5)));
    assert_true(domain_owns_mmio(&d, mfn(~0ULL)));
    assert_false(domain_owns_mmio(&d, mfn(~0ULL - 2)));
    domain_drop_mmio(&d);
    assert_false(domain_owns_mmio(&d, mfn(0x10000)));
    assert_int_equal(allocations, 0);
}

static void test_out_of_memory(void **state) {
    struct domain d = {.state = DOMAIN_BUILDING};

    (void)state;
    heap_is_empty = true;
    assert_int_equal(domain_give_mmio(&d, mfn(1), 1), -ENOMEM);
    assert_false(domain_owns_mmio(&d, mfn(1)));
    heap_is_empty = false;
}

static void test_not_while_it_runs(void **state) {
    struct domain d = {.state = DOMAIN_RUNNING};

    (void)state;
    expect_assert_failure(assert_int_equal(domain_give_mmio(&d, mfn(1), 1), 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ranges),
                                       cmocka_unit_test(test_out_of_memory),
                                       cmocka_unit_test(test_not_while_it_runs)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
