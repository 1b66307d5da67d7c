/* SOURCES: arch/arm32/cpu/mapwin.c */
/* Windows on RAM outside the direct map: their entries, nesting, each CPU's own, and misuse. */
#include "captured_log.h"

#include <hv/bits.h>
#include <hv/mapwin.h>
#include <hv/percpu.h>

#include <asm/hyp_pte.h>
#include <asm/mmu.h>
#include <asm/tlb.h>

uint8_t *fake_ram;
uint64_t fake_ram_base, fake_ram_size;
uint8_t *fake_frame_table, *fake_frame_table_end;
uint32_t cpu_number;
pte_t mapwin_ptes[MAX_CPUS * MAPWIN_SLOTS];

#define expect_panic(call)                                                                         \
    do {                                                                                           \
        panic_expected = true;                                                                     \
        if (!setjmp(panic_jump)) {                                                                 \
            call;                                                                                  \
            fail();                                                                                \
        }                                                                                          \
        panic_expected = false;                                                                    \
    } while (0)

static vaddr_t flushed;
static unsigned flushes;

void tlb_flush_hyp_page_local(vaddr_t va) {
    assert_int_equal(mapwin_ptes[(va - MAPWIN_VA) / PAGE_SIZE], 0); /* break, then forget */
    flushed = va;
    flushes++;
}

static void nesting(void **state) {
    const uint64_t pa = 0x123456789abULL;
    char *at[MAPWIN_SLOTS];

    (void)state;
    fake_direct_end = 0;
    cpu_number = 3;
    for (unsigned i = 0; i < MAPWIN_SLOTS; i++) {
        pte_t e;

        at[i] = mapwin_map(paddr(pa + i * PAGE_SIZE));
        assert_int_equal((vaddr_t)at[i], MAPWIN_VA + (3 * MAPWIN_SLOTS + i) * PAGE_SIZE + 0x9ab);
        e = mapwin_ptes[3 * MAPWIN_SLOTS + i];
        assert_true(pte_is_leaf(e, PT_LEVELS - 1));
        assert_int_equal(pte_addr(e), (pa & PAGE_MASK) + i * PAGE_SIZE);
        assert_true(e & S1_XN);
        assert_false(e & S1_RO);
        assert_int_equal(mapwin_open_count(), i + 1);
    }
    assert_false(mapwin_none_open());
    expect_panic(mapwin_map(paddr(pa)));
    for (unsigned i = MAPWIN_SLOTS; i-- > 0;) {
        if (i)
            expect_panic(mapwin_close(at[i - 1])); /* not the last one opened */
        mapwin_close(at[i] + 7);
        assert_int_equal(flushed, MAPWIN_VA + (3 * MAPWIN_SLOTS + i) * PAGE_SIZE);
    }
    assert_int_equal(flushes, MAPWIN_SLOTS);
    assert_true(mapwin_none_open());
    expect_panic(mapwin_close(at[0]));
    for (unsigned i = 0; i < MAX_CPUS * MAPWIN_SLOTS; i++)
        assert_int_equal(mapwin_ptes[i], 0);
}

static void reach(void **state) {
    (void)state;
    fake_direct_end = GB(1);
    assert_int_equal(mapwin_reach(paddr(GB(1) - KB(8)), KB(8)), KB(8));
    assert_int_equal(mapwin_reach(paddr(GB(1) - KB(8)), KB(8) + 1), KB(4)); /* not all of it */
    assert_int_equal(mapwin_reach(paddr(GB(1) + 5), KB(64)), KB(4) - 5);
    assert_int_equal(mapwin_reach(paddr(GB(1) + 5), 9), 9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nesting),
        cmocka_unit_test(reach),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
