/* memory_op: which worker, and the questions that need none. */
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/xen_abi.h>

#include "memory.h"

/* Xen keeps where a preempted operation goes on in the command's upper bits; a guest may set them.
 */
#define MEMOP_EXTENT_SHIFT 6
#define MEMOP_CMD_MASK ((1u << MEMOP_EXTENT_SHIFT) - 1)

/* The argument of the three questions is a lone domid. */
static int64_t question(struct vcpu *v, uint32_t cmd, vaddr_t arg) {
    struct domain *d = v->domain;
    hv_domid_t domid;
    int rc = abi_read_own(d, &domid, arg, sizeof(domid), 0);

    if (rc)
        return rc;
    switch (cmd) {
    case XENMEM_current_reservation:
        return (int64_t)READ_ONCE(d->pages.tot_pages);
    case XENMEM_maximum_reservation:
        return (int64_t)READ_ONCE(d->pages.max_pages);
    default:
        return (int64_t)READ_ONCE(d->p2m.max_mapped_gfn);
    }
}

/* For who manages another domain; one's own tables are mapped by add_to_physmap. */
static int64_t acquire_resource(vaddr_t arg) {
    struct xen_mem_acquire_resource op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.pad)
        return -EINVAL;
    return op.domid != DOMID_SELF && domain_by_id(op.domid) ? -EPERM : -ESRCH;
}

int64_t do_memory_op(struct vcpu *v, const uint64_t *args) {
    uint32_t cmd = (uint32_t)args[0] & MEMOP_CMD_MASK;
    uint64_t start = args[0] >> MEMOP_EXTENT_SHIFT;
    vaddr_t arg = (vaddr_t)args[1];

    switch (cmd) {
    case XENMEM_add_to_physmap:
        return memory_add_to_physmap(v, arg);
    case XENMEM_remove_from_physmap:
        return memory_remove_from_physmap(v, arg);
    case XENMEM_add_to_physmap_batch:
        return memory_add_to_physmap_batch(v, arg, start);
    case XENMEM_populate_physmap:
        return memory_populate_physmap(v, arg, start);
    case XENMEM_decrease_reservation:
        return memory_decrease_reservation(v, arg, start);
    case XENMEM_increase_reservation:
        return memory_increase_reservation(v, arg, start);
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn:
        return question(v, cmd, arg);
    case XENMEM_acquire_resource:
        return acquire_resource(arg);
    case XENMEM_exchange: /* for guests that know machine addresses */
        return -EOPNOTSUPP;
    default:
        return -ENOSYS;
    }
}
