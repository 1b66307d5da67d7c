/* The p2m: shape of the tables, VMIDs, attributes of each type, device memory. */
/* SOURCES: common/mm/boot_mem.c common/mm/heap.c common/mm/fresh.c common/mm/xenheap.c common/mm/page_owner.c common/mm/page_ref.c common/mm/static_mem.c common/mm/pt.c common/mm/pt_page.c common/mm/pt_read.c common/mm/p2m.c common/mm/p2m_global.c common/mm/p2m_map.c common/mm/p2m_unmap.c common/mm/p2m_pool.c common/mm/p2m_populate.c common/mm/p2m_audit.c tests/fake/mm_world.c */
#include "p2m_world.h"

/* ---- shape ---- */

static void check_shape(unsigned pa, unsigned ipa, unsigned start, uint64_t ps) {
    uint64_t ends[4] = {0}; /* of each half */

    if (sizeof(void *) == 4) { /* there all have one, of two tables, and no field for PS */
        ipa = 40;
        start = 1;
        ps = 0;
    }
    cpu_features.pa_range_bits = pa;
    ends[1] = 1ULL << (ipa - 13);
    ends[2] = ends[1] - 1;
    ends[3] = 2 * ends[1] - 1;
    boot(MB(64), 14, 100);
    CHECK(dom.p2m.pt.addr_bits == ipa);
    CHECK(dom.p2m.pt.start_level == start);
    CHECK((dom.p2m.vtcr & 0x3f) == 64 - ipa);
    CHECK(((dom.p2m.vtcr >> 6) & 3) == (start ? 1 : 2));
    CHECK(((dom.p2m.vtcr >> 16) & 7) == ps);
    CHECK(((dom.p2m.vtcr >> 8) & 0x3f) == 0x35); /* write-back walks, inner shareable */
    CHECK((dom.p2m.vttbr >> 48) == dom.p2m.vmid && dom.p2m.vmid);
    CHECK((dom.p2m.vttbr & 0xffffffffffff) == dom.p2m.pt.root.pa);
    CHECK(p2m_gfn_limit(&dom.p2m) == 1ULL << (ipa - 12));
    for (unsigned i = 0; i < ARRAY_SIZE(ends); i++)
        CHECK(p2m_populate(&dom.p2m, gfn(ends[i]), 1) == 0);
    for (unsigned i = 0; i < ARRAY_SIZE(ends); i++)
        CHECK(page_get_gfn(mfn_to_page(at(ends[i]))).gfn == ends[i]);
    CHECK(p2m_populate(&dom.p2m, gfn(1ULL << (ipa - 12)), 1) == -EINVAL);
    settled();
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
    child_ends();
}

/* ---- types ---- */

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

CHILD(shape_48)
CHILD(shape_44)
CHILD(shape_40)
CHILD(shape_36)
CHILD(vmids)
CHILD(mmio)
CHILD(attributes)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape_48),   cmocka_unit_test(test_shape_44),
        cmocka_unit_test(test_shape_40),   cmocka_unit_test(test_shape_36),
        cmocka_unit_test(test_vmids),      cmocka_unit_test(test_mmio),
        cmocka_unit_test(test_attributes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
