/*
 * Floor 7: read-modify-write of words that a guest may change at any moment. A compare-and-exchange
 * that a guest makes fail again and again must come to an end: after so many tries it is the guest
 * that has a problem.
 */
#ifndef ABI_GUEST_ATOMIC_H
#define ABI_GUEST_ATOMIC_H

#include <hv/domain.h>

#define GUEST_ATOMIC_TRIES 10000u

/* *p = (*p & keep) | set, sequentially consistent; the old value. */
#define GUEST_CHANGE(d, p, keep, set)                                                              \
    ({                                                                                             \
        __typeof__(*(p)) old_ = __atomic_load_n((p), __ATOMIC_RELAXED);                            \
        unsigned tries_ = GUEST_ATOMIC_TRIES;                                                      \
                                                                                                   \
        while (!__atomic_compare_exchange_n((p), &old_, (old_ & (keep)) | (set), true,             \
                                            __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))                   \
            if (unlikely(!--tries_)) {                                                             \
                domain_crash((d), "its event words change faster than they can be read");          \
                break;                                                                             \
            }                                                                                      \
        old_;                                                                                      \
    })

static inline uint32_t guest_or32(struct domain *d, uint32_t *p, uint32_t bits) {
    return GUEST_CHANGE(d, p, ~0u, bits);
}
static inline uint32_t guest_clear32(struct domain *d, uint32_t *p, uint32_t bits) {
    return GUEST_CHANGE(d, p, ~bits, 0u);
}
static inline uint64_t guest_or64(struct domain *d, uint64_t *p, uint64_t bits) {
    return GUEST_CHANGE(d, p, ~0ULL, bits);
}
static inline uint64_t guest_clear64(struct domain *d, uint64_t *p, uint64_t bits) {
    return GUEST_CHANGE(d, p, ~bits, 0ULL);
}

#endif
