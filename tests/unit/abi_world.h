/*
 * Domains with all of the hypercall layer over the real memory core, for tests that call
 * hypercall() as a guest does: arguments lie in the guest's memory, which is reached through the
 * real guest_copy and the domain's own P2M. The guest runs with its MMU off. What the layer calls
 * sideways (scheduler, vGIC, console) is answered here.
 */
#ifndef ABI_WORLD_H
#define ABI_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hv/guest_map.h>

#include <hv/bits.h>
#include <hv/cmdline.h>
#include <hv/domain.h>
#include <hv/domain_abi.h>
#include <hv/domain_mmio.h>
#include <hv/errno.h>
#include <hv/events.h>
#include <hv/guest_console.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/policy.h>
#include <hv/xen_abi.h>

#include <asm/features.h>
#include <asm/guest_translate.h>

#include "../../common/abi/abi.h"
#include "../../common/mm/p2m_internal.h"
#include "../fake/host_string.h"
#include "../fake/mm_world.h"

#define BASE GB(1)
#define RAM_SIZE MB(24)
#define NR_DOMS 3u
#define NR_VCPUS 2u
#define POOL 24u
#define FIRST_GFN 0x40000ULL
#define NR_RAM 16u /* writable pages of each domain at FIRST_GFN; then one that is not */
#define MAX_PAGES 60u
#define GUEST(page) ((FIRST_GFN + (page)) << PAGE_SHIFT)
#define READ_ONLY GUEST(NR_RAM)
#define ARG GUEST(1) /* where a test has its arguments */
#define LIST GUEST(2)
#define NOWHERE (1ULL << 43)

struct cpu_features cpu_features = {.pa_range_bits = 44, .vmid16 = true};
struct vcpu *current_vcpu;
uint64_t timer_hz = 1000000000;

static struct domain *dom[NR_DOMS]; /* number n has id n + 1 */
static const struct domain_abi_ops *ops;
static void (*publish)(struct vcpu *v);
static unsigned shells;      /* domains not freed */
static uint64_t now;         /* ticks */
static unsigned fail_zalloc; /* so many from now: the one that fails; 0: none */
static unsigned fail_access; /* so many from now: it and all that follow fail; 0: none */
static mfn_t given_mmio;     /* the one device frame that domains have */

static struct {
    unsigned blocked, yielded, preempted, paused, woken, unmasked, upcalls, retried, allocations;
    int shutdown, latched; /* reason, or -1 */
    const char *crash;
    char text[512]; /* written to the console */
    size_t text_len;
    struct console_port *port; /* that wrote it */
} seen;
static void (*while_blocked)(struct vcpu *v); /* what others do meanwhile */
static void (*while_preempted)(void);
static void (*while_yielding)(void);
static void (*while_copying)(void); /* with the lock of its P2M */

static void forget(void) {
    memset(&seen, 0, sizeof(seen));
    seen.shutdown = seen.latched = -1;
    messages = 0;
}

/* ---- memory ---- */

int hyp_map(vaddr_t va, paddr_t pa, uint64_t size, enum hyp_prot prot) {
    (void)va, (void)pa, (void)size, (void)prot;
    return 0;
}
void *memremap(paddr_t pa, uint64_t size, enum hyp_prot prot) {
    (void)pa, (void)size, (void)prot;
    fail(); /* all RAM is in the direct map */
    return NULL;
}
void iounmap(volatile void *va, uint64_t size) {
    (void)va, (void)size;
    fail();
}
paddr_t hyp_lookup(vaddr_t va) {
    (void)va;
    fail();
    return INVALID_PADDR;
}
void *hv_zalloc(size_t size) {
    if (fail_zalloc && !--fail_zalloc)
        return NULL;
    seen.allocations++;
    return calloc(1, size ? size : 1);
}
void hv_free(void *p) {
    free(p);
}

/* By the P2M of the current vCPU, which its TLB remembers. */
enum guest_memory guest_translate(vaddr_t va, bool write, paddr_t *pa) {
    struct p2m *p2m = &current->domain->p2m;
    unsigned level;
    pte_t e = pt_lookup(&p2m->pt, va, &level);

    assert_true(rw_is_held(&p2m->lock));
    if (while_copying)
        while_copying();
    if (fail_access && !--fail_access) {
        fail_access = 1;
        return GUEST_NOTHING;
    }
    if (!pte_is_valid(e) || !(e & (write ? S2_WRITE : S2_READ)))
        return GUEST_NOTHING;
    tlb_touch(p2m, va >> PAGE_SHIFT);
    *pa = paddr(pte_addr(e) | (va & ((1ULL << pt_level_shift(level)) - 1)));
    return p2m_pte_type(e) == P2M_MMIO_DIRECT ? GUEST_DEVICE : GUEST_NORMAL;
}

/* ---- what the layer calls sideways ---- */

uint64_t cmdline_size(const char *name, uint64_t def) {
    (void)name;
    return def;
}
void domain_set_abi_ops(const struct domain_abi_ops *o) {
    ops = o;
}
void sched_set_publish(void (*fn)(struct vcpu *v)) {
    publish = fn;
}
bool domain_owns_mmio(const struct domain *d, mfn_t m) {
    (void)d;
    return mfn_eq(m, given_mmio);
}
struct domain *domain_by_id(hv_domid_t id) {
    return id && id <= NR_DOMS ? dom[id - 1] : NULL;
}
struct domain *domain_get(hv_domid_t id) {
    struct domain *d = domain_by_id(id);

    if (d)
        domain_hold(d);
    return d;
}
void domain_put(struct domain *d) {
    assert_true(d->refs > 0);
    if (--d->refs)
        return;
    if (d->abi)
        ops->free(d);
    for (unsigned i = 0; i < NR_VCPUS; i++)
        free(d->vcpus[i]);
    free(d->vcpus);
    free(d);
    shells--;
}
void domain_log(struct domain *d, const char *fmt, ...) {
    (void)d, (void)fmt;
    messages++;
}
/* It is the end of this hypercall, too. */
static void stop_vcpus(struct domain *d) {
    for (unsigned i = 0; i < NR_VCPUS; i++)
        d->vcpus[i]->work |= VCPU_WORK_STOP;
}
void domain_crash(struct domain *d, const char *fmt, ...) {
    seen.crash = fmt;
    stop_vcpus(d);
}
void domain_shutdown(struct domain *d, enum shutdown_reason reason) {
    seen.shutdown = (int)reason;
    stop_vcpus(d);
}
void domain_latch_reason(struct domain *d, enum shutdown_reason reason) {
    (void)d;
    seen.latched = (int)reason;
}

void preempt_point(void) {
    world_check_locks();
    assert_int_equal(fake_windows, 0);
    seen.preempted++;
    if (while_preempted)
        while_preempted();
}
void vcpu_pause_self(void) {
    world_check_locks();
    seen.paused++;
    if (current)
        current->work &= ~VCPU_WORK_PAUSE;
}
void vcpu_yield(void) {
    world_check_locks();
    seen.yielded++;
    if (while_yielding)
        while_yielding();
}
void vcpu_wake(struct vcpu *v) {
    (void)v;
    seen.woken++;
}
void vcpu_unmask_interrupts(struct vcpu *v) {
    (void)v;
    seen.unmasked++;
}
void vcpu_get_times(struct vcpu *v, struct vcpu_times *t) {
    *t = v->times;
}
bool vgic_has_pending(const struct vcpu *v) {
    (void)v;
    return false;
}
void vgic_inject_edge(struct domain *d, struct vcpu *v, unsigned intid) {
    (void)d, (void)v;
    assert_int_equal(intid, GUEST_EVTCHN_PPI);
    seen.upcalls++;
}

/* Timers do not run by themselves: the vCPU that sleeps longest is woken by its own. */
static struct timer *armed;

uint64_t time_ticks(void) {
    return now;
}
uint64_t ns_to_ticks(uint64_t ns) {
    return ns;
}
uint64_t ticks_to_ns(uint64_t ticks) {
    return ticks;
}
void timer_init(struct timer *t, void (*fn)(void *), void *arg) {
    *t = (struct timer){.fn = fn, .arg = arg};
}
void timer_set(struct timer *t, uint64_t expires) {
    t->expires = expires;
    armed = t;
}
void timer_stop(struct timer *t) {
    if (armed == t)
        armed = NULL;
}
void vcpu_block(void) {
    world_check_locks();
    seen.blocked++;
    if (while_blocked)
        while_blocked(current);
    else if (armed)
        armed->fn(armed->arg);
    else
        stop_vcpus(current->domain); /* it would sleep for ever */
}

void console_add_port(struct console_port *port) {
    seen.port = port;
}
void console_remove_port(struct console_port *port) {
    (void)port;
}
void console_retry(struct console_port *port) {
    (void)port;
    seen.retried++;
}
void guest_console_write(struct console_port *port, const char *s, size_t n) {
    world_check_locks();
    seen.port = port;
    for (size_t i = 0; i < n; i++)
        seen.text[seen.text_len++ % sizeof(seen.text)] = s[i];
}
/* ---- life ---- */

static void last_page(struct domain_pages *p) {
    domain_put((struct domain *)p);
}

static void end_of_memory(struct domain *d) {
    d->pages.dying = d->p2m.dying = true;
    while (p2m_relinquish(&d->p2m))
        ;
    if (d->abi)
        ops->destroy(d);
    p2m_destroy(&d->p2m);
    domain_hold(d);
    if (!domain_pages_orphan(&d->pages, last_page))
        domain_put(d);
    domain_put(d);
}

/* A domain without the layer's state. */
static struct domain *world_shell(unsigned n) {
    struct domain *d = calloc(1, sizeof(*d));

    d->id = (hv_domid_t)(n + 1);
    d->refs = 1;
    d->state = DOMAIN_BUILDING; /* the audit is exact */
    snprintf(d->name, sizeof(d->name), "dom%u", n + 1);
    d->max_vcpus = NR_VCPUS;
    d->max_evtchn_port = 1023;
    d->max_grant_version = 2;
    d->max_grant_frames = 4;
    d->max_maptrack_frames = 1;
    d->vcpus = calloc(NR_VCPUS, sizeof(*d->vcpus));
    for (unsigned i = 0; i < NR_VCPUS; i++) {
        d->vcpus[i] = calloc(1, sizeof(struct vcpu));
        d->vcpus[i]->id = i;
        d->vcpus[i]->domain = d;
    }
    domain_pages_init(&d->pages, d->id, MAX_PAGES);
    assert_int_equal(p2m_init(&d->p2m, d, POOL), 0);
    shells++;
    return d;
}

/* False when the layer finds no memory; then nothing is left. */
static bool world_open(struct domain *d) {
    if (ops->create(d)) {
        assert_null(d->abi);
        end_of_memory(d);
        return false;
    }
    dom[d->id - 1] = d;
    ops->start(d);
    return true;
}

/* With RAM, and a page behind it that cannot be written. */
static inline struct domain *world_guest(unsigned n) {
    struct domain *d = world_shell(n);
    struct page_info *page;

    assert_true(world_open(d));
    assert_int_equal(p2m_populate(&d->p2m, gfn(FIRST_GFN), NR_RAM), 0);
    page = heap_alloc(0);
    memset(page_to_virt(page), 0, PAGE_SIZE);
    assert_int_equal(domain_assign_pages(&d->pages, page, 0), 0);
    assert_int_equal(p2m_map(&d->p2m, gfn(FIRST_GFN + NR_RAM), page_to_mfn(page), 0, P2M_RAM_RO),
                     0);
    return d;
}

/* As domain_destroy(). */
static void world_kill(unsigned n) {
    struct domain *d = dom[n];

    dom[n] = NULL;
    ops->die(d);
    end_of_memory(d);
}

static void world_start(void) {
    world_boot(BASE, RAM_SIZE);
    p2m_global_init();
    abi_init();
}

/* What holds between two hypercalls, whatever they were. */
static void world_check(void) {
    world_check_locks();
    assert_int_equal(fake_windows, 0);
    for (unsigned n = 0; n < NR_DOMS; n++) {
        if (!dom[n])
            continue;
        assert_int_equal(p2m_audit(&dom[n]->p2m), 0);
        assert_int_equal(ops->audit(dom[n]), 0);
        assert_int_equal(tlb_count_stale(&dom[n]->p2m), 0);
    }
}

/* ---- as the guest ---- */

static inline void *ram(struct domain *d, vaddr_t va) {
    mfn_t m = p2m_lookup(&d->p2m, gfn(va >> PAGE_SHIFT), NULL, NULL);

    assert_false(mfn_eq(m, INVALID_MFN));
    return (char *)fake_at(mfn_to_paddr(m)) + (va & (PAGE_SIZE - 1));
}

static int64_t call_by(struct vcpu *v, uint64_t nr, uint64_t a, uint64_t b, uint64_t c) {
    uint64_t args[HYPERCALL_ARGS] = {a, b, c};
    int64_t rc;

    current_vcpu = v;
    rc = hypercall(v, args, nr);
    world_check_locks();
    return rc;
}
static inline int64_t call(struct domain *d, uint64_t nr, uint64_t a, uint64_t b, uint64_t c) {
    return call_by(d->vcpus[0], nr, a, b, c);
}

/* ---- tests: each has domain 1 as `d` ---- */

static struct domain *d;

static inline int start(void **state) {
    (void)state;
    forget();
    d = world_guest(0);
    return 0;
}

/* Whatever a test did, the domains' end gives all of it back. */
static inline int end(void **state) {
    static uint64_t free_before;

    (void)state;
    fail_zalloc = fail_access = 0;
    while_blocked = NULL;
    while_preempted = NULL;
    while_yielding = NULL;
    while_copying = NULL;
    world_check();
    for (unsigned n = 0; n < NR_DOMS; n++)
        if (dom[n])
            world_kill(n);
    assert_int_equal(shells, 0);
    if (free_before)
        assert_int_equal(heap_free_pages(), free_before);
    free_before = heap_free_pages();
    return 0;
}

/* All but so many pages of the heap are taken. */
static inline void hoard(struct page_list *l, uint64_t left) {
    struct page_info *p;

    while (heap_free_pages() > left && (p = heap_alloc(0)))
        page_list_push(l, p);
}
static inline void spend(struct page_list *l) {
    struct page_info *p;

    while ((p = page_list_pop(l)))
        heap_free(p, 0);
}

#endif
