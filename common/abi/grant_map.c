/* map_grant_ref and unmap_grant_ref: another domain's pages in this domain's memory. */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/page.h>
#include <hv/policy.h>
#include <hv/printk.h>

#include <asm/atomic.h>

#include "abi.h"
#include "grant.h"

/* ---- map ---- */

/* The only way to map on Arm: by an address of the guest, whole pages. */
static int16_t check_flags(uint32_t flags) {
    uint32_t where = flags & (GNTMAP_host_map | GNTMAP_device_map | GNTMAP_application_map |
                              GNTMAP_contains_pte);

    if (likely(where == GNTMAP_host_map))
        return GNTST_okay;
    return where & (GNTMAP_host_map | GNTMAP_device_map) ? GNTST_general_error : GNTST_bad_gntref;
}

static int16_t take(struct domain *d, const struct gnttab_map_grant_ref *op,
                    struct grant_use *use) {
    bool readonly = op->flags & GNTMAP_readonly;
    struct domain *granter = domain_get(op->dom);
    int16_t rc = GNTST_permission_denied;

    if (!granter)
        return GNTST_bad_domain;
    if (domains_may_share(d, granter))
        rc = grant_take(granter, op->ref, d, GRANT_MAP | (readonly ? GRANT_READONLY : 0), use);
    if (rc)
        domain_put(granter);
    return rc;
}

/* The entry is BUSY: nobody else looks at it. */
static void remember(struct maptrack_entry *e, const struct grant_use *use, gfn_t g) {
    e->granter = use->granter;
    e->page = (uint32_t)(use->page - frame_table);
    e->ref = use->ref;
    e->readonly = use->readonly;
    e->gfn = g.gfn;
    store_release(&e->state, MAPTRACK_LIVE);
}

static int16_t map_one(struct vcpu *v, struct gnttab_map_grant_ref *op) {
    struct domain *d = v->domain;
    gfn_t g = ipaddr_to_gfn(ipaddr(op->host_addr));
    struct maptrack_entry *e;
    struct grant_use use;
    grant_handle_t handle;
    int16_t rc = check_flags(op->flags);

    if (rc)
        return rc;
    e = maptrack_alloc(v, &handle);
    if (!e)
        return GNTST_no_space;
    rc = take(d, op, &use);
    if (rc)
        goto free;
    if (p2m_map(&d->p2m, g, page_to_mfn(use.page), 0, use.readonly ? P2M_GRANT_RO : P2M_GRANT_RW)) {
        grant_drop(&use);
        rc = GNTST_general_error;
        goto free;
    }
    remember(e, &use, g);
    op->handle = handle;
    /* Devices of this domain see its memory where it does itself. */
    op->dev_bus_addr = g.gfn << PAGE_SHIFT;
    return GNTST_okay;
free:
    maptrack_free(v, handle);
    return rc;
}

/* ---- unmap ---- */

/* Unmappings that share one flush. */
struct batch {
    unsigned nr;
    struct {
        struct maptrack_entry *entry;
        grant_handle_t handle;
        unsigned op; /* which operation of the guest's this is */
    } of[P2M_GRANT_BATCH];
    struct p2m_grant grant[P2M_GRANT_BATCH];
};

static void add_to_batch(struct batch *b, struct maptrack_entry *e, grant_handle_t handle,
                         unsigned op) {
    b->of[b->nr].entry = e;
    b->of[b->nr].handle = handle;
    b->of[b->nr].op = op;
    b->grant[b->nr].g = gfn(e->gfn);
    b->grant[b->nr].m = page_to_mfn(frame_table + e->page);
    b->nr++;
}

static void drop(const struct maptrack_entry *e) {
    struct grant_use use = {.granter = e->granter,
                            .page = frame_table + e->page,
                            .ref = e->ref,
                            .readonly = e->readonly};

    grant_drop(&use);
}

/* Handle, frame and address were made one by the map; an entry that says otherwise is our own bug.
 */
static void unmap_batch(struct domain *d, struct batch *b) {
    if (b->nr)
        p2m_unmap_grants(&d->p2m, b->grant, b->nr);
    for (unsigned i = 0; i < b->nr; i++) {
        BUG_ON(b->grant[i].rc);
        drop(b->of[i].entry);
    }
}

_Static_assert(sizeof(struct gnttab_unmap_grant_ref) == sizeof(struct gnttab_unmap_and_replace) &&
                   offsetof(struct gnttab_unmap_grant_ref, dev_bus_addr) ==
                       offsetof(struct gnttab_unmap_and_replace, new_addr) &&
                   offsetof(struct gnttab_unmap_grant_ref, handle) ==
                       offsetof(struct gnttab_unmap_and_replace, handle),
               "one shape for both");

static int16_t prepare(struct domain *d, struct batch *b, unsigned i,
                       const struct gnttab_unmap_grant_ref *op, bool replace) {
    struct maptrack_entry *e = maptrack_claim(d, op->handle);

    if (!e)
        return GNTST_bad_handle;
    /* What is to take the mapping's place would have to be looked up in tables Arm does not have.
     */
    if (e->gfn != op->host_addr >> PAGE_SHIFT || (replace && op->dev_bus_addr)) {
        store_release(&e->state, MAPTRACK_LIVE);
        return GNTST_general_error;
    }
    add_to_batch(b, e, op->handle, i);
    return GNTST_okay;
}

static int unmap_some(struct vcpu *v, vaddr_t arg, unsigned nr, bool replace) {
    struct batch b; /* not cleared: it is long, and mostly one entry of it is used */
    int16_t status[P2M_GRANT_BATCH];
    unsigned read = 0;
    int rc = 0;

    b.nr = 0;
    for (; read < nr; read++) {
        struct gnttab_unmap_grant_ref op;

        rc = copy_from_guest(&op, arg + read * sizeof(op), sizeof(op));
        if (rc)
            break;
        status[read] = prepare(v->domain, &b, read, &op, replace);
    }
    unmap_batch(v->domain, &b);
    for (unsigned i = 0; i < b.nr; i++)
        maptrack_free(v, b.of[i].handle);
    for (unsigned i = 0; i < read; i++)
        if (write_u16_to_guest(arg + i * sizeof(struct gnttab_unmap_grant_ref) +
                                   offsetof(struct gnttab_unmap_grant_ref, status),
                               (uint16_t)status[i]))
            rc = -EFAULT;
    return rc;
}

static int64_t unmap(struct vcpu *v, vaddr_t arg, uint32_t count, bool replace) {
    while (count && !abi_pause_or_stop(v)) {
        unsigned nr = MIN(count, P2M_GRANT_BATCH);
        int rc = unmap_some(v, arg, nr, replace);

        if (rc)
            return rc;
        count -= nr;
        arg += nr * sizeof(struct gnttab_unmap_grant_ref);
        if (count)
            preempt_point();
    }
    return 0;
}

static __noinline void undo_map(struct vcpu *v, const struct gnttab_map_grant_ref *map) {
    struct gnttab_unmap_grant_ref op = {.host_addr = map->host_addr, .handle = map->handle};
    struct batch b;

    b.nr = 0;
    if (prepare(v->domain, &b, 0, &op, false)) /* another vCPU was faster */
        return;
    unmap_batch(v->domain, &b);
    maptrack_free(v, op.handle);
}

/* What is written back: status, handle and bus address, with the domid before them. */
#define OUTPUT offsetof(struct gnttab_map_grant_ref, dom)

int64_t grant_map(struct vcpu *v, vaddr_t arg, uint32_t count) {
    for (uint32_t i = 0; i < count && !abi_pause_or_stop(v);
         i++, arg += sizeof(struct gnttab_map_grant_ref)) {
        struct gnttab_map_grant_ref op;

        if (copy_from_guest(&op, arg, sizeof(op)))
            return -EFAULT;
        op.status = map_one(v, &op);
        if (copy_to_guest(arg + OUTPUT, &op.dom, sizeof(op) - OUTPUT)) {
            if (op.status == GNTST_okay)
                undo_map(v, &op); /* the guest does not know the handle */
            return -EFAULT;
        }
        if (i + 1 < count)
            preempt_point();
    }
    return 0;
}

int64_t grant_unmap(struct vcpu *v, vaddr_t arg, uint32_t count) {
    return unmap(v, arg, count, false);
}

int64_t grant_unmap_and_replace(struct vcpu *v, vaddr_t arg, uint32_t count) {
    return unmap(v, arg, count, true);
}

/* ---- death, and the audit ---- */

void grant_unmap_all(struct domain *d) {
    uint32_t nr = maptrack_handles(d);

    for (grant_handle_t next = 0; next < nr;) {
        struct batch b = {.nr = 0};

        /* Also bounded when there is little to unmap. */
        for (unsigned n = 0; n < 4 * P2M_GRANT_BATCH && b.nr < P2M_GRANT_BATCH && next < nr; n++) {
            struct maptrack_entry *e = maptrack_claim(d, next++);

            if (e)
                add_to_batch(&b, e, next - 1, 0);
        }
        unmap_batch(d, &b);
        for (unsigned i = 0; i < b.nr; i++)
            store_release(&b.of[i].entry->state, MAPTRACK_FREE);
        preempt_point();
    }
}

static bool is_mapped(struct domain *d, const struct maptrack_entry *e) {
    enum p2m_type t;
    mfn_t m = p2m_lookup(&d->p2m, gfn(e->gfn), &t, NULL);

    return mfn_eq(m, page_to_mfn(frame_table + e->page)) &&
           t == (e->readonly ? P2M_GRANT_RO : P2M_GRANT_RW);
}

unsigned grant_audit(struct domain *d) {
    uint32_t nr = maptrack_handles(d);
    unsigned breaches = 0, live = 0;
    bool quiet = READ_ONCE(d->state) != DOMAIN_RUNNING;

    for (grant_handle_t handle = 0; handle < nr; handle++) {
        const struct maptrack_entry *e = maptrack_entry(d, handle);

        if (load_acquire(&e->state) != MAPTRACK_LIVE)
            continue;
        live++;
        /* Of a running domain it may have been unmapped since. */
        if (is_mapped(d, e) || load_acquire(&e->state) != MAPTRACK_LIVE)
            continue;
        breaches++;
        printk("audit: d%u: grant handle %u has no mapping: gfn %#llx mfn %#x\n", d->id, handle,
               (unsigned long long)e->gfn, e->page);
    }
    if (quiet && live != d->p2m.grants) {
        breaches++;
        printk("audit: d%u: %u grants mapped by handle, %llu in the table\n", d->id, live,
               (unsigned long long)d->p2m.grants);
    }
    return breaches;
}
