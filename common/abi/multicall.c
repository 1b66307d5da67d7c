/*
 * multicall: a list of hypercalls, each with its own result. Entries are read and results written a
 * few at a time, since finding the guest's memory costs more than most of the calls.
 */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/xen_abi.h>

#include "abi.h"

#define BATCH 8u

_Static_assert(sizeof(struct multicall_entry) == 64, "xen/xen.h");
_Static_assert(BATCH * sizeof(struct multicall_entry) <= 512, "it stands on the vCPU's stack");

/* A 32-bit caller's arguments have no upper halves. */
static bool args_fit(const struct domain *d, const struct multicall_entry *e) {
    if (likely(!d->aarch32))
        return true;
    for (unsigned i = 0; i < HYPERCALL_ARGS; i++)
        if (e->args[i] >> 32)
            return false;
    return true;
}

static int64_t call_one(struct vcpu *v, const struct multicall_entry *e) {
    if (unlikely(e->op == __HYPERVISOR_multicall))
        return -EINVAL; /* not within itself: the stack is small */
    return args_fit(v->domain, e) ? hypercall(v, e->args, e->op) : -EINVAL;
}

/* As many as end in the page where the first begins, so that they are all there or the first is
 * not. */
static unsigned batch_at(vaddr_t at, uint32_t left) {
    uint64_t in_page = (PAGE_SIZE - (at & (PAGE_SIZE - 1))) / sizeof(struct multicall_entry);

    return (unsigned)MIN(MIN(left, BATCH), MAX(in_page, 1u));
}

int64_t do_multicall(struct vcpu *v, const uint64_t *args) {
    vaddr_t at = (vaddr_t)args[0];
    uint32_t left = (uint32_t)args[1];

    while (left) {
        struct multicall_entry e[BATCH];
        unsigned n = batch_at(at, left), done;

        if (copy_from_guest(e, at, n * sizeof(e[0])))
            return -EFAULT;
        for (done = 0; done < n && !abi_pause_or_stop(v); done++) {
            e[done].result = (xen_ulong_t)call_one(v, &e[done]);
            preempt_point();
        }
        if (copy_fields_to_guest(at + offsetof(struct multicall_entry, result), &e[0].result,
                                 sizeof(e[0]), done))
            return -EFAULT;
        if (done < n)
            return 0; /* its domain ends: nobody sees this */
        at += n * sizeof(e[0]);
        left -= n;
    }
    return 0;
}
