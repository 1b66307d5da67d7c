/* Floor 1: the shape of stage 2: VTCR (Arm ARM ARMv7-A B4.1.159) and memory attributes. */
#ifndef ASM_S2_H
#define ASM_S2_H

#include <hv/types.h>

#include <asm/pte.h>

struct s2_shape {
    uint64_t vtcr, hcr;
    uint8_t start_level, ipa_bits;
    bool fwb;
};

/* A root is 1 << S2_ROOT_ORDER tables of level 1, one behind the other: each reaches 39 bits. */
#define S2_ROOT_ORDER 1u

#define VTCR_T0SZ(bits) ((32u - (bits)) & 0xf) /* signed, with its sign again in bit 4 */
#define VTCR_S (1u << 4)
#define VTCR_SL0_LEVEL_1 (1u << 6)
#define VTCR_IRGN0_WB (1u << 8)
#define VTCR_ORGN0_WB (1u << 10)
#define VTCR_SH0_INNER (3u << 12)
#define VTCR_RES1 BIT(31)

static inline unsigned s2_vmid_bits(void) {
    return 8;
}

static inline struct s2_shape s2_choose_shape(void) {
    return (struct s2_shape){.vtcr = VTCR_RES1 | VTCR_T0SZ(40) | VTCR_S | VTCR_SL0_LEVEL_1 |
                                     VTCR_IRGN0_WB | VTCR_ORGN0_WB | VTCR_SH0_INNER,
                             .start_level = 1,
                             .ipa_bits = 40};
}

static inline pte_t s2_normal(bool fwb) {
    (void)fwb;
    return PTE_AF | PTE_SH_INNER | S2_ATTR_NORMAL_WB;
}
static inline pte_t s2_device(void) {
    return PTE_AF | S2_ATTR_DEVICE_nGnRE;
}

#endif
