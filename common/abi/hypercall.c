/* The table of hypercalls, and the life of a domain's hypercall state. */
#include <hv/bits.h>
#include <hv/cmdline.h>
#include <hv/domain.h>
#include <hv/domain_abi.h>
#include <hv/errno.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/mm.h>
#include <hv/page.h>
#include <hv/string.h>
#include <hv/timer.h>
#include <hv/trace.h>
#include <hv/xen_abi.h>

#include <asm/cache.h>

#include "abi.h"
#include "evtchn.h"
#include "grant.h"

/* Numbers end at 63 (xen.h). */
static const hypercall_t hypercalls[64] = {
    [__HYPERVISOR_memory_op] = do_memory_op,
    [__HYPERVISOR_multicall] = do_multicall,
    [__HYPERVISOR_xen_version] = do_xen_version,
    [__HYPERVISOR_console_io] = do_console_io,
    [__HYPERVISOR_event_channel_op] = do_event_channel_op,
    [__HYPERVISOR_grant_table_op] = do_grant_table_op,
    [__HYPERVISOR_vm_assist] = do_vm_assist,
    [__HYPERVISOR_vcpu_op] = do_vcpu_op,
    [__HYPERVISOR_sched_op] = do_sched_op,
    [__HYPERVISOR_hvm_op] = do_hvm_op,
};

/* What it took, waiting included, is known at its end. */
static __noinline int64_t traced(hypercall_t fn, struct vcpu *v, uint64_t nr,
                                 const uint64_t *args) {
    uint64_t start = time_ticks(), what = nr | args[0] << 32;
    int64_t rc = fn(v, args);

    trace(TRACE_HYPERCALL, trace_who(v), what, time_ticks() - start);
    return rc;
}

int64_t hypercall(struct vcpu *v, const uint64_t *args, uint64_t nr) {
    hypercall_t fn;
    int64_t rc;

    if (nr >= ARRAY_SIZE(hypercalls))
        return -ENOSYS;
    fn = hypercalls[nr % ARRAY_SIZE(hypercalls)]; /* also where the branch is mispredicted */
    if (!fn)
        return -ENOSYS;
    rc = trace_is_on() ? traced(fn, v, nr, args) : fn(v, args);
    if (HF_DEBUG)
        p2m_audit_if_due(&v->domain->p2m);
    return rc;
}

int abi_own_domain(struct domain *d, hv_domid_t domid) {
    if (likely(domid == DOMID_SELF || domid == d->id))
        return 0;
    return domain_by_id(domid) ? -EPERM : -ESRCH;
}

int abi_read_own(struct domain *d, void *op, vaddr_t arg, size_t n, size_t domid_at) {
    if (copy_from_guest(op, arg, n))
        return -EFAULT;
    return abi_own_domain(d, *(const hv_domid_t *)((const char *)op + domid_at));
}

/*
 * Nobody here knows the date: as on a Xen whose clock was not set, it counts from when the machine
 * started. Written once, so the version only says that it is.
 */
static void set_wallclock(struct shared_info *s, uint64_t now_ticks) {
    s->wc_version = 2;
    s->wc_sec = (uint32_t)(now_ticks / timer_hz);
    dcache_clean_poc(s, sizeof(*s));
}

static int abi_create(struct domain *d) {
    struct domain_abi *abi = hv_zalloc(sizeof(*abi));
    int rc = -ENOMEM;

    if (!abi)
        return -ENOMEM;
    d->abi = abi;
    abi->shared_info = xenheap_alloc(0);
    if (!abi->shared_info)
        goto free;
    p2m_clear_page(abi->shared_info);
    set_wallclock(abi->shared_info, d->vtimer_offset);
    rc = xenheap_share(abi->shared_info, &d->pages);
    if (rc)
        goto free_page;
    rc = events_create(d);
    if (rc)
        goto unshare;
    rc = maptrack_init(d);
    if (!rc)
        rc = grant_frames_init(d);
    if (!rc) {
        console_io_init(d);
        watchdogs_init(d);
        return 0;
    }
    grant_frames_destroy(d);
    maptrack_destroy(d);
    events_destroy(d);
unshare:
    xenheap_unshare(abi->shared_info);
    goto free;
free_page:
    xenheap_free(abi->shared_info, 0);
free:
    d->abi = NULL;
    hv_free(abi);
    return rc;
}

static void abi_destroy(struct domain *d) {
    watchdogs_stop(d);
    console_io_destroy(d);
    pv_console_destroy(d);
    grant_frames_destroy(d);
    events_destroy(d);
    maptrack_destroy(d);
    xenheap_unshare(d->abi->shared_info);
}

static void abi_free(struct domain *d) {
    hv_free(d->abi);
    d->abi = NULL;
}

static void abi_die(struct domain *d) {
    pv_console_die(d);
    events_quiesce(d);
    grant_frames_die(d);
    grant_unmap_all(d);
}

static unsigned abi_audit(struct domain *d) {
    return grant_audit(d);
}

void abi_init(void) {
    static const struct domain_abi_ops ops = {.create = abi_create,
                                              .start = events_start,
                                              .die = abi_die,
                                              .destroy = abi_destroy,
                                              .free = abi_free,
                                              .audit = abi_audit};

    if (HF_DEBUG)
        p2m_audit_every = cmdline_size("audit-every", 1024);
    domain_set_abi_ops(&ops);
    runstate_init();
}
