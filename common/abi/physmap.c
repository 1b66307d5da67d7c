/*
 * add_to_physmap and remove_from_physmap: a guest places the hypervisor's pages in its memory and
 * takes anything out of it (docs/memory.md: entry and GFN change together, inside p2m_map() and
 * p2m_unmap()).
 */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/domain_mmio.h>
#include <hv/errno.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/page.h>
#include <hv/xen_abi.h>

#include "abi.h"
#include "memory.h"

/* The xenheap page that (space, idx) names, with a reference. */
static int page_of_space(struct domain *d, unsigned space, uint64_t idx, struct page_info **page) {
    switch (space) {
    case XENMAPSPACE_grant_table:
        return grant_frame_get(d, idx, page);
    default:
        return -ENOSYS;
    }
}

/* idx is the device's machine frame: for those who were given the device. */
static int add_mmio(struct domain *d, uint64_t idx, uint64_t gpfn) {
    if (!domain_owns_mmio(d, mfn(idx)))
        return -EACCES;
    return p2m_map(&d->p2m, gfn(gpfn), mfn(idx), 0, P2M_MMIO_DIRECT);
}

/* It stays the domain's for as long as this runs: no reference is needed to bridge the gap. */
static int add_shared_info(struct domain *d, uint64_t idx, uint64_t gpfn) {
    if (idx)
        return -EINVAL;
    return p2m_map(&d->p2m, gfn(gpfn), page_to_mfn(virt_to_page(d->abi->shared_info)), 0,
                   P2M_XENHEAP_RW);
}

/* RAM of another domain, for the privileged. The reference goes to the entry. */
static int map_foreign(struct domain *d, struct domain *other, uint64_t idx, uint64_t gpfn) {
    struct page_info *page;
    enum p2m_type t;
    int rc;

    if (other == d)
        return -EINVAL;
    if (!d->privileged)
        return -EPERM;
    page = p2m_get_page(&other->p2m, gfn(idx), &t);
    if (!page)
        return -EINVAL;
    rc = p2m_map(&d->p2m, gfn(gpfn), page_to_mfn(page), 0,
                 t == P2M_RAM_RW ? P2M_FOREIGN_RW : P2M_FOREIGN_RO);
    if (rc)
        put_page(page);
    return rc;
}

static int add_foreign(struct domain *d, hv_domid_t whose, uint64_t idx, uint64_t gpfn) {
    struct domain *other = domain_get(whose == DOMID_SELF ? d->id : whose);
    int rc = -ESRCH;

    if (other) {
        rc = map_foreign(d, other, idx, gpfn);
        domain_put(other);
    }
    return rc;
}

static int add_one(struct domain *d, unsigned space, hv_domid_t whose, uint64_t idx,
                   uint64_t gpfn) {
    struct page_info *page;
    int rc;

    if (gpfn >= p2m_gfn_limit(&d->p2m))
        return space > XENMAPSPACE_dev_mmio ? -ENOSYS : -EINVAL;
    if (space == XENMAPSPACE_shared_info)
        return add_shared_info(d, idx, gpfn);
    if (space == XENMAPSPACE_gmfn_foreign)
        return add_foreign(d, whose, idx, gpfn);
    if (space == XENMAPSPACE_dev_mmio)
        return add_mmio(d, idx, gpfn);
    rc = page_of_space(d, space, idx, &page);
    if (rc)
        return rc;
    /* The entry has a reference of its own; ours only bridges the gap. */
    rc = p2m_map(&d->p2m, gfn(gpfn), page_to_mfn(page), 0, P2M_XENHEAP_RW);
    put_page(page);
    return rc;
}

int64_t memory_add_to_physmap(struct vcpu *v, vaddr_t arg) {
    struct domain *d = v->domain;
    struct xen_add_to_physmap op;
    int rc = abi_read_own(d, &op, arg, sizeof(op), offsetof(__typeof__(op), domid));

    if (rc)
        return rc;
    /* Foreign pages need the batch's field for whose they are. */
    if (op.space == XENMAPSPACE_gmfn_foreign)
        return -ENOSYS;
    return add_one(d, op.space, 0, op.idx, op.gpfn);
}

/* Each entry has its own result in errs; the call fails only where it cannot read or write the
 * arrays. */
int64_t memory_add_to_physmap_batch(struct vcpu *v, vaddr_t arg, uint64_t start) {
    struct domain *d = v->domain;
    struct xen_add_to_physmap_batch op;
    int rc = abi_read_own(d, &op, arg, sizeof(op), offsetof(__typeof__(op), domid));

    if (rc)
        return rc;
    if (op.space != XENMAPSPACE_gmfn_foreign && op.u.res0)
        return -ENOSYS;
    for (uint64_t i = start; i < op.size; i++) {
        xen_ulong_t idx;
        xen_pfn_t gpfn;

        if (copy_from_guest(&idx, (vaddr_t)op.idxs.p + i * sizeof(idx), sizeof(idx)) ||
            copy_from_guest(&gpfn, (vaddr_t)op.gpfns.p + i * sizeof(gpfn), sizeof(gpfn)))
            return -EFAULT;
        rc = add_one(d, op.space, op.u.foreign_domid, idx, gpfn);
        if (copy_to_guest((vaddr_t)op.errs.p + i * sizeof(rc), &rc, sizeof(rc)))
            return -EFAULT;
        preempt_point();
        if (abi_pause_or_stop(v))
            break;
    }
    return 0;
}

int64_t memory_remove_from_physmap(struct vcpu *v, vaddr_t arg) {
    struct domain *d = v->domain;
    struct xen_remove_from_physmap op;
    int rc = abi_read_own(d, &op, arg, sizeof(op), offsetof(__typeof__(op), domid));

    if (rc)
        return rc;
    if (op.gpfn >= p2m_gfn_limit(&d->p2m))
        return -ENOENT;
    return p2m_unmap(&d->p2m, gfn(op.gpfn), 1);
}
