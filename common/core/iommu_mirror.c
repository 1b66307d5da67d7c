/*
 * The table that devices of a domain walk: a mirror of its P2M without what DMA must not reach.
 * Everything here runs under the domain's P2M lock (contract in hv/p2m.h and docs/smmu.md).
 *
 * Wherever the mirror has a table, the P2M has one of the same level or has that part in its root
 * (of which the mirror's pool has the pages), so a pool of the P2M's size never runs dry before the
 * P2M's own.
 */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/mm.h>
#include <hv/page.h>
#include <hv/printk.h>

#include <asm/barrier.h>
#include <asm/cache.h>
#include <asm/s2.h>

#include "iommu_internal.h"

#define AUDIT_MAX_LINES 16u

/*
 * What a device may do with each type of page. All else is out of its reach: the hypervisor's pages
 * (shared_info, grant frames), foreign pages (they were not granted), other devices' registers.
 * Grant mappings are for the device of a backend.
 */
static const pte_t dma_access[P2M_NR_TYPES] = {
    [P2M_RAM_RW] = S2_READ | S2_WRITE,
    [P2M_RAM_RO] = S2_READ,
    [P2M_GRANT_RW] = S2_READ | S2_WRITE,
    [P2M_GRANT_RO] = S2_READ,
};

/* Attributes of the leaf for a page of that type; 0: none. */
static pte_t leaf_attr(enum p2m_type t) {
    return dma_access[t] ? dma_access[t] | s2_normal(false) | S2_XN : 0;
}

/* ---- table pages ---- */

static struct iommu_domain *domain_of(struct pt *pt) {
    return container_of(pt, struct iommu_domain, pt);
}

static pte_t *take_table(struct pt *pt) {
    struct iommu_domain *dom = domain_of(pt);
    struct page_info *page = page_list_pop(&dom->pool);

    BUG_ON(!page); /* prepare() has counted */
    dom->pool_free--;
    page->u.used = 0;
    /* Entries are zero, but perhaps only in our caches. */
    if (pt->ops->written)
        pt->ops->written(pt, page_to_virt(page), PAGE_SIZE);
    return page_to_virt(page);
}

static void give_table(struct pt *pt, pte_t *table) {
    struct iommu_domain *dom = domain_of(pt);
    struct page_info *page = virt_to_page(table);

    page->type_info = PGT_TYPE_INFO_INITIALIZER;
    if (dom->failed)
        return; /* a device may still walk it */
    page_list_push(&dom->pool, page);
    dom->pool_free++;
}

static void clean_written(struct pt *pt, const void *at, size_t size) {
    (void)pt;
    dcache_clean_poc(at, size);
}

static const struct pt_ops coherent_ops = {.take = take_table, .give = give_table};
static const struct pt_ops noncoherent_ops = {
    .take = take_table, .give = give_table, .written = clean_written};

static void drain_pool(struct iommu_domain *dom) {
    struct page_info *page;

    while ((page = page_list_pop(&dom->pool))) {
        page->u.owner = NULL;
        dom->pool_free--;
        dom->pool_total--;
        xenheap_free(page_to_virt(page), 0);
    }
}

static uint32_t tables_left(const struct iommu_domain *dom) {
    return mm_fails() ? 0 : dom->pool_free;
}

static int fill_pool(struct iommu_domain *dom, uint32_t pages) {
    for (; pages; pages--) {
        void *table = xenheap_alloc(0);

        if (!table) {
            drain_pool(dom);
            return -ENOMEM;
        }
        clear_range(table, PAGE_SIZE);
        page_list_push(&dom->pool, virt_to_page(table));
        dom->pool_free++;
        dom->pool_total++;
    }
    return 0;
}

/*
 * One table page as root, also where the P2M has several: such roots are walked wrongly by some
 * models.
 * Four levels need 44 bits of output address. A walker that cannot take the split of a block while
 * it is in use gets pages only, since a block that is absent for a moment would fail DMA in
 * progress.
 */
int iommu_mirror_init(struct iommu_domain *dom, const struct iommu_limits *limits) {
    bool four = limits->oas_bits >= 44;
    uint32_t pages = dom->p2m->pool_total + 2;
    int rc;

    page_list_init(&dom->pool);
    if (!limits->live_split)
        pages += p2m_pool_size_for(dom->p2m->owner->max_pages << PAGE_SHIFT, 0);
    rc = fill_pool(dom, pages);
    if (rc)
        return rc;
    dom->pt = (struct pt){.start_level = four ? 0 : 1,
                          .addr_bits = four ? 44 : MIN(39, limits->oas_bits),
                          .leaf_level = limits->live_split ? 0 : PT_LEVELS - 1,
                          .counted = true,
                          .ops = limits->coherent ? &coherent_ops : &noncoherent_ops};
    dom->pt.root = virt_to_phys(take_table(&dom->pt));
    dom->table.root = dom->pt.root;
    dom->table.start_level = dom->pt.start_level;
    dom->table.ipa_bits = dom->pt.addr_bits;
    return 0;
}

static void forget_leaf(void *arg, uint64_t va, uint64_t size, pte_t e, unsigned level) {
    struct iommu_domain *dom = arg;

    (void)va;
    (void)e;
    (void)level;
    dom->mapped_pages -= size >> PAGE_SHIFT;
}

void iommu_mirror_free(struct iommu_domain *dom) {
    struct pt_request all = {.want = PT_UNMAP, .size = 1ULL << dom->pt.addr_bits};
    struct pt_parked parked;

    pt_park(&dom->pt, &all, &parked);
    pt_reap(&dom->pt, &all, &parked, forget_leaf, dom);
    give_table(&dom->pt, phys_to_virt(dom->pt.root));
    drain_pool(dom);
    if (dom->pool_total)
        printk("warning: d%u: %u table pages of its devices did not come back\n",
               dom->p2m->owner->domid, dom->pool_total);
}

/* ---- following the P2M ---- */

static bool beyond(const struct iommu_domain *dom, gfn_t g, uint64_t nr) {
    return g.gfn + nr > 1ULL << (dom->pt.addr_bits - PAGE_SHIFT);
}

static void entry_written(struct iommu_domain *dom, const pte_t *entry) {
    if (dom->pt.ops->written)
        dom->pt.ops->written(&dom->pt, entry, sizeof(*entry));
}

/* attr 0: devices do not see it. */
static struct pt_request to_map(gfn_t g, mfn_t m, uint64_t nr, enum p2m_type t) {
    return (struct pt_request){.want = PT_MAP,
                               .va = g.gfn << PAGE_SHIFT,
                               .size = nr << PAGE_SHIFT,
                               .pa = m.mfn << PAGE_SHIFT,
                               .attr = leaf_attr(t)};
}

static int mirror_prepare(void *arg, gfn_t g, mfn_t m, uint64_t nr, enum p2m_type t) {
    struct iommu_domain *dom = arg;
    struct pt_request rq = to_map(g, m, nr, t);
    struct pt_gap gap = {0, false};
    int64_t needed;

    if (beyond(dom, g, nr))
        return rq.attr ? -ERANGE : 0;
    if (nr == 1) {
        const pte_t *entry = pt_find_slot(&dom->pt, rq.va, &gap);

        if (entry ? !pte_is_valid(*entry) : !gap.blocked)
            return rq.attr && gap.missing > tables_left(dom) ? -ENOMEM : 0;
    }
    needed = pt_tables_needed(&dom->pt, &rq);
    if (needed == -EEXIST) {
        /* What is there goes first: its splits, and at most a new set of tables for the range. */
        rq.want = PT_UNMAP;
        needed = pt_tables_needed(&dom->pt, &rq);
        if (needed >= 0)
            needed += 2 * PT_LEVELS +
                      (int64_t)(DIV_ROUND_UP(rq.size, MB(2)) + DIV_ROUND_UP(rq.size, GB(1)));
    } else if (!rq.attr) {
        needed = 0;
    }
    return needed < 0 ? (int)needed : needed > tables_left(dom) ? -ENOMEM : 0;
}

static void map_page(struct iommu_domain *dom, const struct pt_request *rq) {
    struct pt_gap gap;
    pte_t *entry = pt_find_slot(&dom->pt, rq->va, &gap);

    if (!entry)
        entry = pt_add_slot(&dom->pt, rq->va);
    pt_fill_slot(&dom->pt, entry, pte_make_leaf(rq->pa, PT_LEVELS - 1, rq->attr));
    entry_written(dom, entry);
}

static void mirror_map(void *arg, gfn_t g, mfn_t m, uint64_t nr, enum p2m_type t) {
    struct iommu_domain *dom = arg;
    struct pt_request rq = to_map(g, m, nr, t);

    if (!rq.attr)
        return;
    if (nr == 1)
        map_page(dom, &rq);
    else
        pt_map(&dom->pt, &rq);
    dom->mapped_pages += nr;
    dsb(st); /* the guest tells its device only after this */
}

static int flush(struct iommu_domain *dom, uint64_t va, uint64_t size) {
    int rc = iommu_flush_domain(dom, va, size);

    if (rc)
        iommu_domain_fail(dom, "its IOMMU did not confirm that DMA to freed memory has ended");
    return rc;
}

/* The page is to be flushed with those around it. */
static void add_stale(struct iommu_domain *dom, uint64_t va) {
    if (!dom->stale_end)
        dom->stale = va;
    dom->stale = MIN(dom->stale, va);
    dom->stale_end = MAX(dom->stale_end, va + PAGE_SIZE);
}

static int flush_stale(struct iommu_domain *dom) {
    struct page_info *table;
    int rc;

    if (!dom->stale_end)
        return 0;
    rc = flush(dom, dom->stale, dom->stale_end - dom->stale);
    dom->stale_end = 0;
    while (unlikely((table = page_list_pop(&dom->unlinked)) != NULL))
        give_table(&dom->pt, page_to_virt(table));
    return rc;
}

/* A last-level entry, which need not be remembered: no second pass. */
static void unmap_page(struct iommu_domain *dom, uint64_t va, pte_t *entry) {
    pt_empty_slot(&dom->pt, va, entry, &dom->unlinked);
    entry_written(dom, entry);
    dom->mapped_pages--;
    add_stale(dom, va);
}

static int unmap_range(struct iommu_domain *dom, uint64_t va, uint64_t size) {
    struct pt_request rq = {.want = PT_UNMAP, .va = va, .size = size};
    struct pt_parked parked;
    int rc = 0;

    pt_park(&dom->pt, &rq, &parked);
    if (parked.any)
        rc = flush(dom, va, size);
    pt_reap(&dom->pt, &rq, &parked, forget_leaf, dom);
    return rc;
}

static int mirror_unmap(void *arg, gfn_t g, uint64_t nr, bool more) {
    uint64_t va = g.gfn << PAGE_SHIFT, size = nr << PAGE_SHIFT;
    struct iommu_domain *dom = arg;
    struct pt_gap gap = {0, true};
    pte_t *entry = NULL;
    int rc = 0, settled;

    if (beyond(dom, g, nr))
        size = beyond(dom, g, 1) ? 0 : (1ULL << dom->pt.addr_bits) - va;
    if (size == PAGE_SIZE)
        entry = pt_find_slot(&dom->pt, va, &gap);
    if (entry && pte_is_valid(*entry))
        unmap_page(dom, va, entry);
    else if (size && !entry && gap.blocked)
        rc = unmap_range(dom, va, size);
    if (more)
        return 0;
    settled = flush_stale(dom);
    return dom->unsafe || settled ? -EIO : rc;
}

/* ---- the audit: invariant 17 (docs/memory.md) ---- */

struct audit {
    struct iommu_domain *dom;
    unsigned breaches;
    uint64_t expected, found; /* pages */
    /* The entry of the P2M looked at. */
    gfn_t g;
    mfn_t m;
    pte_t attr;
};

static void breach(struct audit *a, const char *what, uint64_t g, uint64_t m) {
    if (a->breaches++ < AUDIT_MAX_LINES)
        printk("audit: d%u: devices: %s: gfn %#llx mfn %#llx\n", a->dom->p2m->owner->domid, what,
               (unsigned long long)g, (unsigned long long)m);
}

static int check_mirrored(void *arg, uint64_t va, uint64_t size, pte_t e, unsigned level) {
    struct audit *a = arg;
    uint64_t at = pte_addr(e) + (va & ((1ULL << pt_level_shift(level)) - 1));
    uint64_t want = (a->m.mfn << PAGE_SHIFT) + (va - (a->g.gfn << PAGE_SHIFT));

    if (!e && !a->attr)
        return 0;
    if (!e)
        breach(a, "not mapped", va >> PAGE_SHIFT, want >> PAGE_SHIFT);
    else if (!a->attr)
        breach(a, "mapped though DMA must not reach it", va >> PAGE_SHIFT, at >> PAGE_SHIFT);
    else if (at != want || e != pte_make_leaf(pte_addr(e), level, a->attr))
        breach(a, "another frame or permission", va >> PAGE_SHIFT, at >> PAGE_SHIFT);
    (void)size;
    return 0;
}

static int audit_entry(void *arg, gfn_t g, mfn_t m, uint64_t nr, enum p2m_type t) {
    struct audit *a = arg;

    a->g = g;
    a->m = m;
    a->attr = leaf_attr(t);
    if (a->attr)
        a->expected += nr;
    return pt_walk(&a->dom->pt, g.gfn << PAGE_SHIFT, nr << PAGE_SHIFT, check_mirrored, a);
}

static int count_leaf(void *arg, uint64_t va, uint64_t size, pte_t e, unsigned level) {
    (void)va;
    (void)level;
    if (e)
        ((struct audit *)arg)->found += size >> PAGE_SHIFT;
    return 0;
}

static unsigned mirror_audit(void *arg) {
    struct iommu_domain *dom = arg;
    struct audit a = {.dom = dom};
    uint64_t listed = 0;

    (void)p2m_visit_locked(dom->p2m, audit_entry, &a);
    (void)pt_walk(&dom->pt, 0, 1ULL << dom->pt.addr_bits, count_leaf, &a);
    if (a.found != a.expected || a.found != dom->mapped_pages)
        breach(&a, "other pages than the domain's are mapped", a.expected, a.found);
    for (const struct page_info *p = page_list_first(&dom->pool); p; p = page_list_next(p))
        listed++;
    if (!dom->failed &&
        (listed != dom->pool_free || pt_count_tables(&dom->pt) + listed != dom->pool_total))
        breach(&a, "table pages are not those of the pool", listed, dom->pool_total);
    if (pt_count_bad_tables(&dom->pt))
        breach(&a, "count of entries in a table is wrong", INVALID_GFN.gfn, INVALID_MFN.mfn);
    return a.breaches;
}

const struct p2m_mirror_ops iommu_mirror_ops = {mirror_prepare, mirror_map, mirror_unmap,
                                                mirror_audit};

/* ---- sharing the P2M's own table: only its flushes are followed ---- */

static int shared_prepare(void *arg, gfn_t g, mfn_t m, uint64_t nr, enum p2m_type t) {
    (void)arg;
    (void)g;
    (void)m;
    (void)nr;
    (void)t;
    return 0;
}

static void shared_map(void *arg, gfn_t g, mfn_t m, uint64_t nr, enum p2m_type t) {
    (void)arg;
    (void)g;
    (void)m;
    (void)nr;
    (void)t;
    dsb(st);
}

static int shared_unmap(void *arg, gfn_t g, uint64_t nr, bool more) {
    struct iommu_domain *dom = arg;
    int rc;

    add_stale(dom, g.gfn << PAGE_SHIFT);
    add_stale(dom, (g.gfn + nr - 1) << PAGE_SHIFT);
    if (more)
        return 0;
    rc = flush_stale(dom);
    return dom->unsafe ? -EIO : rc;
}

/* One table: nothing can differ. */
static unsigned shared_audit(void *arg) {
    (void)arg;
    return 0;
}

const struct p2m_mirror_ops iommu_shared_ops = {shared_prepare, shared_map, shared_unmap,
                                                shared_audit};
