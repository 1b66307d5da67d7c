/* Floor 0: bit fields, rounding, minimum and maximum. Pure expressions, no state. */
#ifndef HV_BITS_H
#define HV_BITS_H

#include <hv/types.h>

#define BIT(n) (1ULL << (n))
#define GENMASK(hi, lo) ((~0ULL << (lo)) & (~0ULL >> (63 - (hi))))

#define ALIGN_UP(x, a) (((x) + (a)-1) & ~((__typeof__(x))(a)-1))
#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a)-1))
#define IS_ALIGNED(x, a) (((x) & ((__typeof__(x))(a)-1)) == 0)
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#define KB(n) ((uint64_t)(n) << 10)
#define MB(n) ((uint64_t)(n) << 20)
#define GB(n) ((uint64_t)(n) << 30)

/* Bits hi..lo of x, shifted down. */
static inline uint64_t bits_get(uint64_t x, unsigned hi, unsigned lo) {
    return (x & GENMASK(hi, lo)) >> lo;
}

/* Index of the highest set bit; x must not be 0. */
static inline unsigned fls64(uint64_t x) {
    return 63u - (unsigned)__builtin_clzll(x);
}

/* Index of the lowest set bit; x must not be 0. */
static inline unsigned ffs64(uint64_t x) {
    return (unsigned)__builtin_ctzll(x);
}

/* Smallest order with (PAGE_SIZE << order) >= size. */
static inline unsigned order_of_size(uint64_t size) {
    uint64_t pages = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    return pages <= 1 ? 0 : fls64(pages - 1) + 1;
}

#endif
