/* Domains with grant tables over the real memory core, for tests of grants; what they call upwards
 * is answered here. */
#ifndef GRANT_WORLD_H
#define GRANT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/policy.h>

#include <asm/features.h>

#include "../../common/abi/abi.h"
#include "../../common/abi/grant.h"
#include "../fake/mm_world.h"

#define BASE (GB(1) - RAM_SIZE / 2) /* half of it may be left out of the direct map */
#define RAM_SIZE MB(24)
#define NR_DOMS 3u
#define POOL 24u

struct cpu_features cpu_features = {.pa_range_bits = 44, .vmid16 = true};

static struct domain *dom[NR_DOMS];
static unsigned shells;                  /* domains not freed */
static bool strangers[NR_DOMS][NR_DOMS]; /* pairs that may not share */
static unsigned fail_zalloc; /* so many allocations from now: the one that fails; 0: none */
static uintptr_t unreadable; /* guest addresses from here on cannot be used; 0: all can */

int hyp_map(vaddr_t va, paddr_t pa, uint64_t size, enum hyp_prot prot) {
    (void)va;
    (void)pa;
    (void)size;
    (void)prot;
    return 0;
}
void *hv_zalloc(size_t size) {
    if (fail_zalloc && !--fail_zalloc)
        return NULL;
    return calloc(1, size ? size : 1);
}
void hv_free(void *p) {
    free(p);
}

int copy_from_guest(void *to, vaddr_t from, size_t n) {
    if (unreadable && from + n > unreadable)
        return -EFAULT;
    memcpy(to, (void *)from, n);
    return 0;
}
int copy_to_guest(vaddr_t to, const void *from, size_t n) {
    if (unreadable && to + n > unreadable)
        return -EFAULT;
    memcpy((void *)to, from, n);
    return 0;
}
int write_u16_to_guest(vaddr_t to, uint16_t value) {
    return copy_to_guest(to, &value, sizeof(value));
}
void preempt_point(void) {
    world_check_locks();
}
void vcpu_pause_self(void) {
    fail(); /* no domain is paused */
}
int abi_own_domain(struct domain *d, hv_domid_t domid) {
    return domid == DOMID_SELF || domid == d->id ? 0 : -ESRCH;
}
bool domains_may_share(const struct domain *a, const struct domain *b) {
    return !strangers[a->id - 1][b->id - 1] && !strangers[b->id - 1][a->id - 1];
}

/* ---- domains: number n has id n + 1 ---- */

struct domain *domain_get(hv_domid_t id) {
    if (!id || id > NR_DOMS || !dom[id - 1])
        return NULL;
    domain_hold(dom[id - 1]);
    return dom[id - 1];
}
void domain_put(struct domain *d) {
    assert_true(d->refs > 0);
    if (--d->refs)
        return;
    free(d->abi);
    free(d->vcpus[0]);
    free(d->vcpus[1]);
    free(d->vcpus);
    free(d);
    shells--;
}

/* NULL when an allocation is made to fail; then nothing is left. */
static struct domain *world_domain(unsigned n, uint64_t max_pages) {
    struct domain *d = calloc(1, sizeof(*d));

    d->id = (hv_domid_t)(n + 1);
    d->refs = 1;
    d->state = DOMAIN_BUILDING; /* the audit is exact */
    d->max_vcpus = 2;
    d->max_grant_version = 2;
    d->max_grant_frames = 2;
    d->max_maptrack_frames = 1;
    d->vcpus = calloc(2, sizeof(*d->vcpus));
    for (unsigned i = 0; i < 2; i++) {
        d->vcpus[i] = calloc(1, sizeof(struct vcpu));
        d->vcpus[i]->id = i;
        d->vcpus[i]->domain = d;
    }
    domain_pages_init(&d->pages, d->id, max_pages);
    assert_int_equal(p2m_init(&d->p2m, d, POOL), 0);
    d->abi = calloc(1, sizeof(*d->abi));
    shells++;
    if (!maptrack_init(d) && !grant_frames_init(d))
        return dom[n] = d;
    grant_frames_destroy(d);
    maptrack_destroy(d);
    d->p2m.dying = true;
    while (p2m_relinquish(&d->p2m))
        ;
    p2m_destroy(&d->p2m);
    domain_put(d);
    return NULL;
}

static void last_page(struct domain_pages *p) {
    domain_put((struct domain *)p);
}

/* As domain_destroy(). */
static void world_kill(unsigned n) {
    struct domain *d = dom[n];

    dom[n] = NULL;
    d->pages.dying = d->p2m.dying = true;
    grant_frames_die(d);
    grant_unmap_all(d);
    while (p2m_relinquish(&d->p2m))
        ;
    maptrack_destroy(d);
    grant_frames_destroy(d);
    p2m_destroy(&d->p2m);
    if (!domain_pages_orphan(&d->pages, last_page))
        domain_put(d);
}

static int64_t grant_op(struct domain *d, unsigned cmd, void *arg, unsigned count) {
    uint64_t args[5] = {cmd, (uint64_t)(uintptr_t)arg, count};

    return do_grant_table_op(d->vcpus[0], args);
}

#endif
