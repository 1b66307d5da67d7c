/* Taking and ending the use of one grant, against a granter that may write its table at any time.
 */
#include <hv/domain.h>
#include <hv/page.h>
#include <hv/policy.h>

#include <asm/atomic.h>
#include <asm/nospec.h>

#include "abi.h"
#include "grant.h"

/* A granter that keeps changing an entry gets this many chances, then the caller an error. */
#define MARK_TRIES 5u

#define WORD_FLAGS(w) ((uint16_t)(w))
#define WORD_DOMID(w) ((hv_domid_t)((w) >> 16))

_Static_assert(offsetof(struct grant_entry_v1, domid) == 2 && sizeof(struct grant_entry_v1) == 8,
               "flags and domid are one word");
_Static_assert(offsetof(grant_entry_header_t, domid) == 2 && sizeof(union grant_entry_v2) == 16,
               "flags and domid are one word");

/* ---- the words the granter sees ---- */

/* Is it a grant to `user` that allows this use? */
static __force_inline bool permits(uint32_t word, hv_domid_t user, unsigned how, bool v2) {
    uint16_t flags = WORD_FLAGS(word), type = flags & GTF_type_mask;

    if (WORD_DOMID(word) != user)
        return false;
    if (type != GTF_permit_access && (type != GTF_transitive || !v2 || (how & GRANT_MAP)))
        return false;
    if ((how & GRANT_MAP) && (flags & GTF_sub_page))
        return false;
    return (how & GRANT_READONLY) || !(flags & GTF_readonly);
}

static uint16_t use_bits(unsigned how) {
    return (how & GRANT_READONLY) ? GTF_reading : GTF_reading | GTF_writing;
}

/* Version 1 has flags, domain and marks in one word: one compare and exchange finds them all. */
static __force_inline int16_t mark_v1(uint32_t *word, hv_domid_t user, unsigned how,
                                      uint16_t *flags) {
    uint32_t old = READ_ONCE(*word);

    for (unsigned i = 0; i < MARK_TRIES; i++) {
        uint32_t found;

        if (!permits(old, user, how, false))
            return GNTST_general_error;
        found = cmpxchg32(word, old, old | use_bits(how));
        if (found == old) {
            *flags = WORD_FLAGS(old);
            return GNTST_okay;
        }
        old = found;
    }
    return GNTST_general_error;
}

int16_t grant_mark_v1(uint32_t *word, hv_domid_t user, unsigned how, uint16_t *flags) {
    return mark_v1(word, user, how, flags);
}

/*
 * Version 2 has the marks elsewhere: they are set first, and the entry is looked at again. A
 * granter revokes in the opposite order, so one of us sees the other.
 */
int16_t grant_mark_v2(uint32_t *word, uint16_t *status, hv_domid_t user, unsigned how,
                      uint16_t *flags) {
    uint32_t before = READ_ONCE(*word), after;
    uint16_t bits = use_bits(how), marked;

    if (!permits(before, user, how, true))
        return GNTST_general_error;
    marked = __atomic_fetch_or(status, bits, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    after = READ_ONCE(*word);
    if (after == before) {
        *flags = WORD_FLAGS(after);
        return GNTST_okay;
    }
    __atomic_fetch_and(status, (uint16_t) ~(bits & ~marked), __ATOMIC_RELEASE);
    return GNTST_general_error;
}

/* ---- the table ---- */

/* Entries of 2^this bytes. */
static unsigned entry_shift(const struct grant_frames *g) {
    return g->version == 2 ? 4 : 3;
}

_Static_assert(!(GRANT_FRAMES_MAX & (GRANT_FRAMES_MAX - 1)), "a mask keeps the CPU in the table");

/* Where a grant is, and its uses. */
struct place {
    char *entry;
    struct grant_pins *pins;
};
static __force_inline struct place place_of(const struct grant_frames *g, grant_ref_t ref) {
    unsigned shift = entry_shift(g);
    uint32_t frame = ref >> (PAGE_SHIFT - shift) & (GRANT_FRAMES_MAX - 1);
    uint32_t n = ref & ((PAGE_SIZE >> shift) - 1);

    return (struct place){(char *)g->frame[frame] + (n << shift), &g->pins[frame][n]};
}

static bool is_grant(const struct grant_frames *g, grant_ref_t ref) {
    return ref >> (PAGE_SHIFT - entry_shift(g)) < g->nr_frames;
}

void *grant_entry(struct grant_frames *g, grant_ref_t ref) {
    return is_grant(g, ref) ? place_of(g, ref).entry : NULL;
}

unsigned grant_uses(const struct grant_frames *g, grant_ref_t ref) {
    const struct grant_pins *p = place_of(g, ref).pins;

    return (unsigned)p->readers + p->writers;
}

static uint16_t *status_of(const struct grant_frames *g, grant_ref_t ref) {
    unsigned n = PAGE_SIZE / sizeof(grant_status_t);

    return (uint16_t *)g->status[index_nospec(ref / n, GRANT_STATUS_MAX)] + ref % n;
}

static __force_inline int16_t mark(struct grant_frames *g, void *entry, grant_ref_t ref,
                                   hv_domid_t user, unsigned how, uint16_t *flags) {
    if (g->version == 2)
        return grant_mark_v2(entry, status_of(g, ref), user, how, flags);
    return mark_v1(entry, user, how, flags);
}

static bool count_use(struct grant_frames *g, struct grant_pins *p, bool readonly) {
    uint16_t *n = readonly ? &p->readers : &p->writers;

    if (*n == UINT16_MAX)
        return false;
    (*n)++;
    g->uses++;
    return true;
}

static void uncount_use(struct grant_frames *g, struct grant_pins *p, bool readonly) {
    uint16_t *n = readonly ? &p->readers : &p->writers;

    BUG_ON(!*n);
    (*n)--;
    g->uses--;
}

/* With the marks that no use stands for any more. */
static void end_use(struct grant_frames *g, grant_ref_t ref, bool readonly) {
    struct place at = place_of(g, ref);
    uint16_t *marks = g->version == 2 ? status_of(g, ref) : (uint16_t *)at.entry;

    uncount_use(g, at.pins, readonly);
    if (!at.pins->writers)
        __atomic_fetch_and(marks,
                           at.pins->readers ? (uint16_t)~GTF_writing
                                            : (uint16_t) ~(GTF_reading | GTF_writing),
                           __ATOMIC_RELEASE);
}

/* ---- the page ---- */

/* The granter's page, if it is RAM of its own that may be used so. */
static __force_inline struct page_info *take_page(struct domain *granter, uint64_t frame,
                                                  bool readonly) {
    enum p2m_type t;
    struct page_info *page;

    if (frame >= p2m_gfn_limit(&granter->p2m))
        return NULL;
    page = p2m_get_page(&granter->p2m, gfn(frame), &t);
    if (!page)
        return NULL;
    if (readonly || (t == P2M_RAM_RW && get_page_writable(page)))
        return page;
    put_page(page);
    return NULL;
}

static void drop_page(struct page_info *page, bool readonly) {
    if (!readonly)
        put_page_writable(page);
    put_page(page);
}

/* What the marked entry says: the page, or for a transitive grant whose it is and which (*next).
 * Each field is read once. */
struct transit {
    hv_domid_t domid;
    grant_ref_t ref;
};
static __force_inline int16_t read_entry(struct domain *granter, const void *entry, uint16_t flags,
                                         unsigned how, struct grant_use *use,
                                         struct transit *next) {
    const union grant_entry_v2 *e2 = entry;
    uint64_t frame;

    use->start = 0;
    use->length = PAGE_SIZE;
    use->page = NULL;
    if (granter->abi->grant.version == 1) {
        frame = READ_ONCE(((const struct grant_entry_v1 *)entry)->frame);
    } else if ((flags & GTF_type_mask) == GTF_transitive) {
        next->domid = READ_ONCE(e2->transitive.trans_domid);
        next->ref = READ_ONCE(e2->transitive.gref);
        return GNTST_okay;
    } else {
        frame = READ_ONCE(e2->full_page.frame);
        if (flags & GTF_sub_page) {
            use->start = READ_ONCE(e2->sub_page.page_off);
            use->length = READ_ONCE(e2->sub_page.length);
        }
    }
    use->page = take_page(granter, frame, how & GRANT_READONLY);
    return use->page ? GNTST_okay : GNTST_bad_page;
}

/* ---- taking and dropping ---- */

static __force_inline int16_t take_locked(struct domain *granter, grant_ref_t ref, hv_domid_t user,
                                          unsigned how, struct grant_use *use,
                                          struct transit *next) {
    struct grant_frames *g = &granter->abi->grant;
    bool readonly = how & GRANT_READONLY;
    struct place at;
    uint16_t flags;
    int16_t rc;

    if (unlikely(g->dead))
        return GNTST_bad_domain;
    if (!is_grant(g, ref))
        return GNTST_bad_gntref;
    at = place_of(g, ref);
    if (!count_use(g, at.pins, readonly))
        return GNTST_general_error;
    rc = mark(g, at.entry, ref, user, how, &flags);
    if (rc) {
        uncount_use(g, at.pins,
                    readonly); /* nothing is written to an entry that is not for `user` */
        return rc;
    }
    rc = read_entry(granter, at.entry, flags, how, use, next);
    if (rc)
        end_use(g, ref, readonly);
    return rc;
}

/* Inline once for the common way, and once for what is behind a transitive grant. */
static __force_inline int16_t take_one(struct domain *granter, grant_ref_t ref, hv_domid_t user,
                                       unsigned how, struct grant_use *use, struct transit *next) {
    struct grant_frames *g = &granter->abi->grant;
    int16_t rc;

    spin_lock(&g->lock);
    rc = take_locked(granter, ref, user, how, use, next);
    spin_unlock(&g->lock);
    return rc;
}

static void drop_one(struct domain *granter, grant_ref_t ref, bool readonly) {
    struct grant_frames *g = &granter->abi->grant;

    spin_lock(&g->lock);
    if (likely(!g->dead))
        end_use(g, ref, readonly);
    spin_unlock(&g->lock);
    domain_put(granter);
}

/* The grant behind a transitive one, made to the domain that passes it on; no further step. */
static __noinline int16_t follow(struct domain *via, const struct domain *user,
                                 struct transit *next, unsigned how, struct grant_use *use) {
    struct domain *granter = domain_get(next->domid);
    struct transit none;
    int16_t rc = GNTST_general_error;

    if (granter && granter != via && domains_may_share(granter, via) &&
        domains_may_share(granter, user))
        rc = take_one(granter, next->ref, via->id, how, use, &none);
    if (!rc && !use->page) {
        drop_one(granter, next->ref, how & GRANT_READONLY);
        return GNTST_general_error;
    }
    if (rc && granter)
        domain_put(granter);
    use->granter = granter;
    use->ref = next->ref;
    return rc;
}

int16_t grant_take(struct domain *granter, grant_ref_t ref, const struct domain *user, unsigned how,
                   struct grant_use *use) {
    struct transit next;
    int16_t rc = take_one(granter, ref, user->id, how, use, &next);

    if (rc)
        return rc;
    use->readonly = how & GRANT_READONLY;
    use->granter = granter;
    use->ref = ref;
    use->via = NULL;
    if (likely(use->page))
        return GNTST_okay;
    rc = follow(granter, user, &next, how, use);
    if (rc) {
        domain_hold(granter); /* the caller keeps its own */
        drop_one(granter, ref, use->readonly);
        return rc;
    }
    use->via = granter;
    use->via_ref = ref;
    return GNTST_okay;
}

void grant_drop(const struct grant_use *use) {
    drop_page(use->page, use->readonly);
    drop_one(use->granter, use->ref, use->readonly);
    if (use->via)
        drop_one(use->via, use->via_ref, use->readonly);
}
