/* SOURCES: common/abi/sched_op.c */
/* SCHEDOP_poll against a sibling that never lets its vCPU sleep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/events.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/xen_abi.h>

#include <xen/sched.h>

#include "../../common/abi/abi.h"

#define WAKES 10u

static struct domain_abi abi;
static struct domain dom = {.id = 1, .abi = &abi};
static struct vcpu vcpu = {.domain = &dom};
static unsigned blocked, preempted, polling;

uint64_t timer_hz = 1000000000;

/* Something was sent meanwhile, to a port nobody polls: it has not slept at all. */
void vcpu_pause_self(void) {
}
void vcpu_block(void) {
    assert_int_equal(polling, 1);
    blocked++;
    vcpu.work = blocked == WAKES ? VCPU_WORK_STOP : 0;
}
void preempt_point(void) {
    preempted++;
}
void evtchn_poll_begin(struct vcpu *v) {
    (void)v;
    polling++;
}
void evtchn_poll_end(struct vcpu *v) {
    (void)v;
    polling--;
}
int evtchn_is_pending(struct domain *d, uint32_t port) {
    (void)d;
    return port == 7 ? 1 : port == 8 ? -EINVAL : 0;
}
bool evtchn_upcall_pending(const struct vcpu *v) {
    (void)v;
    return false;
}
bool vgic_has_pending(const struct vcpu *v) {
    (void)v;
    return false;
}
int copy_from_guest(void *to, vaddr_t from, size_t n) {
    memcpy(to, (const void *)from, n);
    return 0;
}

/* Of no part in this. */
void timer_init(struct timer *t, void (*fn)(void *), void *arg) {
    (void)t, (void)fn, (void)arg;
}
void timer_set(struct timer *t, uint64_t expires) {
    (void)t, (void)expires;
}
void timer_stop(struct timer *t) {
    (void)t;
}
uint64_t ns_to_ticks(uint64_t ns) {
    return ns;
}
uint64_t time_ticks(void) {
    return 0;
}
void spin_lock_init(spinlock_t *l, enum lock_rank rank, const char *name) {
    (void)l, (void)rank, (void)name;
}
void spin_lock(spinlock_t *l) {
    (void)l;
}
void spin_unlock(spinlock_t *l) {
    (void)l;
}
void vcpu_wake(struct vcpu *v) {
    (void)v;
    fail();
}
void vcpu_yield(void) {
    fail();
}
void vcpu_unmask_interrupts(struct vcpu *v) {
    (void)v;
    fail();
}
void domain_shutdown(struct domain *d, enum shutdown_reason reason) {
    (void)d, (void)reason;
    fail();
}
void domain_latch_reason(struct domain *d, enum shutdown_reason reason) {
    (void)d, (void)reason;
    fail();
}
struct domain *domain_by_id(hv_domid_t id) {
    (void)id;
    return NULL;
}
void domain_log(struct domain *d, const char *fmt, ...) {
    (void)d, (void)fmt;
}
void printk(const char *fmt, ...) {
    (void)fmt;
}

static int64_t poll(uint32_t *ports, uint32_t nr) {
    struct sched_poll op = {.nr_ports = nr, .timeout = 1000};
    uint64_t args[HYPERCALL_ARGS] = {SCHEDOP_poll, (uintptr_t)&op};

    op.ports.p = (void *)ports;
    blocked = preempted = 0;
    vcpu.work = 0;
    return do_sched_op(&vcpu, args);
}

/* It keeps its CPU from interrupts and others for no longer than one look at the ports. */
static void woken_without_end(void **state) {
    uint32_t ports[128] = {1};

    (void)state;
    assert_int_equal(poll(ports, 128), 0);
    assert_int_equal(blocked, WAKES);
    assert_int_equal(preempted, WAKES);
    assert_int_equal(polling, 0);
}

static void ends_are_balanced(void **state) {
    uint32_t ports[2] = {1, 7};

    (void)state;
    assert_int_equal(poll(ports, 2), 0);
    assert_int_equal(blocked, 0);
    ports[1] = 8;
    assert_int_equal(poll(ports, 2), -EINVAL);
    assert_int_equal(poll(ports, 129), -EINVAL);
    assert_int_equal(polling, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(woken_without_end),
        cmocka_unit_test(ends_are_balanced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
