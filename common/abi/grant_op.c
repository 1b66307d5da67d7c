/* grant_table_op: which worker, and the small operations. */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/mapwin.h>
#include <hv/page.h>
#include <hv/string.h>

#include <asm/cache.h>

#include "abi.h"
#include "grant.h"

/* ---- swap_grant_ref ---- */

static int16_t swap(struct grant_frames *g, const struct gnttab_swap_grant_ref *op) {
    size_t size = g->version == 2 ? sizeof(union grant_entry_v2) : sizeof(struct grant_entry_v1);
    void *a = grant_entry(g, op->ref_a), *b = grant_entry(g, op->ref_b);
    union grant_entry_v2 kept;

    if (!a || !b)
        return GNTST_bad_gntref;
    if (grant_uses(g, op->ref_a) || grant_uses(g, op->ref_b))
        return GNTST_eagain;
    memcpy(&kept, a, size);
    memmove(a, b, size);
    memcpy(b, &kept, size);
    return GNTST_okay;
}

static int64_t swap_grant_ref(struct vcpu *v, vaddr_t arg, uint32_t count) {
    struct grant_frames *g = &v->domain->abi->grant;

    for (; count && !abi_pause_or_stop(v); count--, arg += sizeof(struct gnttab_swap_grant_ref)) {
        struct gnttab_swap_grant_ref op;

        if (copy_from_guest(&op, arg, sizeof(op)))
            return -EFAULT;
        spin_lock(&g->lock);
        op.status = swap(g, &op);
        spin_unlock(&g->lock);
        if (write_u16_to_guest(arg + offsetof(__typeof__(op), status), (uint16_t)op.status))
            return -EFAULT;
        preempt_point();
    }
    return 0;
}

/* ---- cache_flush ---- */

#define CACHE_OPS (GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL)
#define CACHE_TYPES (P2M_ANY_RAM | P2M_ANY_XENHEAP | P2M_ANY_GRANT | P2M_ANY_FOREIGN)

/*
 * The page is named by its address for devices, as the map operation gave it. Lines are never
 * dropped unwritten: the page may be another's, mapped here for reading only. So it does no harm if
 * it leaves the domain meanwhile.
 */
static int flush_one(struct domain *d, const struct gnttab_cache_flush *op) {
    gfn_t g = ipaddr_to_gfn(ipaddr(op->a.dev_bus_addr));
    enum p2m_type t;
    char *p;
    mfn_t m;

    if ((op->op & ~CACHE_OPS) || op->offset >= PAGE_SIZE ||
        (uint32_t)op->offset + op->length > PAGE_SIZE)
        return -EINVAL;
    if (!op->length || !op->op)
        return 0;
    m = p2m_lookup(&d->p2m, g, &t, NULL);
    if (mfn_eq(m, INVALID_MFN))
        return -EINVAL;
    if (!(P2M_TYPE_BIT(t) & CACHE_TYPES))
        return -EPERM;
    p = (char *)mapwin_map(mfn_to_paddr(m)) + op->offset;
    if (op->op & GNTTAB_CACHE_INVAL)
        dcache_clean_inval_poc(p, op->length);
    else
        dcache_clean_poc(p, op->length);
    mapwin_unmap(p);
    return 0;
}

static int64_t cache_flush(struct vcpu *v, vaddr_t arg, uint32_t count) {
    for (; count && !abi_pause_or_stop(v); count--, arg += sizeof(struct gnttab_cache_flush)) {
        struct gnttab_cache_flush op;
        int rc;

        if (copy_from_guest(&op, arg, sizeof(op)))
            return -EFAULT;
        rc = flush_one(v->domain, &op);
        if (rc)
            return rc;
        preempt_point();
    }
    return 0;
}

/* No page changes its owner on Arm. */
static int64_t transfer(struct vcpu *v, vaddr_t arg, uint32_t count) {
    (void)v;
    (void)arg;
    (void)count;
    return -EOPNOTSUPP;
}

typedef int64_t (*grant_op_t)(struct vcpu *v, vaddr_t arg, uint32_t count);

static const grant_op_t grant_ops[16] = {
    [GNTTABOP_map_grant_ref] = grant_map,
    [GNTTABOP_unmap_grant_ref] = grant_unmap,
    [GNTTABOP_unmap_and_replace] = grant_unmap_and_replace,
    [GNTTABOP_copy] = grant_copy,
    [GNTTABOP_transfer] = transfer,
    [GNTTABOP_swap_grant_ref] = swap_grant_ref,
    [GNTTABOP_cache_flush] = cache_flush,
};

int64_t do_grant_table_op(struct vcpu *v, const uint64_t *args) {
    uint32_t cmd = (uint32_t)args[0], count = (uint32_t)args[2];
    /* The mask holds whatever the CPU guesses of the comparison. */
    grant_op_t fn = grant_ops[cmd % ARRAY_SIZE(grant_ops)];

    if ((int32_t)count < 0)
        return -EINVAL;
    if (likely(cmd < ARRAY_SIZE(grant_ops)) && fn)
        return fn(v, (vaddr_t)args[1], count);
    return grant_frames_op(v, cmd, (vaddr_t)args[1], count);
}
