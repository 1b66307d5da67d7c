/* The device frames of a domain: a list of ranges, as few as a domain has devices. */
#include <hv/domain.h>
#include <hv/domain_mmio.h>
#include <hv/errno.h>
#include <hv/mm.h>

struct domain_mmio {
    struct domain_mmio *next;
    uint64_t first, nr; /* frames */
};

int domain_give_mmio(struct domain *d, mfn_t m, uint64_t nr) {
    struct domain_mmio *range;

    BUG_ON(d->state != DOMAIN_BUILDING);
    range = hv_zalloc(sizeof(*range));
    if (!range)
        return -ENOMEM;
    range->first = m.mfn;
    range->nr = nr;
    range->next = d->own_mmio;
    d->own_mmio = range;
    return 0;
}

bool domain_owns_mmio(const struct domain *d, mfn_t m) {
    for (const struct domain_mmio *r = d->own_mmio; r; r = r->next)
        if (m.mfn - r->first < r->nr)
            return true;
    return false;
}

void domain_drop_mmio(struct domain *d) {
    for (struct domain_mmio *r; (r = d->own_mmio);) {
        d->own_mmio = r->next;
        hv_free(r);
    }
}
