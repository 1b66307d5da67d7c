/* A domain with its p2m for the tests of it; each test runs in a process, on a machine of its own.
 */
#ifndef P2M_WORLD_H
#define P2M_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <hv/bits.h>
#include <hv/errno.h>

#include <asm/features.h>
#include <asm/s2.h>

#include "child.h"

#include "../fake/mm_world.h"

#define BASE 0x40000000ULL
#define GFN_LIMIT (sizeof(void *) == 8 ? 1ULL << 32 : 1ULL << 28)
#define G0 0x40000ULL /* a domain's first RAM gfn */

struct cpu_features cpu_features = {.pa_range_bits = 44, .vmid16 = true};

int hyp_map(vaddr_t va, paddr_t pa, uint64_t size, enum hyp_prot prot) {
    (void)va;
    (void)pa;
    (void)size;
    (void)prot;
    return 0;
}

#define CHECK(c)                                                                                   \
    do {                                                                                           \
        if (!(c)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c);                                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

__attribute__((unused)) static struct domain dom, other;
static uint64_t heap_at_start;

static inline void make_domain(struct domain *d, unsigned id, uint32_t pool, uint64_t max_pages) {
    domain_pages_init(&d->pages, (uint16_t)id, max_pages);
    CHECK(p2m_init(&d->p2m, d, pool) == 0);
}

static inline void boot(uint64_t ram, uint32_t pool, uint64_t max_pages) {
    world_boot(BASE, ram);
    p2m_global_init();
    heap_at_start = heap_free_pages();
    make_domain(&dom, 1, pool, max_pages);
}

/* A table from the pool is used as it is. */
static inline void pool_is_zero(struct p2m *p2m) {
    static const uint8_t zero[PAGE_SIZE];

    for (struct page_info *p = page_list_first(&p2m->pool); p; p = page_list_next(p))
        CHECK(!memcmp(page_to_virt(p), zero, PAGE_SIZE));
}

/* True after every operation, whatever it was. */
static inline void settled(void) {
    pool_is_zero(&dom.p2m);
    world_check_locks();
    CHECK(!fake_windows);
    CHECK(p2m_audit(&dom.p2m) == 0);
    CHECK(tlb_count_stale(&dom.p2m) == 0);
}

static inline void end_domain(struct domain *d) {
    d->pages.dying = d->p2m.dying = true;
    for (int rc = -EAGAIN; rc;) {
        rc = p2m_relinquish(&d->p2m);
        CHECK(rc == 0 || rc == -EAGAIN);
        CHECK(p2m_audit(&d->p2m) == 0);
    }
    p2m_destroy(&d->p2m);
}

static inline void finish(void) {
    settled();
    end_domain(&dom);
    CHECK(dom.pages.tot_pages == 0);
    CHECK(heap_free_pages() == heap_at_start);
}

static inline mfn_t at(uint64_t g) {
    return p2m_lookup(&dom.p2m, gfn(g), NULL, NULL);
}
static inline unsigned order_at(uint64_t g) {
    unsigned order;

    p2m_lookup(&dom.p2m, gfn(g), NULL, &order);
    return order;
}
static inline enum p2m_type type_at(uint64_t g) {
    enum p2m_type t;

    p2m_lookup(&dom.p2m, gfn(g), &t, NULL);
    return t;
}

/* ---- running ---- */

static inline void in_child(void (*fn)(void)) {
    pid_t pid = fork();
    int status = -1;

    if (!pid) {
        fn();
        child_ends();
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

#define CHILD(fn)                                                                                  \
    static void test_##fn(void **state) {                                                          \
        (void)state;                                                                               \
        in_child(fn);                                                                              \
    }

#endif
