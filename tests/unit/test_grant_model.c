/* Random grant operations of three domains, each compared with a naive list of what is mapped. */
/* clang-format off */
/* SOURCES: common/mm/boot_mem.c common/mm/heap.c common/mm/fresh.c common/mm/xenheap.c common/mm/page_owner.c common/mm/page_ref.c common/mm/static_mem.c common/mm/pt.c common/mm/pt_page.c common/mm/pt_read.c common/mm/p2m.c common/mm/p2m_global.c common/mm/p2m_map.c common/mm/p2m_unmap.c common/mm/p2m_pool.c common/mm/p2m_populate.c common/mm/p2m_audit.c common/abi/grant_entry.c common/abi/grant_map.c common/abi/grant_copy.c common/abi/grant_op.c common/abi/grant_frames.c common/abi/maptrack.c tests/fake/mm_world.c */
/* clang-format on */
/*
 * MODEL_STEPS and MODEL_SEED in the environment choose the run; a failure prints both. Heap and
 * table pools are squeezed at random, so that every allocation fails in turn.
 */
#include "grant_world.h"

#define WINDOW 48u /* gfns that are looked at: RAM at first, then holes, then one in each table */
#define NR_RAM 24u
#define NR_RO 3u /* the last of them */
#define NR_NEAR 40u
#define REFS 12u
#define MAX_MAPPED 600u

static unsigned long seed, step, steps;
static uint64_t rng;
static unsigned rnd(unsigned n) {
    uint64_t z = rng += 0x9e3779b97f4a7c15ULL; /* SplitMix64 */

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return (unsigned)((z ^ z >> 31) % n);
}

#define CHECK(c)                                                                                   \
    do {                                                                                           \
        if (!(c)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\nMODEL_SEED=%lu MODEL_STEPS=%lu\n", __FILE__, __LINE__, #c, \
                    seed, step + 1);                                                               \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static uint64_t gfn_of(unsigned i) {
    return i < NR_NEAR ? 0x40000 + i : 0x80000 + 512ULL * i;
}

/* ---- the facts ---- */

enum kind { HOLE, OWN, OWN_RO, MAPPED };
struct place {
    enum kind kind;
    uint64_t mfn;
    unsigned mapping; /* of MAPPED */
};
struct mapping {
    bool live;
    unsigned mapper, granter, life, ref, place;
    bool readonly;
    grant_handle_t handle;
    uint64_t mfn;
};
/* What the granter wrote, as it meant it. */
struct written {
    uint16_t flags, domid;
    uint64_t frame;
    uint16_t start, length;
    uint32_t trans_ref;
    uint16_t trans_domid;
    bool tampered; /* while in use: marks are not compared */
};
static struct place place[NR_DOMS][WINDOW];
static struct mapping mapping[MAX_MAPPED];
static struct written written[NR_DOMS][REFS];
static unsigned version[NR_DOMS], life[NR_DOMS];

/* What a run came to: a run in which it never happens shows nothing. */
static unsigned mapped, copied, orphaned;

static struct page_list squeezed = PAGE_LIST_INIT;
static struct page_list pool_squeezed[NR_DOMS];
static bool pool_is_squeezed[NR_DOMS];

static void release(void) {
    for (struct page_info *page; (page = page_list_pop(&squeezed));)
        heap_free(page, 0);
    for (unsigned d = 0; d < NR_DOMS; d++) {
        for (struct page_info *page; (page = page_list_pop(&pool_squeezed[d]));) {
            page_list_push(&dom[d]->p2m.pool, page);
            dom[d]->p2m.pool_free++;
            dom[d]->p2m.pool_total++;
        }
        pool_is_squeezed[d] = false;
    }
}
static void squeeze(void) {
    for (struct page_info *page; (page = heap_alloc(0));)
        page_list_push(&squeezed, page);
    for (unsigned d = 0; d < NR_DOMS; d++) {
        while (dom[d]->p2m.pool_free) {
            page_list_push(&pool_squeezed[d], page_list_pop(&dom[d]->p2m.pool));
            dom[d]->p2m.pool_free--;
            dom[d]->p2m.pool_total--;
        }
        pool_is_squeezed[d] = true;
    }
}
static bool is_squeezed(void) {
    return pool_is_squeezed[0];
}

static unsigned uses(unsigned granter, unsigned ref, bool writers_only) {
    unsigned n = 0;

    for (unsigned i = 0; i < MAX_MAPPED; i++)
        n += mapping[i].live && mapping[i].granter == granter && mapping[i].life == life[granter] &&
             mapping[i].ref == ref && (!writers_only || !mapping[i].readonly);
    return n;
}

/* Of one frame; with 32-bit words it soon is full. */
#define MAX_WRITERS ((1u << PGT_COUNT_BITS) - 1)
static unsigned writers(uint64_t mfn) {
    unsigned n = 0;

    for (unsigned i = 0; i < MAX_MAPPED; i++)
        n += mapping[i].live && !mapping[i].readonly && mapping[i].mfn == mfn;
    return n;
}

/* ---- the granter's hand ---- */

static void write_entry(unsigned d, unsigned ref) {
    const struct written *w = &written[d][ref];
    struct grant_frames *g = &dom[d]->abi->grant;

    if (version[d] == 1) {
        struct grant_entry_v1 *e = (struct grant_entry_v1 *)g->frame[0] + ref;

        *e = (struct grant_entry_v1){w->flags, w->domid, (uint32_t)w->frame};
        return;
    }
    union grant_entry_v2 *e = (union grant_entry_v2 *)g->frame[0] + ref;

    memset(e, 0, sizeof(*e));
    e->hdr.flags = w->flags;
    e->hdr.domid = w->domid;
    if ((w->flags & GTF_type_mask) == GTF_transitive) {
        e->transitive.trans_domid = w->trans_domid;
        e->transitive.gref = w->trans_ref;
    } else {
        e->full_page.frame = w->frame;
        if (w->flags & GTF_sub_page) {
            e->sub_page.page_off = w->start;
            e->sub_page.length = w->length;
        }
    }
}

static uint16_t marks(unsigned d, unsigned ref) {
    struct grant_frames *g = &dom[d]->abi->grant;
    uint16_t word = version[d] == 1 ? ((struct grant_entry_v1 *)g->frame[0])[ref].flags
                                    : ((uint16_t *)g->status[0])[ref];

    return word & (GTF_reading | GTF_writing);
}

/* Mostly where there is RAM. */
static unsigned a_place(unsigned d) {
    unsigned i = rnd(WINDOW);

    for (unsigned n = rnd(20); n && place[d][i].kind != OWN; n--)
        i = (i + 1) % WINDOW;
    return i;
}

static void op_grant(unsigned d) {
    static const uint16_t flags[] = {GTF_permit_access,
                                     GTF_permit_access,
                                     GTF_permit_access,
                                     GTF_permit_access | GTF_readonly,
                                     GTF_permit_access | GTF_sub_page,
                                     GTF_transitive,
                                     GTF_transitive | GTF_readonly,
                                     GTF_accept_transfer,
                                     GTF_invalid};
    unsigned ref = rnd(REFS);
    struct written *w = &written[d][ref];

    *w = (struct written){.flags = flags[rnd(2) ? 0 : rnd(9)],
                          .domid = (uint16_t)(1 + rnd(NR_DOMS)),
                          .frame = rnd(30) ? gfn_of(a_place(d)) : ~0ULL,
                          .start = (uint16_t)rnd(5000),
                          .length = (uint16_t)rnd(5000),
                          .trans_ref = rnd(20) ? rnd(REFS) : ~0u,
                          .trans_domid = (uint16_t)(rnd(20) ? 1 + rnd(NR_DOMS) : 77),
                          .tampered = uses(d, ref, false)};
    write_entry(d, ref);
}

/* ---- what is expected of a grant ---- */

struct found {
    uint64_t mfn;
    unsigned start, length;
};

static int may_use(unsigned granter, unsigned user, unsigned ref, bool readonly, bool map,
                   bool follow, struct found *f) {
    const struct written *w;
    unsigned type;

    if (ref >= dom[granter]->abi->grant.nr_frames * (version[granter] == 2 ? 256 : 512))
        return GNTST_bad_gntref;
    if (ref >= REFS)
        return GNTST_general_error; /* never written */
    w = &written[granter][ref];
    type = w->flags & GTF_type_mask;
    if (w->domid != user + 1 || (!readonly && (w->flags & GTF_readonly)))
        return GNTST_general_error;
    if (map && (type != GTF_permit_access || (w->flags & GTF_sub_page)))
        return GNTST_general_error;
    if (version[granter] == 2 && type == GTF_transitive) {
        unsigned next = w->trans_domid - 1u;

        if (!follow || next >= NR_DOMS || next == granter || strangers[next][granter] ||
            strangers[next][user])
            return GNTST_general_error;
        return may_use(next, granter, w->trans_ref, readonly, false, false, f);
    }
    if (type != GTF_permit_access)
        return GNTST_general_error;
    *f = (struct found){0, 0, PAGE_SIZE};
    if (version[granter] == 2 && (w->flags & GTF_sub_page))
        *f = (struct found){0, w->start, w->length};
    for (unsigned i = 0; i < WINDOW; i++)
        if (gfn_of(i) == (version[granter] == 1 ? (uint32_t)w->frame : w->frame)) {
            const struct place *p = &place[granter][i];

            if (p->kind != OWN && (p->kind != OWN_RO || !readonly))
                return GNTST_bad_page;
            f->mfn = p->mfn;
            return readonly || writers(p->mfn) < MAX_WRITERS ? 0 : GNTST_bad_page;
        }
    return GNTST_bad_page;
}

static int expect(unsigned granter, unsigned user, unsigned ref, bool readonly, bool map,
                  struct found *f) {
    if (granter >= NR_DOMS)
        return GNTST_bad_domain;
    if (strangers[granter][user])
        return GNTST_permission_denied;
    return may_use(granter, user, ref, readonly, map, true, f);
}

/* ---- operations ---- */

static unsigned free_mapping(void) {
    for (unsigned i = 0; i < MAX_MAPPED; i++)
        if (!mapping[i].live)
            return i;
    return MAX_MAPPED;
}

static unsigned random_ref(void) {
    return rnd(40) ? rnd(REFS) : (unsigned[]){512, 1024, ~0u, 300}[rnd(4)];
}

static void op_map(unsigned d) {
    unsigned granter = rnd(30) ? rnd(NR_DOMS) : 50, ref = random_ref(), i = rnd(WINDOW),
             n = free_mapping();
    /* Mostly a grant that was made to this domain. */
    for (unsigned k = rnd(20);
         k && granter < NR_DOMS && written[granter][ref % REFS].domid != d + 1; k--)
        ref = rnd(REFS);
    struct gnttab_map_grant_ref op = {.host_addr = gfn_of(i) << PAGE_SHIFT,
                                      .flags = GNTMAP_host_map | (rnd(2) ? GNTMAP_readonly : 0),
                                      .ref = ref,
                                      .dom = (domid_t)(granter + 1)};
    bool readonly = op.flags & GNTMAP_readonly;
    struct found f;
    int want = expect(granter, d, ref, readonly, true, &f);

    if (n == MAX_MAPPED)
        return;
    if (!want && place[d][i].kind == MAPPED)
        want = GNTST_general_error;
    CHECK(grant_op(dom[d], GNTTABOP_map_grant_ref, &op, 1) == 0);
    if (op.status != want) {
        CHECK(is_squeezed() && (op.status == GNTST_no_space || op.status == GNTST_general_error));
        return;
    }
    if (want)
        return;
    for (unsigned k = 0; k < MAX_MAPPED; k++) /* a handle is one mapping's */
        CHECK(!mapping[k].live || mapping[k].mapper != d || mapping[k].handle != op.handle);
    CHECK(op.dev_bus_addr == op.host_addr);
    mapping[n] =
        (struct mapping){true, d, granter, life[granter], ref, i, readonly, op.handle, f.mfn};
    place[d][i] = (struct place){MAPPED, f.mfn, n};
    mapped++;
    tlb_touch(&dom[d]->p2m, gfn_of(i));
}

static void op_unmap(unsigned d) {
    struct gnttab_unmap_grant_ref op[20];
    int want[20];
    unsigned nr = 1 + rnd(rnd(5) ? 2 : 20), replace = rnd(10) == 0, count = 0, all[MAX_MAPPED];

    for (unsigned i = 0; i < MAX_MAPPED; i++)
        if (mapping[i].live && mapping[i].mapper == d)
            all[count++] = i;
    for (unsigned k = 0; k < nr; k++) {
        struct mapping *m = count ? &mapping[all[rnd(count)]] : NULL;

        op[k] = (struct gnttab_unmap_grant_ref){.handle = rnd(3) ? 5 + rnd(300) : ~0u};
        want[k] = GNTST_bad_handle;
        if (!m || rnd(20) == 0) {
            for (unsigned i = 0; i < count; i++)
                if (mapping[all[i]].handle == op[k].handle && mapping[all[i]].live)
                    want[k] = GNTST_general_error; /* address 0 is not where it is */
            continue;
        }
        op[k].handle = m->handle;
        op[k].host_addr = gfn_of(m->place) << PAGE_SHIFT;
        if (!m->live)
            continue; /* twice in one batch */
        want[k] = 0;
        if (rnd(10) == 0) {
            op[k].host_addr += PAGE_SIZE;
            want[k] = GNTST_general_error;
        } else if (replace && rnd(2)) {
            op[k].dev_bus_addr = PAGE_SIZE;
            want[k] = GNTST_general_error;
        }
        if (want[k])
            continue;
        m->live = false;
        place[d][m->place].kind = HOLE;
    }
    CHECK(grant_op(dom[d], replace ? GNTTABOP_unmap_and_replace : GNTTABOP_unmap_grant_ref, op,
                   nr) == 0);
    for (unsigned k = 0; k < nr; k++)
        CHECK(op[k].status == want[k]);
}

static char *virt(uint64_t m) {
    return fake_at(mfn_to_paddr(mfn(m)));
}

/* One side of a copy, chosen and predicted. */
static int side(unsigned d, struct gnttab_copy_ptr *p, bool by_ref, bool write, struct found *f,
                unsigned *who) {
    unsigned i = rnd(WINDOW);

    p->offset = (uint16_t)rnd(rnd(2) ? 64 : 4096);
    *who = d;
    if (by_ref) {
        unsigned granter = rnd(NR_DOMS);

        p->u.ref = random_ref();
        p->domid = (domid_t)(granter == d && rnd(2) ? DOMID_SELF : granter + 1);
        *who = granter;
        return expect(granter, d, p->u.ref, !write, false, f);
    }
    p->u.gmfn = gfn_of(i);
    p->domid = (domid_t)(rnd(20) ? DOMID_SELF : 1);
    *f = (struct found){place[d][i].mfn, 0, PAGE_SIZE};
    if (p->domid != DOMID_SELF)
        return GNTST_permission_denied;
    if (place[d][i].kind != OWN && place[d][i].kind != OWN_RO)
        return GNTST_bad_page;
    return write && place[d][i].kind == OWN_RO ? GNTST_general_error : 0;
}

static unsigned behind(unsigned granter, unsigned ref) {
    const struct written *w = ref < REFS ? &written[granter][ref] : NULL;

    return w && version[granter] == 2 && (w->flags & GTF_type_mask) == GTF_transitive
               ? w->trans_domid - 1u
               : granter;
}

static void op_copy(unsigned d) {
    static char before[PAGE_SIZE], after[PAGE_SIZE];
    struct gnttab_copy op = {.flags = (uint16_t)rnd(4), .len = (uint16_t)rnd(rnd(2) ? 64 : 4097)};
    struct found from, to;
    unsigned who_from, who_to;
    int want_from, want_to, want = 0;

    want_from = side(d, &op.source, op.flags & GNTCOPY_source_gref, false, &from, &who_from);
    want_to = side(d, &op.dest, op.flags & GNTCOPY_dest_gref, true, &to, &who_to);
    if (op.source.offset + op.len > 4096 || op.dest.offset + op.len > 4096)
        want = GNTST_bad_copy_arg;
    if (!want)
        want = want_from;
    if (!want)
        want = want_to;
    if (!want && (op.flags & 3) == 3 &&
        strangers[behind(who_from, op.source.u.ref)][behind(who_to, op.dest.u.ref)])
        want = GNTST_permission_denied;
    if (!want &&
        (op.source.offset < from.start || op.source.offset + op.len > from.start + from.length ||
         op.dest.offset < to.start || op.dest.offset + op.len > to.start + to.length))
        want = GNTST_general_error;
    if (!want) {
        memcpy(before, virt(from.mfn), PAGE_SIZE);
        memcpy(after, virt(to.mfn), PAGE_SIZE);
        memcpy(after + op.dest.offset, before + op.source.offset, op.len);
    }
    CHECK(grant_op(dom[d], GNTTABOP_copy, &op, 1) == 0);
    CHECK(op.status == want);
    if (!want)
        CHECK(!memcmp(after, virt(to.mfn), PAGE_SIZE));
    copied += !want;
}

static void op_version(unsigned d) {
    struct gnttab_set_version op = {.version = 1 + rnd(2)};
    unsigned asked = op.version;
    bool busy = false;
    int64_t rc, want;

    for (unsigned r = 0; r < REFS; r++)
        busy |= uses(d, r, false);
    want = asked == version[d] ? 0 : busy ? -EBUSY : 0;
    rc = grant_op(dom[d], GNTTABOP_set_version, &op, 1);
    if (rc == -ENOMEM && is_squeezed() && !want)
        return;
    CHECK(rc == want);
    if (rc || asked == version[d])
        return;
    version[d] = asked;
    memset(written[d], 0, sizeof(written[d]));
}

static void op_swap(unsigned d) {
    struct gnttab_swap_grant_ref op = {.ref_a = random_ref(), .ref_b = rnd(REFS)};
    unsigned limit = dom[d]->abi->grant.nr_frames * (version[d] == 2 ? 256 : 512);
    int want = 0;

    if (op.ref_a >= limit)
        want = GNTST_bad_gntref;
    else if ((op.ref_a < REFS && uses(d, op.ref_a, false)) || uses(d, op.ref_b, false))
        want = GNTST_eagain;
    else if (op.ref_a >= REFS)
        return; /* the model does not know those */
    CHECK(grant_op(dom[d], GNTTABOP_swap_grant_ref, &op, 1) == 0);
    CHECK(op.status == want);
    if (!want) {
        struct written w = written[d][op.ref_a];

        written[d][op.ref_a] = written[d][op.ref_b];
        written[d][op.ref_b] = w;
    }
}

/* RAM goes back and comes again; what others have mapped of it stays theirs. */
static void op_balloon(unsigned d) {
    unsigned i = rnd(rnd(3) ? NR_RAM : WINDOW);
    struct place *p = &place[d][i];

    if (p->kind == OWN && rnd(3))
        return;
    if (p->kind == HOLE) {
        if (!p2m_populate(&dom[d]->p2m, gfn(gfn_of(i)), 1)) {
            *p = (struct place){OWN, p2m_lookup(&dom[d]->p2m, gfn(gfn_of(i)), NULL, NULL).mfn, 0};
            for (unsigned k = 0; k < MAX_MAPPED; k++) /* a page in use is nobody's new one */
                CHECK(!mapping[k].live || mapping[k].mfn != p->mfn);
            memset(virt(p->mfn), (int)rnd(256), PAGE_SIZE);
        }
        return;
    }
    int rc = p2m_unmap(&dom[d]->p2m, gfn(gfn_of(i)), 1);

    CHECK(rc == (p->kind == MAPPED ? -EILSEQ : 0));
    if (!rc)
        p->kind = HOLE;
}

static void make(unsigned d) {
    while (!world_domain(d, 60))
        ;
    version[d] = 1;
    memset(written[d], 0, sizeof(written[d]));
    memset(place[d], 0, sizeof(place[d]));
    CHECK(!p2m_populate(&dom[d]->p2m, gfn(gfn_of(0)), NR_RAM - NR_RO));
    for (unsigned i = NR_RAM - NR_RO; i < NR_RAM; i++) {
        struct page_info *page = heap_alloc(0);

        CHECK(page && !domain_assign_pages(&dom[d]->pages, page, 0));
        CHECK(!p2m_map(&dom[d]->p2m, gfn(gfn_of(i)), page_to_mfn(page), 0, P2M_RAM_RO));
        place[d][i] = (struct place){OWN_RO, page_to_mfn(page).mfn, 0};
    }
    for (unsigned i = 0; i < NR_RAM - NR_RO; i++)
        place[d][i] =
            (struct place){OWN, p2m_lookup(&dom[d]->p2m, gfn(gfn_of(i)), NULL, NULL).mfn, 0};
}

static void op_rebirth(unsigned d) {
    release();
    world_kill(d);
    for (unsigned i = 0; i < MAX_MAPPED; i++) {
        if (mapping[i].mapper == d)
            mapping[i].live = false;
        orphaned += mapping[i].live && mapping[i].granter == d;
    }
    life[d]++;
    make(d);
}

/* ---- comparison ---- */

static void compare(void) {
    world_check_locks();
    for (unsigned d = 0; d < NR_DOMS; d++) {
        unsigned total = 0;

        for (unsigned i = 0; i < WINDOW; i++) {
            enum p2m_type t;
            mfn_t m = p2m_lookup(&dom[d]->p2m, gfn(gfn_of(i)), &t, NULL);
            const struct place *p = &place[d][i];

            CHECK(p->kind == HOLE ? mfn_eq(m, INVALID_MFN) : m.mfn == p->mfn);
            CHECK(p->kind != OWN || t == P2M_RAM_RW);
            CHECK(p->kind != MAPPED ||
                  t == (mapping[p->mapping].readonly ? P2M_GRANT_RO : P2M_GRANT_RW));
        }
        for (unsigned r = 0; r < REFS; r++) {
            unsigned n = uses(d, r, false), w = uses(d, r, true);

            total += n;
            CHECK(grant_uses(&dom[d]->abi->grant, r) == n);
            if (!n)
                written[d][r].tampered = false;
            if (!written[d][r].tampered)
                CHECK(marks(d, r) == ((n ? GTF_reading : 0) | (w ? GTF_writing : 0)) ||
                      (version[d] == 1 &&
                       (written[d][r].flags & GTF_type_mask) != GTF_permit_access));
        }
        CHECK(dom[d]->abi->grant.uses == total);
        CHECK(p2m_audit(&dom[d]->p2m) == 0);
        CHECK(grant_audit(dom[d]) == 0);
        CHECK(tlb_count_stale(&dom[d]->p2m) == 0);
    }
}

/* Each mapping holds one reference to its page, and a writable use if it may write. */
static void compare_references(void) {
    for (unsigned i = 0; i < MAX_MAPPED; i++) {
        const struct page_info *page;
        unsigned refs = 0, writers = 0;

        if (!mapping[i].live)
            continue;
        page = mfn_to_page(mfn(mapping[i].mfn));
        for (unsigned k = 0; k < MAX_MAPPED; k++) {
            if (!mapping[k].live || mapping[k].mfn != mapping[i].mfn)
                continue;
            refs++;
            writers += !mapping[k].readonly;
        }
        CHECK((page->count_info & PGC_COUNT_MASK) == refs + !!(page->count_info & PGC_allocated));
        CHECK(type_info_count(page->type_info) == writers);
    }
}

static void one_step(void) {
    unsigned d = rnd(NR_DOMS), op = rnd(100);

    if (op < 25)
        op_grant(d);
    else if (op < 60)
        op_map(d);
    else if (op < 66)
        op_unmap(d);
    else if (op < 82)
        op_copy(d);
    else if (op < 84)
        op_version(d);
    else if (op < 87)
        op_swap(d);
    else if (op < 95)
        op_balloon(d);
    else if (op < 96)
        rnd(2) ? squeeze() : release();
    else if (op < 97) {
        unsigned other = rnd(NR_DOMS);

        strangers[d][other] = strangers[other][d] = d != other && rnd(3) == 0;
    } else if (rnd(20) == 0)
        op_rebirth(d);
    else
        release();
}

static unsigned long env(const char *name, unsigned long def) {
    const char *s = getenv(name);

    return s ? strtoul(s, NULL, 0) : def;
}

static void test_model(void **state) {
    uint64_t free_before;

    (void)state;
    seed = env("MODEL_SEED", 1);
    steps = env("MODEL_STEPS", 20000);
    rng = seed * 2654435761u + 1;
    fake_direct_end = GB(1);
    world_boot(BASE, RAM_SIZE);
    p2m_global_init();
    free_before = heap_free_pages();
    for (unsigned d = 0; d < NR_DOMS; d++) {
        page_list_init(&pool_squeezed[d]);
        make(d);
    }
    for (step = 0; step < steps; step++) {
        one_step();
        compare();
        if (step % 64 == 0)
            compare_references();
    }
    release();
    for (unsigned d = 0; d < NR_DOMS; d++)
        world_kill(d);
    CHECK(shells == 0);
    if (steps >= 20000)
        CHECK(mapped > 500 && copied > 50 && orphaned > 3);
    CHECK(heap_free_pages() == free_before);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
