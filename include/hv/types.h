/*
 * Floor 0: integer types and the address types.
 *
 * An address or a frame number is always one of four distinct structs, so that the compiler
 * refuses a machine frame where a guest frame is meant:
 *   paddr_t   machine physical address, bytes     mfn_t  machine frame number (4 KiB)
 *   ipaddr_t  guest physical address, bytes       gfn_t  guest frame number (4 KiB)
 * Addresses are 64 bit on both architectures.
 */
#ifndef HV_TYPES_H
#define HV_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hv/compiler.h>

typedef uint16_t hv_domid_t; /* as domid_t of the public headers */
typedef uintptr_t vaddr_t;   /* hypervisor virtual address */

typedef struct {
    uint64_t pa;
} paddr_t;
typedef struct {
    uint64_t ipa;
} ipaddr_t;
typedef struct {
    uint64_t mfn;
} mfn_t;
typedef struct {
    uint64_t gfn;
} gfn_t;

#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(uint64_t)(PAGE_SIZE - 1))

#define INVALID_MFN ((mfn_t){~0ULL})
#define INVALID_GFN ((gfn_t){~0ULL})
#define INVALID_PADDR ((paddr_t){~0ULL})

static inline paddr_t paddr(uint64_t pa) {
    return (paddr_t){pa};
}
static inline ipaddr_t ipaddr(uint64_t ipa) {
    return (ipaddr_t){ipa};
}
static inline mfn_t mfn(uint64_t n) {
    return (mfn_t){n};
}
static inline gfn_t gfn(uint64_t n) {
    return (gfn_t){n};
}
static inline paddr_t paddr_add(paddr_t p, uint64_t n) {
    return (paddr_t){p.pa + n};
}
static inline mfn_t mfn_add(mfn_t m, uint64_t n) {
    return (mfn_t){m.mfn + n};
}
static inline gfn_t gfn_add(gfn_t g, uint64_t n) {
    return (gfn_t){g.gfn + n};
}
static inline bool mfn_eq(mfn_t a, mfn_t b) {
    return a.mfn == b.mfn;
}
static inline bool gfn_eq(gfn_t a, gfn_t b) {
    return a.gfn == b.gfn;
}
static inline mfn_t paddr_to_mfn(paddr_t p) {
    return (mfn_t){p.pa >> PAGE_SHIFT};
}
static inline paddr_t mfn_to_paddr(mfn_t m) {
    return (paddr_t){m.mfn << PAGE_SHIFT};
}
static inline gfn_t ipaddr_to_gfn(ipaddr_t p) {
    return (gfn_t){p.ipa >> PAGE_SHIFT};
}

#endif
