/* vcpu_op, as far as Arm has it: a vCPU is started and stopped by PSCI and has an architected
 * timer, so all that is left is what the guest registers for it. */
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/hypercall.h>

#include "evtchn.h"

int64_t do_vcpu_op(struct vcpu *v, const uint64_t *args) {
    const struct domain *d = v->domain;
    uint32_t id = (uint32_t)args[1];
    vaddr_t arg = (vaddr_t)args[2];
    struct vcpu *target;

    if (id >= d->max_vcpus)
        return -ENOENT;
    target = d->vcpus[index_nospec(id, d->max_vcpus)];
    switch ((uint32_t)args[0]) {
    case VCPUOP_register_runstate_memory_area:
        return runstate_register(target, arg);
    case VCPUOP_register_vcpu_info:
        return vcpu_info_register(v, target, arg);
    default:
        return -EINVAL;
    }
}
