/*
 * Floor 1: atomic operations on naturally aligned 32- and 64-bit words.
 *
 * The compiler's builtins: with -mno-outline-atomics they are load-/store-exclusive loops inline,
 * which every Armv8-A (and Armv7-A) CPU has. The order of each operation is in its comment.
 * Read-modify-writes return the OLD value.
 */
#ifndef ASM_ATOMIC_H
#define ASM_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

/* Acquire: nothing after it in the program is done before it. Release: nothing before it is done
 * after it. */
#define load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)

/* add, sub, or, and, xchg are acquire and release; the _relaxed ones order nothing. */
#define DEFINE_ATOMICS_(bits, type)                                                                \
    static inline type atomic_add##bits(type *p, type v) {                                         \
        return __atomic_fetch_add(p, v, __ATOMIC_ACQ_REL);                                         \
    }                                                                                              \
    static inline type atomic_sub##bits(type *p, type v) {                                         \
        return __atomic_fetch_sub(p, v, __ATOMIC_ACQ_REL);                                         \
    }                                                                                              \
    static inline type atomic_or##bits(type *p, type v) {                                          \
        return __atomic_fetch_or(p, v, __ATOMIC_ACQ_REL);                                          \
    }                                                                                              \
    static inline type atomic_and##bits(type *p, type v) {                                         \
        return __atomic_fetch_and(p, v, __ATOMIC_ACQ_REL);                                         \
    }                                                                                              \
    static inline type atomic_xchg##bits(type *p, type v) {                                        \
        return __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL);                                        \
    }                                                                                              \
    static inline type atomic_add##bits##_relaxed(type *p, type v) {                               \
        return __atomic_fetch_add(p, v, __ATOMIC_RELAXED);                                         \
    }                                                                                              \
    static inline type atomic_sub##bits##_relaxed(type *p, type v) {                               \
        return __atomic_fetch_sub(p, v, __ATOMIC_RELAXED);                                         \
    }                                                                                              \
    static inline type atomic_or##bits##_relaxed(type *p, type v) {                                \
        return __atomic_fetch_or(p, v, __ATOMIC_RELAXED);                                          \
    }                                                                                              \
    static inline type atomic_and##bits##_relaxed(type *p, type v) {                               \
        return __atomic_fetch_and(p, v, __ATOMIC_RELAXED);                                         \
    }                                                                                              \
    /* Puts `to` where `from` is; returns what was there (== from: done). */                       \
    static inline type cmpxchg##bits(type *p, type from, type to) {                                \
        __atomic_compare_exchange_n(p, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);      \
        return from;                                                                               \
    }                                                                                              \
    static inline type cmpxchg##bits##_relaxed(type *p, type from, type to) {                      \
        __atomic_compare_exchange_n(p, &from, to, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);      \
        return from;                                                                               \
    }

DEFINE_ATOMICS_(32, uint32_t)
DEFINE_ATOMICS_(64, uint64_t)

#undef DEFINE_ATOMICS_

#endif
