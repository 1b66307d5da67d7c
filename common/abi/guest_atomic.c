/* Words a guest may change meanwhile: when the first try has failed. */
#include <hv/domain.h>

#include "guest_atomic.h"

#define DEFINE_GUEST_CHANGE(bits)                                                                  \
    uint##bits##_t guest_change##bits(struct domain *d, uint##bits##_t *p, uint##bits##_t keep,    \
                                      uint##bits##_t set) {                                        \
        uint##bits##_t old = READ_ONCE(*p);                                                        \
        unsigned tries = GUEST_ATOMIC_TRIES;                                                       \
                                                                                                   \
        while (!__atomic_compare_exchange_n(p, &old, (old & keep) | set, true, __ATOMIC_SEQ_CST,   \
                                            __ATOMIC_RELAXED)) {                                   \
            if (!--tries) {                                                                        \
                domain_crash(d, "its event words change faster than they can be read");            \
                break;                                                                             \
            }                                                                                      \
        }                                                                                          \
        return old;                                                                                \
    }
DEFINE_GUEST_CHANGE(32)
DEFINE_GUEST_CHANGE(64)
