/*
 * Floor 7: read-modify-write of words that a guest may change at any moment. A compare-and-exchange
 * that a guest makes fail again and again must come to an end: after so many tries it is the guest
 * that has a problem, and it crashes.
 */
#ifndef ABI_GUEST_ATOMIC_H
#define ABI_GUEST_ATOMIC_H

#include <hv/types.h>

struct domain;

#define GUEST_ATOMIC_TRIES 10000u

/* *p = (*p & keep) | set, sequentially consistent; the old value. */
uint32_t guest_change32(struct domain *d, uint32_t *p, uint32_t keep, uint32_t set);
uint64_t guest_change64(struct domain *d, uint64_t *p, uint64_t keep, uint64_t set);

/* The first try, which nearly always does it, is inline. */
#define GUEST_TRY(old, p, new)                                                                     \
    likely(                                                                                        \
        __atomic_compare_exchange_n((p), &(old), (new), true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))

static inline uint32_t guest_or32(struct domain *d, uint32_t *p, uint32_t bits) {
    uint32_t old = READ_ONCE(*p);

    return GUEST_TRY(old, p, old | bits) ? old : guest_change32(d, p, ~0u, bits);
}
static inline uint32_t guest_clear32(struct domain *d, uint32_t *p, uint32_t bits) {
    uint32_t old = READ_ONCE(*p);

    return GUEST_TRY(old, p, old & ~bits) ? old : guest_change32(d, p, ~bits, 0);
}
static inline uint64_t guest_or64(struct domain *d, uint64_t *p, uint64_t bits) {
    uint64_t old = READ_ONCE(*p);

    return GUEST_TRY(old, p, old | bits) ? old : guest_change64(d, p, ~0ULL, bits);
}
static inline uint64_t guest_clear64(struct domain *d, uint64_t *p, uint64_t bits) {
    uint64_t old = READ_ONCE(*p);

    return GUEST_TRY(old, p, old & ~bits) ? old : guest_change64(d, p, ~bits, 0);
}

#endif
