/* The pages of static shared memory, and its place in each domain. */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guest_map.h>
#include <hv/mapwin.h>
#include <hv/mm.h>
#include <hv/p2m.h>
#include <hv/page.h>
#include <hv/printk.h>
#include <hv/static_shm.h>
#include <hv/xen_abi.h>

/* ---- pages ---- */

/* Frame n of the region, the region's already. */
static int add_page(struct shm_region *r, uint64_t n) {
    struct page_info *page;
    void *va;
    int rc;

    if (r->host == SHM_ANYWHERE) {
        page = heap_alloc(0);
        if (!page)
            return -ENOMEM;
    } else {
        page = domain_take_static(&r->pages, mfn((r->host >> PAGE_SHIFT) + n));
        if (!page)
            return -EBUSY;
    }
    va = mapwin_map_page(page);
    p2m_clear_page(va);
    mapwin_unmap(va);
    rc = domain_assign_pages(&r->pages, page, 0);
    BUG_ON(rc);
    mm_preempt_point();
    return 0;
}

static int fill(struct shm_region *r) {
    uint64_t nr = r->size >> PAGE_SHIFT;
    mfn_t bad;
    int rc = 0;

    domain_pages_init(&r->pages, DOMID_IO, nr);
    if (r->host == SHM_ANYWHERE && nr > heap_free_pages())
        return -ENOMEM;
    r->pages.direct_map = r->host != SHM_ANYWHERE;
    if (r->host != SHM_ANYWHERE)
        rc = domain_add_static(&r->pages, mfn(r->host >> PAGE_SHIFT), nr, &bad);
    for (uint64_t n = 0; !rc && n < nr; n++)
        rc = add_page(r, n);
    return rc;
}

void static_shm_fill(void) {
    struct shm_region *r;

    for (unsigned i = 0; (r = static_shm_region(i)); i++) {
        int rc = fill(r);

        r->filled = !rc;
        if (rc)
            printk("error: shared memory \"%s\": %s; its domains not started\n", r->id,
                   rc == -ENOMEM ? "not so much memory is free" : "its memory cannot be used");
    }
}

/* ---- in a domain ---- */

static bool overlap(const struct guest_range *bank, const struct guest_shm *s) {
    return bank->size && s->guest < bank->start + bank->size &&
           bank->start < s->guest + s->region->size;
}

int static_shm_check(const struct guest_config *cfg, const struct guest_layout *l) {
    struct guest_shm shm[SHM_PER_GUEST_MAX];
    unsigned nr = static_shm_of(cfg, shm);

    for (unsigned i = 0; i < nr; i++) {
        const char *what = shm[i].guest < GUEST_RAM0_BASE
                               ? "expected a guest address from 0x40000000 on, below are devices"
                               : NULL;

        for (unsigned k = 0; !what && k < GUEST_BANKS; k++)
            if (overlap(&l->bank[k], &shm[i]))
                what = "overlaps the domain's RAM";
        if (what)
            return guest_error(cfg, cfg->node, "xen,shared-mem", "%s (\"%s\" at 0x%llx)", what,
                               shm[i].region->id, (unsigned long long)shm[i].guest);
    }
    return 0;
}

uint32_t static_shm_p2m_pages(const struct guest_config *cfg) {
    struct guest_shm shm[SHM_PER_GUEST_MAX];
    unsigned nr = static_shm_of(cfg, shm);
    uint32_t pages = 0;

    /* Both ends may share a table with nothing else. */
    for (unsigned i = 0; i < nr; i++)
        pages += (uint32_t)(shm[i].region->size >> 21) + (uint32_t)(shm[i].region->size >> 30) + 5;
    return pages;
}

/* Each entry has a reference to its page, which the domain's end drops. */
static int map_region(struct domain *d, const struct guest_shm *s) {
    uint64_t g = s->guest >> PAGE_SHIFT;

    for (struct page_info *page = page_list_first(&s->region->pages.pages); page;
         page = page_list_next(page), g++) {
        int rc = get_page(page, &s->region->pages) ? 0 : -EBUSY;

        if (!rc) {
            rc = p2m_map(&d->p2m, gfn(g), page_to_mfn(page), 0, P2M_FOREIGN_RW);
            if (rc)
                put_page(page);
        }
        if (rc)
            return rc;
        preempt_point();
    }
    return 0;
}

int static_shm_map(struct domain *d, const struct guest_config *cfg) {
    struct guest_shm shm[SHM_PER_GUEST_MAX];
    unsigned nr = static_shm_of(cfg, shm);

    for (unsigned i = 0; i < nr; i++) {
        int rc = shm[i].region->filled ? map_region(d, &shm[i]) : -ENOMEM;

        if (rc)
            return guest_error(cfg, cfg->node, "xen,shared-mem", "\"%s\" %s", shm[i].region->id,
                               !shm[i].region->filled ? "has no memory"
                               : rc == -EINVAL        ? "is beyond what stage 2 can address"
                                                      : "cannot be mapped");
    }
    return 0;
}
