/* Shared by the files of common/core/iommu*.c. */
#ifndef CORE_IOMMU_INTERNAL_H
#define CORE_IOMMU_INTERNAL_H

#include <hv/iommu.h>
#include <hv/list.h>
#include <hv/spinlock.h>

struct iommu_domain {
    struct list link; /* of all of them, under iommu_lock */
    struct p2m *p2m;
    bool shared;
    struct iommu_table table; /* as the IOMMUs know it */
    uint64_t used_by;         /* bit n: IOMMU n may hold translations of it; atomic */
    /* A flush or a block failed: its devices are blocked as far as that was possible, no table page
     * of it is used again. */
    bool failed;
    bool unsafe; /* failed, and some device may still translate */
    /* The mirror; under the P2M lock for writing. */
    struct pt pt;
    struct page_list pool; /* free table pages, all zero */
    uint32_t pool_free, pool_total;
    uint64_t mapped_pages;
    /* Of an operation on several pages: what is to be flushed, and tables that wait for that. */
    uint64_t stale, stale_end;
    struct page_list unlinked;
};

/* ---- iommu.c ---- */
extern spinlock_t iommu_lock; /* RANK_IOMMU: who has which stream */
extern struct iommu *iommus[IOMMU_MAX];
extern unsigned nr_iommus;

/* No IOMMU that serves the domain holds a translation of [ipa, ipa+size); size 0: any. 0 or -EIO.
 */
int iommu_flush_domain(const struct iommu_domain *dom, uint64_t ipa, uint64_t size) __must_check;
/* Blocks all of its devices and crashes the domain; for when a flush failed. Any lock below
 * RANK_IOMMU may be held. */
void iommu_domain_fail(struct iommu_domain *dom, const char *why);

/* ---- iommu_mirror.c ---- */
/* What every IOMMU that can serve offers; the smallest of each. */
struct iommu_limits {
    uint8_t oas_bits;
    bool coherent, live_split, fwb;
};
/* Makes the empty table, and fills in dom->table. 0, -ENOMEM. */
int iommu_mirror_init(struct iommu_domain *dom, const struct iommu_limits *limits) __must_check;
void iommu_mirror_free(struct iommu_domain *dom); /* nothing walks it any more */
extern const struct p2m_mirror_ops iommu_mirror_ops, iommu_shared_ops;

#endif
