/* The mirror of a P2M, through the eyes of a device that walks it and remembers what it saw. */
/* SOURCES: common/core/iommu.c common/core/iommu_mirror.c common/mm/boot_mem.c common/mm/heap.c common/mm/fresh.c common/mm/static_mem.c common/mm/xenheap.c common/mm/slab.c common/mm/page_owner.c common/mm/page_ref.c common/mm/pt.c common/mm/pt_page.c common/mm/pt_read.c common/mm/p2m.c common/mm/p2m_global.c common/mm/p2m_map.c common/mm/p2m_unmap.c common/mm/p2m_pool.c common/mm/p2m_populate.c common/mm/p2m_mirror.c common/mm/p2m_audit.c tests/fake/mm_world.c */
/*
 * Random P2M operations, in lives of a domain. After each, every address of the window is compared:
 * what the device reaches is what a plain table of types says of what the P2M maps. Flushes and
 * blocks fail at random; then no frame that the device may still reach is ever free.
 *
 * MODEL_STEPS=n and MODEL_SEED=s choose the run; a failure prints both.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hv/bits.h>
#include <hv/cmdline.h>
#include <hv/errno.h>
#include <hv/iommu.h>
#include <hv/printk.h>
#include <hv/timer.h>

#include <asm/features.h>
#include <asm/s2.h>

#include "../fake/host_string.h"
#include "../fake/mm_world.h"

#define BASE 0x40000000ULL
#define RAM MB(192)
#define WINDOW 1300u            /* gfns looked at: three tables' worth, the ends inside */
#define G0 ((1ULL << 27) - 100) /* first of them: tables of each level end inside */

struct cpu_features cpu_features = {.pa_range_bits = 44, .vmid16 = true};

int hyp_map(vaddr_t va, paddr_t pa, uint64_t size, enum hyp_prot prot) {
    (void)va;
    (void)pa;
    (void)size;
    (void)prot;
    return 0;
}
bool cmdline_choice(const char *name, const char *usual, const char *other) {
    (void)name;
    (void)usual;
    (void)other;
    return false;
}
uint64_t time_ns(void) {
    return 0;
}
bool log_ratelimit(struct ratelimit *rl, uint64_t now_ns) {
    (void)rl;
    (void)now_ns;
    return true;
}
static unsigned long seed, step, steps;
static uint64_t rng;
static unsigned rnd(unsigned n) {
    rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)((rng >> 33) % n);
}

#define CHECK(c)                                                                                   \
    do {                                                                                           \
        if (!(c)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\nMODEL_SEED=%lu MODEL_STEPS=%lu\n", __FILE__, __LINE__, #c, \
                    seed, step + 1);                                                               \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* What it returns depends on what is there, and the comparison that follows sees what it did. */
#define TRY(c)                                                                                     \
    do {                                                                                           \
        if (c) {                                                                                   \
        }                                                                                          \
    } while (0)

/* ---- the IOMMU: one stream, a walker, a TLB that keeps all until it is told otherwise ---- */

static uint8_t *behind_caches; /* RAM as a walker that sees no cache has it */

void fake_dcache_cleaned(const void *va, size_t size) {
    uint64_t first = ALIGN_DOWN((uint64_t)((const uint8_t *)va - fake_ram), 64);
    uint64_t end = ALIGN_UP((uint64_t)((const uint8_t *)va - fake_ram) + size, 64);

    memcpy(behind_caches + first, fake_ram + first, end - first);
}

struct reach {
    uint64_t mfn; /* ~0: nothing */
    uint64_t access;
};
#define NOWHERE ((struct reach){~0ULL, 0})

static struct iommu iommu;
static struct iommu_streams streams = {&iommu, 0x10, 2};
static bool translating;
static struct iommu_table told;
static struct {
    bool valid;
    struct reach to;
} tlb[WINDOW];
static struct reach before[WINDOW]; /* what was reached when the operation began */
static bool in_flush_check, blocks_seen;
static unsigned op_first, op_nr; /* what the operation may change */
static unsigned flushes, fail_flushes, fail_blocks, crashes;

static struct reach walk(uint64_t g) {
    const uint8_t *image = iommu.coherent ? fake_ram : behind_caches;
    uint64_t ipa = g << PAGE_SHIFT, table = told.root.pa;

    if (ipa >> told.ipa_bits)
        return NOWHERE;
    for (unsigned level = told.start_level; level < PT_LEVELS; level++) {
        unsigned shift = pt_level_shift(level);
        pte_t e;

        memcpy(&e, image + (table - BASE) + 8 * ((ipa >> shift) & 511), sizeof(e));
        if (!(e & PTE_VALID))
            return NOWHERE;
        if (pte_is_table(e, level)) {
            table = pte_addr(e);
            continue;
        }
        blocks_seen |= level < PT_LEVELS - 1;
        CHECK(e & PTE_AF);
        return (struct reach){(pte_addr(e) | (ipa & ((1ULL << shift) - 1))) >> PAGE_SHIFT,
                              e & (S2_READ | S2_WRITE)};
    }
    return NOWHERE;
}

static void dma(unsigned i) {
    if (translating && !tlb[i].valid) {
        struct reach to = walk(G0 + i);

        tlb[i].valid = to.access;
        tlb[i].to = to;
    }
}

static void forget_tlb(uint64_t ipa, uint64_t size) {
    for (unsigned i = 0; i < WINDOW; i++)
        if (!size || ((G0 + i) << PAGE_SHIFT >= ipa && (G0 + i) << PAGE_SHIFT < ipa + size))
            tlb[i].valid = false;
}

static int op_translate(struct iommu *io, uint32_t first, uint32_t count,
                        const struct iommu_table *table) {
    CHECK(io == &iommu && first == streams.first && count == 2 && !translating);
    told = *table;
    translating = true;
    return 0;
}

static int op_block(struct iommu *io, uint32_t first, uint32_t count) {
    CHECK(io == &iommu && first == streams.first && count == 2);
    if (fail_blocks)
        return fail_blocks--, -EIO;
    translating = false;
    return 0;
}

static int op_flush(struct iommu *io, uint16_t vmid, uint64_t ipa, uint64_t size) {
    CHECK(io == &iommu && vmid == told.vmid && vmid > 0 && vmid < 256);
    flushes++;
    if (fail_flushes)
        return fail_flushes--, -EIO;
    /* DMA elsewhere goes on undisturbed, at every moment. */
    for (unsigned i = 0; in_flush_check && i < WINDOW; i++) {
        struct reach now = walk(G0 + i);

        if (i < op_first || i >= op_first + op_nr)
            CHECK(now.mfn == before[i].mfn && now.access == before[i].access);
    }
    forget_tlb(ipa, size);
    return 0;
}

static void op_show(struct iommu *io) {
    (void)io;
}
static const struct iommu_ops iommu_fake_ops = {op_translate, op_block, op_flush, op_show};
static struct iommu iommu = {.ops = &iommu_fake_ops,
                             .name = "fake",
                             .stream_end = 256,
                             .oas_bits = 44,
                             .stage2 = true,
                             .coherent = true,
                             .live_split = true};

static void crash(struct domain_pages *owner, const char *why) {
    CHECK(owner && why);
    crashes++;
}

/* ---- what must be ---- */

static const uint64_t may[P2M_NR_TYPES] = {
    [P2M_RAM_RW] = S2_READ | S2_WRITE,
    [P2M_RAM_RO] = S2_READ,
    [P2M_GRANT_RW] = S2_READ | S2_WRITE,
    [P2M_GRANT_RO] = S2_READ,
};

static struct domain dom, other;
static struct iommu_domain *io_dom;
static bool shared;

static struct reach expected(unsigned i) {
    enum p2m_type t;
    mfn_t m = p2m_lookup(&dom.p2m, gfn(G0 + i), &t, NULL);
    uint64_t access = may[t];

    if (shared && t != P2M_INVALID)
        access = t == P2M_RAM_RO || t == P2M_XENHEAP_RO || t == P2M_GRANT_RO || t == P2M_FOREIGN_RO
                     ? S2_READ
                     : S2_READ | S2_WRITE;
    return access ? (struct reach){m.mfn, access} : NOWHERE;
}

static bool frame_is_free(uint64_t m) {
    const struct page_info *page = frame_table + m;

    return !(page->count_info & (PGC_COUNT_MASK | PGC_leaked));
}

static void compare(void) {
    world_check_locks();
    for (unsigned i = 0; i < WINDOW; i++) {
        struct reach want = expected(i), got = walk(G0 + i);

        CHECK(got.mfn == want.mfn && got.access == want.access);
        before[i] = got;
        if (tlb[i].valid)
            CHECK(tlb[i].to.mfn == want.mfn && tlb[i].to.access == want.access);
    }
    CHECK(p2m_audit(&dom.p2m) == 0);
    CHECK(crashes == 0);
    CHECK(!blocks_seen || iommu.live_split || shared);
}

/* ---- the operations ---- */

static struct page_info *granted[64]; /* pages of the other domain, mapped as grants */
static unsigned nr_granted;

/* One flush at most for each, which is over when the frames are let go of. */
static void unmap_batch(struct p2m_grant *batch, unsigned nr) {
    unsigned before_it = flushes;

    p2m_unmap_grants(&dom.p2m, batch, nr);
    CHECK(flushes <= before_it + 1 || crashes); /* a failure asks again */
    for (unsigned i = 0; i < nr; i++) {
        CHECK(batch[i].rc == 0);
        put_page(mfn_to_page(batch[i].m));
    }
}

static void unmap_grants(void) {
    struct p2m_grant batch[P2M_GRANT_BATCH];
    unsigned nr = 0, most = 1 + rnd(P2M_GRANT_BATCH);

    for (unsigned i = 0; i < WINDOW; i++) {
        enum p2m_type t;
        mfn_t m = p2m_lookup(&dom.p2m, gfn(G0 + i), &t, NULL);

        if (!(P2M_TYPE_BIT(t) & P2M_ANY_GRANT))
            continue;
        batch[nr++] = (struct p2m_grant){.g = gfn(G0 + i), .m = m};
        if (nr == most)
            unmap_batch(batch, nr), nr = 0;
    }
    unmap_batch(batch, nr);
    nr_granted = 0;
}

static void op_populate(unsigned i, unsigned nr) {
    TRY(p2m_populate_some(&dom.p2m, gfn(G0 + i), nr, NULL));
}

static void op_xenheap(unsigned i) {
    void *va = xenheap_alloc(0);

    if (!va)
        return;
    CHECK(xenheap_share(va, &dom.pages) == 0);
    TRY(p2m_map(&dom.p2m, gfn(G0 + i), page_to_mfn(virt_to_page(va)), 0,
                rnd(2) ? P2M_XENHEAP_RW : P2M_XENHEAP_RO));
    xenheap_unshare(va);
}

static void op_grant(unsigned i) {
    enum p2m_type t = rnd(3) ? (rnd(2) ? P2M_GRANT_RW : P2M_GRANT_RO) : P2M_FOREIGN_RW;
    struct page_info *page = p2m_get_page(&other.p2m, gfn(G0 + rnd(512)), NULL);

    if (nr_granted == ARRAY_SIZE(granted) || !page ||
        p2m_map(&dom.p2m, gfn(G0 + i), page_to_mfn(page), 0, t)) {
        if (page)
            put_page(page);
        return;
    }
    if (t != P2M_FOREIGN_RW)
        granted[nr_granted++] = page;
}

/* A page that the guest may only read from now on. */
static void op_read_only(unsigned i) {
    enum p2m_type t;
    mfn_t m = p2m_lookup(&dom.p2m, gfn(G0 + i), &t, NULL);
    struct page_info *page = t == P2M_RAM_RW ? mfn_to_page(m) : NULL;

    if (!page || !get_page(page, &dom.pages))
        return;
    /* It goes away, and as it is still held, nobody else has it: give it another page instead. */
    if (!p2m_unmap(&dom.p2m, gfn(G0 + i), 1)) {
        struct page_info *fresh = heap_alloc(0);

        if (fresh && !domain_assign_pages(&dom.pages, fresh, 0)) {
            if (p2m_map(&dom.p2m, gfn(G0 + i), page_to_mfn(fresh), 0, P2M_RAM_RO))
                page_give_up(fresh);
        } else if (fresh) {
            heap_free(fresh, 0);
        }
    }
    put_page(page);
}

static void one_step(void) {
    unsigned i = rnd(WINDOW), nr = 1 + (rnd(4) ? rnd(8) : rnd(700));

    nr = MIN(nr, WINDOW - i);
    for (unsigned k = rnd(20); k; k--)
        dma(rnd(WINDOW));
    op_first = i;
    op_nr = nr;
    switch (rnd(10)) {
    case 0:
    case 1:
    case 2:
        op_populate(i, nr);
        break;
    case 3:
    case 4:
        TRY(p2m_unmap(&dom.p2m, gfn(G0 + i), nr));
        break;
    case 5:
    case 6:
        op_xenheap(i);
        break;
    case 7:
        op_grant(i);
        break;
    case 8:
        op_read_only(i);
        break;
    case 9:
        TRY(p2m_map_mmio(&dom.p2m, gfn(G0 + i), mfn(0x100 + rnd(64)), MIN(nr, 4u)));
        break;
    }
    if (!rnd(50)) {
        in_flush_check = false;
        unmap_grants();
    }
}

/* ---- lives ---- */

static void make(struct domain *d, uint16_t id) {
    domain_pages_init(&d->pages, id, 3000);
    CHECK(p2m_init(&d->p2m, d, 40) == 0);
}

static void bury(struct domain *d) {
    d->pages.dying = d->p2m.dying = true;
    while (p2m_relinquish(&d->p2m) == -EAGAIN)
        ;
    p2m_destroy(&d->p2m);
}

static void live(enum iommu_mode mode) {
    struct iommu_domain *second = NULL;

    make(&dom, 1);
    op_populate(0, rnd(WINDOW)); /* something is mapped before the mirror is made */
    CHECK(iommu_domain_create(&dom.p2m, mode, &io_dom) == 0);
    shared = mode == IOMMU_MODE_SHARED && !S2_ROOT_ORDER;
    CHECK(iommu_attach(io_dom, &streams, IOMMU_FAULT_LOG) == 0);
    CHECK(iommu_domain_create(&other.p2m, IOMMU_MODE_MIRROR, &second) == 0);
    CHECK(iommu_attach(second, &streams, IOMMU_FAULT_LOG) == -EBUSY);
    iommu_domain_destroy(second);
    blocks_seen = false;
    compare();
}

/* All is as it was before the domain: nothing leaked. */
static void clean_death(uint64_t heap_before) {
    unmap_grants();
    iommu_domain_destroy(io_dom);
    CHECK(!translating && !dom.p2m.mirror);
    for (unsigned i = 0; i < WINDOW; i++)
        CHECK(!tlb[i].valid);
    bury(&dom);
    CHECK(heap_free_pages() == heap_before);
}

/* What the device may reach, by its TLB or by a walk, is never free. */
static void check_reachable(void) {
    for (unsigned i = 0; i < WINDOW; i++) {
        if (tlb[i].valid && tlb[i].to.mfn >= BASE >> PAGE_SHIFT)
            CHECK(!frame_is_free(tlb[i].to.mfn));
        if (translating) {
            struct reach to = walk(G0 + i);

            if (to.access && to.mfn >= BASE >> PAGE_SHIFT)
                CHECK(!frame_is_free(to.mfn));
        }
    }
    if (translating)
        CHECK(!frame_is_free(told.root.pa >> PAGE_SHIFT));
}

/* A flush fails in the middle of its life, and perhaps the block that follows. */
static void failing_death(bool also_block) {
    for (unsigned i = 0; i < WINDOW; i++)
        dma(i);
    fail_flushes = 1 + rnd(3);
    fail_blocks = also_block ? 5 : 0;
    crashes = 0;
    for (unsigned k = 0; !crashes && k < 200; k++) {
        one_step();
        check_reachable();
    }
    CHECK(crashes);
    CHECK(also_block == translating);
    CHECK(iommu_attach(io_dom, &(struct iommu_streams){&iommu, 0x80, 1}, IOMMU_FAULT_LOG) == -EIO);
    for (unsigned k = 0; k < 10; k++) {
        one_step(); /* until its vCPUs have stopped */
        check_reachable();
    }
    unmap_grants();
    iommu_domain_destroy(io_dom);
    bury(&dom);
    check_reachable();
    /* Another domain takes all there is: nothing of it is in the device's reach. */
    make(&dom, 3);
    dom.pages.max_pages = ~0ULL;
    TRY(p2m_populate_some(&dom.p2m, gfn(G0), WINDOW, NULL));
    for (unsigned i = 0; i < WINDOW; i++) {
        mfn_t m = p2m_lookup(&dom.p2m, gfn(G0 + i), NULL, NULL);

        for (unsigned k = 0; k < WINDOW && !mfn_eq(m, INVALID_MFN); k++)
            CHECK(!tlb[k].valid || tlb[k].to.mfn != m.mfn);
    }
    bury(&dom);
    crashes = 0;
}

static unsigned long variation; /* of the seed */

static void start_with(bool coherent, bool live_split) {
    steps = getenv("MODEL_STEPS") ? strtoul(getenv("MODEL_STEPS"), NULL, 0) : 1500;
    seed = getenv("MODEL_SEED") ? strtoul(getenv("MODEL_SEED"), NULL, 0) : 1;
    rng = seed + variation * 7919;
    iommu.coherent = coherent;
    iommu.live_split = live_split;
    memset(tlb, 0, sizeof(tlb));
    translating = false;
    fail_flushes = fail_blocks = 0;
    dom.pages.max_pages = 0;
}

static void run_lives(enum iommu_mode mode) {
    uint64_t heap_before = heap_free_pages();
    bool blocks = false;

    live(mode);
    for (step = 0; step < steps; step++) {
        in_flush_check = iommu.live_split && !shared;
        one_step();
        in_flush_check = false;
        compare();
        blocks |= blocks_seen;
        if (!rnd(100)) {
            clean_death(heap_before);
            live(mode);
        }
    }
    clean_death(heap_before);
    CHECK(blocks == (iommu.live_split || mode == IOMMU_MODE_SHARED)); /* superpages were seen */
}

static void mirror(void **state) {
    (void)state;
    start_with(true, true);
    run_lives(IOMMU_MODE_MIRROR);
}
static void mirror_past_caches(void **state) {
    (void)state;
    start_with(false, true);
    memset(behind_caches, 0xee, RAM);
    run_lives(IOMMU_MODE_MIRROR);
}
static void mirror_of_pages(void **state) {
    (void)state;
    start_with(true, false);
    run_lives(IOMMU_MODE_MIRROR);
}
static void shared_table(void **state) {
    (void)state;
    start_with(true, true);
    run_lives(IOMMU_MODE_SHARED);
}

/* Where the table cannot be shared it is a mirror. */
static void expect_mirror(bool coherent, bool cpu_only, const char *why) {
    start_with(coherent, true);
    make(&dom, 1);
    dom.p2m.cpu_only = cpu_only;
    CHECK(iommu_domain_create(&dom.p2m, IOMMU_MODE_SHARED, &io_dom) == 0);
    assert_string_equal(last_message, why);
    CHECK(dom.p2m.mirror && iommu_attach(io_dom, &streams, IOMMU_FAULT_LOG) == 0);
    CHECK(told.root.pa != dom.p2m.pt.root.pa);
    iommu_domain_destroy(io_dom);
    bury(&dom);
}
static void not_shared(void **state) {
    (void)state;
    expect_mirror(false, false,
                  "d1: iommu: a mirror, not a shared table: it walks tables past the caches\n");
    expect_mirror(true, true,
                  "d1: iommu: a mirror, not a shared table: the guest's CPU interface (GICv2) is "
                  "not for devices\n");
    if (S2_ROOT_ORDER)
        expect_mirror(true, false,
                      "d1: iommu: a mirror, not a shared table: some models walk a root of two "
                      "tables wrongly\n");
}

/* What needs a flush and what does not (rule 2). */
static void flushes_when_needed(void **state) {
    (void)state;
    start_with(true, true);
    make(&dom, 1);
    CHECK(iommu_domain_create(&dom.p2m, IOMMU_MODE_MIRROR, &io_dom) == 0);
    CHECK(iommu_attach(io_dom, &streams, IOMMU_FAULT_LOG) == 0);
    flushes = 0;
    op_populate(100, 1024);
    assert_int_equal(flushes, 0); /* adding where nothing was */
    op_xenheap(200);
    assert_int_equal(flushes, 1); /* RAM was there */
    op_xenheap(200);
    assert_int_equal(flushes, 1); /* nothing of it was in the mirror */
    CHECK(p2m_unmap(&dom.p2m, gfn(G0 + 200), 1) == 0);
    assert_int_equal(flushes, 1);
    CHECK(p2m_unmap(&dom.p2m, gfn(G0 + 300), 700) == 0);
    assert_int_equal(flushes, 2); /* once for all of it */
    iommu_domain_destroy(io_dom);
    bury(&dom);
}

/* Beyond what the devices can address nothing is mapped. */
static void short_addresses(void **state) {
    (void)state;
    start_with(true, true);
    iommu.oas_bits = 36;
    make(&dom, 1);
    CHECK(iommu_domain_create(&dom.p2m, IOMMU_MODE_MIRROR, &io_dom) == 0);
    CHECK(iommu_attach(io_dom, &streams, IOMMU_FAULT_LOG) == 0);
    CHECK(told.start_level == 1 && told.ipa_bits == 36);
    CHECK(p2m_populate(&dom.p2m, gfn((1ULL << 24) - 1), 1) == 0);
    CHECK(p2m_populate(&dom.p2m, gfn(1ULL << 24), 1) == -ERANGE);
    CHECK(p2m_unmap(&dom.p2m, gfn((1ULL << 24) - 1), 1) == 0);
    iommu.oas_bits = 44;
    iommu_domain_destroy(io_dom);
    bury(&dom);
}

static unsigned fail_in;
static bool fails_in_turn(void) {
    return fail_in && !--fail_in;
}

/* A domain gets a device, a guest a page that splits a block: each allocation fails in turn, and
 * all is as it was. */
static void no_memory(void **state) {
    uint64_t before;
    unsigned n = 0, done = 0;

    (void)state;
    start_with(true, true);
    mm_fail_hook = fails_in_turn;
    before = heap_free_pages();
    while (done < 3) {
        make(&dom, 1);
        CHECK(p2m_populate(&dom.p2m, gfn(G0), 512) == 0);
        fail_in = ++n;
        done = iommu_domain_create(&dom.p2m, IOMMU_MODE_MIRROR, &io_dom) == 0;
        if (done && !iommu_attach(io_dom, &streams, IOMMU_FAULT_LOG)) {
            done++;
            done += p2m_unmap(&dom.p2m, gfn(G0 + 7), 1) == 0;
            shared = false;
            compare();
        } else {
            CHECK(!translating);
        }
        CHECK(done == 3 || !fail_in); /* nothing else goes wrong */
        fail_in = 0;
        if (done)
            iommu_domain_destroy(io_dom);
        CHECK(!dom.p2m.mirror);
        bury(&dom);
        CHECK(heap_free_pages() == before);
    }
    CHECK(n > 40);
    mm_fail_hook = NULL;
}

static void flush_fails(void **state) {
    (void)state;
    for (unsigned i = 0; i < 60; i++) {
        variation = i;
        start_with(i & 1, true);
        live(i % 3 == 2 && iommu.coherent ? IOMMU_MODE_SHARED : IOMMU_MODE_MIRROR);
        failing_death(false);
    }
}

/* The streams are lost for good, each time others. */
static void block_fails(void **state) {
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        variation = i;
        start_with(true, true);
        live(i & 1 ? IOMMU_MODE_SHARED : IOMMU_MODE_MIRROR);
        failing_death(true);
        make(&dom, 1);
        CHECK(iommu_domain_create(&dom.p2m, IOMMU_MODE_MIRROR, &io_dom) == 0);
        CHECK(iommu_attach(io_dom, &streams, IOMMU_FAULT_LOG) == -EBUSY);
        iommu_domain_destroy(io_dom);
        bury(&dom);
        streams.first += 2;
    }
}

static void policies(void **state) {
    uint16_t domid;

    (void)state;
    start_with(true, true);
    make(&dom, 5);
    CHECK(iommu_domain_create(&dom.p2m, IOMMU_MODE_MIRROR, &io_dom) == 0);
    CHECK(iommu_attach(io_dom, &streams, IOMMU_FAULT_LOG) == 0);
    CHECK(iommu_fault(&iommu, 0x11, &domid) && domid == 5 && crashes == 0);
    CHECK(iommu_fault(&iommu, 0x12, &domid) && domid == IOMMU_NOBODY);
    iommu_domain_destroy(io_dom);
    CHECK(iommu_domain_create(&dom.p2m, IOMMU_MODE_MIRROR, &io_dom) == 0);
    CHECK(iommu_attach(io_dom, &streams, IOMMU_FAULT_CRASH) == 0);
    CHECK(iommu_fault(&iommu, 0x10, &domid) && domid == 5 && crashes == 1);
    crashes = 0;
    iommu_domain_destroy(io_dom);
    bury(&dom);
}

static int boot(void **state) {
    (void)state;
    world_boot(BASE, RAM);
    behind_caches = malloc(RAM);
    p2m_global_init();
    iommu_set_crash_hook(crash);
    CHECK(iommu_register(&iommu) == 0);
    make(&other, 2);
    CHECK(p2m_populate(&other.p2m, gfn(G0), 512) == 0);
    return 0;
}

static int end(void **state) {
    (void)state;
    bury(&other);
    world_check_locks();
    world_destroy();
    free(behind_caches);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mirror),          cmocka_unit_test(mirror_past_caches),
        cmocka_unit_test(mirror_of_pages), cmocka_unit_test(shared_table),
        cmocka_unit_test(not_shared),      cmocka_unit_test(flushes_when_needed),
        cmocka_unit_test(short_addresses), cmocka_unit_test(policies),
        cmocka_unit_test(no_memory),       cmocka_unit_test(flush_fails),
        cmocka_unit_test(block_fails),
    };

    return cmocka_run_group_tests(tests, boot, end);
}
