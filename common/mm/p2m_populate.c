/* Giving a domain fresh RAM: from the heap or its own static memory, in the largest blocks that
 * alignment and heap allow; cleared now, unless an idle CPU has done so already. */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/mapwin.h>

#include <asm/cache.h>

#include "heap.h"
#include "p2m_internal.h"
#include "static_mem.h"

#define SCRUB_STEP MB(2)

/*
 * What the guest gets is zero for who looks past the caches as well: a guest with its MMU off (over
 * whose stores dirty lines must not be written back later), unless stage 2 keeps it from doing so,
 * and a device that is not coherent or does not snoop, which is to see nothing of the last owner.
 * By a grant the device may be another domain's.
 */
static void clear_memory(char *va, uint64_t size) {
    clear_range(va, size);
    if (!p2m_shape.fwb || p2m_devices_come)
        dcache_clean_inval_poc(va, size);
}

static void scrub(struct page_info *page, struct dirty d) {
    paddr_t pa = mfn_to_paddr(page_to_mfn(page + d.first));
    uint64_t left = (uint64_t)(d.end - d.first) << PAGE_SHIFT;

    while (left) {
        uint64_t n = mapwin_reach(pa, MIN(left, SCRUB_STEP));
        char *va = mapwin_map(pa);

        clear_memory(va, n);
        mapwin_unmap(va);
        left -= n;
        if (!left)
            break;
        pa = paddr_add(pa, n);
        mm_preempt_point();
    }
}

void p2m_clear_page(void *va) {
    clear_memory(va, PAGE_SIZE);
}

static void clear_free_page(struct page_info *page) {
    void *va = mapwin_map_page(page);

    clear_memory(va, PAGE_SIZE);
    mapwin_unmap(va);
}

bool heap_scrub_idle(void) {
    return heap_scrub_step(clear_free_page);
}

static struct page_info *alloc_largest(unsigned *order) {
    struct page_info *page;

    while (!(page = heap_alloc(*order)) && *order)
        (*order)--;
    return page;
}

static void free_block(struct domain_pages *owner, struct page_info *page, unsigned order) {
    if (unlikely(owner->has_static))
        static_reserve(owner, page, 1ULL << order);
    else
        heap_free(page, order);
}

static int populate_block(struct p2m *p2m, gfn_t g, unsigned *order) {
    bool is_static = p2m->owner->has_static;
    struct page_info *page =
        likely(!is_static) ? alloc_largest(order) : static_take(p2m->owner, g, order);
    uint64_t nr = 1ULL << *order;
    int rc;

    if (!page)
        return -ENOMEM;
    scrub(page, likely(!is_static) ? heap_dirty(page) : (struct dirty){0, (uint32_t)nr});
    rc = domain_assign_pages(p2m->owner, page, *order);
    if (rc) {
        free_block(p2m->owner, page, *order);
        return rc;
    }
    write_lock(&p2m->lock);
    rc = p2m_insert_locked(p2m, g, page_to_mfn(page), nr, P2M_RAM_RW);
    write_unlock(&p2m->lock);
    if (rc)
        page_give_up_run(p2m->owner, page, nr);
    return rc;
}

/* The largest order that alignment and what is left allow. */
static unsigned best_order(uint64_t g, uint64_t left) {
    unsigned order;

    if (left == 1 || (g & 1))
        return 0;
    order = fls64(left);
    return g ? MIN(order, ffs64(g)) : order;
}

int p2m_populate_some(struct p2m *p2m, gfn_t g, uint64_t nr, uint64_t *done) {
    uint64_t limit = p2m_gfn_limit(p2m);
    unsigned most = MAX_ORDER; /* falls to what the heap still has */
    uint64_t i = 0;
    int rc = 0;

    if (g.gfn >= limit || nr > limit - g.gfn)
        rc = -EINVAL;
    while (!rc && i < nr) {
        unsigned order = MIN(most, best_order(g.gfn + i, nr - i)), wanted = order;

        rc = populate_block(p2m, gfn_add(g, i), &order);
        if (order < wanted && !p2m->owner->has_static) /* whose next frames may fit better */
            most = order;
        if (!rc)
            i += 1ULL << order;
    }
    if (done)
        *done = i;
    return rc;
}
