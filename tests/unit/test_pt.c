/* The page-table engine, and the hypervisor's own mappings on top of it. */
/* SOURCES: common/mm/boot_mem.c common/mm/heap.c common/mm/fresh.c common/mm/xenheap.c common/mm/page_owner.c common/mm/page_ref.c common/mm/static_mem.c common/mm/slab.c common/mm/pt.c common/mm/pt_read.c common/mm/pt_page.c common/mm/hyp_map.c common/mm/vmap.c tests/fake/mm_world.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hv/bits.h>
#include <hv/errno.h>

#include <asm/hyp_pte.h>
#include <asm/mmu.h>

#include "../fake/mm_world.h"

static paddr_t root;
paddr_t hyp_root(void) {
    return root;
}

static int setup(void **state) {
    (void)state;
    world_create(0x40000000, GB(1));
    assert_int_equal(boot_mem_add(paddr(0x40000000), GB(1)), 0);
    root = boot_mem_alloc(PAGE_SIZE, PAGE_SIZE);
    memset(phys_to_virt(root), 0, PAGE_SIZE);
    page_alloc_init(); /* maps the frame table through the real hyp_map() */
    return 0;
}

static struct pt own(void) {
    return (struct pt){.root = root, .start_level = HV_ROOT_LEVEL, .addr_bits = HV_VA_BITS};
}

static void test_choose_action(void **state) {
    static const struct {
        enum pt_have have;
        enum pt_want want;
        bool whole, leaf_ok, keep;
        enum pt_action act;
    } want[] = {
        {PT_HOLE, PT_MAP, true, true, false, PT_WRITE},
        {PT_HOLE, PT_MAP, true, false, false, PT_ADD_TABLE},
        {PT_HOLE, PT_MAP, false, true, false, PT_ADD_TABLE},
        {PT_HOLE, PT_MAP, false, false, false, PT_ADD_TABLE},
        {PT_TABLE, PT_MAP, true, true, false, PT_DESCEND},
        {PT_TABLE, PT_MAP, false, false, true, PT_DESCEND},
        {PT_LEAF, PT_MAP, true, true, false, PT_REFUSE},
        {PT_LEAF, PT_MAP, false, true, true, PT_REFUSE},
        {PT_HOLE, PT_UNMAP, true, true, false, PT_SKIP},
        {PT_HOLE, PT_UNMAP, false, true, true, PT_SKIP},
        {PT_LEAF, PT_UNMAP, true, true, false, PT_CLEAR},
        {PT_LEAF, PT_UNMAP, true, false, true, PT_CLEAR},
        {PT_LEAF, PT_UNMAP, false, true, false, PT_SPLIT},
        {PT_TABLE, PT_UNMAP, true, true, false, PT_UNLINK},
        {PT_TABLE, PT_UNMAP, true, false, false, PT_UNLINK},
        {PT_TABLE, PT_UNMAP, true, true, true, PT_DESCEND},
        {PT_TABLE, PT_UNMAP, false, true, false, PT_DESCEND},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(want); i++)
        assert_int_equal(pt_choose_action(want[i].have, want[i].want, want[i].whole,
                                          want[i].leaf_ok, want[i].keep),
                         want[i].act);
}

static void test_frame_table_is_mapped_by_blocks(void **state) {
    struct pt pt = own();
    unsigned level;
    vaddr_t start = FRAMETABLE_VA + (0x40000000 >> 12) * sizeof(struct page_info);
    pte_t e = pt_lookup(&pt, ALIGN_UP(start, MB(2)), &level);

    (void)state;
    assert_true(pte_is_leaf(e, level));
    assert_int_equal(level, 2);
    assert_int_equal(e & (S1_XN | S1_RO | PTE_AF | S1_AP1), S1_XN | PTE_AF | S1_AP1);
}

#define VA (VMAP_END + MB(256))

static void test_protections(void **state) {
    struct pt pt = own();
    unsigned level;
    static const struct {
        enum hyp_prot prot;
        bool write, exec, device;
    } want[] = {{HYP_RX, false, true, false},
                {HYP_RO, false, false, false},
                {HYP_RW, true, false, false},
                {HYP_DEVICE, true, false, true}};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
        pte_t e;

        assert_int_equal(hyp_map(VA, paddr(0x9000000), PAGE_SIZE, want[i].prot), 0);
        e = pt_lookup(&pt, VA, &level);
        assert_int_equal(level, 3);
        assert_int_equal(pte_addr(e), 0x9000000);
        assert_int_equal(!(e & S1_RO), want[i].write);
        assert_int_equal(!(e & S1_XN), want[i].exec);
        assert_int_equal(((e >> 2) & 7) == MATTR_DEVICE_nGnRE, want[i].device);
        hyp_unmap(VA, PAGE_SIZE);
        assert_false(pte_is_valid(pt_lookup(&pt, VA, &level)));
    }
}

/* One mapping beside what the world has, with an image of 4 pages whose first is code. */
static bool sound(vaddr_t va, uint64_t pa, pte_t attr) {
    const struct hyp_image image = {VA, VA + PAGE_SIZE, VA + 4 * PAGE_SIZE, paddr(0x50000000)};
    struct pt pt = own();
    vaddr_t where = 0;
    bool is;
    unsigned level;
    pte_t *e;

    assert_int_equal(hyp_map(va, paddr(pa), PAGE_SIZE, HYP_RO), 0);
    e = pt_find_slot(&pt, va, &(struct pt_gap){0});
    assert_true(pte_is_leaf(pt_lookup(&pt, va, &level), 3));
    *e = (*e & ~(pte_t)(S1_RO | S1_XN)) | attr;
    is = hyp_rights_are_sound(&image, &where);
    assert_int_equal(where, is ? 0 : va);
    hyp_unmap(va, PAGE_SIZE);
    return is;
}

static void test_rights(void **state) {
    const uint64_t image = 0x50000000, elsewhere = 0x51000000, ram = 0x9000000;

    (void)state;
    assert_true(sound(VA, image, S1_RO));
    assert_true(sound(VA + PAGE_SIZE, image + PAGE_SIZE, S1_RO | S1_XN));
    assert_true(sound(VA + MB(1), ram, S1_XN));
    assert_false(sound(VA, image, 0)); /* writable code */
    assert_false(sound(VA, elsewhere, 0));
    assert_false(sound(VA + MB(1), ram, 0));                       /* both, elsewhere */
    assert_false(sound(VA + PAGE_SIZE, image + PAGE_SIZE, S1_RO)); /* constants that run */
    assert_false(sound(VA + MB(1), ram, S1_RO));   /* code that is not the image's */
    assert_false(sound(VA + MB(1), image, S1_XN)); /* code's other address */
    assert_false(sound(VA + MB(1), image + 3 * PAGE_SIZE, S1_XN));
    assert_true(sound(VA + MB(1), image + 4 * PAGE_SIZE, S1_XN));
}

static void test_refused(void **state) {
    struct pt pt = own();
    unsigned level;

    (void)state;
    assert_int_equal(hyp_map(VA, paddr(0), MB(2), HYP_RW), 0);
    assert_int_equal(hyp_map(VA + MB(1), paddr(0), PAGE_SIZE, HYP_RW), -EEXIST);
    assert_int_equal(hyp_map(VA - MB(1), paddr(0), MB(2), HYP_RW), -EEXIST);
    assert_false(pte_is_valid(pt_lookup(&pt, VA - MB(1), &level)));
    assert_int_equal(hyp_map(VA + 1, paddr(0), PAGE_SIZE, HYP_RW), -EINVAL);
    assert_int_equal(hyp_map(VA, paddr(8), PAGE_SIZE, HYP_RW), -EINVAL);
    assert_int_equal(hyp_map((vaddr_t)0 - PAGE_SIZE, paddr(0), 2 * PAGE_SIZE, HYP_RW), -EINVAL);
    hyp_unmap(VA, MB(2));
}

/* A block becomes a table by break before make: gone, flushed, and only then the table. */
static unsigned splits;
static uint64_t split_va;
static pte_t *give_page(struct pt *pt) {
    pte_t *table = xenheap_alloc(0);

    (void)pt;
    memset(table, 0, PAGE_SIZE);
    return table;
}
static void between_break_and_make(struct pt *pt, uint64_t va, uint64_t size) {
    unsigned level;

    splits++;
    split_va = va;
    assert_int_equal(size, MB(2));
    assert_false(pte_is_valid(pt_lookup(pt, va, &level)));
    assert_int_equal(level, 2);
}
static void forget_leaf(void *arg, uint64_t va, uint64_t size, pte_t e, unsigned level) {
    *(unsigned *)arg += 1;
    assert_true(va == MB(4) + 7 * PAGE_SIZE && size == PAGE_SIZE && level == 3);
    assert_int_equal(pte_addr(e), MB(8) + 7 * PAGE_SIZE);
}

static void test_split_breaks_before_it_makes(void **state) {
    static const struct pt_ops ops = {.take = give_page, .flush = between_break_and_make};
    struct pt pt = {.start_level = 1, .addr_bits = 39, .ops = &ops};
    struct pt_request map = {
        .want = PT_MAP, .va = MB(4), .size = MB(2), .pa = MB(8), .attr = PTE_AF};
    struct pt_request unmap = {.want = PT_UNMAP, .va = MB(4) + 7 * PAGE_SIZE, .size = PAGE_SIZE};
    struct pt_parked parked;
    unsigned level, reaped = 0;

    (void)state;
    pt.root = virt_to_phys(give_page(&pt));
    pt_map(&pt, &map);
    (void)pt_lookup(&pt, MB(4), &level);
    assert_int_equal(level, 2);
    pt_park(&pt, &unmap, &parked);
    assert_int_equal(splits, 1);
    assert_int_equal(split_va, MB(4));
    assert_true(parked.any && parked.leaves == 1 && parked.first_leaf == unmap.va);
    pt_reap(&pt, &unmap, &parked, forget_leaf, &reaped);
    assert_int_equal(reaped, 1);
    for (unsigned i = 0; i < 512; i++) {
        pte_t e = pt_lookup(&pt, MB(4) + i * PAGE_SIZE, &level);

        assert_int_equal(e, i == 7 ? 0 : pte_make_leaf(MB(8) + i * PAGE_SIZE, 3, PTE_AF));
    }
}

/* Only a root may be of several tables: below one of level 0 each table has one page's entries. */
static void test_four_levels(void **state) {
    static const struct pt_ops ops = {.take = give_page};
    static const uint64_t at[] = {0,        GB(511),          GB(512), GB(513) + MB(6),
                                  GB(1023), GB(16384) - MB(2)};
    struct pt pt = {.start_level = 0, .addr_bits = 44, .ops = &ops};
    unsigned level;

    (void)state;
    pt.root = virt_to_phys(give_page(&pt));
    for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
        struct pt_request map = {
            .want = PT_MAP, .va = at[i], .size = MB(2), .pa = MB(2) * i, .attr = PTE_AF};
        const pte_t *table = phys_to_virt(pt.root);

        pt_map(&pt, &map);
        for (level = 0; level < 2; level++)
            table = phys_to_virt(paddr(pte_addr(table[at[i] >> (39 - 9 * level) & 511])));
        assert_int_equal(table[at[i] >> 21 & 511], pte_make_leaf(map.pa, 2, PTE_AF));
        assert_int_equal(pt_lookup(&pt, at[i], &level), pte_make_leaf(map.pa, 2, PTE_AF));
    }
    assert_int_equal(pt_count_bad_tables(&pt), 0);
    assert_int_equal(pt_count_tables(&pt), 1 + 3 + 6);
}

/* Random ranges, against an array of pages. */
#define PAGES (3 * 512u + 77)
static void test_random(void **state) {
    static uint64_t fact[PAGES]; /* physical address + 1; 0: a hole */
    struct pt pt = own();

    (void)state;
    for (unsigned step = 0; step < 4000; step++) {
        unsigned i = (unsigned)rand() % PAGES, n = 1 + (unsigned)rand() % 700;
        uint64_t pa = ((uint64_t)rand() % 5000) << 12;
        bool hit = false;

        if (rand() % 2) { /* whole blocks */
            i = i / 512 * 512;
            n = 512 * (1 + (unsigned)rand() % 2);
            pa = ALIGN_DOWN(pa, MB(2));
        }
        n = MIN(n, PAGES - i);
        for (unsigned k = i; k < i + n; k++)
            hit |= fact[k] != 0;
        if (rand() % 3) {
            int rc = hyp_map(VA + i * PAGE_SIZE, paddr(pa), n * PAGE_SIZE, HYP_RW);

            assert_int_equal(rc, hit ? -EEXIST : 0);
            for (unsigned k = 0; !rc && k < n; k++)
                fact[i + k] = pa + k * PAGE_SIZE + 1;
        } else {
            hyp_unmap(VA + i * PAGE_SIZE, n * PAGE_SIZE);
            memset(&fact[i], 0, n * sizeof(fact[0]));
        }
        for (unsigned k = 0; k < PAGES; k++) {
            unsigned level;
            pte_t e = pt_lookup(&pt, VA + k * PAGE_SIZE, &level);

            assert_int_equal(pte_is_valid(e), fact[k] != 0);
            if (fact[k])
                assert_int_equal(hyp_lookup(VA + k * PAGE_SIZE + 5).pa, fact[k] - 1 + 5);
        }
    }
    hyp_unmap(VA, PAGES * PAGE_SIZE);
    world_check_locks();
}

static void test_vmap(void **state) {
    volatile char *a = ioremap(paddr(0x9000ff0), 0x20), *b = ioremap(paddr(0x9000ff0), 0x20), *c;
    struct pt pt = own();
    unsigned level;

    (void)state;
    assert_int_equal((uintptr_t)a & 0xfff, 0xff0);
    assert_int_equal(hyp_lookup((vaddr_t)a + 0x10).pa, 0x9001000);
    assert_true(b > a ? b - a >= 0x3000 : a - b >= 0x3000); /* two pages, and one between */
    assert_false(pte_is_valid(pt_lookup(&pt, ((vaddr_t)a & ~0xfffULL) + 0x2000, &level)));
    iounmap(a, 0x20);
    assert_false(pte_is_valid(pt_lookup(&pt, (vaddr_t)a, &level)));
    c = ioremap(paddr(0xa000000), PAGE_SIZE);
    assert_true((uintptr_t)c == ((uintptr_t)a & ~0xfffULL)); /* the gap is used again */
    iounmap(b, 0x20);
    iounmap(c, PAGE_SIZE);
    assert_null(ioremap(paddr(0x9000000), 0));
    assert_null(ioremap(paddr(0x9000000), ~0ULL));
}

static void test_stacks(void **state) {
    vaddr_t s[40];
    uint64_t before;
    struct pt pt = own();
    unsigned level;

    (void)state;
    s[0] = stack_alloc();
    stack_free(s[0]); /* the tables of the region are there now */
    before = heap_free_pages();
    for (unsigned i = 0; i < ARRAY_SIZE(s); i++) {
        s[i] = stack_alloc();
        assert_true(s[i]);
        /* Mapped from base to top; below and above the guards of this one and the next. */
        assert_true(pte_is_valid(pt_lookup(&pt, s[i], &level)));
        assert_true(pte_is_valid(pt_lookup(&pt, s[i] + STACK_SIZE - 1, &level)));
        assert_false(pte_is_valid(pt_lookup(&pt, s[i] - 1, &level)));
        assert_false(pte_is_valid(pt_lookup(&pt, s[i] - STACK_SIZE, &level)));
        assert_false(pte_is_valid(pt_lookup(&pt, s[i] + STACK_SIZE, &level)));
        assert_int_equal(s[i] & (2 * STACK_SIZE - 1), STACK_SIZE);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(s); i++)
        stack_free(s[(i * 7) % ARRAY_SIZE(s)]);
    assert_int_equal(heap_free_pages(), before);
    assert_true(tlb_flushes_hyp >= ARRAY_SIZE(s));
    world_check_locks();
}

static void test_no_memory(void **state) {
    (void)state;
    while (xenheap_alloc(0))
        ;
    assert_int_equal(hyp_map(VA + MB(128), paddr(0x9000000), PAGE_SIZE, HYP_DEVICE), -ENOMEM);
    assert_int_equal(stack_alloc(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choose_action),
        cmocka_unit_test(test_frame_table_is_mapped_by_blocks),
        cmocka_unit_test(test_protections),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_split_breaks_before_it_makes),
        cmocka_unit_test(test_four_levels),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_vmap),
        cmocka_unit_test(test_stacks),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
