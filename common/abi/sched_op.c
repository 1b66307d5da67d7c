/* sched_op: a vCPU gives its CPU away, waits, or ends its domain; and the domain's watchdogs. */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/events.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/printk.h>
#include <hv/xen_abi.h>

#include <asm/nospec.h>

#include <xen/sched.h>

#include "abi.h"

_Static_assert(SHUT_POWEROFF == SHUTDOWN_poweroff && SHUT_REBOOT == SHUTDOWN_reboot &&
                   SHUT_SUSPEND == SHUTDOWN_suspend && SHUT_CRASH == SHUTDOWN_crash &&
                   SHUT_WATCHDOG == SHUTDOWN_watchdog && SHUT_SOFT_RESET == SHUTDOWN_soft_reset,
               "reasons are passed on as they come");

#define POLL_PORTS_MAX 128u /* as Xen's */

/* A vCPU that polls, on its own stack. */
struct poll {
    struct vcpu *v;
    struct timer timer;
    bool over;
};

/* ---- the end ---- */

/* Xen keeps eight bits. What nobody has a meaning for is no orderly end. */
static int read_reason(struct domain *d, vaddr_t arg, enum shutdown_reason *reason) {
    struct sched_shutdown op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    op.reason &= 0xff;
    if (op.reason > SHUTDOWN_MAX) {
        domain_log(d, "shuts down for reason %u, which is not known", op.reason);
        op.reason = SHUTDOWN_crash;
    }
    *reason = (enum shutdown_reason)op.reason;
    return 0;
}

/* The vCPU ends when it would return to its guest. */
static int64_t op_shutdown(struct vcpu *v, vaddr_t arg) {
    enum shutdown_reason reason;
    int rc = read_reason(v->domain, arg, &reason);

    if (!rc)
        domain_shutdown(v->domain, reason);
    return rc;
}

static int64_t op_shutdown_code(struct vcpu *v, vaddr_t arg) {
    enum shutdown_reason reason;
    int rc = read_reason(v->domain, arg, &reason);

    if (!rc)
        domain_latch_reason(v->domain, reason);
    return rc;
}

/* A toolstack's: to end a domain from outside needs a right over it, even over oneself. */
static int64_t op_remote_shutdown(vaddr_t arg) {
    struct sched_remote_shutdown op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    return domain_by_id(op.domain_id) ? -EPERM : -ESRCH;
}

/* ---- watchdogs ---- */

static void watchdog_fired(void *arg) {
    struct domain *d = arg;

    printk("d%u: %s: a watchdog of the domain fired\n", d->id, d->name);
    domain_shutdown(d, SHUT_WATCHDOG);
}

void watchdogs_init(struct domain *d) {
    spin_lock_init(&d->abi->watchdog_lock, RANK_DOMAIN, "watchdog");
    for (unsigned i = 0; i < NR_WATCHDOGS; i++)
        timer_init(&d->abi->watchdog[i].timer, watchdog_fired, d);
}

void watchdogs_stop(struct domain *d) {
    for (unsigned i = 0; i < NR_WATCHDOGS; i++)
        timer_stop(&d->abi->watchdog[i].timer);
}

static void arm(struct watchdog *w, uint32_t seconds) {
    w->used = true;
    timer_set(&w->timer, time_ticks() + seconds * timer_hz);
}

/* id 0 asks for a free one and gets its number; timeout 0 gives one back. */
static int64_t set_watchdog_locked(struct domain_abi *abi, const struct sched_watchdog *op) {
    struct watchdog *w;

    for (unsigned i = 0; !op->id && i < NR_WATCHDOGS; i++) {
        if (!abi->watchdog[i].used) {
            arm(&abi->watchdog[i], op->timeout);
            return i + 1;
        }
    }
    if (!op->id)
        return -ENOSPC;
    w = &abi->watchdog[index_nospec(op->id - 1, NR_WATCHDOGS)];
    if (!w->used)
        return -EINVAL;
    if (op->timeout) {
        arm(w, op->timeout);
    } else {
        timer_stop(&w->timer);
        w->used = false;
    }
    return 0;
}

static int64_t op_watchdog(struct vcpu *v, vaddr_t arg) {
    struct domain_abi *abi = v->domain->abi;
    struct sched_watchdog op;
    int64_t rc;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.id > NR_WATCHDOGS)
        return -EINVAL;
    spin_lock(&abi->watchdog_lock);
    rc = set_watchdog_locked(abi, &op);
    spin_unlock(&abi->watchdog_lock);
    return rc;
}

/* ---- waiting ---- */

static int64_t op_yield(void) {
    vcpu_yield();
    return 0;
}

/* The upcall is an interrupt on Arm, so unmasking upcalls and waiting is unmasking interrupts. */
static int64_t op_block(struct vcpu *v) {
    vcpu_unmask_interrupts(v);
    if (!evtchn_upcall_pending(v))
        vcpu_block();
    return 0;
}

/* 1 pending, 0 none is, or -errno. The list is read anew each time, a few ports at once. */
static int any_pending(struct vcpu *v, vaddr_t ports, uint32_t nr) {
    evtchn_port_t port[16];

    for (uint32_t i = 0; i < nr; i++) {
        unsigned at = i % ARRAY_SIZE(port);
        int rc;

        if (!at && copy_from_guest(port, ports + i * sizeof(port[0]),
                                   MIN(nr - i, ARRAY_SIZE(port)) * sizeof(port[0])))
            return -EFAULT;
        rc = evtchn_is_pending(v->domain, port[at]);
        if (rc)
            return rc;
    }
    return 0;
}

static void poll_timeout(void *arg) {
    struct poll *p = arg;

    WRITE_ONCE(p->over, true);
    vcpu_wake(p->v);
}

static int64_t poll_ports(struct vcpu *v, const struct sched_poll *op) {
    struct poll p = {.v = v};
    int rc;

    timer_init(&p.timer, poll_timeout, &p);
    if (op->timeout)
        timer_set(&p.timer, ns_to_ticks(op->timeout));
    evtchn_poll_begin(v);
    for (;;) {
        rc = any_pending(v, (vaddr_t)op->ports.p, op->nr_ports);
        if (rc || READ_ONCE(p.over) || evtchn_upcall_pending(v) || vgic_has_pending(v) ||
            abi_must_stop(v))
            break;
        vcpu_block();
        vcpu_pause_self();
        preempt_point(); /* another vCPU of the guest may send without end: then it never sleeps */
    }
    evtchn_poll_end(v);
    timer_stop(&p.timer);
    return MIN(rc, 0);
}

static int64_t op_poll(struct vcpu *v, vaddr_t arg) {
    struct sched_poll op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.nr_ports > POLL_PORTS_MAX)
        return -EINVAL;
    return poll_ports(v, &op);
}

int64_t do_sched_op(struct vcpu *v, const uint64_t *args) {
    vaddr_t arg = (vaddr_t)args[1];

    switch ((uint32_t)args[0]) {
    case SCHEDOP_yield:
        return op_yield();
    case SCHEDOP_block:
        return op_block(v);
    case SCHEDOP_shutdown:
        return op_shutdown(v, arg);
    case SCHEDOP_poll:
        return op_poll(v, arg);
    case SCHEDOP_remote_shutdown:
        return op_remote_shutdown(arg);
    case SCHEDOP_shutdown_code:
        return op_shutdown_code(v, arg);
    case SCHEDOP_watchdog:
        return op_watchdog(v, arg);
    case SCHEDOP_pin_override: /* the hardware domain's */
        return -EPERM;
    default:
        return -ENOSYS;
    }
}
