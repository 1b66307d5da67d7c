/* The table of hypercalls, and the life of a domain's hypercall state. */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/domain_abi.h>
#include <hv/errno.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/mm.h>
#include <hv/page.h>
#include <hv/string.h>
#include <hv/xen_abi.h>

#include <asm/nospec.h>

#include "abi.h"

static const hypercall_t hypercalls[] = {
    [__HYPERVISOR_memory_op] = do_memory_op,
    [__HYPERVISOR_grant_table_op] = do_grant_table_op,
};

int64_t hypercall(struct vcpu *v, uint64_t nr, const uint64_t *args) {
    hypercall_t fn;

    if (nr >= ARRAY_SIZE(hypercalls))
        return -ENOSYS;
    fn = hypercalls[index_nospec(nr, ARRAY_SIZE(hypercalls))];
    return fn ? fn(v, args) : -ENOSYS;
}

int abi_own_domain(struct domain *d, hv_domid_t domid) {
    if (likely(domid == DOMID_SELF || domid == d->id))
        return 0;
    return domain_by_id(domid) ? -EPERM : -ESRCH;
}

int abi_read_own(struct domain *d, void *op, vaddr_t arg, size_t n, size_t domid_at) {
    hv_domid_t domid;

    if (copy_from_guest(op, arg, n))
        return -EFAULT;
    memcpy(&domid, (const char *)op + domid_at, sizeof(domid));
    return abi_own_domain(d, domid);
}

bool abi_must_stop(struct vcpu *v) {
    return READ_ONCE(v->work) & VCPU_WORK_STOP;
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
    rc = xenheap_share(abi->shared_info, &d->pages);
    if (rc)
        goto free_page;
    rc = grant_frames_init(d);
    if (!rc)
        return 0;
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
    grant_frames_destroy(d);
    xenheap_unshare(d->abi->shared_info);
}

static void abi_free(struct domain *d) {
    hv_free(d->abi);
    d->abi = NULL;
}

static void abi_die(struct domain *d) {
    (void)d;
}

static unsigned abi_audit(struct domain *d) {
    (void)d;
    return 0;
}

void abi_init(void) {
    static const struct domain_abi_ops ops = {.create = abi_create,
                                              .die = abi_die,
                                              .destroy = abi_destroy,
                                              .free = abi_free,
                                              .audit = abi_audit};

    domain_set_abi_ops(&ops);
}
