/*
 * hvm_op: the parameters through which a guest finds its console ring and its xenstore. The guest
 * reads them; only who builds the domain sets them.
 */
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/xen_abi.h>

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>

#include "abi.h"

/* As on Xen: what a domain may look at, what only a toolstack may, and what there is not on Arm. */
static int readable(uint32_t index) {
    switch (index) {
    case HVM_PARAM_CALLBACK_IRQ:
    case HVM_PARAM_STORE_PFN:
    case HVM_PARAM_STORE_EVTCHN:
    case HVM_PARAM_CONSOLE_PFN:
    case HVM_PARAM_CONSOLE_EVTCHN:
        return 0;
    case HVM_PARAM_MONITOR_RING_PFN:
        return -EPERM;
    default:
        return -EINVAL;
    }
}

/* 0 is "there is none": the upcall's interrupt is told by the device tree, and no xenstore runs. */
static uint64_t value_of(const struct domain *d, uint32_t index) {
    switch (index) {
    case HVM_PARAM_CONSOLE_PFN:
        return d->abi->console_pfn;
    case HVM_PARAM_CONSOLE_EVTCHN:
        return d->abi->console_evtchn;
    default:
        return 0;
    }
}

static int64_t param(struct vcpu *v, vaddr_t arg, bool set) {
    struct xen_hvm_param op;
    int rc = abi_read_own(v->domain, &op, arg, sizeof(op), offsetof(__typeof__(op), domid));

    if (!rc)
        rc = readable(op.index);
    if (rc)
        return rc;
    if (set)
        return -EPERM;
    op.value = value_of(v->domain, op.index);
    return copy_to_guest(arg, &op, sizeof(op));
}

int64_t do_hvm_op(struct vcpu *v, const uint64_t *args) {
    vaddr_t arg = (vaddr_t)args[1];

    switch (args[0]) {
    case HVMOP_set_param:
        return param(v, arg, true);
    case HVMOP_get_param:
        return param(v, arg, false);
    case HVMOP_guest_request_vm_event: /* of interest to a monitor, which nobody has */
        return arg ? -EINVAL : 0;
    default:
        return -ENOSYS;
    }
}
