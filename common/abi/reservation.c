/* A guest gives RAM back and asks for it again, by extents of 2^order pages. The result is how many
 * extents were done. */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/xen_abi.h>

#include "memory.h"

/* As Xen's limit for a plain domain: 2 MiB at once. */
#define EXTENT_ORDER_MAX 9u

struct reservation {
    struct domain *d;
    vaddr_t extents;
    uint64_t nr;
    unsigned order;
};

/* What is wrong with the numbers gives "no extents done", what is wrong with the caller an error.
 */
static int read_reservation(struct vcpu *v, vaddr_t arg, struct reservation *r) {
    struct xen_memory_reservation op;
    int rc = abi_read_own(v->domain, &op, arg, sizeof(op), offsetof(__typeof__(op), domid));

    if (rc)
        return rc;
    r->d = v->domain;
    r->extents = (vaddr_t)op.extent_start.p;
    r->nr = op.nr_extents;
    r->order = op.extent_order;
    return 0;
}

typedef int (*extent_fn)(struct domain *d, gfn_t g, uint64_t pages);

static int64_t each_extent(struct vcpu *v, vaddr_t arg, uint64_t start, extent_fn fn) {
    struct reservation r;
    uint64_t done;
    int rc = read_reservation(v, arg, &r);

    if (rc)
        return rc;
    if (start > r.nr || r.order > EXTENT_ORDER_MAX)
        return (int64_t)start;
    for (done = start; done < r.nr && !abi_pause_or_stop(v); done++) {
        xen_pfn_t g;

        if (done != start)
            preempt_point();
        if (copy_from_guest(&g, r.extents + done * sizeof(g), sizeof(g)))
            break;
        if (g >= p2m_gfn_limit(&r.d->p2m) || fn(r.d, gfn(g), 1ULL << r.order))
            break;
    }
    return (int64_t)done;
}

/* All of an extent or nothing of it: the guest counts extents, and could not know of a part. */
static int populate(struct domain *d, gfn_t g, uint64_t pages) {
    uint64_t done;
    int rc = p2m_populate_some(&d->p2m, g, pages, &done);

    for (uint64_t i = 0; rc && i < done; i++) {
        int undo = p2m_unmap(&d->p2m, gfn_add(g, i), 1);

        (void)undo; /* another vCPU may have taken it out meanwhile: then it is back already */
    }
    return rc;
}

static int give_back(struct domain *d, gfn_t g, uint64_t pages) {
    return p2m_unmap(&d->p2m, g, pages);
}

int64_t memory_populate_physmap(struct vcpu *v, vaddr_t arg, uint64_t start) {
    return each_extent(v, arg, start, populate);
}

int64_t memory_decrease_reservation(struct vcpu *v, vaddr_t arg, uint64_t start) {
    return each_extent(v, arg, start, give_back);
}

/* RAM without an address: no guest on Arm has a use for it, so none is given, and nothing gets
 * lost. */
int64_t memory_increase_reservation(struct vcpu *v, vaddr_t arg, uint64_t start) {
    struct reservation r;
    int rc = read_reservation(v, arg, &r);

    return rc ? rc : (int64_t)MIN(start, r.nr);
}
