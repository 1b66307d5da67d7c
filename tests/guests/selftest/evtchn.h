/* Event channels in short, for tests. */
#ifndef EVTCHN_H
#define EVTCHN_H

#include "physmap.h"

#include <xen/event_channel.h>
#include <xen/vcpu.h>

#define PPI_UPCALL 31

static inline int64_t evtchn_op(unsigned cmd, void *arg) {
    return xen_call(__HYPERVISOR_event_channel_op, cmd, (uint64_t)arg, 0);
}

#define shared ((volatile struct shared_info *)word_at(HOLE_GFN(64)))

/* Where this CPU's flags are: the shared info's, or the place registered for it (for good). */
extern struct vcpu_info vcpu_infos[MAX_CPUS];
extern bool registered[MAX_CPUS];
static inline volatile struct vcpu_info *info_of(unsigned cpu) {
    return registered[cpu] ? &vcpu_infos[cpu] : &shared->vcpu_info[0];
}
static inline int64_t register_info(unsigned cpu) {
    struct vcpu_register_vcpu_info op = {.mfn = (uint64_t)&vcpu_infos[cpu] >> 12,
                                         .offset = (uint64_t)&vcpu_infos[cpu] & 4095};

    return xen_call(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, cpu, (uint64_t)&op);
}

/* No ports, no bits, 2-level ABI, the shared info mapped, the upcall enabled and not pending. */
void events_begin(void);
/* The shared info mapped nowhere, and no ports. */
void events_end(void);

/* One port, or a negative error. */
static inline int64_t new_unbound(unsigned remote) {
    struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = (domid_t)remote};
    int64_t rc = evtchn_op(EVTCHNOP_alloc_unbound, &op);

    return rc ? rc : (int64_t)op.port;
}
static inline int64_t new_bound(unsigned remote, uint32_t port) {
    struct evtchn_bind_interdomain op = {.remote_dom = (domid_t)remote, .remote_port = port};
    int64_t rc = evtchn_op(EVTCHNOP_bind_interdomain, &op);

    return rc ? rc : (int64_t)op.local_port;
}
static inline int64_t new_ipi(uint32_t vcpu) {
    struct evtchn_bind_ipi op = {.vcpu = vcpu};
    int64_t rc = evtchn_op(EVTCHNOP_bind_ipi, &op);

    return rc ? rc : (int64_t)op.port;
}
static inline int64_t new_virq(uint32_t virq, uint32_t vcpu) {
    struct evtchn_bind_virq op = {.virq = virq, .vcpu = vcpu};
    int64_t rc = evtchn_op(EVTCHNOP_bind_virq, &op);

    return rc ? rc : (int64_t)op.port;
}
static inline int64_t send(int64_t port) {
    struct evtchn_send op = {.port = (uint32_t)port};

    return evtchn_op(EVTCHNOP_send, &op);
}
static inline int64_t close(int64_t port) {
    struct evtchn_close op = {.port = (uint32_t)port};

    return evtchn_op(EVTCHNOP_close, &op);
}
static inline int64_t unmask(int64_t port) {
    struct evtchn_unmask op = {.port = (uint32_t)port};

    return evtchn_op(EVTCHNOP_unmask, &op);
}
static inline int64_t to_vcpu(int64_t port, uint32_t vcpu) {
    struct evtchn_bind_vcpu op = {.port = (uint32_t)port, .vcpu = vcpu};

    return evtchn_op(EVTCHNOP_bind_vcpu, &op);
}
static inline int64_t reset_events(void) {
    struct evtchn_reset op = {.dom = DOMID_SELF};

    return evtchn_op(EVTCHNOP_reset, &op);
}
static inline struct evtchn_status status_of(int64_t port) {
    struct evtchn_status op = {.dom = DOMID_SELF, .port = (uint32_t)port};

    EQ(evtchn_op(EVTCHNOP_status, &op), 0);
    return op;
}

/* 2-level bits. */
static inline bool pending(int64_t port) {
    return shared->evtchn_pending[port / 64] >> port % 64 & 1;
}
static inline void mask(int64_t port) {
    __atomic_fetch_or(&shared->evtchn_mask[port / 64], BIT(port % 64), __ATOMIC_SEQ_CST);
}
/* As a guest's handler does: the flag, then what it says. */
static inline void consume(int64_t port, unsigned cpu) {
    volatile struct vcpu_info *info = info_of(cpu);

    info->evtchn_upcall_pending = 0;
    dsb();
    __atomic_fetch_and(&info->evtchn_pending_sel, ~BIT(port / 64), __ATOMIC_SEQ_CST);
    __atomic_fetch_and(&shared->evtchn_pending[port / 64], ~BIT(port % 64), __ATOMIC_SEQ_CST);
}

#endif
