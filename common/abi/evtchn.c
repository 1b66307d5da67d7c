/* event_channel_op: what guests ask for, checked, and carried out on one port. */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/vcpu.h>

#include "evtchn.h"

/* The domain's own port with its lock held; NULL: no such port. */
static __force_inline struct evtchn *lock_port(struct domain *d, uint32_t port) {
    struct evtchn *e = evtchn_lookup(d, port);

    if (e)
        spin_lock(&e->lock);
    return e;
}

static bool vcpu_exists(const struct domain *d, uint32_t id) {
    return id < d->max_vcpus;
}

/* A new port's number goes to the guest; if it cannot, there is no new port. */
static int64_t tell(struct domain *d, vaddr_t arg, const void *op, size_t n, uint32_t port) {
    if (!copy_to_guest(arg, op, n))
        return 0;
    (void)evtchn_close(d, port);
    return -EFAULT;
}

/* e was made something, or not (rc): `port` of op is its number, for the guest. */
static int64_t finish(struct domain *d, struct evtchn *e, int rc, uint32_t *port, vaddr_t arg,
                      const void *op, size_t n) {
    if (rc) {
        evtchn_unused(d, e);
        return rc;
    }
    *port = e->port;
    return tell(d, arg, op, n, e->port);
}

/* ---- new ports ---- */

/*
 * Whom an operation is about, with a reference: the caller, or any domain if the caller is
 * privileged. What it says of another one holds only as long as that is not destroyed.
 */
static int read_target(struct domain *caller, void *op, vaddr_t arg, size_t n, size_t domid_at,
                       struct domain **d) {
    int rc = abi_read_own(caller, op, arg, n, domid_at);

    if (rc == -EPERM && caller->privileged) {
        *d = domain_get(*(const hv_domid_t *)((const char *)op + domid_at));
        return *d ? 0 : -ESRCH;
    }
    if (!rc) {
        domain_hold(caller);
        *d = caller;
    }
    return rc;
}

static int64_t alloc_unbound(struct vcpu *v, vaddr_t arg) {
    struct evtchn_alloc_unbound op;
    struct domain *d;
    int64_t rc = read_target(v->domain, &op, arg, sizeof(op), offsetof(__typeof__(op), dom), &d);

    if (rc)
        return rc;
    rc = evtchn_alloc_unbound(d, op.remote_dom == DOMID_SELF ? v->domain->id : op.remote_dom,
                              &op.port);
    if (!rc)
        rc = tell(d, arg, &op, sizeof(op), op.port);
    domain_put(d);
    return rc;
}

static int64_t bind_interdomain(struct vcpu *v, vaddr_t arg) {
    struct domain *d = v->domain;
    struct evtchn_bind_interdomain op;
    struct evtchn *e;
    int rc;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    rc = evtchn_alloc(d, &e);
    if (rc)
        return rc;
    rc = evtchn_bind(d, e, op.remote_dom == DOMID_SELF ? d->id : op.remote_dom, op.remote_port);
    return finish(d, e, rc, &op.local_port, arg, &op, sizeof(op));
}

/* The port becomes the vCPU's one for this VIRQ. */
static int claim_virq(struct domain *d, struct evtchn *e, uint32_t virq, uint32_t vcpu) {
    uint32_t *slot = &d->abi->events.vcpu[vcpu].virq_port[virq], none = 0;
    int rc = -EEXIST;

    spin_lock(&e->lock);
    if (__atomic_compare_exchange_n(slot, &none, e->port, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_RELAXED)) {
        e->u.virq = virq;
        e->vcpu = (uint8_t)vcpu;
        e->state = EVTCHN_VIRQ;
        rc = 0;
    }
    spin_unlock(&e->lock);
    return rc;
}

static int64_t bind_virq(struct vcpu *v, vaddr_t arg) {
    struct domain *d = v->domain;
    struct evtchn_bind_virq op;
    uint32_t virq, vcpu;
    struct evtchn *e;
    int rc;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.virq >= NR_VIRQS || (evtchn_virq_is_global(op.virq) && op.vcpu))
        return -EINVAL;
    if (!vcpu_exists(d, op.vcpu))
        return -ENOENT;
    virq = (uint32_t)index_nospec(op.virq, NR_VIRQS);
    vcpu = (uint32_t)index_nospec(op.vcpu, d->max_vcpus);
    rc = evtchn_alloc(d, &e);
    if (rc)
        return rc;
    rc = claim_virq(d, e, virq, vcpu);
    return finish(d, e, rc, &op.port, arg, &op, sizeof(op));
}

static int64_t bind_ipi(struct vcpu *v, vaddr_t arg) {
    struct domain *d = v->domain;
    struct evtchn_bind_ipi op;
    struct evtchn *e;
    int rc;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    if (!vcpu_exists(d, op.vcpu))
        return -ENOENT;
    rc = evtchn_alloc(d, &e);
    if (rc)
        return rc;
    spin_lock(&e->lock);
    e->vcpu = (uint8_t)op.vcpu;
    e->state = EVTCHN_IPI;
    spin_unlock(&e->lock);
    return finish(d, e, 0, &op.port, arg, &op, sizeof(op));
}

/* ---- ports that are there ---- */

/* Gives the lock up, and calls Holdfast's end. */
static __noinline int64_t send_internal(struct domain *d, struct evtchn *e) {
    void (*fn)(struct domain * d, void *arg) = e->u.internal.fn;
    void *arg = e->u.internal.arg;

    spin_unlock(&e->lock);
    fn(d, arg);
    return 0;
}

static __force_inline int64_t send(struct vcpu *v, vaddr_t arg) {
    struct domain *d = v->domain;
    struct evtchn *e;
    int64_t port = read_u32_from_guest(v, arg);
    int rc = 0;

    _Static_assert(sizeof(struct evtchn_send) == 4, "nothing but a port");
    if (unlikely(port < 0))
        return port;
    e = lock_port(d, (uint32_t)port);
    if (unlikely(!e))
        return -EINVAL;
    if (likely(e->state == EVTCHN_INTERDOMAIN))
        evtchn_set_pending(e->u.remote.domain, e->u.remote.port);
    else if (e->state == EVTCHN_IPI)
        evtchn_set_pending(d, e);
    else if (e->state == EVTCHN_INTERNAL)
        return send_internal(d, e);
    else if (e->state != EVTCHN_UNBOUND) /* nobody hears that one */
        rc = -EINVAL;
    spin_unlock(&e->lock);
    return rc;
}

static void describe(const struct evtchn *e, struct evtchn_status *op) {
    op->vcpu = e->vcpu;
    switch (e->state) {
    case EVTCHN_UNBOUND:
        op->status = EVTCHNSTAT_unbound;
        op->u.unbound.dom = e->u.unbound;
        break;
    case EVTCHN_INTERDOMAIN:
        op->status = EVTCHNSTAT_interdomain;
        op->u.interdomain.dom = e->u.remote.domain->id;
        op->u.interdomain.port = e->u.remote.port->port;
        break;
    case EVTCHN_INTERNAL:
        op->status = EVTCHNSTAT_interdomain;
        op->u.interdomain.dom = e->u.internal.remote;
        op->u.interdomain.port = 0;
        break;
    case EVTCHN_VIRQ:
        op->status = EVTCHNSTAT_virq;
        op->u.virq = e->u.virq;
        break;
    case EVTCHN_IPI:
        op->status = EVTCHNSTAT_ipi;
        break;
    default:
        op->status = EVTCHNSTAT_closed;
    }
}

static int64_t status(struct vcpu *v, vaddr_t arg) {
    struct evtchn_status op;
    struct evtchn *e = NULL;
    struct domain *d;
    int rc = read_target(v->domain, &op, arg, sizeof(op), offsetof(__typeof__(op), dom), &d);

    if (rc)
        return rc;
    if (evtchn_lock_alive(d)) {
        e = lock_port(d, op.port);
        if (e) {
            describe(e, &op);
            spin_unlock(&e->lock);
        }
        evtchn_unlock_alive();
    }
    domain_put(d);
    return e ? copy_to_guest(arg, &op, sizeof(op)) : -EINVAL;
}

/* A VIRQ of one vCPU and an IPI are bound to theirs for good. */
static int64_t bind_vcpu(struct vcpu *v, vaddr_t arg) {
    struct domain *d = v->domain;
    struct evtchn_bind_vcpu op;
    struct evtchn *e;
    int rc = 0;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    if (!vcpu_exists(d, op.vcpu))
        return -ENOENT;
    e = lock_port(d, op.port);
    if (!e)
        return -EINVAL;
    if (e->state == EVTCHN_FREE || e->state == EVTCHN_IPI ||
        (e->state == EVTCHN_VIRQ && !evtchn_virq_is_global(e->u.virq)))
        rc = -EINVAL;
    else
        WRITE_ONCE(e->vcpu, (uint8_t)index_nospec(op.vcpu, d->max_vcpus));
    spin_unlock(&e->lock);
    return rc;
}

static int64_t unmask(struct vcpu *v, vaddr_t arg) {
    struct domain *d = v->domain;
    struct evtchn_unmask op;
    struct evtchn *e;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    e = lock_port(d, op.port);
    if (!e)
        return -EINVAL;
    if (e->state != EVTCHN_FREE)
        evtchn_unmask_port(d, e);
    spin_unlock(&e->lock);
    return 0;
}

static int64_t close(struct vcpu *v, vaddr_t arg) {
    struct evtchn_close op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    return evtchn_close(v->domain, op.port);
}

/* All ports of the guest's making go, and the domain is back at the 2-level ABI. */
static int64_t reset(struct vcpu *v, vaddr_t arg) {
    struct evtchn_reset op;
    struct domain *d;
    int rc = read_target(v->domain, &op, arg, sizeof(op), offsetof(__typeof__(op), dom), &d);

    if (rc)
        return rc;
    if (events_change_begin(v, d)) {
        for (uint32_t port = 1; port < READ_ONCE(d->abi->events.nr_ports) && !abi_must_stop(v);
             port++) {
            (void)evtchn_close(d, port); /* -EINVAL: there is none, or it stays */
            preempt_point();
        }
        if (!abi_must_stop(v)) /* d may be another one, with ports that are open still */
            fifo_leave(d);
        events_change_end(d);
    } else {
        rc = -EAGAIN;
    }
    domain_put(d);
    return rc;
}

/* ---- FIFO: event_fifo.c ---- */

static int64_t init_control(struct vcpu *v, vaddr_t arg) {
    struct evtchn_init_control op;
    int64_t rc;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    rc = evtchn_init_control(v, &op);
    return rc ? rc : copy_to_guest(arg, &op, sizeof(op));
}

static int64_t expand_array(struct vcpu *v, vaddr_t arg) {
    struct evtchn_expand_array op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    return evtchn_expand_array(v, &op);
}

static int64_t set_priority(struct vcpu *v, vaddr_t arg) {
    struct evtchn_set_priority op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    return evtchn_set_priority(v, &op);
}

int64_t do_event_channel_op(struct vcpu *v, const uint64_t *args) {
    static int64_t (*const ops[])(struct vcpu * v, vaddr_t arg) = {
        [EVTCHNOP_bind_interdomain] = bind_interdomain,
        [EVTCHNOP_bind_virq] = bind_virq,
        [EVTCHNOP_close] = close,
        [EVTCHNOP_status] = status,
        [EVTCHNOP_alloc_unbound] = alloc_unbound,
        [EVTCHNOP_bind_ipi] = bind_ipi,
        [EVTCHNOP_bind_vcpu] = bind_vcpu,
        [EVTCHNOP_unmask] = unmask,
        [EVTCHNOP_reset] = reset,
        [EVTCHNOP_init_control] = init_control,
        [EVTCHNOP_expand_array] = expand_array,
        [EVTCHNOP_set_priority] = set_priority,
    };
    uint32_t cmd = (uint32_t)args[0];

    if (likely(cmd == EVTCHNOP_send))
        return send(v, (vaddr_t)args[1]);
    if (cmd >= ARRAY_SIZE(ops))
        return -ENOSYS;
    cmd = (uint32_t)index_nospec(cmd, ARRAY_SIZE(ops));
    return ops[cmd] ? ops[cmd](v, (vaddr_t)args[1]) : -ENOSYS;
}
