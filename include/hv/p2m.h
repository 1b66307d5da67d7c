/*
 * Floor 3: a domain's stage-2 table. Contract: docs/memory.md; the invariants are cited by number.
 *
 * Lock: p2m.lock (RANK_P2M). Functions with suffix _locked want it held for writing, the others
 * take it. Table pages come from the p2m's own pool only; an empty pool is -ENOMEM and changes
 * nothing. `owner` is handed through to page_alloc, this floor sees only its struct domain_pages.
 *
 * A fault on an address that p2m_lookup() then finds mapped is the trace of a change in progress (a
 * block being split is absent for a moment): the access is simply tried again.
 */
#ifndef HV_P2M_H
#define HV_P2M_H

#include <hv/list.h>
#include <hv/page_list.h>
#include <hv/pt.h>
#include <hv/spinlock.h>
#include <hv/types.h>

struct domain;
struct domain_pages;
struct page_info;

enum p2m_type {
    P2M_INVALID = 0,
    P2M_RAM_RW,
    P2M_RAM_RO,
    P2M_XENHEAP_RW, /* shared_info, grant frames: RAM-type entries of hypervisor pages */
    P2M_XENHEAP_RO,
    P2M_MMIO_DIRECT,
    P2M_GRANT_RW,
    P2M_GRANT_RO,
    P2M_FOREIGN_RW,
    P2M_FOREIGN_RO,
    P2M_NR_TYPES
};

#define P2M_TYPE_BIT(t) (1u << (t))
#define P2M_ANY_RAM (P2M_TYPE_BIT(P2M_RAM_RW) | P2M_TYPE_BIT(P2M_RAM_RO))
#define P2M_ANY_XENHEAP (P2M_TYPE_BIT(P2M_XENHEAP_RW) | P2M_TYPE_BIT(P2M_XENHEAP_RO))
#define P2M_ANY_MMIO P2M_TYPE_BIT(P2M_MMIO_DIRECT)
#define P2M_ANY_GRANT (P2M_TYPE_BIT(P2M_GRANT_RW) | P2M_TYPE_BIT(P2M_GRANT_RO))
#define P2M_ANY_FOREIGN (P2M_TYPE_BIT(P2M_FOREIGN_RW) | P2M_TYPE_BIT(P2M_FOREIGN_RO))
/* Types whose pages the owner owns: they are tracked by GFN. */
#define P2M_TRACKED (P2M_ANY_RAM | P2M_ANY_XENHEAP)

struct p2m {
    rwlock_t lock;
    struct pt pt;
    uint64_t vttbr; /* root | VMID << 48, for VTTBR_EL2 */
    uint64_t vtcr;  /* the VTCR_EL2 value this table needs */
    uint64_t hcr;   /* bits of HCR_EL2 this table needs */
    uint16_t vmid;
    bool dying;       /* no new mapping any more (invariant 10) */
    bool cpu_only;    /* holds what no device may reach: no device walks it */
    bool keep_tables; /* a device may still walk them: they are leaked */
    struct domain_pages *owner;
    struct page_list pool; /* free table pages, all zero */
    uint32_t pool_free,
        pool_total; /* pool_total counts the root and the one kept for the teardown as well */
    uint64_t max_mapped_gfn;  /* an upper bound */
    uint64_t grants;          /* entries of a grant type (invariant 11) */
    uint64_t relinquish_next; /* address; progress of the preemptible teardown */
    uint64_t changes;         /* debug builds: asked for since the last audit */
    /* The IOMMU mirror hook, NULL when the domain has no device (registered from above). */
    const struct p2m_mirror_ops *mirror;
    void *mirror_arg;
};

/*
 * Called under the write lock for every change of a frame or of what may be done with it, before
 * the change returns (docs/smmu.md). Ranges, so that each costs one pass and one flush.
 */
struct p2m_mirror_ops {
    /* Has what the map() that follows can take, so that it cannot fail. 0, -ENOMEM, or -ERANGE
     * (beyond what devices can address); the p2m changes nothing then. */
    int (*prepare)(void *arg, gfn_t g, mfn_t m, uint64_t nr, enum p2m_type t);
    void (*map)(void *arg, gfn_t g, mfn_t m, uint64_t nr, enum p2m_type t);
    /* Returns when no device can use the old entries. Not 0: it could not be made sure of, and the
     * frames are leaked. `more`: of a single page; others follow under this lock, and the last of
     * them returns for all. */
    int (*unmap)(void *arg, gfn_t g, uint64_t nr, bool more);
    /* Invariant 17; prints each breach and returns their number. */
    unsigned (*audit)(void *arg);
};

/* Chooses IPA size, root shape and VTCR from what this CPU model offers; all CPUs must agree. Boot
 * CPU, once. */
void p2m_global_init(void);
/* pool_pages table pages are taken from the heap now. 0, -ENOMEM, -ENOSPC (VMIDs). */
int p2m_init(struct p2m *p2m, struct domain *owner, uint32_t pool_pages) __must_check;
/* After relinquish: frees root, pool, VMID (with the TLB of that VMID clean). */
void p2m_destroy(struct p2m *p2m);
/* Smallest pool that maps `mem_bytes` of RAM with room for some 4K mappings and holes. */
uint32_t p2m_pool_size_for(uint64_t mem_bytes, unsigned vcpus);
/* First GFN that cannot be mapped. */
static inline uint64_t p2m_gfn_limit(const struct p2m *p2m) {
    return 1ULL << (p2m->pt.addr_bits - PAGE_SHIFT);
}

/*
 * Maps 2^order frames, m and g aligned as they may be. RAM and XENHEAP: every page must be the
 * owner's, and not mapped (-EBUSY when it is; -EPERM when it is not the owner's); its GFN is set.
 * XENHEAP entries hold a reference. FOREIGN: the entry takes over the reference the caller holds on
 * each page. GRANT: the caller's pin. RAM and XENHEAP pages found at g are displaced as p2m_unmap()
 * would (invariant 7); anything else there is -EBUSY. 0, -EBUSY, -ENOMEM, -EINVAL (beyond the IPA
 * limit, bad type), -EPERM (dying). An error changes nothing.
 */
int p2m_map(struct p2m *p2m, gfn_t g, mfn_t m, unsigned order, enum p2m_type t) __must_check;
/* Device memory: any size in pages, one pass. */
int p2m_map_mmio(struct p2m *p2m, gfn_t g, mfn_t m, uint64_t nr) __must_check;
/*
 * Unmaps exactly [g, g+nr): RAM pages go back to the heap, others lose the entry's reference. One
 * flush, and references go after it. -ENOENT when a hole is met, -EILSEQ for a grant mapping (only
 * its own unmap removes it), -ENOMEM when a block cannot be split: nothing changed.
 */
int p2m_unmap(struct p2m *p2m, gfn_t g, uint64_t nr) __must_check;
/* Unmaps one page if the entry at g is of one of `types` (P2M_ANY_*) and leads to m; -ENOENT for a
 * hole, else -EILSEQ. */
int p2m_unmap_exact(struct p2m *p2m, gfn_t g, mfn_t m, unsigned types) __must_check;
struct p2m_grant {
    gfn_t g;
    mfn_t m;
    int rc; /* 0: removed; -ENOENT: a hole; -EILSEQ: not a grant mapping of m */
};
/* Removes up to P2M_GRANT_BATCH grant mappings with one flush; the frames are the caller's to let
 * go of after that. */
#define P2M_GRANT_BATCH 16u
void p2m_unmap_grants(struct p2m *p2m, struct p2m_grant *batch, unsigned nr);
/* Unmaps a page of the owner wherever it is mapped: GFN read and entry removed under one lock.
 * -ENOENT: nowhere. */
int p2m_unmap_page(struct p2m *p2m, struct page_info *page) __must_check;
/*
 * Gives `nr` frames of fresh, scrubbed RAM at g, in the largest blocks possible. -ENOMEM leaves
 * what is mapped; *done (may be NULL) says how many frames are. Passes mm_preempt_point().
 */
int p2m_populate_some(struct p2m *p2m, gfn_t g, uint64_t nr, uint64_t *done) __must_check;
static inline __must_check int p2m_populate(struct p2m *p2m, gfn_t g, uint64_t nr) {
    return p2m_populate_some(p2m, g, nr, NULL);
}

/* Clears a page that a guest is to see, for one that looks past the caches as well. */
void p2m_clear_page(void *va);
/* Some guest is to have devices, which may look past the caches. Set before the first guest's
 * memory is cleared. */
extern bool p2m_devices_come;

/* Frame and type at g; order of the mapping in *order (may be NULL). Takes the read lock.
 * INVALID_MFN for a hole. */
mfn_t p2m_lookup(struct p2m *p2m, gfn_t g, enum p2m_type *t, unsigned *order);
/* As lookup, for writable or readable guest RAM only, and takes a reference that put_page() drops.
 * NULL otherwise, and always of a dying domain. */
struct page_info *p2m_get_page(struct p2m *p2m, gfn_t g, enum p2m_type *t);
/* GFN at which the owner has the page, under the read lock; INVALID_GFN: nowhere. For reports only.
 */
gfn_t p2m_gfn_of(struct p2m *p2m, const struct page_info *page);

/* Every mapping in ascending order, whole entries. Stops at the first non-zero return, and returns
 * it. The lock is held. */
typedef int (*p2m_visit_fn)(void *arg, gfn_t g, mfn_t m, uint64_t nr, enum p2m_type t);
int p2m_visit_locked(struct p2m *p2m, p2m_visit_fn fn, void *arg);
/*
 * From here on the mirror follows; it is given what is mapped already. 0, or the error of its
 * prepare(), then it is not set. NULL takes the mirror away.
 */
int p2m_set_mirror(struct p2m *p2m, const struct p2m_mirror_ops *ops, void *arg) __must_check;

/*
 * Unmaps everything in steps of bounded work, then gives up what the owner has left: -EAGAIN when
 * there is more, 0 when done. p2m.dying must be set.
 */
int p2m_relinquish(struct p2m *p2m) __must_check;

struct p2m_summary {
    uint64_t pages[P2M_NR_TYPES];
    uint64_t leaves[4]; /* by level: 3 is 4 KiB */
};
/* What is mapped, in pieces: changes meanwhile are seen or not. Passes mm_preempt_point(). */
void p2m_summarize(struct p2m *p2m, struct p2m_summary *s);

/* Checks the invariants that one p2m shows; prints each breach with domain, gfn and mfn. Returns
 * the number of breaches. */
unsigned p2m_audit(struct p2m *p2m);
/*
 * Debug builds: audits the p2m when p2m_audit_every changes (0: never), and as many more for each
 * 64 MiB of the domain, were asked for since the last time: so that a change costs the same however
 * large the domain is. No lock is held.
 */
extern uint64_t p2m_audit_every;
void p2m_audit_if_due(struct p2m *p2m);

#endif
