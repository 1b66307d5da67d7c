/* Shared by the files of the p2m. */
#ifndef MM_P2M_INTERNAL_H
#define MM_P2M_INTERNAL_H

#include <hv/p2m.h>
#include <hv/page.h>
#include <hv/page_owner.h>
#include <hv/trace.h>

static inline enum p2m_type p2m_pte_type(pte_t e) {
    unsigned t = pte_sw(e);

    return t < P2M_NR_TYPES ? (enum p2m_type)t : P2M_INVALID;
}
static inline bool p2m_type_in(enum p2m_type t, unsigned types) {
    return P2M_TYPE_BIT(t) & types;
}
/* Descriptor attributes of a type, the type itself included; filled by p2m_global_init(). */
extern pte_t p2m_attr[P2M_NR_TYPES];
static inline pte_t p2m_pte_attr(enum p2m_type t) {
    return p2m_attr[t];
}

/* ---- p2m_global.c ---- */
struct p2m_shape {
    uint64_t vtcr, hcr;
    uint8_t start_level, ipa_bits;
    bool fwb; /* guests cannot look past the caches: no maintenance of what we write */
};
extern struct p2m_shape p2m_shape;
/* VMIDs come and go without a flush on taking; the one that leaves has a clean TLB. -ENOSPC. */
int vmid_alloc(uint16_t *vmid) __must_check;
void vmid_free(uint16_t vmid);

/* ---- p2m_pool.c ---- */
extern const struct pt_ops p2m_pt_ops;
/* A change is asked for, under the write lock. */
static inline void p2m_note_change(struct p2m *p2m, gfn_t g, uint64_t nr, enum p2m_type t) {
    trace(TRACE_P2M, TRACE_WHO(p2m->owner->domid, 0), g.gfn, nr << 8 | t);
    if (HF_DEBUG)
        WRITE_ONCE(p2m->changes, p2m->changes + 1);
}
/*
 * Table pages that a change may take. One is kept for the teardown: with it the largest block goes
 * in small steps even when the guest has used up all others.
 */
static inline uint32_t p2m_tables_left(const struct p2m *p2m) {
    if (!p2m->dying && mm_fails())
        return 0;
    return p2m->pool_free && !p2m->dying ? p2m->pool_free - 1 : p2m->pool_free;
}
/* The root, empty, and `pages` more; drain gives both back. -ENOMEM: nothing is taken. */
int p2m_pool_fill(struct p2m *p2m, uint32_t pages) __must_check;
void p2m_pool_drain(struct p2m *p2m);

/* ---- p2m_unmap.c ---- */
/*
 * Takes [va, va+size) out, flushes once, drops what the entries held. Needs the write lock; the
 * tables that splits need are in the pool.
 */
void p2m_remove_locked(struct p2m *p2m, uint64_t va, uint64_t size);
/* The same for a valid last-level entry, which gets a new leaf. */
void p2m_replace_page_locked(struct p2m *p2m, uint64_t va, pte_t *entry, pte_t leaf);
/* Table pages this can consume. */
int64_t p2m_remove_needs(const struct p2m *p2m, uint64_t va, uint64_t size);

/* ---- p2m_map.c ---- */
int p2m_map_locked(struct p2m *p2m, gfn_t g, mfn_t m, uint64_t nr, enum p2m_type t) __must_check;
/* Without the check of the pages: they have just come from the allocator, or are not tracked. */
int p2m_insert_locked(struct p2m *p2m, gfn_t g, mfn_t m, uint64_t nr, enum p2m_type t) __must_check;

#endif
