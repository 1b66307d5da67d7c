/* Random operations on the real p2m and page allocator, each compared with a naive list of facts.
 */
/* SOURCES: common/mm/boot_mem.c common/mm/heap.c common/mm/fresh.c common/mm/xenheap.c common/mm/page_owner.c common/mm/page_ref.c common/mm/static_mem.c common/mm/pt.c common/mm/pt_page.c common/mm/pt_read.c common/mm/p2m.c common/mm/p2m_global.c common/mm/p2m_map.c common/mm/p2m_unmap.c common/mm/p2m_pool.c common/mm/p2m_populate.c common/mm/p2m_audit.c tests/fake/mm_world.c */
/*
 * MODEL_STEPS operations are done in MODEL_RUNS processes, as many at a time as there are CPUs; the
 * seed of the first is MODEL_SEED, of the next one more. A failure prints what makes its run again.
 * Memory is squeezed, the heap to its last n pages and the table pool likewise: at random for a
 * while, and for one operation to 0, 1, 2... so that each of its allocations fails in turn.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "p2m_facts.h"

struct cpu_features cpu_features = {.pa_range_bits = 44, .vmid16 = true};

int hyp_map(vaddr_t va, paddr_t pa, uint64_t size, enum hyp_prot prot) {
    (void)va;
    (void)pa;
    (void)size;
    (void)prot;
    return 0;
}

/* ---- comparison ---- */

static void compare_range(unsigned d, unsigned from, unsigned to) {
    for (unsigned i = from; i < to && i < WINDOW; i++) {
        enum p2m_type t;
        mfn_t m = p2m_lookup(&dom[d].p2m, gfn(G0 + i), &t, NULL);

        CHECK(t == fact[d][i].type);
        CHECK(t == P2M_INVALID ? mfn_eq(m, INVALID_MFN) : m.mfn == fact[d][i].mfn);
    }
}

/* A leaf or a run of holes, as far as it lies in the window: nothing lies beyond. */
static int compare_entry(void *arg, uint64_t va, uint64_t size, pte_t e, unsigned level) {
    const struct fact *facts = arg;
    uint64_t g = va >> PAGE_SHIFT, end = g + (size >> PAGE_SHIFT);
    uint64_t m = pte_addr(e) >> PAGE_SHIFT;

    (void)level;
    if (e) {
        CHECK(g >= G0 && end <= G0 + WINDOW);
    }
    for (g = MAX(g, G0); g < MIN(end, G0 + WINDOW); g++, m++) {
        struct fact f = facts[g - G0];

        CHECK(e ? f.type == pte_sw(e) && f.mfn == m : f.type == P2M_INVALID);
    }
    return 0;
}

static uint64_t heap_total;

static void compare_page(uint64_t n, uint64_t g) {
    const struct page_fact *p = &page_fact[n];
    const struct page_info *page = frame_table + (BASE >> PAGE_SHIFT) + n;

    CHECK((page->count_info & PGC_COUNT_MASK) == p->refs);
    CHECK(!(page->count_info & PGC_allocated) == !p->allocated);
    CHECK(!(page->count_info & PGC_xenheap) == !p->xenheap);
    CHECK(page->u.owner == &dom[p->owner].pages);
    CHECK(page_get_gfn(page).gfn == g);
    CHECK(type_info_count(page->type_info) == p->writers);
    CHECK(!(page->type_info & PGT_writable_page) == !p->writers);
}

/* Operations: of what it sees, the comparison lacks only the counting of table pages. */
#define AUDIT_EVERY 16u

static void compare_all(void) {
    static uint64_t gfn_at[FRAMES];
    uint64_t used = nr_squeezed;

    memset(gfn_at, 0xff, sizeof(gfn_at));
    world_check_locks();
    CHECK(!fake_windows);
    for (unsigned d = 0; d < NR_DOMS; d++) {
        (void)pt_walk(&dom[d].p2m.pt, 0, 1ULL << dom[d].p2m.pt.addr_bits, compare_entry, fact[d]);
        for (unsigned i = 0; i < WINDOW; i++)
            if (in_set(fact[d][i].type, P2M_TRACKED))
                gfn_at[fact[d][i].mfn - (BASE >> PAGE_SHIFT)] = G0 + i;
        CHECK(dom[d].pages.tot_pages == tot[d]);
        if (operations % AUDIT_EVERY == 0)
            CHECK(p2m_audit(&dom[d].p2m) == 0);
        used += dom[d].p2m.pool_total + nr_pool_squeezed[d];
    }
    for (uint64_t n = 0; n < FRAMES; n++) {
        if (!page_fact[n].refs)
            continue;
        used++;
        compare_page(n, gfn_at[n]);
    }
    CHECK(heap_free_pages() + used == heap_total);
}

/* What the TLB may hold: nothing stale, and nothing that leads to a page that is free. */
static void compare_tlb(void) {
    for (unsigned d = 0; d < NR_DOMS; d++)
        CHECK(tlb_count_stale(&dom[d].p2m) == 0);
}

/* ---- operations: each predicts its result ---- */

static const uint8_t zero_page[PAGE_SIZE];

/* RAM was asked for at [i, i+nr): `done` of it came. */
static void learn_ram(unsigned d, unsigned i, uint64_t done) {
    for (; done--; i++) {
        mfn_t m = p2m_lookup(&dom[d].p2m, gfn(G0 + i), NULL, NULL);

        if (fact[d][i].type != P2M_INVALID)
            fact_clear(d, i);
        CHECK(pf(m.mfn)->refs == 0); /* it was free before */
        CHECK(!memcmp(fake_at(mfn_to_paddr(m)), zero_page, PAGE_SIZE));
        memset(fake_at(mfn_to_paddr(m)), 0x77, PAGE_SIZE);
        *pf(m.mfn) = (struct page_fact){(int)d, true, false, 1, 0};
        fact[d][i] = (struct fact){P2M_RAM_RW, m.mfn};
        tot[d]++;
    }
}

/* First index in [i, i+nr) whose entry is in none of `allowed`; holes are allowed. */
static bool blocked(unsigned d, unsigned i, unsigned nr, unsigned allowed) {
    for (; nr--; i++)
        if (fact[d][i].type != P2M_INVALID && !in_set(fact[d][i].type, allowed))
            return true;
    return false;
}

static void op_populate(unsigned d, unsigned i, unsigned nr) {
    uint64_t done;
    int rc = p2m_populate_some(&dom[d].p2m, gfn(G0 + i), nr, &done);

    CHECK(rc == 0 ? done == nr : done < nr);
    if (rc == -EBUSY)
        CHECK(blocked(d, i, nr, P2M_TRACKED));
    else if (rc)
        CHECK(rc == -ENOMEM);
    learn_ram(d, i, done);
    if (rc == -ENOMEM &&
        !squeezing(d)) /* then only its own limit, or the small heap, can be the cause */
        CHECK(tot[d] + nr - done > max_pages || heap_free_pages() < nr);
}

static int predict_unmap(unsigned d, unsigned i, unsigned nr, unsigned types) {
    for (; nr--; i++) {
        if (fact[d][i].type == P2M_INVALID)
            return -ENOENT;
        if (!in_set(fact[d][i].type, types))
            return -EILSEQ;
    }
    return 0;
}

static void op_unmap(unsigned d, unsigned i, unsigned nr) {
    int want = predict_unmap(d, i, nr, P2M_TRACKED | P2M_ANY_MMIO | P2M_ANY_FOREIGN);
    int rc = p2m_unmap(&dom[d].p2m, gfn(G0 + i), nr);

    if (rc == -ENOMEM && want == 0 && nr_pool_squeezed[d])
        return;
    CHECK(rc == want);
    for (unsigned k = 0; !rc && k < nr; k++)
        fact_clear(d, i + k);
}

static void op_unmap_exact(unsigned d, unsigned i, uint64_t m, unsigned types) {
    int want = fact[d][i].type == P2M_INVALID ? -ENOENT
               : fact[d][i].mfn != m          ? -EILSEQ
                                              : predict_unmap(d, i, 1, types);
    enum p2m_type t = fact[d][i].type;
    int rc = p2m_unmap_exact(&dom[d].p2m, gfn(G0 + i), mfn(m), types);

    if (rc == -ENOMEM && want == 0 && nr_pool_squeezed[d])
        return;
    CHECK(rc == want);
    if (rc)
        return;
    fact_clear(d, i);
    if (in_set(t, P2M_ANY_GRANT)) { /* the pin goes after the flush */
        CHECK(tlb_count_stale(&dom[d].p2m) == 0);
        put_page(mfn_to_page(mfn(m)));
        fact_put(m);
    }
}

static void op_lend(unsigned d) {
    void *va;

    if (lent[d].n == MAX_LENT || !(va = xenheap_alloc(0)))
        return;
    memset(va, 0x33, PAGE_SIZE);
    CHECK(xenheap_share(va, &dom[d].pages) == 0);
    *pf(page_to_mfn(virt_to_page(va)).mfn) = (struct page_fact){(int)d, true, true, 1, 0};
    lent[d].page[lent[d].n++] = virt_to_page(va);
}

static void op_unlend(unsigned d) {
    struct page_info *page;
    unsigned k;

    if (!lent[d].n)
        return;
    k = rnd(lent[d].n);
    page = lent[d].page[k];
    lent[d].page[k] = lent[d].page[--lent[d].n];
    fact_give_up(page_to_mfn(page).mfn);
    xenheap_unshare(page_to_virt(page));
}

/* Maps one page; `want` is what would be without a lack of tables. */
static bool map_one(unsigned d, unsigned i, uint64_t m, enum p2m_type t, int want) {
    int rc;

    if (!want && blocked(d, i, 1, P2M_TRACKED))
        want = -EBUSY;
    rc = p2m_map(&dom[d].p2m, gfn(G0 + i), mfn(m), 0, t);
    if (rc == -ENOMEM && want == 0 && nr_pool_squeezed[d])
        return false;
    CHECK(rc == want);
    if (rc)
        return false;
    if (fact[d][i].type != P2M_INVALID)
        fact_clear(d, i);
    fact[d][i] = (struct fact){t, m};
    return true;
}

static void op_add_xenheap(unsigned d, unsigned i) {
    struct page_info *page;
    uint64_t m;

    if (!lent[d].n)
        return;
    page = lent[d].page[rnd(lent[d].n)];
    m = page_to_mfn(page).mfn;
    if (map_one(d, i, m, rnd(2) ? P2M_XENHEAP_RW : P2M_XENHEAP_RO,
                fact_gfn(d, m) == INVALID_GFN.gfn ? 0 : -EBUSY))
        pf(m)->refs++;
    CHECK(map_one(d, i, m, P2M_RAM_RW, -EPERM) == false); /* the wrong class, always */
}

static void op_remove_page(unsigned d) {
    struct page_info *page;
    uint64_t m, g;
    int rc;

    if (!lent[d].n)
        return;
    page = lent[d].page[rnd(lent[d].n)];
    m = page_to_mfn(page).mfn;
    g = fact_gfn(d, m);
    rc = p2m_unmap_page(&dom[d].p2m, page);
    CHECK(rc == (g == INVALID_GFN.gfn ? -ENOENT : 0));
    if (!rc)
        fact_clear(d, (unsigned)(g - G0));
    CHECK(p2m_unmap_page(&dom[1 - d].p2m, page) == -ENOENT);
}

/* A RAM page of the other domain, with a reference: as foreign, or pinned by a grant. */
static void op_share(unsigned d, unsigned i, bool grant) {
    unsigned o = 1 - d, k = rnd(WINDOW);
    enum p2m_type t =
        grant ? (rnd(2) ? P2M_GRANT_RW : P2M_GRANT_RO) : (rnd(2) ? P2M_FOREIGN_RW : P2M_FOREIGN_RO);
    struct page_info *page = p2m_get_page(&dom[o].p2m, gfn(G0 + k), NULL);
    uint64_t m;

    CHECK(!page == !in_set(fact[o][k].type, P2M_ANY_RAM));
    if (!page)
        return;
    m = page_to_mfn(page).mfn;
    CHECK(m == fact[o][k].mfn);
    pf(m)->refs++;
    if (!map_one(d, i, m, t, 0)) {
        put_page(page);
        fact_put(m);
    }
    /* As its own it is refused, whatever is there. */
    CHECK(map_one(d, i, m, P2M_RAM_RW, -EPERM) == false);
}

static void op_hold(unsigned d) {
    unsigned k = rnd(WINDOW);
    struct page_info *page;

    if (held.n == MAX_HELD)
        return;
    page = p2m_get_page(&dom[d].p2m, gfn(G0 + k), NULL);
    CHECK(!page == !in_set(fact[d][k].type, P2M_ANY_RAM));
    if (!page)
        return;
    pf(page_to_mfn(page).mfn)->refs++;
    held.writable[held.n] = rnd(2);
    if (held.writable[held.n] && pf(page_to_mfn(page).mfn)->writers == MAX_WRITERS) {
        CHECK(!get_page_writable(page));
        held.writable[held.n] = false;
    } else if (held.writable[held.n]) {
        CHECK(get_page_writable(page));
        pf(page_to_mfn(page).mfn)->writers++;
    }
    held.page[held.n++] = page;
}
static void op_let_go(void) {
    unsigned k;

    if (!held.n)
        return;
    k = rnd(held.n);
    if (held.writable[k]) {
        put_page_writable(held.page[k]);
        pf(page_to_mfn(held.page[k]).mfn)->writers--;
    }
    fact_put(page_to_mfn(held.page[k]).mfn);
    put_page(held.page[k]);
    held.page[k] = held.page[--held.n];
    held.writable[k] = held.writable[held.n];
}

static void op_mmio(unsigned d, unsigned i, unsigned nr) {
    uint64_t m = 0x100 + rnd(2) * 0x200 + i + rnd(2);
    bool occupied = blocked(d, i, nr, 0);
    int want = blocked(d, i, nr, P2M_TRACKED) ? -EBUSY : 0;
    int rc = p2m_map_mmio(&dom[d].p2m, gfn(G0 + i), mfn(m), nr);

    if (rc == -ENOMEM && want == 0 && (nr_pool_squeezed[d] || occupied))
        return;
    CHECK(rc == want);
    for (unsigned k = 0; !rc && k < nr; k++) {
        if (fact[d][i + k].type != P2M_INVALID)
            fact_clear(d, i + k);
        fact[d][i + k] = (struct fact){P2M_MMIO_DIRECT, m + k};
    }
}

static void make(unsigned d) {
    domain_pages_init(&dom[d].pages, (uint16_t)(d + 1), max_pages);
    CHECK(p2m_init(&dom[d].p2m, &dom[d], 24) == 0);
}

static void op_rebuild(unsigned d) {
    uint64_t pins[WINDOW];
    unsigned nr_pins = 0;
    uint16_t vmid = dom[d].p2m.vmid;

    if (squeezing(0) || squeezing(1))
        return;
    /* What the other has of this domain goes first, as the grant and foreign owners would do it. */
    for (unsigned i = 0; i < WINDOW; i++) {
        struct fact f = fact[1 - d][i];

        if (in_set(f.type, P2M_ANY_GRANT | P2M_ANY_FOREIGN))
            op_unmap_exact(1 - d, i, f.mfn, P2M_ANY_GRANT | P2M_ANY_FOREIGN);
    }
    while (held.n)
        op_let_go();
    while (lent[d].n)
        op_unlend(d);
    dom[d].pages.dying = dom[d].p2m.dying = true;
    CHECK(p2m_map(&dom[d].p2m, gfn(G0), mfn(5), 0, P2M_MMIO_DIRECT) == -EPERM);
    for (int rc = -EAGAIN; rc;) {
        rc = p2m_relinquish(&dom[d].p2m);
        CHECK(rc == 0 || rc == -EAGAIN);
        compare_tlb();
    }
    for (unsigned i = 0; i < WINDOW; i++) {
        if (in_set(fact[d][i].type, P2M_ANY_GRANT))
            pins[nr_pins++] = fact[d][i].mfn;
        if (fact[d][i].type != P2M_INVALID)
            fact_clear(d, i);
    }
    while (nr_pins--) {
        put_page(mfn_to_page(mfn(pins[nr_pins])));
        fact_put(pins[nr_pins]);
    }
    CHECK(dom[d].pages.tot_pages == 0 && tot[d] == 0);
    p2m_destroy(&dom[d].p2m);
    make(d);
    CHECK(dom[d].p2m.vmid != vmid);
}

static unsigned random_length(void) {
    switch (rnd(8)) {
    case 0:
        return 1 + rnd(700);
    case 1:
        return 512;
    case 2:
    case 3:
        return 1 + rnd(16);
    default:
        return 1;
    }
}

static void one_operation(unsigned d, unsigned i, unsigned nr) {
    for (unsigned n = rnd(32); n && heap_scrub_idle(); n--)
        ;
    switch (rnd(20)) {
    case 0:
    case 1:
    case 2:
    case 3:
        op_populate(d, i, nr);
        break;
    case 4:
    case 5:
    case 6:
        op_unmap(d, i, nr);
        break;
    case 7:
        op_unmap_exact(d, i, rnd(2) ? fact[d][i].mfn : 5, 1u << (1 + rnd(P2M_NR_TYPES - 1)));
        break;
    case 8:
        op_unmap_exact(d, i, fact[d][i].mfn, P2M_ANY_GRANT | P2M_ANY_FOREIGN);
        break;
    case 9:
        op_lend(d);
        break;
    case 10:
        if (rnd(3) == 0)
            op_unlend(d);
        else
            op_remove_page(d);
        break;
    case 11:
    case 12:
        op_add_xenheap(d, i);
        break;
    case 13:
        op_share(d, i, true);
        break;
    case 14:
        op_share(d, i, false);
        break;
    case 15:
        op_hold(d);
        break;
    case 16:
        op_let_go();
        break;
    case 17:
        if (rnd(4) == 0)
            op_mmio(d, i, nr);
        break;
    case 18:
        if (rnd(2))
            release_heap();
        else if (rnd(4) == 0)
            squeeze_heap(rnd(8));
        if (rnd(2))
            release_pool(d);
        else if (rnd(4) == 0)
            squeeze_pool(d, rnd(5));
        break;
    case 19:
        if (rnd(40) == 0)
            op_rebuild(d);
        break;
    }
    compare_tlb();
    compare_range(d, i ? i - 1 : 0, i + nr + 1);
    compare_all();
    operations++;
}

#define MOST_TABLES 6u /* that one operation takes */
#define MOST_PAGES 3u

/* The same operation with no page to be had, with one, and so on. */
static void each_allocation_fails(unsigned d, unsigned i, unsigned nr) {
    uint64_t same = rng;

    for (unsigned leave = 0; leave <= MOST_TABLES; leave++, rng = same) {
        squeeze_pool(d, leave);
        one_operation(d, i, nr);
    }
    release_pool(d);
    for (unsigned leave = 0; leave <= MOST_PAGES; leave++, rng = same) {
        squeeze_heap(leave);
        one_operation(d, i, nr);
    }
    release_heap();
}

static void one_step(void) {
    unsigned d = rnd(NR_DOMS), i = rnd(WINDOW), nr = random_length();

    if (rnd(4) == 0 && nr >= 512)
        i = rnd(3) * 512 + 100; /* aligned to 2 MiB */
    if (i >= WINDOW)
        i = 0;
    nr = MIN(nr, WINDOW - i);
    for (unsigned k = 0; k < 4; k++)
        tlb_touch(&dom[d].p2m, G0 + rnd(WINDOW));
    tlb_touch(&dom[d].p2m, G0 + i);
    tlb_touch(&dom[d].p2m, G0 + i + nr / 2);
    tlb_touch(&dom[d].p2m, G0 + i + nr - 1);
    if (rnd(32) == 0)
        each_allocation_fails(d, i, nr);
    else
        one_operation(d, i, nr);
}

static unsigned long env(const char *name, unsigned long def) {
    const char *s = getenv(name);

    return s ? strtoul(s, NULL, 0) : def;
}

static void run(void) {
    rng = seed * 2654435761u + 1;
    fake_direct_end = GB(1);
    world_boot(BASE, RAM);
    p2m_global_init();
    heap_scrub_start();
    heap_total = heap_free_pages();
    for (uint64_t n = 0; n < FRAMES; n++)
        page_fact[n].owner = -1;
    for (unsigned d = 0; d < NR_DOMS; d++)
        make(d);
    while (operations < wanted)
        one_step();
    release_heap();
    for (unsigned d = 0; d < NR_DOMS; d++)
        release_pool(d);
    for (unsigned d = 0; d < NR_DOMS; d++)
        op_rebuild(d);
    compare_all();
}

static unsigned wait_for_one(void) {
    int status = -1;

    return wait(&status) < 0 || status != 0;
}

static void test_model(void **state) {
    unsigned long first = env("MODEL_SEED", 1), runs = env("MODEL_RUNS", 2), bad = 0;
    unsigned long jobs = (unsigned long)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1L);

    (void)state;
    wanted = env("MODEL_STEPS", 30000) / runs;
    printf("model: %lu operations in each of %lu runs, MODEL_SEED=%lu\n", wanted, runs, first);
    fflush(stdout);
    for (unsigned long i = 0; i < runs; i++) {
        pid_t pid;

        if (i >= jobs)
            bad += wait_for_one();
        seed = first + i;
        pid = fork();
        assert_true(pid >= 0);
        if (!pid) {
            run();
            child_ends();
        }
    }
    for (unsigned long i = 0; i < MIN(jobs, runs); i++)
        bad += wait_for_one();
    assert_int_equal(bad, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
