/*
 * Handles of the grants a domain has mapped. Each vCPU has its own list of free ones, so vCPUs that
 * map at the same time do not meet; one whose list is empty makes new ones, then looks at the
 * others'.
 */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/mm.h>
#include <hv/string.h>

#include <asm/atomic.h>
#include <asm/nospec.h>

#include "abi.h"
#include "grant.h"

#define PER_CHUNK (PAGE_SIZE / sizeof(struct maptrack_entry))
/* Xen's frames have 16 bytes for each handle. */
#define PER_XEN_FRAME (PAGE_SIZE / 16)
#define NO_HANDLE UINT32_MAX

_Static_assert(PAGE_SIZE % sizeof(struct maptrack_entry) == 0, "chunks are pages");

/* Free handles of one vCPU; its own lock, since others may take from it when they have none. */
struct maptrack_list {
    spinlock_t lock;
    uint32_t head;
};

static uint32_t max_handles(const struct domain *d) {
    return d->max_maptrack_frames * (uint32_t)PER_XEN_FRAME;
}

uint32_t maptrack_handles(struct domain *d) {
    return load_acquire(&d->abi->maptrack.nr);
}

struct maptrack_entry *maptrack_entry(struct domain *d, grant_handle_t handle) {
    return &d->abi->maptrack.chunk[handle / PER_CHUNK][handle % PER_CHUNK];
}

/* NULL: there is none; the entry is the caller's, and BUSY. */
static __force_inline struct maptrack_entry *pop(struct domain *d, struct maptrack_list *l,
                                                 grant_handle_t *handle) {
    struct maptrack_entry *e = NULL;

    spin_lock(&l->lock);
    *handle = l->head;
    if (likely(*handle != NO_HANDLE)) {
        e = maptrack_entry(d, *handle);
        l->head = e->next;
        store_relaxed(&e->state, MAPTRACK_BUSY);
    }
    spin_unlock(&l->lock);
    return e;
}

static __force_inline void push(struct domain *d, struct maptrack_list *l, uint32_t first,
                                uint32_t last) {
    spin_lock(&l->lock);
    maptrack_entry(d, last)->next = l->head;
    l->head = first;
    spin_unlock(&l->lock);
}

/* ---- growth ---- */

/* The chunk becomes handles [*first, *first + PER_CHUNK). False: there is no room for it. */
static bool add_chunk(struct domain *d, struct maptrack_entry *chunk, uint32_t *first) {
    struct maptrack *t = &d->abi->maptrack;
    bool added = false;

    spin_lock(&t->lock);
    if (t->nr < max_handles(d)) {
        t->chunk[t->nr / PER_CHUNK] = chunk;
        *first = t->nr;
        for (uint32_t i = 0; i < PER_CHUNK; i++)
            chunk[i].next = t->nr + i + 1;
        store_release(&t->nr, t->nr + (uint32_t)PER_CHUNK);
        added = true;
    }
    spin_unlock(&t->lock);
    return added;
}

static bool have_directory(struct domain *d) {
    struct maptrack *t = &d->abi->maptrack;
    struct maptrack_entry **dir;

    if (load_acquire(&t->chunk))
        return true;
    dir = hv_zalloc(max_handles(d) / PER_CHUNK * sizeof(*dir));
    if (!dir)
        return false;
    spin_lock(&t->lock);
    if (!t->chunk) {
        store_release(&t->chunk, dir);
        dir = NULL;
    }
    spin_unlock(&t->lock);
    hv_free(dir);
    return true;
}

static uint32_t grow(struct domain *d, struct maptrack_list *own) {
    struct maptrack_entry *chunk;
    uint32_t first;

    if (maptrack_handles(d) >= max_handles(d) || !have_directory(d))
        return NO_HANDLE;
    chunk = xenheap_alloc(0);
    if (!chunk)
        return NO_HANDLE;
    memset(chunk, 0, PAGE_SIZE);
    if (!add_chunk(d, chunk, &first)) {
        xenheap_free(chunk, 0);
        return NO_HANDLE;
    }
    push(d, own, first + 1, first + (uint32_t)PER_CHUNK - 1);
    return first;
}

/* ---- handles ---- */

static struct maptrack_list *list_of(struct domain *d, unsigned vcpu) {
    return &d->abi->maptrack.free[vcpu];
}

static struct maptrack_entry *take_from_others(struct vcpu *v, grant_handle_t *handle) {
    struct domain *d = v->domain;
    struct maptrack_entry *e = NULL;

    for (unsigned i = 1; i < d->max_vcpus && !e; i++)
        e = pop(d, list_of(d, (v->id + i) % d->max_vcpus), handle);
    return e;
}

static __noinline struct maptrack_entry *alloc_elsewhere(struct vcpu *v, grant_handle_t *handle) {
    struct maptrack_entry *e;

    *handle = grow(v->domain, list_of(v->domain, v->id));
    if (*handle == NO_HANDLE)
        return take_from_others(v, handle);
    e = maptrack_entry(v->domain, *handle);
    store_relaxed(&e->state, MAPTRACK_BUSY);
    return e;
}

struct maptrack_entry *maptrack_alloc(struct vcpu *v, grant_handle_t *handle) {
    struct maptrack_entry *e = pop(v->domain, list_of(v->domain, v->id), handle);

    return likely(e) ? e : alloc_elsewhere(v, handle);
}

void maptrack_free(struct vcpu *v, grant_handle_t handle) {
    store_release(&maptrack_entry(v->domain, handle)->state, MAPTRACK_FREE);
    push(v->domain, list_of(v->domain, v->id), handle, handle);
}

struct maptrack_entry *maptrack_claim(struct domain *d, grant_handle_t handle) {
    uint32_t nr = maptrack_handles(d);
    struct maptrack_entry *e;

    if (handle >= nr)
        return NULL;
    e = maptrack_entry(d, (grant_handle_t)index_nospec(handle, nr));
    return cmpxchg32(&e->state, MAPTRACK_LIVE, MAPTRACK_BUSY) == MAPTRACK_LIVE ? e : NULL;
}

/* ---- life ---- */

int maptrack_init(struct domain *d) {
    struct maptrack *t = &d->abi->maptrack;

    spin_lock_init(&t->lock, RANK_MAPTRACK, "maptrack");
    t->free = hv_zalloc(d->max_vcpus * sizeof(*t->free));
    if (!t->free)
        return -ENOMEM;
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        spin_lock_init(&t->free[i].lock, RANK_MAPTRACK, "free handles");
        t->free[i].head = NO_HANDLE;
    }
    return 0;
}

void maptrack_destroy(struct domain *d) {
    struct maptrack *t = &d->abi->maptrack;

    for (uint32_t i = 0; i < t->nr / PER_CHUNK; i++)
        xenheap_free(t->chunk[i], 0);
    hv_free(t->chunk);
    hv_free(t->free);
    t->chunk = NULL;
    t->free = NULL;
    t->nr = 0;
}
