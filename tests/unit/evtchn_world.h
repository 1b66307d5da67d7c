/* Domains with event channels, for tests: their memory, locks that check ranks, allocations that
 * fail when asked to, and a record of the upcalls. */
#ifndef EVTCHN_WORLD_H
#define EVTCHN_WORLD_H

#include "captured_log.h"

#include <hv/guest_map.h>

#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/events.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/mapwin.h>
#include <hv/mm.h>
#include <hv/page.h>
#include <hv/policy.h>

#include "../../common/abi/evtchn.h"

#define NR_DOMS 3u
#define NR_VCPUS 2u
#define PAGES 16u /* of each domain; the last but one read-only, the last not there */
#define GFN_RO (PAGES - 2)
#define GFN_NONE (PAGES - 1)

static struct domain *doms[NR_DOMS + 1]; /* by number; NULL: none */
static bool upcall[NR_DOMS + 1][NR_VCPUS];
static unsigned crashes, notified;
static unsigned fail_alloc; /* so many allocations from now fails; 0: none */
static bool unwritable;     /* what guests give as their memory */

/* ---- locks ---- */

static enum lock_rank held[8];
static unsigned nr_held;
static unsigned bindings; /* how often the bind lock was taken */

void spin_lock_init(spinlock_t *l, enum lock_rank rank, const char *name) {
    *l = (spinlock_t){.rank = (uint16_t)rank, .name = name};
}
static void hold(spinlock_t *l, bool same) {
    assert_int_equal(l->cpu_plus1, 0);
    if (nr_held)
        assert_true(l->rank > held[nr_held - 1] || (same && l->rank == held[nr_held - 1]));
    l->cpu_plus1 = 1;
    held[nr_held++] = l->rank;
    bindings += l->rank == RANK_EVTCHN_BIND;
}
void spin_lock(spinlock_t *l) {
    hold(l, false);
}
void spin_unlock(spinlock_t *l) {
    assert_int_equal(l->cpu_plus1, 1);
    l->cpu_plus1 = 0;
    nr_held--;
}
bool spin_is_held(const spinlock_t *l) {
    return l->cpu_plus1;
}
void spin_lock_pair(spinlock_t *a, spinlock_t *b) {
    hold(a, false);
    if (a != b)
        hold(b, true);
}
void spin_unlock_pair(spinlock_t *a, spinlock_t *b) {
    spin_unlock(a);
    if (a != b)
        spin_unlock(b);
}
static unsigned preempted, yielded, paused;
static void (*while_yielding)(void);  /* what others do meanwhile */
static void (*while_preempted)(void); /* likewise; NULL: nothing */

void preempt_point(void) {
    assert_int_equal(nr_held, 0);
    preempted++;
    if (while_preempted)
        while_preempted();
}
void vcpu_yield(void) {
    assert_int_equal(nr_held, 0);
    assert_non_null(while_yielding); /* else nobody else changes anything */
    yielded++;
    while_yielding();
}

void vcpu_pause_self(void) {
    assert_int_equal(nr_held, 0);
    paused++;
}

/* ---- memory ---- */

uint8_t *fake_ram;
uint64_t fake_ram_base, fake_ram_size;
uint8_t *fake_frame_table, *fake_frame_table_end;

static void *ram_page(unsigned dom, uint64_t g) {
    return fake_ram + ((dom - 1) * PAGES + g) * PAGE_SIZE;
}

void *hv_zalloc(size_t size) {
    if (fail_alloc && !--fail_alloc)
        return NULL;
    return calloc(1, size);
}
void hv_free(void *p) {
    free(p);
}

/* None of the guests' memory is in the direct map: what is kept is mapped, and unmapped again. */
static unsigned kept;

void *memremap(paddr_t pa, uint64_t size, enum hyp_prot prot) {
    assert_int_equal(nr_held, 0);
    assert_int_equal(prot, HYP_RW);
    assert_in_range(pa.pa, 0, fake_ram_size - size);
    if (fail_alloc && !--fail_alloc)
        return NULL;
    kept++;
    return fake_ram + pa.pa;
}
void iounmap(volatile void *va, uint64_t size) {
    assert_int_equal(size, PAGE_SIZE);
    assert_int_equal(((uintptr_t)va - (uintptr_t)fake_ram) % PAGE_SIZE, 0);
    assert_true(kept);
    kept--;
}
paddr_t hyp_lookup(vaddr_t va) {
    return paddr(va - (uintptr_t)fake_ram);
}

struct page_info *p2m_get_page(struct p2m *p2m, gfn_t g, enum p2m_type *t) {
    const struct domain *d = (const void *)((const char *)p2m - offsetof(struct domain, p2m));
    unsigned i;

    assert_int_equal(nr_held, 0);
    if (g.gfn >= GFN_NONE)
        return NULL;
    *t = g.gfn == GFN_RO ? P2M_RAM_RO : P2M_RAM_RW;
    i = (d->id - 1u) * PAGES + (unsigned)g.gfn;
    mfn_to_page(mfn(i))->count_info++;
    return mfn_to_page(mfn(i));
}
void page_last_put(struct page_info *page) {
    (void)page;
    fail(); /* the domain has it still */
}
int copy_from_guest(void *to, vaddr_t from, size_t n) {
    memcpy(to, (const void *)from, n);
    return 0;
}
int64_t read_u32_from_guest(const struct vcpu *v, vaddr_t from) {
    uint32_t value;

    (void)v;
    return copy_from_guest(&value, from, sizeof(value)) ? -EFAULT : (int64_t)value;
}
int copy_to_guest(vaddr_t to, const void *from, size_t n) {
    if (unwritable)
        return -EFAULT;
    memcpy((void *)to, from, n);
    return 0;
}

/* ---- what else the code calls ---- */

struct domain *domain_by_id(hv_domid_t id) {
    return id && id <= NR_DOMS ? doms[id] : NULL;
}
struct domain *domain_get(hv_domid_t id) {
    struct domain *d = domain_by_id(id);

    if (d)
        domain_hold(d);
    return d;
}
void domain_put(struct domain *d) {
    assert_int_not_equal(d->refs, 0);
    d->refs--;
}
void domain_crash(struct domain *d, const char *fmt, ...) {
    (void)d, (void)fmt;
    crashes++;
}
void vgic_inject_edge(struct domain *d, struct vcpu *v, unsigned intid) {
    assert_int_equal(intid, GUEST_EVTCHN_PPI);
    assert_ptr_equal(v, d->vcpus[v->id]);
    upcall[d->id][v->id] = true;
}
void vcpu_wake(struct vcpu *v) {
    assert_true(v->polling);
    notified++;
}
int abi_read_own(struct domain *d, void *op, vaddr_t arg, size_t n, size_t domid_at) {
    hv_domid_t id;

    memcpy(op, (const void *)arg, n);
    memcpy(&id, (char *)op + domid_at, sizeof(id));
    if (id == DOMID_SELF || id == d->id)
        return 0;
    return domain_by_id(id) ? -EPERM : -ESRCH;
}

/* ---- life ---- */

static struct domain *dom_create(hv_domid_t id, uint32_t max_port) {
    struct domain *d = calloc(1, sizeof(*d));

    d->id = id;
    d->max_vcpus = NR_VCPUS;
    d->p2m.pt.addr_bits = 44;
    d->max_evtchn_port = max_port;
    d->vcpus = calloc(NR_VCPUS, sizeof(d->vcpus[0]));
    for (unsigned i = 0; i < NR_VCPUS; i++) {
        d->vcpus[i] = calloc(1, sizeof(struct vcpu));
        d->vcpus[i]->id = i;
        d->vcpus[i]->domain = d;
        upcall[id][i] = false;
    }
    d->abi = calloc(1, sizeof(*d->abi));
    d->abi->shared_info = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
    memset(d->abi->shared_info, 0, PAGE_SIZE);
    for (unsigned g = 0; g < PAGES; g++)
        memset(ram_page(id, g), 0, PAGE_SIZE);
    assert_int_equal(events_create(d), 0);
    doms[id] = d;
    events_start(d);
    return d;
}

static void dom_destroy(hv_domid_t id) {
    struct domain *d = doms[id];

    doms[id] = NULL;
    events_quiesce(d);
    events_destroy(d);
    assert_int_equal(d->refs, 0);
    for (unsigned i = 0; i < PAGES; i++)
        assert_int_equal(mfn_to_page(mfn((id - 1u) * PAGES + i))->count_info, 1);
    free(d->abi->shared_info);
    free(d->abi);
    for (unsigned i = 0; i < NR_VCPUS; i++)
        free(d->vcpus[i]);
    free(d->vcpus);
    free(d);
}

static void world_create(void) {
    fake_direct_end = 0;
    fake_ram_size = NR_DOMS * PAGES * PAGE_SIZE;
    fake_ram = aligned_alloc(PAGE_SIZE, fake_ram_size);
    fake_frame_table = calloc(NR_DOMS * PAGES, sizeof(struct page_info));
    for (unsigned i = 0; i < NR_DOMS * PAGES; i++)
        mfn_to_page(mfn(i))->count_info = 1; /* the domain's own reference */
    fake_frame_table_end = fake_frame_table + NR_DOMS * PAGES * sizeof(struct page_info);
}

static void world_destroy(void) {
    assert_int_equal(kept, 0);
    free(fake_ram);
    free(fake_frame_table);
}

/* One hypercall of vCPU 0. */
static int64_t evtchn_call(struct domain *d, unsigned cmd, void *op) {
    uint64_t args[HYPERCALL_ARGS] = {cmd, (uintptr_t)op};

    return do_event_channel_op(d->vcpus[0], args);
}

/* The same about d, which its own structure names, by d itself or by another one that is
 * privileged. */
static inline int64_t evtchn_call_about(struct domain *d, struct domain *by, unsigned cmd, void *op,
                                        domid_t *dom) {
    int64_t rc;

    *dom = by == d ? DOMID_SELF : d->id;
    by->privileged = by != d;
    rc = evtchn_call(by, cmd, op);
    by->privileged = false;
    return rc;
}

static inline struct shared_info *shared_of(unsigned dom) {
    return doms[dom]->abi->shared_info;
}

#define CONTROL_GFN 1u

#endif
