/*
 * Floor 1: the GICv3 CPU interface and its virtual side as system registers (Arm IHI 0069, chapter
 * 12). Named by encoding, since an assembler knows the names only with an architecture option.
 */
#ifndef ASM_GICV3_H
#define ASM_GICV3_H

#include <stdint.h>

#include <asm/sysreg.h>

#define ICC_PMR_EL1 S3_0_C4_C6_0
#define ICC_DIR_EL1 S3_0_C12_C11_1
#define ICC_SGI1R_EL1 S3_0_C12_C11_5
#define ICC_IAR1_EL1 S3_0_C12_C12_0
#define ICC_EOIR1_EL1 S3_0_C12_C12_1
#define ICC_BPR1_EL1 S3_0_C12_C12_3
#define ICC_CTLR_EL1 S3_0_C12_C12_4
#define ICC_SRE_EL1 S3_0_C12_C12_5
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7
#define ICC_AP1R0_EL1 S3_0_C12_C9_0
#define ICC_AP1R1_EL1 S3_0_C12_C9_1
#define ICC_AP1R2_EL1 S3_0_C12_C9_2
#define ICC_AP1R3_EL1 S3_0_C12_C9_3
#define ICC_SRE_EL2 S3_4_C12_C9_5

#define ICH_AP0R0_EL2 S3_4_C12_C8_0
#define ICH_AP0R1_EL2 S3_4_C12_C8_1
#define ICH_AP0R2_EL2 S3_4_C12_C8_2
#define ICH_AP0R3_EL2 S3_4_C12_C8_3
#define ICH_AP1R0_EL2 S3_4_C12_C9_0
#define ICH_AP1R1_EL2 S3_4_C12_C9_1
#define ICH_AP1R2_EL2 S3_4_C12_C9_2
#define ICH_AP1R3_EL2 S3_4_C12_C9_3
#define ICH_HCR_EL2 S3_4_C12_C11_0
#define ICH_VTR_EL2 S3_4_C12_C11_1
#define ICH_VMCR_EL2 S3_4_C12_C11_7

#define ICC_SRE_SRE 1u
#define ICC_SRE_DFB 2u
#define ICC_SRE_DIB 4u
#define ICC_SRE_ENABLE 8u /* EL2: EL1 may access ICC_SRE_EL1 */
#define ICC_CTLR_EOIMODE 2u

/* List register i, 0 to 15: the number is part of the instruction. */
#define ICH_LR_CASES_(op)                                                                          \
    op(0, S3_4_C12_C12_0) op(1, S3_4_C12_C12_1) op(2, S3_4_C12_C12_2) op(3, S3_4_C12_C12_3)        \
        op(4, S3_4_C12_C12_4) op(5, S3_4_C12_C12_5) op(6, S3_4_C12_C12_6) op(7, S3_4_C12_C12_7)    \
            op(8, S3_4_C12_C13_0) op(9, S3_4_C12_C13_1) op(10, S3_4_C12_C13_2)                     \
                op(11, S3_4_C12_C13_3) op(12, S3_4_C12_C13_4) op(13, S3_4_C12_C13_5)               \
                    op(14, S3_4_C12_C13_6) op(15, S3_4_C12_C13_7)

static inline uint64_t ich_read_lr(unsigned i) {
    switch (i) {
#define ICH_LR_READ_(n, reg)                                                                       \
    case n:                                                                                        \
        return read_sysreg(reg);
        ICH_LR_CASES_(ICH_LR_READ_)
#undef ICH_LR_READ_
    default:
        return 0;
    }
}

static inline void ich_write_lr(unsigned i, uint64_t val) {
    switch (i) {
#define ICH_LR_WRITE_(n, reg)                                                                      \
    case n:                                                                                        \
        write_sysreg(val, reg);                                                                    \
        break;
        ICH_LR_CASES_(ICH_LR_WRITE_)
#undef ICH_LR_WRITE_
    default:
        break;
    }
}

#endif
