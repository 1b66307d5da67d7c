/*
 * The frames of a domain's grant table: xenheap pages that come when the guest asks for them and go
 * with a change of version or with the domain. Grant operations on other domains' memory are not
 * part of this file.
 */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/mm.h>
#include <hv/page.h>
#include <hv/xen_abi.h>

#include <asm/nospec.h>

#include "abi.h"
#include "grant.h"

static int share_new_page(struct domain *d, void **slot) {
    void *va = xenheap_alloc(0);
    int rc;

    if (!va)
        return -ENOMEM;
    p2m_clear_page(va);
    rc = xenheap_share(va, &d->pages);
    if (rc) {
        xenheap_free(va, 0);
        return rc;
    }
    *slot = va;
    return 0;
}

/* Status entries are two bytes, grants of version 2 sixteen: one status page serves eight frames.
 */
static uint32_t status_for(uint32_t frames) {
    return DIV_ROUND_UP(frames, 8u);
}

static int grow_status(struct domain *d, uint32_t frames) {
    struct grant_frames *g = &d->abi->grant;

    while (g->nr_status < status_for(frames)) {
        int rc = share_new_page(d, &g->status[g->nr_status]);

        if (rc)
            return rc;
        g->nr_status++;
    }
    return 0;
}

/* A failure leaves what is there already: frames without an owner's use do no harm, and the guest
 * sees the count. */
static int grow(struct domain *d, uint32_t frames) {
    struct grant_frames *g = &d->abi->grant;
    int rc = g->version == 2 ? grow_status(d, frames) : 0;

    ASSERT(spin_is_held(&g->lock));
    while (!rc && g->nr_frames < frames) {
        struct grant_pins **pins = &g->pins[g->nr_frames];

        if (!*pins)
            *pins = hv_zalloc(GRANTS_PER_FRAME_MAX * sizeof(**pins));
        rc = *pins ? share_new_page(d, &g->frame[g->nr_frames]) : -ENOMEM;
        if (!rc)
            g->nr_frames++;
    }
    return rc;
}

int grant_frames_init(struct domain *d) {
    struct grant_frames *g = &d->abi->grant;
    int rc;

    spin_lock_init(&g->lock, RANK_GRANT, "grant");
    g->version = 1;
    spin_lock(&g->lock);
    rc = grow(d, 1);
    spin_unlock(&g->lock);
    return rc;
}

/* Takes the status frames away, wherever the guest has mapped them. */
static void drop_status(struct domain *d) {
    struct grant_frames *g = &d->abi->grant;

    while (g->nr_status) {
        void *va = g->status[--g->nr_status];
        struct page_info *page = virt_to_page(va);
        int rc;

        /* Given up first: from then on it cannot be mapped again, by a vCPU that found it just
         * before. */
        BUG_ON(!get_page(page, &d->pages));
        xenheap_unshare(va);
        rc = p2m_unmap_page(&d->p2m, page);
        BUG_ON(rc && rc != -ENOENT);
        put_page(page);
    }
}

void grant_frames_destroy(struct domain *d) {
    struct grant_frames *g = &d->abi->grant;

    drop_status(d);
    while (g->nr_frames)
        xenheap_unshare(g->frame[--g->nr_frames]);
    for (unsigned i = 0; i < GRANT_FRAMES_MAX; i++) {
        hv_free(g->pins[i]);
        g->pins[i] = NULL;
    }
}

void grant_frames_die(struct domain *d) {
    spin_lock(&d->abi->grant.lock);
    d->abi->grant.dead = true;
    spin_unlock(&d->abi->grant.lock);
}

int grant_frame_get(struct domain *d, uint64_t idx, struct page_info **page) {
    struct grant_frames *g = &d->abi->grant;
    bool status = idx & XENMAPIDX_grant_table_status;
    uint64_t n = idx & ~(uint64_t)XENMAPIDX_grant_table_status;
    int rc = 0;

    spin_lock(&g->lock);
    if (status) {
        if (g->version != 2 || n >= g->nr_status)
            rc = -EINVAL;
    } else if (n >= d->max_grant_frames) {
        rc = -EINVAL;
    } else if (n >= g->nr_frames) {
        rc = grow(d, (uint32_t)n + 1);
    }
    if (!rc) {
        *page = virt_to_page(status ? g->status[index_nospec(n, GRANT_STATUS_MAX)]
                                    : g->frame[index_nospec(n, GRANT_FRAMES_MAX)]);
        rc = get_page(*page, &d->pages) ? 0 : -EINVAL;
    }
    spin_unlock(&g->lock);
    return rc;
}

/* ---- grant_table_op ---- */

static int64_t query_size(struct vcpu *v, vaddr_t arg) {
    struct domain *d = v->domain;
    struct gnttab_query_size op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    op.nr_frames = op.max_nr_frames = 0;
    if (abi_own_domain(d, op.dom)) {
        op.status = GNTST_bad_domain;
    } else {
        spin_lock(&d->abi->grant.lock);
        op.nr_frames = d->abi->grant.nr_frames;
        op.max_nr_frames = d->max_grant_frames;
        spin_unlock(&d->abi->grant.lock);
        op.status = GNTST_okay;
    }
    return copy_to_guest(arg, &op, sizeof(op));
}

/* Grows to nr_frames and tells where each is mapped (invariant 15); INVALID_GFN as all ones:
 * nowhere. */
static int16_t setup(struct domain *d, const struct gnttab_setup_table *op) {
    struct grant_frames *g = &d->abi->grant;
    int rc;

    if (abi_own_domain(d, op->dom))
        return GNTST_bad_domain;
    spin_lock(&g->lock);
    rc = op->nr_frames > d->max_grant_frames ? -EINVAL : grow(d, op->nr_frames);
    spin_unlock(&g->lock);
    return rc ? GNTST_general_error : GNTST_okay;
}

static int64_t setup_table(struct vcpu *v, vaddr_t arg) {
    struct domain *d = v->domain;
    struct gnttab_setup_table op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    op.status = setup(d, &op);
    for (uint32_t i = 0; op.status == GNTST_okay && i < op.nr_frames; i++) {
        gfn_t g = p2m_gfn_of(&d->p2m, virt_to_page(d->abi->grant.frame[i]));
        xen_pfn_t out = g.gfn;

        if (copy_to_guest((vaddr_t)op.frame_list.p + i * sizeof(out), &out, sizeof(out)))
            op.status = GNTST_bad_virt_addr;
    }
    return copy_to_guest(arg, &op, sizeof(op));
}

static int64_t get_status_frames(struct vcpu *v, vaddr_t arg) {
    struct domain *d = v->domain;
    struct grant_frames *g = &d->abi->grant;
    struct gnttab_get_status_frames op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    op.status = abi_own_domain(d, op.dom) ? GNTST_bad_domain : GNTST_okay;
    for (uint32_t i = 0; op.status == GNTST_okay && i < op.nr_frames; i++) {
        uint64_t out = INVALID_GFN.gfn;

        spin_lock(&g->lock);
        if (g->version != 2 || i >= g->nr_status)
            op.status = GNTST_general_error;
        else
            out = p2m_gfn_of(&d->p2m, virt_to_page(g->status[i])).gfn;
        spin_unlock(&g->lock);
        if (op.status == GNTST_okay &&
            copy_to_guest((vaddr_t)op.frame_list.p + i * sizeof(out), &out, sizeof(out)))
            op.status = GNTST_bad_virt_addr;
    }
    return copy_to_guest(arg, &op, sizeof(op));
}

static int64_t get_version(struct vcpu *v, vaddr_t arg) {
    struct gnttab_get_version op;
    int rc;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    rc = abi_own_domain(v->domain, op.dom);
    if (rc)
        return rc;
    op.version = READ_ONCE(v->domain->abi->grant.version);
    return copy_to_guest(arg, &op, sizeof(op));
}

/* Entries change their shape with the version: the table starts empty, as Xen's does for all but
 * the reserved ones. */
static int change_version(struct domain *d, uint32_t version) {
    struct grant_frames *g = &d->abi->grant;
    int rc = 0;

    ASSERT(spin_is_held(&g->lock));
    if (version == g->version)
        return 0;
    if (g->uses)
        return -EBUSY;
    if (version == 2)
        rc = grow_status(d, g->nr_frames);
    if (version != 2 || rc)
        drop_status(d);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < g->nr_frames; i++)
        p2m_clear_page(g->frame[i]);
    g->version = version;
    return 0;
}

static int64_t set_version(struct vcpu *v, vaddr_t arg) {
    struct domain *d = v->domain;
    struct grant_frames *g = &d->abi->grant;
    struct gnttab_set_version op;
    int rc;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.version != 1 && op.version != 2)
        return -EINVAL;
    spin_lock(&g->lock);
    rc = op.version > d->max_grant_version ? -ENOSYS : change_version(d, op.version);
    op.version = g->version;
    spin_unlock(&g->lock);
    return copy_to_guest(arg, &op, sizeof(op)) ? -EFAULT : rc;
}

int64_t grant_frames_op(struct vcpu *v, uint32_t cmd, vaddr_t arg, uint32_t count) {
    switch (cmd) {
    case GNTTABOP_query_size:
        return count == 1 ? query_size(v, arg) : -EINVAL;
    case GNTTABOP_setup_table:
        return count == 1 ? setup_table(v, arg) : -EINVAL;
    case GNTTABOP_get_status_frames:
        return count == 1 ? get_status_frames(v, arg) : -EINVAL;
    case GNTTABOP_set_version:
        return set_version(v, arg);
    case GNTTABOP_get_version:
        return get_version(v, arg);
    default:
        return -ENOSYS;
    }
}
