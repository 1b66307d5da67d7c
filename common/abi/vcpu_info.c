/* Where a vCPU's event flags are: in the shared info, or in a page of the guest's choice. */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/guest_copy.h>
#include <hv/guest_map.h>
#include <hv/hypercall.h>
#include <hv/mapwin.h>
#include <hv/string.h>
#include <hv/vcpu.h>

#include "evtchn.h"

int guest_page_keep(struct domain *d, uint64_t g, void **at) {
    enum p2m_type type;
    struct page_info *page =
        g < p2m_gfn_limit(&d->p2m) ? p2m_get_page(&d->p2m, gfn(g), &type) : NULL;
    int rc = -EINVAL;

    if (!page)
        return rc;
    if (type == P2M_RAM_RW) {
        *at = page_keep(page);
        rc = *at ? 0 : -ENOMEM;
    }
    if (rc)
        put_page(page);
    return rc;
}

void vcpu_info_release(struct vcpu_events *ve) {
    if (ve->registered)
        page_unkeep(ve->info);
    ve->registered = false;
}

/*
 * The old place is left as it is: whoever raises an event meanwhile may write there still. So
 * everything is told as pending in the new one, where the guest then looks for itself.
 */
static void move(struct vcpu *v, struct vcpu_events *ve, struct vcpu_info *to) {
    memmove(to, ve->info, sizeof(*to));
    __atomic_store_n(&ve->info, to, __ATOMIC_SEQ_CST);
    __atomic_store_n(&to->evtchn_pending_sel, ~(xen_ulong_t)0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&to->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST);
    vgic_inject_edge(v->domain, v, GUEST_EVTCHN_PPI);
}

/* A page of before is given back when nobody can be writing to it any more. */
static int place(struct vcpu *v, struct vcpu *target, uint64_t g, uint32_t offset) {
    struct domain *d = v->domain;
    struct events *ev = &d->abi->events;
    struct vcpu_events *ve = &ev->vcpu[target->id];
    void *at, *before;
    int rc;

    if (offset > PAGE_SIZE - sizeof(struct vcpu_info) || offset % _Alignof(struct vcpu_info))
        return -ENXIO;
    rc = guest_page_keep(d, g, &at);
    if (rc)
        return rc;
    if (!events_change_begin(v, d)) {
        page_unkeep(at);
        return -EAGAIN;
    }
    before = ve->registered ? ve->info : NULL;
    ve->registered = true;
    move(target, ve, (struct vcpu_info *)((char *)at + offset));
    if (before) {
        evtchn_switch_all(d, ev->fifo);
        page_unkeep(before);
    }
    events_change_end(d);
    return 0;
}

/*
 * Of the caller itself, or of a vCPU that is off: another one may be reading its old place. One
 * that the guest starts meanwhile may do so too, and looks at the new one because of move().
 */
int64_t vcpu_info_register(struct vcpu *v, struct vcpu *target, vaddr_t arg) {
    struct vcpu_register_vcpu_info op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    if (target != v && READ_ONCE(target->state) != VCPU_OFFLINE)
        return -EINVAL;
    return place(v, target, op.mfn, op.offset);
}
