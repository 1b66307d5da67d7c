/*
 * The bench guest: each row times one operation by the virtual counter, which under -icount shift=0
 * counts instructions, several times, and the one in the middle counts. A row is ROW(name) { ... }
 * in any file; it may take samples under several keys. A check that fails makes the row say so in
 * place of its numbers.
 */
#ifndef BENCH_H
#define BENCH_H

#include "../../guests/selftest/xen.h"

#define ROW_ON(n, name)                                                                            \
    static void row_##name(void);                                                                  \
    static const struct test row_##name##_test                                                     \
        __attribute__((used, section("tests"))) = {#name, row_##name, n};                          \
    static void row_##name(void)
#define ROW(name) ROW_ON(1, name)
#define ROW_SMP(name) ROW_ON(2, name)

#define RUNS 12 /* of an operation; the first ones may have to allocate */

/* Of two readings of the counter with nothing between. */
extern uint64_t empty;
/* Pairs of marks so far. */
extern uint64_t marked;

/* Instructions of `operation`. Interrupts that it causes are counted as far as they end before it
 * does. */
#define MEASURE(operation)                                                                         \
    ({                                                                                             \
        uint64_t t0_, t1_;                                                                         \
                                                                                                   \
        MARK(MARK_BEGIN);                                                                          \
        t0_ = counter();                                                                           \
        operation;                                                                                 \
        t1_ = counter();                                                                           \
        MARK(MARK_END);                                                                            \
        marked++;                                                                                  \
        t1_ - t0_ - empty;                                                                         \
    })
/* ... until the handler of what it causes is entered. */
#define MEASURE_TO_HANDLER(operation)                                                              \
    ({                                                                                             \
        uint64_t t0_;                                                                              \
                                                                                                   \
        MARK(MARK_BEGIN);                                                                          \
        t0_ = counter();                                                                           \
        operation;                                                                                 \
        MARK(MARK_END);                                                                            \
        marked++;                                                                                  \
        handler_entered() - t0_ - empty;                                                           \
    })

/* What the last pair of marks enclosed took so long. */
void sample(const char *key, uint64_t cost);

/* Where vectors.S notes when an exception came. */
#define handler_entered() sysreg_read(tpidrro_el0)
/* How many interrupts a CPU has taken. */
extern volatile uint64_t interrupts[MAX_CPUS];
/* The byte that its event channel interrupt clears. */
extern volatile uint8_t *upcall_pending;

/* Has no RAM and no device, and 2 MiB of RAM that nothing else uses. */
#define HOLE_GFN(n) ((uint64_t)((NOTHING_NORMAL >> 12) + (n)))
#define SPARE_GFN ((RAM + 0x2000000ULL) >> 12)
#define OWN_DOMID 1

static inline volatile uint64_t *word_at(uint64_t gfn) {
    return (volatile uint64_t *)(gfn << 12);
}
int64_t physmap_add(unsigned space, uint64_t idx, uint64_t gfn);
int64_t physmap_remove(uint64_t gfn);

/* Modes other than the table's rows. */
void bench_switch(void);
void bench_scaling(void);

#endif
