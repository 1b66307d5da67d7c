/* GNTTABOP_copy: bytes between pages named by grants, or by the caller's own addresses. */
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/mapwin.h>
#include <hv/policy.h>
#include <hv/string.h>

#include <asm/cache.h>

#include "abi.h"
#include "grant.h"

/* The caller's own page by its address; grants are for what others may reach. */
static int16_t claim_own(struct domain *d, const struct gnttab_copy_ptr *p, bool write,
                         struct grant_use *use) {
    enum p2m_type t;

    if (p->domid != DOMID_SELF)
        return GNTST_permission_denied;
    if (p->u.gmfn >= p2m_gfn_limit(&d->p2m))
        return GNTST_bad_page;
    *use = (struct grant_use){.length = PAGE_SIZE, .readonly = !write};
    use->page = p2m_get_page(&d->p2m, gfn(p->u.gmfn), &t);
    if (!use->page)
        return GNTST_bad_page;
    if (!write || t == P2M_RAM_RW)
        return GNTST_okay;
    put_page(use->page);
    return GNTST_general_error;
}

static int16_t claim(struct domain *d, const struct gnttab_copy_ptr *p, bool by_ref, bool write,
                     struct grant_use *use) {
    struct domain *granter;
    int16_t rc = GNTST_permission_denied;

    if (!by_ref)
        return claim_own(d, p, write, use);
    granter = domain_get(p->domid == DOMID_SELF ? d->id : p->domid);
    if (!granter)
        return GNTST_bad_domain;
    if (domains_may_share(d, granter))
        rc = grant_take(granter, p->u.ref, d, write ? 0 : GRANT_READONLY, use);
    if (rc)
        domain_put(granter);
    return rc;
}

static void release(const struct grant_use *use) {
    if (use->granter)
        grant_drop(use);
    else
        put_page(use->page);
}

/* Who is told nothing by one domain is told nothing by way of a third either. */
static bool may_meet(const struct grant_use *a, const struct grant_use *b) {
    return !a->granter || !b->granter || domains_may_share(a->granter, b->granter);
}

static bool within(const struct grant_use *use, uint32_t offset, uint32_t len) {
    return offset >= use->start && offset + len <= (uint32_t)use->start + use->length;
}

static int16_t move(const struct gnttab_copy *op, const struct grant_use *source,
                    const struct grant_use *dest) {
    char *to, *from;

    if (!may_meet(source, dest))
        return GNTST_permission_denied;
    if (!within(source, op->source.offset, op->len) || !within(dest, op->dest.offset, op->len))
        return GNTST_general_error;
    to = mapwin_map_page(dest->page);
    from = source->page == dest->page ? to : mapwin_map_page(source->page);
    if (op->len == PAGE_SIZE)
        copy_page(to, from);
    else /* perhaps within one page */
        memmove(to + op->dest.offset, from + op->source.offset, op->len);
    if (from != to)
        mapwin_unmap(from);
    mapwin_unmap(to);
    return GNTST_okay;
}

static int16_t copy_one(struct domain *d, const struct gnttab_copy *op) {
    struct grant_use source, dest;
    int16_t rc;

    if ((uint32_t)op->source.offset + op->len > PAGE_SIZE ||
        (uint32_t)op->dest.offset + op->len > PAGE_SIZE)
        return GNTST_bad_copy_arg;
    rc = claim(d, &op->source, op->flags & GNTCOPY_source_gref, false, &source);
    if (rc)
        return rc;
    rc = claim(d, &op->dest, op->flags & GNTCOPY_dest_gref, true, &dest);
    if (!rc) {
        rc = move(op, &source, &dest);
        release(&dest);
    }
    release(&source);
    return rc;
}

int64_t grant_copy(struct vcpu *v, vaddr_t arg, uint32_t count) {
    for (; count && !abi_pause_or_stop(v); count--, arg += sizeof(struct gnttab_copy)) {
        struct gnttab_copy op;

        if (copy_from_guest(&op, arg, sizeof(op)))
            return -EFAULT;
        op.status = copy_one(v->domain, &op);
        if (write_u16_to_guest(arg + offsetof(__typeof__(op), status), (uint16_t)op.status))
            return -EFAULT;
        if (count > 1)
            preempt_point();
    }
    return 0;
}
