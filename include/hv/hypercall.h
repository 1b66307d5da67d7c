/*
 * Floor 7: Xen's hypercalls (public xen.h, arch-arm.h): hvc #0xea1, number in x16, arguments in
 * x0..x4, result in x0. A worker may block and be preempted: it has the vCPU's own stack.
 */
#ifndef HV_HYPERCALL_H
#define HV_HYPERCALL_H

#include <hv/types.h>
#include <hv/vcpu.h>

struct domain;

#define HYPERCALL_TAG 0xea1u
#define HYPERCALL_ARGS 5u

/* args: x0..x4 as the guest left them; pointers among them are guest virtual addresses. */
typedef int64_t (*hypercall_t)(struct vcpu *v, const uint64_t *args);

/* The result for x0; -ENOSYS for a number nobody has. */
int64_t hypercall(struct vcpu *v, const uint64_t *args, uint64_t nr);

/* The workers, one file each in common/abi. */
int64_t do_console_io(struct vcpu *v, const uint64_t *args);
int64_t do_hvm_op(struct vcpu *v, const uint64_t *args);
int64_t do_multicall(struct vcpu *v, const uint64_t *args);
int64_t do_sched_op(struct vcpu *v, const uint64_t *args);
int64_t do_vcpu_op(struct vcpu *v, const uint64_t *args);
int64_t do_vm_assist(struct vcpu *v, const uint64_t *args);
int64_t do_xen_version(struct vcpu *v, const uint64_t *args);
int64_t do_memory_op(struct vcpu *v, const uint64_t *args);
int64_t do_vcpu_op(struct vcpu *v, const uint64_t *args);
int64_t do_event_channel_op(struct vcpu *v, const uint64_t *args);
int64_t do_grant_table_op(struct vcpu *v, const uint64_t *args);

/*
 * The domain a guest names: itself by DOMID_SELF or by its number. -ESRCH: there is none, -EPERM:
 * another's affairs are not its own.
 */
int abi_own_domain(struct domain *d, hv_domid_t domid) __must_check;
/*
 * Reads a guest's argument of n bytes into op and checks the domid in it, which lies at `domid`
 * inside op. 0, -EFAULT, or as abi_own_domain().
 */
int abi_read_own(struct domain *d, void *op, vaddr_t arg, size_t n, size_t domid_at) __must_check;
/* True when the vCPU must give up what it is doing: its domain goes away. Long work asks after each
 * step. */
static inline bool abi_must_stop(const struct vcpu *v) {
    return READ_ONCE(v->work) & VCPU_WORK_STOP;
}
/*
 * The same for work that lasts as long as a guest likes, where it holds nothing: a pause of the
 * domain takes effect here, since who pauses it waits for its vCPUs. v is the current vCPU.
 */
static inline bool abi_pause_or_stop(const struct vcpu *v) {
    if (likely(!READ_ONCE(v->work)))
        return false;
    if (READ_ONCE(v->work) & VCPU_WORK_PAUSE)
        vcpu_pause_self();
    return abi_must_stop(v);
}

/* The domain's keys come by CONSOLEIO_read: it has no other console. Before it runs. */
void abi_console_keys(struct domain *d);

/*
 * Gives the domain a console ring at the layout's magic page, which its HVM parameters name. Before
 * it runs, and after its vpl011 is there. 0, -ENOMEM, or p2m_map()'s error; undone with the domain.
 */
int abi_pv_console_init(struct domain *d) __must_check;

/* Registers how a domain gets and loses its hypercall state; once, before the first domain. */
void abi_init(void);

#endif
