/*
 * What libfdt asks of its surroundings: integer types, the mem and str functions, and conversion
 * between the big-endian cells of a device tree and the CPU's order. Takes the place of the header
 * of the same name in libfdt.
 */
#ifndef LIBFDT_ENV_H
#define LIBFDT_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hv/string.h>

#ifndef INT_MAX
#define INT_MAX __INT_MAX__
#endif
#ifndef INT32_MAX
#define INT32_MAX __INT32_MAX__
#endif
#ifndef UINT_MAX
#define UINT_MAX (__INT_MAX__ * 2U + 1U)
#endif

/* Big-endian integers of the tree: distinct names, for readers. */
typedef uint16_t fdt16_t;
typedef uint32_t fdt32_t;
typedef uint64_t fdt64_t;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FDT_ENV_SWAP(bits, x) __builtin_bswap##bits(x)
#else
#define FDT_ENV_SWAP(bits, x) ((uint##bits##_t)(x))
#endif

static inline uint16_t fdt16_to_cpu(fdt16_t x) {
    return FDT_ENV_SWAP(16, x);
}
static inline fdt16_t cpu_to_fdt16(uint16_t x) {
    return FDT_ENV_SWAP(16, x);
}
static inline uint32_t fdt32_to_cpu(fdt32_t x) {
    return FDT_ENV_SWAP(32, x);
}
static inline fdt32_t cpu_to_fdt32(uint32_t x) {
    return FDT_ENV_SWAP(32, x);
}
static inline uint64_t fdt64_to_cpu(fdt64_t x) {
    return FDT_ENV_SWAP(64, x);
}
static inline fdt64_t cpu_to_fdt64(uint64_t x) {
    return FDT_ENV_SWAP(64, x);
}

/* A cell at any alignment: the packaged libfdt is older than its own fdt32_ld and fdt64_ld. */
static inline uint32_t fdt32_ld(const fdt32_t *at) {
    const uint8_t *byte = (const uint8_t *)at;

    return (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | byte[3];
}
static inline uint64_t fdt64_ld(const fdt64_t *at) {
    const fdt32_t *half = (const fdt32_t *)at;

    return (uint64_t)fdt32_ld(half) << 32 | fdt32_ld(half + 1);
}

#endif
