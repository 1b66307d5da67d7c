/* The naive list of facts that test_p2m_model.c compares with, and the squeezing of memory. */
#ifndef P2M_FACTS_H
#define P2M_FACTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hv/bits.h>
#include <hv/errno.h>

#include <asm/features.h>

#include "../fake/mm_world.h"

#define BASE (GB(1) - RAM / 2) /* half of it is not in the direct map */
#define RAM MB(16)
#define FRAMES (RAM >> PAGE_SHIFT)
#define NR_DOMS 2u
#define WINDOW 1300u          /* gfns looked at: three tables' worth, the ends inside */
#define G0 (0x40000ULL - 100) /* first of them */
#define MAX_HELD 64u
#define MAX_LENT 24u

/* ---- the facts ---- */

struct fact {
    enum p2m_type type; /* P2M_INVALID: a hole */
    uint64_t mfn;
};
struct page_fact {
    int owner; /* -1: free, or the hypervisor's */
    bool allocated, xenheap;
    unsigned refs, writers;
};
static struct fact fact[NR_DOMS][WINDOW];
#define MAX_WRITERS ((1u << PGT_COUNT_BITS) - 1)
static struct page_fact page_fact[FRAMES];
static uint64_t tot[NR_DOMS];

static struct domain dom[NR_DOMS];
static uint64_t max_pages = 2000;

static unsigned long seed, operations, wanted;
static uint64_t rng;
static unsigned rnd(unsigned n) {
    rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)((rng >> 33) % n);
}

#define CHECK(c)                                                                                   \
    do {                                                                                           \
        if (!(c)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\nagain: MODEL_RUNS=1 MODEL_SEED=%lu MODEL_STEPS=%lu\n",     \
                    __FILE__, __LINE__, #c, seed, operations + 1);                                 \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static struct page_fact *pf(uint64_t m) {
    CHECK(m >= BASE >> PAGE_SHIFT && m - (BASE >> PAGE_SHIFT) < FRAMES);
    return &page_fact[m - (BASE >> PAGE_SHIFT)];
}
static unsigned in_set(enum p2m_type t, unsigned set) {
    return P2M_TYPE_BIT(t) & set;
}

static void fact_put(uint64_t m) {
    struct page_fact *p = pf(m);

    CHECK(p->refs);
    if (--p->refs)
        return;
    CHECK(!p->allocated);
    if (!p->xenheap)
        tot[p->owner]--;
    CHECK(!p->writers);
    *p = (struct page_fact){.owner = -1};
}
static void fact_give_up(uint64_t m) {
    CHECK(pf(m)->allocated);
    pf(m)->allocated = false;
    fact_put(m);
}
static void fact_clear(unsigned d, unsigned i) {
    struct fact was = fact[d][i];

    fact[d][i] = (struct fact){P2M_INVALID, 0};
    if (in_set(was.type, P2M_ANY_RAM))
        fact_give_up(was.mfn);
    else if (in_set(was.type, P2M_ANY_XENHEAP | P2M_ANY_FOREIGN))
        fact_put(was.mfn);
}
static uint64_t fact_gfn(unsigned d, uint64_t m) {
    for (unsigned i = 0; i < WINDOW; i++)
        if (in_set(fact[d][i].type, P2M_TRACKED) && fact[d][i].mfn == m)
            return G0 + i;
    return INVALID_GFN.gfn;
}

/* ---- what is held beside the tables ---- */

static struct {
    struct page_info *page[MAX_HELD];
    bool writable[MAX_HELD];
    unsigned n;
} held;
static struct {
    struct page_info *page[MAX_LENT];
    unsigned n;
} lent[NR_DOMS];
/* A grant entry's pin: the page at [domain][index]. */

/* ---- squeezing ---- */

static struct page_list squeezed = PAGE_LIST_INIT;
static uint64_t nr_squeezed;
static struct page_list pool_squeezed[NR_DOMS] = {PAGE_LIST_INIT, PAGE_LIST_INIT};
static uint32_t nr_pool_squeezed[NR_DOMS];

/* The heap has so many pages left, or as many as there are. */
static void squeeze_heap(uint64_t leave) {
    uint64_t have = heap_free_pages();
    struct page_info *page;

    for (; have > leave && (page = heap_alloc(0)); have--, nr_squeezed++)
        page_list_push(&squeezed, page);
    for (; have < leave && (page = page_list_pop(&squeezed)); have++, nr_squeezed--)
        heap_free(page, 0);
}
static void release_heap(void) {
    squeeze_heap(UINT64_MAX);
}
/* As if the pool were smaller. */
static void squeeze_pool(unsigned d, uint32_t leave) {
    struct p2m *p = &dom[d].p2m;
    struct page_list *out = &pool_squeezed[d];

    for (; p->pool_free > leave; p->pool_free--, p->pool_total--, nr_pool_squeezed[d]++)
        page_list_push(out, page_list_pop(&p->pool));
    for (; p->pool_free < leave && nr_pool_squeezed[d]; nr_pool_squeezed[d]--) {
        page_list_push(&p->pool, page_list_pop(out));
        p->pool_free++;
        p->pool_total++;
    }
}
static void release_pool(unsigned d) {
    squeeze_pool(d, UINT32_MAX);
}
static bool squeezing(unsigned d) {
    return nr_squeezed || nr_pool_squeezed[d];
}

#endif
