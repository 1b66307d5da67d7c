/*
 * Floor 7: grants of one domain used by another.
 *
 * Each use (a mapping, or a copy in progress) is counted for its grant under the granter's table
 * lock, marks the grant as read or written in the memory the granter sees, and holds a reference to
 * the granter and to the page. What a use needs later it keeps itself: the granter may rewrite its
 * table at any time.
 */
#ifndef ABI_GRANT_H
#define ABI_GRANT_H

#include <hv/types.h>
#include <hv/xen_abi.h>

struct domain;
struct gnttab_copy;
struct grant_frames;
struct maptrack_entry;
struct page_info;
struct vcpu;

/* ---- grant_entry.c ---- */

struct grant_use {
    struct domain *granter; /* NULL: nothing is held of a grant */
    struct domain *via;     /* of a transitive grant: who passed it on */
    struct page_info *page;
    grant_ref_t ref, via_ref;
    uint16_t start, length; /* the bytes of the page that are granted */
    bool readonly;
};

/*
 * Takes grant `ref` of the granter for `user`. GRANT_MAP: the page is to be mapped, so only whole
 * pages will do. A GNTST_ status; with GNTST_okay, and only then, the caller's reference to the
 * granter has moved into *use.
 */
enum { GRANT_READONLY = 1, GRANT_MAP = 2 };
int16_t grant_take(struct domain *granter, grant_ref_t ref, const struct domain *user, unsigned how,
                   struct grant_use *use) __must_check;
/* Ends the use. No TLB entry leads to the page any more. */
void grant_drop(const struct grant_use *use);
/* The entry of a grant in the table's memory; NULL past the end. The table's lock is held. */
void *grant_entry(struct grant_frames *g, grant_ref_t ref);
/* How often the grant, which exists, is in use; likewise. */
unsigned grant_uses(const struct grant_frames *g, grant_ref_t ref);

/*
 * The protocol on the words that the granter sees and may change at any time: marks a grant as used
 * if it is one for this domain. `bits` are GTF_reading, perhaps with GTF_writing; `how` as above.
 * *flags are those of the entry as it was found valid.
 */
int16_t grant_mark_v1(uint32_t *word, hv_domid_t user, unsigned how, uint16_t *flags);
int16_t grant_mark_v2(uint32_t *word, uint16_t *status, hv_domid_t user, unsigned how,
                      uint16_t *flags);

/* ---- maptrack.c: handles of a domain's mappings ---- */

enum maptrack_state { MAPTRACK_FREE, MAPTRACK_BUSY, MAPTRACK_LIVE };

struct maptrack_entry {
    struct domain *granter; /* the fields of a struct grant_use */
    uint64_t gfn;           /* where it is mapped */
    uint32_t page;          /* number in the frame table */
    grant_ref_t ref;
    union {
        uint32_t next; /* of a free entry */
        bool readonly;
    };
    uint32_t state; /* atomic: whoever moves it from LIVE to BUSY owns the entry */
};

/* A BUSY entry for the current vCPU; NULL when there are no more. */
struct maptrack_entry *maptrack_alloc(struct vcpu *v, grant_handle_t *handle);
void maptrack_free(struct vcpu *v, grant_handle_t handle);
/* LIVE -> BUSY, for whoever is first; NULL: no such mapping. */
struct maptrack_entry *maptrack_claim(struct domain *d, grant_handle_t handle);
/* The entry of a handle below maptrack_handles(), in whatever state. */
struct maptrack_entry *maptrack_entry(struct domain *d, grant_handle_t handle);
uint32_t maptrack_handles(struct domain *d);
/* No vCPU is left. */
void maptrack_destroy(struct domain *d);
int maptrack_init(struct domain *d) __must_check;

/* ---- the workers of grant_table_op: 0 or -errno, statuses in the guest's array ---- */

int64_t grant_map(struct vcpu *v, vaddr_t arg, uint32_t count);
int64_t grant_unmap(struct vcpu *v, vaddr_t arg, uint32_t count);
int64_t grant_unmap_and_replace(struct vcpu *v, vaddr_t arg, uint32_t count);
int64_t grant_copy(struct vcpu *v, vaddr_t arg, uint32_t count);
/* Unmaps all grants of others that a dying domain has mapped. Preemptible. */
void grant_unmap_all(struct domain *d);
/* Compares the live handles with the P2M (invariant 11). Exact when no vCPU of d runs. */
unsigned grant_audit(struct domain *d);

/* Operations on one's own table, from grant_frames.c. */
int64_t grant_frames_op(struct vcpu *v, uint32_t cmd, vaddr_t arg, uint32_t count);

#endif
