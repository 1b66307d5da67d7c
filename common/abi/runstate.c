/*
 * Runstate areas: how long a vCPU ran, waited for a CPU, or had nothing to do, in the guest's own
 * memory. The guest names the area by a virtual address, which is translated anew each time with
 * the vCPU's own tables: where it leads to nothing, nothing is written.
 */
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/string.h>
#include <hv/xen_abi.h>

#include <xen/vcpu.h>

#include <asm/barrier.h>

#include "abi.h"

_Static_assert(TIME_RUNNING == RUNSTATE_running && TIME_RUNNABLE == RUNSTATE_runnable &&
                   TIME_BLOCKED == RUNSTATE_blocked && TIME_OFFLINE == RUNSTATE_offline,
               "the scheduler's states are told as they are");
_Static_assert(sizeof(struct vcpu_runstate_info) == 48, "xen/vcpu.h");

static void collect(struct vcpu *v, struct vcpu_runstate_info *info) {
    struct vcpu_times t;

    vcpu_get_times(v, &t);
    memset(info, 0, sizeof(*info)); /* what lies between its members is seen too */
    info->state = (int)t.state;
    info->state_entry_time = ticks_to_ns(t.since);
    for (unsigned i = 0; i < NR_VCPU_TIMES; i++)
        info->time[i] = ticks_to_ns(t.spent[i]);
}

/* One that asked for it is told by a flag when an update goes on. */
static void write_area(struct vcpu *v, vaddr_t at) {
    vaddr_t entry_time = at + offsetof(struct vcpu_runstate_info, state_entry_time);
    bool flag = READ_ONCE(v->domain->abi->runstate_update_flag);
    struct vcpu_runstate_info info;

    collect(v, &info);
    if (flag) {
        info.state_entry_time |= XEN_RUNSTATE_UPDATE;
        if (copy_to_guest(entry_time, &info.state_entry_time, sizeof(info.state_entry_time)))
            return;
        smp_wmb();
    }
    if (copy_to_guest(at, &info, sizeof(info)) || !flag)
        return;
    smp_wmb();
    info.state_entry_time &= ~XEN_RUNSTATE_UPDATE;
    /* It was written a moment ago; what it finds now is the guest's own affair. */
    if (copy_to_guest(entry_time, &info.state_entry_time, sizeof(info.state_entry_time)))
        return;
}

/* From the scheduler, for the current vCPU with its state in the processor. */
static void publish(struct vcpu *v) {
    write_area(v, READ_ONCE(v->runstate_area));
}

/* Written at once, by the caller's translation; from then on by the vCPU's. Address 0 ends it. */
int64_t runstate_register(struct vcpu *v, vaddr_t arg) {
    struct vcpu_register_runstate_memory_area op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    WRITE_ONCE(v->runstate_area, op.addr.p);
    if (op.addr.p)
        write_area(v, (vaddr_t)op.addr.p);
    return 0;
}

int64_t do_vm_assist(struct vcpu *v, const uint64_t *args) {
    if (args[1] != VMASST_TYPE_runstate_update_flag)
        return -EINVAL;
    switch ((uint32_t)args[0]) {
    case VMASST_CMD_enable:
    case VMASST_CMD_disable:
        WRITE_ONCE(v->domain->abi->runstate_update_flag, (uint32_t)args[0] == VMASST_CMD_enable);
        return 0;
    default:
        return -ENOSYS;
    }
}

void runstate_init(void) {
    sched_set_publish(publish);
}
