/* SOURCES: arch/arm/guest/setway.c */
/* Set/way operations: one pass over all cached memory per loop of the guest, in bounded steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hv/domain.h>
#include <hv/timer.h>
#include <hv/vcpu.h>

#include <asm/cache.h>
#include <asm/guest_state.h>
#include <asm/layout.h>

/* Never touched, only named. */
uint8_t *fake_ram = (uint8_t *)0x10000000;
uint64_t fake_ram_base = 0x70000000, fake_ram_size = GB(1);
uint8_t *fake_frame_table, *fake_frame_table_end;

#define STEP_MAX (256u << 10)

/* The guest's memory: blocks in order, holes between them. */
static const struct block {
    uint64_t gfn;
    unsigned order;
    uint64_t mfn;
    enum p2m_type type;
} map[] = {
    {0x40000, 9, 0x80000, P2M_RAM_RW},     {0x40200, 0, 0x90001, P2M_RAM_RO},
    {0x40201, 0, 0x70007, P2M_XENHEAP_RW}, {0x40202, 0, 0x9000, P2M_MMIO_DIRECT},
    {0x40400, 9, 0xa0000, P2M_RAM_RW},     {0x40600, 0, 0x90005, P2M_RAM_RW},
};
#define CACHED_PAGES (512 + 1 + 1 + 512 + 1)

static struct domain dom;
static struct vcpu vc;
static uint64_t now, cleaned_pages;
static int lookups, preempts, stop_after;

mfn_t p2m_lookup(struct p2m *p2m, gfn_t g, enum p2m_type *t, unsigned *order) {
    assert_ptr_equal(p2m, &dom.p2m);
    lookups++;
    for (unsigned i = 0; i < ARRAY_SIZE(map); i++)
        if (g.gfn >= map[i].gfn && g.gfn < map[i].gfn + (1ULL << map[i].order)) {
            *t = map[i].type;
            *order = map[i].order;
            return mfn(map[i].mfn + g.gfn - map[i].gfn);
        }
    *t = P2M_INVALID;
    *order = g.gfn < 0x40000 ? 18 : (g.gfn < 0x40400 ? 0 : 9);
    return INVALID_MFN;
}

void fake_dcache_cleaned(const void *va, size_t size) {
    uint64_t m = virt_to_phys(va).pa >> PAGE_SHIFT;
    bool known = false;

    assert_true(size > 0 && size <= STEP_MAX);
    for (unsigned i = 0; i < ARRAY_SIZE(map); i++)
        known |= map[i].type != P2M_MMIO_DIRECT && m >= map[i].mfn &&
                 m + size / PAGE_SIZE <= map[i].mfn + (1ULL << map[i].order);
    assert_true(known);
    cleaned_pages += size / PAGE_SIZE;
}

void preempt_point(void) {
    preempts++;
    if (stop_after && preempts == stop_after)
        vc.work = VCPU_WORK_STOP;
}

uint64_t time_ticks(void) {
    return now;
}
uint64_t ns_to_ticks(uint64_t ns) {
    return ns;
}

static int setup(void **state) {
    (void)state;
    memset(&vc, 0, sizeof(vc));
    vc.domain = &dom;
    dom.p2m.max_mapped_gfn = 0x40600;
    now = 1000000;
    cleaned_pages = 0;
    lookups = preempts = stop_after = 0;
    return 0;
}

static void cleans_everything_once(void **state) {
    (void)state;
    setway_access(&vc, 0);
    assert_int_equal(cleaned_pages, CACHED_PAGES);
    assert_int_equal(preempts, lookups);
    assert_true(lookups < 1200);
}

static void a_loop_is_one_pass(void **state) {
    (void)state;
    for (unsigned way = 4; way-- > 0;)
        for (unsigned set = 256; set-- > 0;) {
            setway_access(&vc, (uint64_t)way << 30 | set << 6);
            now += 1000;
        }
    assert_int_equal(cleaned_pages, CACHED_PAGES);
    /* the same loop again, at once */
    setway_access(&vc, 3ULL << 30 | 255 << 6);
    assert_int_equal(cleaned_pages, 2 * CACHED_PAGES);
}

static void a_pause_starts_a_new_loop(void **state) {
    (void)state;
    setway_access(&vc, 1);
    now += 990000;
    setway_access(&vc, 2);
    assert_int_equal(cleaned_pages, CACHED_PAGES);
    now += 1010000;
    setway_access(&vc, 3);
    assert_int_equal(cleaned_pages, 2 * CACHED_PAGES);
}

static void a_dying_domain_ends_it(void **state) {
    (void)state;
    stop_after = 3;
    setway_access(&vc, 0);
    assert_int_equal(preempts, 3);
    assert_true(cleaned_pages < CACHED_PAGES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(cleans_everything_once, setup),
        cmocka_unit_test_setup(a_loop_is_one_pass, setup),
        cmocka_unit_test_setup(a_pause_starts_a_new_loop, setup),
        cmocka_unit_test_setup(a_dying_domain_ends_it, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
