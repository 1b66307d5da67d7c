/* Mappings in the hypervisor's own table, beyond what the boot code made. */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/mm.h>
#include <hv/page.h>
#include <hv/printk.h>
#include <hv/pt.h>

#include <asm/cache.h>
#include <asm/hyp_pte.h>
#include <asm/mmu.h>
#include <asm/tlb.h>

#include "heap.h"

static spinlock_t hyp_lock = SPINLOCK_INIT(RANK_HYP_MAP, "hypervisor map");

/* Pages set aside for the request that is being committed, linked through their first word. */
static void *stash; /* guarded by hyp_lock */

static pte_t *take_table(struct pt *pt) {
    void *page = stash;

    (void)pt;
    BUG_ON(!page);
    stash = *(void **)page;
    *(void **)page = NULL;
    return page;
}

/* Never called: the hypervisor's tables are not counted and stay. */
static void keep_table(struct pt *pt, pte_t *table) {
    (void)pt;
    (void)table;
    BUG();
}

static void flush_range(struct pt *pt, uint64_t va, uint64_t size) {
    (void)pt;
    tlb_flush_hyp((vaddr_t)va, size);
}

static const struct pt_ops hyp_ops = {.take = take_table, .give = keep_table, .flush = flush_range};

static struct pt hyp_pt(void) {
    return (struct pt){
        .root = hyp_root(), .start_level = HV_ROOT_LEVEL, .addr_bits = HV_VA_BITS, .ops = &hyp_ops};
}

static void *table_page(void) {
    paddr_t pa;

    if (page_alloc_is_up())
        return xenheap_alloc(0);
    pa = boot_mem_alloc(PAGE_SIZE, PAGE_SIZE);
    return pa.pa == INVALID_PADDR.pa ? NULL : phys_to_virt(pa);
}

static void drop_pages(void *list) {
    while (list) {
        void *next = *(void **)list;

        if (page_alloc_is_up())
            xenheap_free(list, 0);
        list = next;
    }
}

/* `n` zeroed pages in a list; NULL in *list and -ENOMEM when they cannot be had. */
static int stash_pages(int64_t n, void **list) {
    *list = NULL;
    for (; n > 0; n--) {
        void *page = table_page();

        if (!page) {
            drop_pages(*list);
            *list = NULL;
            return -ENOMEM;
        }
        clear_range(page, PAGE_SIZE);
        *(void **)page = *list;
        *list = page;
    }
    return 0;
}

static int prepare(struct pt *pt, const struct pt_request *rq, void **list) {
    int64_t needed;

    spin_lock(&hyp_lock);
    needed = pt_tables_needed(pt, rq);
    spin_unlock(&hyp_lock);
    return needed < 0 ? (int)needed : stash_pages(needed, list);
}

/*
 * The heap's lock ranks below ours, so pages are had before the lock is taken; should the table
 * have changed in between such that they are too few, the whole is tried again.
 */
static int commit(struct pt *pt, const struct pt_request *rq,
                  void (*act)(struct pt *, const struct pt_request *)) {
    void *list = NULL;
    int64_t needed, have;

    for (;;) {
        int rc = prepare(pt, rq, &list);

        if (rc)
            return rc;
        have = 0;
        for (void *p = list; p; p = *(void **)p)
            have++;
        spin_lock(&hyp_lock);
        needed = pt_tables_needed(pt, rq);
        if (needed >= 0 && needed <= have) {
            stash = list;
            act(pt, rq);
            list = stash;
            stash = NULL;
        }
        spin_unlock(&hyp_lock);
        drop_pages(list);
        if (needed < 0)
            return (int)needed;
        if (needed <= have)
            return 0;
    }
}

static void map_now(struct pt *pt, const struct pt_request *rq) {
    pt_map(pt, rq);
    tlb_sync_new();
}

static void forget(void *arg, uint64_t va, uint64_t size, pte_t e, unsigned level) {
    (void)arg;
    (void)va;
    (void)size;
    (void)e;
    (void)level;
}

static void unmap_now(struct pt *pt, const struct pt_request *rq) {
    struct pt_parked parked;

    pt_park(pt, rq, &parked);
    if (parked.any)
        tlb_flush_hyp((vaddr_t)rq->va, rq->size);
    pt_reap(pt, rq, &parked, forget, NULL);
}

int hyp_map(vaddr_t va, paddr_t pa, uint64_t size, enum hyp_prot prot) {
    struct pt pt = hyp_pt();
    struct pt_request rq = {
        .want = PT_MAP, .va = va, .size = size, .pa = pa.pa, .attr = hyp_pte_attr(prot)};

    if (!IS_ALIGNED(va | pa.pa | size, PAGE_SIZE))
        return -EINVAL;
    return commit(&pt, &rq, map_now);
}

void hyp_unmap(vaddr_t va, uint64_t size) {
    struct pt pt = hyp_pt();
    struct pt_request rq = {.want = PT_UNMAP, .va = va, .size = size};

    BUG_ON(!IS_ALIGNED(va | size, PAGE_SIZE));
    /* What was mapped piece by piece is unmapped in the same pieces: no table is needed. */
    BUG_ON(commit(&pt, &rq, unmap_now));
}

paddr_t hyp_lookup(vaddr_t va) {
    struct pt pt = hyp_pt();
    unsigned level;
    pte_t e = pt_lookup(&pt, va, &level);

    BUG_ON(!pte_is_valid(e));
    return paddr(pte_addr(e) + (va & ((1ULL << pt_level_shift(level)) - 1)));
}

struct rights_walk {
    const struct hyp_image *image;
    vaddr_t wrong;
};

static int look_at_rights(void *arg, uint64_t va, uint64_t size, pte_t e, unsigned level) {
    struct rights_walk *w = arg;
    const struct hyp_image *i = w->image;
    uint64_t pa = pte_addr(e);
    bool is_code = va >= i->text && va + size <= i->constants, writable = !(e & S1_RO);
    bool is_constant = pa < i->pa.pa + (i->end - i->text) && pa + size > i->pa.pa;

    (void)level;
    if (!e || (writable ? (e & S1_XN) && !is_constant : (e & S1_XN) || is_code))
        return 0;
    w->wrong = (vaddr_t)va;
    return 1;
}

bool hyp_rights_are_sound(const struct hyp_image *image, vaddr_t *where) {
    struct pt pt = hyp_pt();
    struct rights_walk walk = {.image = image};
    bool sound = !pt_walk(&pt, 0, 1ULL << HV_VA_BITS, look_at_rights, &walk);

    *where = walk.wrong;
    return sound;
}
