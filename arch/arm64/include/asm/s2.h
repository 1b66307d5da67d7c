/* Floor 1: the shape of stage 2: VTCR_EL2 (Arm ARM D19.2.163) and memory attributes. */
#ifndef ASM_S2_H
#define ASM_S2_H

#include <hv/types.h>

#include <asm/features.h>
#include <asm/pte.h>

struct s2_shape {
    uint64_t vtcr, hcr;
    uint8_t start_level, ipa_bits;
    bool fwb;
};

/*
 * A root is one table page: concatenated roots are walked wrongly by some models of the SMMU. Start
 * level 0 needs 44 bits of physical address (Arm ARM D8.2.3); else level 1, which reaches 39 bits.
 */
#define S2_ROOT_ORDER 0u

#define VTCR_T0SZ(bits) (64u - (bits))
#define VTCR_SL0(start_level) ((uint64_t)(2 - (start_level)) << 6)
#define VTCR_IRGN0_WB (1ULL << 8)
#define VTCR_ORGN0_WB (1ULL << 10)
#define VTCR_SH0_INNER (3ULL << 12)
#define VTCR_PS_SHIFT 16
#define VTCR_VS BIT(19)
#define VTCR_RES1 BIT(31)
#define HCR_FWB_BIT BIT(46)
#define MMFR2_FWB_SHIFT 40

static inline unsigned s2_vmid_bits(void) {
    return cpu_features.vmid16 ? 16 : 8;
}

/* VTCR_EL2.PS of a physical address size. */
static inline uint64_t s2_ps(unsigned bits) {
    return bits >= 48 ? 5 : bits >= 44 ? 4 : bits >= 42 ? 3 : bits >= 40 ? 2 : bits >= 36 ? 1 : 0;
}

static inline struct s2_shape s2_choose_shape(void) {
    bool four = cpu_features.pa_range_bits >= 44;
    struct s2_shape s = {.start_level = four ? 0 : 1, .ipa_bits = four ? 44 : 39};

    if (!four && cpu_features.pa_range_bits < s.ipa_bits)
        s.ipa_bits = (uint8_t)cpu_features.pa_range_bits;
    s.fwb = (cpu_features.id[ID_AA64MMFR2] >> MMFR2_FWB_SHIFT) & 0xf;
    s.hcr = s.fwb ? HCR_FWB_BIT : 0;
    s.vtcr = VTCR_RES1 | VTCR_T0SZ(s.ipa_bits) | VTCR_SL0(s.start_level) | VTCR_IRGN0_WB |
             VTCR_ORGN0_WB | VTCR_SH0_INNER | s2_ps(cpu_features.pa_range_bits) << VTCR_PS_SHIFT |
             (cpu_features.vmid16 ? VTCR_VS : 0);
    return s;
}

static inline pte_t s2_normal(bool fwb) {
    return PTE_AF | PTE_SH_INNER | (fwb ? S2_ATTR_FWB_NORMAL_WB : S2_ATTR_NORMAL_WB);
}
static inline pte_t s2_device(void) {
    return PTE_AF | S2_ATTR_DEVICE_nGnRE;
}

#endif
