/*
 * The bounded world in which the real p2m and page-table code is proved.
 *
 * Bounds: one domain of four GFNs, in tables of two entries (include/asm/pte.h); levels 1 to 3, so
 * a block has two or four pages. Frames: 0..3 are table pages (0 the root), 4..7 RAM of the domain,
 * 8 a xenheap page of the domain, 9 a page of another domain; frame MMIO_MFN is a device's.
 * The world starts in any state that has the invariants, with the tables of the case. SHAPE 1: GFNs
 * 0 and 1 are single pages of the two TYPES, one of which may be a hole. SHAPE 2: GFNs 2 and 3 are
 * a block of RAM. SHAPE 3: both. SHAPE 4: all four are one block of RAM. SHAPE 0: nothing. What is
 * not told is any: counts of writable use, up to one reference of somebody else to each page, how
 * many table pages are free, alive or dying; and the TLB remembers all. After one call the
 * invariants must hold again: what is shown of each call in any state holds for any sequence.
 *
 * In place of the real ones stand: locks (held or not), the domain's page lists (only counted) and
 * the heap (a page that comes back is checked and never used again). No device: no mirror.
 */
#ifndef P2M_WORLD_H
#define P2M_WORLD_H

#include <hv/errno.h>
/* A domain's lists are only counted: taking a page off one is ours. */
#define page_list_del real_page_list_del
/* Constants do not survive in a union; no field of this one is read as another. */
#define union struct
#define _Static_assert(...)
#include <hv/page.h>
#undef _Static_assert
#undef union
#undef page_list_del

static inline void page_list_del(struct page_list *l, struct page_info *page);
#include <hv/printk.h>

#include "proof.h"

#define NR_GFNS 4
/* So many free table pages are enough for any call. */
#define ENOUGH_TABLES 20
#define FIRST_RAM 4
#define XENHEAP 8
#define FOREIGN 9
#define MMIO_MFN 0x9000

struct world_frames {
    struct page_info page[WORLD_FRAMES];
};

static void check_unreachable(const struct page_info *page);

/* A reference may go only when neither table nor TLB leads to the page. */
#define put_page(p) (check_unreachable(p), put_page(p))
#include "common/mm/p2m_map.c"
#include "common/mm/p2m_unmap.c"
#undef put_page
#include "common/mm/p2m.c"
#include "common/mm/p2m_pool.c"
#include "common/mm/page_ref.c"
#include "common/mm/pt.c"
#include "common/mm/pt_page.c"
#include "common/mm/pt_read.c"

pte_t world_ram[WORLD_FRAMES][PT_ENTRIES];
struct world_frames world_frames;
pte_t p2m_attr[P2M_NR_TYPES];

bool (*mm_fail_hook)(void); /* nobody asks for a failure: how many table pages are free is any */

static struct p2m p2m;
static struct domain_pages owner, other_owner;

/* ---- what a walk finds: written for itself, to be compared with the engine's own ---- */

struct found {
    uint64_t mfn;
    enum p2m_type t;
    unsigned g, nr; /* of the leaf */
};

static struct found walk(unsigned g) {
    const pte_t *table = world_ram[0];
    struct found f = {0, P2M_INVALID, g, 1};

    for (unsigned level = 1; level <= 3; level++) {
        unsigned shift = 3 - level;
        pte_t e = table[g >> shift & 1];

        if (!(e & 1))
            return f;
        if (level == 3 || !(e & 2)) {
            f.nr = 1u << shift;
            f.g = g & ~(f.nr - 1);
            f.mfn = (e >> 12 & 0xfffffffff & ~(uint64_t)(f.nr - 1)) + (g - f.g);
            f.t = (enum p2m_type)(e >> 55 & 15);
            return f;
        }
        table = world_ram[e >> 12 & 0xf];
    }
    return f;
}

static bool is_tracked(enum p2m_type t) {
    return t >= P2M_RAM_RW && t <= P2M_XENHEAP_RO;
}
static bool is_xenheap(enum p2m_type t) {
    return t == P2M_XENHEAP_RW || t == P2M_XENHEAP_RO;
}
static bool is_foreign(enum p2m_type t) {
    return t == P2M_FOREIGN_RW || t == P2M_FOREIGN_RO;
}
static bool is_grant(enum p2m_type t) {
    return t == P2M_GRANT_RW || t == P2M_GRANT_RO;
}

/* ---- the TLB ---- */

static struct found tlb[NR_GFNS];

void tlb_flush_vmid(uint64_t vttbr) {
    CHECK(vttbr == p2m.vttbr, "a flush of this domain");
    for (unsigned g = 0; g < NR_GFNS; g++)
        tlb[g].t = P2M_INVALID;
}

/* As the hardware: an address stands for the whole leaf it was found in. */
void tlb_flush_ipa(uint64_t vttbr, uint64_t ipa, uint64_t count, uint64_t stride) {
    CHECK(vttbr == p2m.vttbr, "a flush of this domain");
    CHECK(count <= 2, "flushes stay within the bounds of the proof");
    for (unsigned i = 0; i < 2 && i < count; i++) {
        uint64_t at = (ipa + i * stride) >> PAGE_SHIFT;

        for (unsigned g = 0; g < NR_GFNS; g++)
            if (at >= tlb[g].g && at < tlb[g].g + tlb[g].nr)
                tlb[g].t = P2M_INVALID;
    }
}

/* ---- locks, lists and the heap ---- */

static bool p2m_locked;

void write_lock(rwlock_t *l) {
    CHECK(l == &p2m.lock && !p2m_locked, "the lock is taken once");
    p2m_locked = true;
}
void write_unlock(rwlock_t *l) {
    CHECK(l == &p2m.lock && p2m_locked, "the lock is released by its holder");
    p2m_locked = false;
}
bool rw_is_write_held(const rwlock_t *l) {
    return l == &p2m.lock && p2m_locked;
}
void spin_lock(spinlock_t *l) {
    (void)l;
}
void spin_unlock(spinlock_t *l) {
    (void)l;
}

static unsigned index_of(const struct page_info *page) {
    return (unsigned)(page - world_frames.page);
}

void page_list_append(struct page_list *l, struct page_info *page) {
    page_list_push(l, page);
}
/* Called for pages on a domain's lists only. */
static inline void page_list_del(struct page_list *l, struct page_info *page) {
    CHECK(l == (index_of(page) == XENHEAP ? &owner.xenheap : &owner.pages), "the list it is on");
}

static bool is_freed[WORLD_FRAMES];

static void check_unreachable(const struct page_info *page) {
    unsigned m = index_of(page);

    for (unsigned g = 0; g < NR_GFNS; g++)
        CHECK(tlb[g].t == P2M_INVALID || tlb[g].mfn != m || walk(g).mfn == m,
              "no stale TLB entry leads to a page that is let go");
}

void heap_free(struct page_info *page, unsigned order) {
    unsigned m = index_of(page);

    CHECK(!order && m >= FIRST_RAM && m <= XENHEAP && !is_freed[m], "freed once");
    CHECK(page->count_info == 0 && !type_info_has_gfn(page->type_info), "freed without a GFN");
    for (unsigned g = 0; g < NR_GFNS; g++)
        CHECK((tlb[g].t == P2M_INVALID || tlb[g].mfn != m) &&
                  (walk(g).t == P2M_INVALID || walk(g).mfn != m),
              "neither table nor TLB leads to a freed page");
    is_freed[m] = true;
}

void page_give_up_one(struct domain_pages *o, struct page_info *page) {
    CHECK(o == &owner, "the owner's page");
    check_unreachable(page);
    CHECK(page_give_up(page), "given up once");
}
void page_give_up_run(struct domain_pages *o, struct page_info *page, uint64_t nr) {
    CHECK(nr <= NR_GFNS, "a run within the bounds");
    for (unsigned i = 0; i < NR_GFNS && i < nr; i++)
        page_give_up_one(o, page + i);
}

void static_reserve_locked(struct domain_pages *o, struct page_info *page, uint64_t nr) {
    (void)o;
    (void)page;
    (void)nr;
    CHECK(false, "no frame is of a reserved range");
}

void panic(const char *fmt, ...) {
    (void)fmt;
    CHECK(false, "no panic");
    ASSUME(false);
}
void printk(const char *fmt, ...) {
    (void)fmt;
    CHECK(false, "no page is leaked");
}

/* ---- any state ---- */

struct state {
    struct found at[NR_GFNS];
    struct page_info page[WORLD_FRAMES];
    uint32_t pool_free;
};
static struct state before;
static unsigned holds[WORLD_FRAMES]; /* references of somebody else */

static pte_t leaf(unsigned m, unsigned level, enum p2m_type t) {
    return pte_make_leaf((uint64_t)m << PAGE_SHIFT, level, pte_make_sw(t) | PTE_AF);
}

/* What is told to the search as a constant saves it most of its work. */
#ifndef TYPES
#define TYPES P2M_INVALID, P2M_INVALID
#endif
static const enum p2m_type types_of_pages[2] = {TYPES};

static pte_t page_entry(unsigned g) {
    enum p2m_type t = types_of_pages[g];

    if (t == P2M_INVALID)
        return 0;
    if (is_xenheap(t))
        return leaf(XENHEAP, 3, t);
    if (is_grant(t) || is_foreign(t))
        return leaf(FOREIGN, 3, t);
    return leaf(t == P2M_MMIO_DIRECT ? MMIO_MFN : FIRST_RAM + g, 3, t);
}

static void count_table(unsigned n) {
    world_frames.page[n].u.used = (world_ram[n][0] & 1) + (world_ram[n][1] & 1);
}

/* The root leads to a block of four pages, or to a table of two single pages and a block of two. */
static void make_tables(void) {
    bool pages = SHAPE & 1, block = SHAPE & 2, large = SHAPE & 4;
    unsigned tables = 1 + (pages || block) + pages;

    if (large)
        world_ram[0][0] = leaf(FIRST_RAM, 1, P2M_RAM_RW);
    if (pages) {
        world_ram[2][0] = page_entry(0);
        world_ram[2][1] = page_entry(1);
        count_table(2);
        world_ram[1][0] = pte_make_table(2 << PAGE_SHIFT);
    }
    if (block)
        world_ram[1][1] = leaf(FIRST_RAM + 2, 2, P2M_RAM_RO);
    if (pages || block) {
        world_ram[0][0] = pte_make_table(1 << PAGE_SHIFT);
        count_table(1);
    }
    count_table(0);

    /* It may be thought shorter than its list is, or longer, since more is asked for than is ever
     * taken: who takes what is not there panics. */
    page_list_init(&p2m.pool);
    for (unsigned n = tables; n < FIRST_RAM; n++)
        page_list_push(&p2m.pool, world_frames.page + n);
    p2m.pool_free = ANY(uint32_t);
    ASSUME(p2m.pool_free <= ENOUGH_TABLES);
    p2m.pool_total = p2m.pool_free + tables;
}

static unsigned entries_of(unsigned m, gfn_t *g) {
    unsigned n = 0;

    *g = INVALID_GFN;
    for (unsigned i = 0; i < NR_GFNS; i++) {
        struct found f = walk(i);

        if (f.t == P2M_INVALID || f.mfn != m || is_grant(f.t))
            continue;
        n++;
        *g = gfn(i);
    }
    return n;
}

static void make_page(unsigned m, struct domain_pages *o, count_info_t flags) {
    struct page_info *page = world_frames.page + m;
    type_info_t t = ANY(type_info_t);
    gfn_t g;
    unsigned n = entries_of(m, &g);

    ASSUME(m == FOREIGN || n <= 1);
    holds[m] = ANY_BIT();
    page->u.owner = o;
    page->count_info = flags | (PGC_allocated | 1);
    page->count_info += holds[m] + (m >= XENHEAP ? n : 0);
    /* A page in writable use has a reference for it. */
    ASSUME(holds[m] || !(t & PGT_COUNT_MASK));
    page->type_info = m == FOREIGN ? t : type_info_with_gfn(t, g); /* it has one of its owner's */
}

static void save(struct state *s) {
    for (unsigned g = 0; g < NR_GFNS; g++)
        s->at[g] = walk(g);
    for (unsigned m = 0; m < WORLD_FRAMES; m++)
        s->page[m] = world_frames.page[m];
    s->pool_free = p2m.pool_free;
}

static void make_world(void) {
    for (unsigned t = 0; t < P2M_NR_TYPES; t++)
        p2m_attr[t] = pte_make_sw(t) | PTE_AF;
    p2m.pt.start_level = 1;
    p2m.pt.addr_bits = PAGE_SHIFT + 2;
    p2m.pt.counted = true;
    p2m.pt.ops = &p2m_pt_ops;
    p2m.owner = &owner;
    p2m.dying = ANY_BIT();
    owner.tot_pages = 4;
    owner.xenheap_pages = 1;
    make_tables();
    for (unsigned m = FIRST_RAM; m < FIRST_RAM + 4; m++)
        make_page(m, &owner, 0);
    make_page(XENHEAP, &owner, PGC_xenheap);
    make_page(FOREIGN, &other_owner, 0);
    save(&before);
    for (unsigned g = 0; g < NR_GFNS; g++)
        tlb[g] = before.at[g];
}

/* ---- the invariants, and what a call may have changed ---- */

/* 1, 2, 7, 8, 9: entry, GFN and references of one page say the same. */
static void check_page(unsigned m) {
    const struct page_info *page = world_frames.page + m;
    count_info_t refs = page->count_info & PGC_COUNT_MASK;
    gfn_t g;
    unsigned n = entries_of(m, &g);

    if (is_freed[m]) {
        CHECK(!n, "no entry leads to a freed page");
        return;
    }
    CHECK(refs == holds[m] + !!(page->count_info & PGC_allocated) + (m >= XENHEAP ? n : 0),
          "references are those that are held");
    CHECK(refs, "a page without a reference was freed");
    CHECK(!((page->type_info ^ before.page[m].type_info) & ~PGT_GFN_MASK),
          "type and count do not change");
    if (m == FOREIGN) {
        CHECK(page->type_info == before.page[m].type_info, "another's page keeps its owner's GFN");
        return;
    }
    CHECK(n <= 1, "mapped once");
    CHECK(gfn_eq(page_get_gfn(page), g), "the GFN is where the entry is");
}

/* 12: every table page is in the tree or in the pool, and counts what it holds. */
static void check_tables(void) {
    uint32_t in_tree = 1;

    for (unsigned n = 0; n < FIRST_RAM; n++) {
        unsigned used = 0;

        for (unsigned i = 0; i < PT_ENTRIES; i++) {
            pte_t e = world_ram[n][i];

            CHECK(!e || (e & 1), "nothing stays parked");
            used += e & 1;
            if ((e & 3) == 3 && (e >> 12 & 0xfffffffff) < FIRST_RAM) {
                in_tree++;
                CHECK(world_frames.page[e >> 12 & 3].u.used, "no empty table stays in the tree");
            }
        }
        CHECK(world_frames.page[n].u.used == used || !used, "a table counts its entries");
    }
    CHECK(in_tree + p2m.pool_free == p2m.pool_total && p2m.pool_free <= p2m.pool_total,
          "table pages are in the tree or the pool");
}

static void check_invariants(void) {
    CHECK(!p2m_locked, "the lock is free");
    for (unsigned m = FIRST_RAM; m < WORLD_FRAMES; m++)
        check_page(m);
    for (unsigned g = 0; g < NR_GFNS; g++)
        CHECK(tlb[g].t == P2M_INVALID || (walk(g).mfn == tlb[g].mfn && walk(g).t == tlb[g].t),
              "the TLB remembers nothing that is no longer so");
    check_tables();
}

static void check_same_entry(unsigned g) {
    struct found f = walk(g);

    CHECK(f.t == before.at[g].t && f.mfn == before.at[g].mfn, "an entry not meant is as it was");
}

/* 4, 5, 16. */
static void check_nothing_changed(void) {
    for (unsigned g = 0; g < NR_GFNS; g++)
        check_same_entry(g);
    for (unsigned m = FIRST_RAM; m < WORLD_FRAMES; m++)
        CHECK(world_frames.page[m].count_info == before.page[m].count_info &&
                  world_frames.page[m].type_info == before.page[m].type_info,
              "a failure leaves pages as they were");
    CHECK(p2m.pool_free == before.pool_free, "a failure takes no table");
}

/* What an entry that went leaves of its page. */
static void check_let_go(struct found was) {
    const struct page_info *page = world_frames.page + (was.mfn < WORLD_FRAMES ? was.mfn : 0);

    if (was.t == P2M_RAM_RW || was.t == P2M_RAM_RO) {
        CHECK(is_freed[was.mfn] == !holds[was.mfn], "RAM goes back when nobody holds it");
        CHECK(!(page->count_info & PGC_allocated), "RAM is given up");
    } else if (is_xenheap(was.t)) {
        CHECK(page->count_info & PGC_allocated, "a xenheap page stays the hypervisor's");
    }
}

#endif
