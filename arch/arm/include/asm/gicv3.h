/*
 * Floor 1: the GICv3 CPU interface and its virtual side as system registers (Arm IHI 0069, chapter
 * 12). Named by encoding, since an assembler knows the names only with an architecture option.
 */
#ifndef ASM_GICV3_H
#define ASM_GICV3_H

#include <stdint.h>

#include <asm/sysreg.h>

#define ICC_PMR_EL1 SYSREG3(0, 4, 6, 0)
#define ICC_DIR_EL1 SYSREG3(0, 12, 11, 1)
#define ICC_SGI1R_EL1 SGI1R /* of 64 bits */
#define ICC_IAR1_EL1 SYSREG3(0, 12, 12, 0)
#define ICC_EOIR1_EL1 SYSREG3(0, 12, 12, 1)
#define ICC_BPR1_EL1 SYSREG3(0, 12, 12, 3)
#define ICC_CTLR_EL1 SYSREG3(0, 12, 12, 4)
#define ICC_SRE_EL1 SYSREG3(0, 12, 12, 5)
#define ICC_IGRPEN1_EL1 SYSREG3(0, 12, 12, 7)
#define ICC_AP1R0_EL1 SYSREG3(0, 12, 9, 0)
#define ICC_AP1R1_EL1 SYSREG3(0, 12, 9, 1)
#define ICC_AP1R2_EL1 SYSREG3(0, 12, 9, 2)
#define ICC_AP1R3_EL1 SYSREG3(0, 12, 9, 3)
#define ICC_SRE_EL2 SYSREG3(4, 12, 9, 5)

#define ICH_AP0R0_EL2 SYSREG3(4, 12, 8, 0)
#define ICH_AP0R1_EL2 SYSREG3(4, 12, 8, 1)
#define ICH_AP0R2_EL2 SYSREG3(4, 12, 8, 2)
#define ICH_AP0R3_EL2 SYSREG3(4, 12, 8, 3)
#define ICH_AP1R0_EL2 SYSREG3(4, 12, 9, 0)
#define ICH_AP1R1_EL2 SYSREG3(4, 12, 9, 1)
#define ICH_AP1R2_EL2 SYSREG3(4, 12, 9, 2)
#define ICH_AP1R3_EL2 SYSREG3(4, 12, 9, 3)
#define ICH_HCR_EL2 SYSREG3(4, 12, 11, 0)
#define ICH_VTR_EL2 SYSREG3(4, 12, 11, 1)
#define ICH_VMCR_EL2 SYSREG3(4, 12, 11, 7)

#define ICC_SRE_SRE 1u
#define ICC_SRE_DFB 2u
#define ICC_SRE_DIB 4u
#define ICC_SRE_ENABLE 8u /* EL2: EL1 may access ICC_SRE_EL1 */
#define ICC_CTLR_EOIMODE 2u

/*
 * List register i, 0 to 15: the number is part of the instruction; % spares a test of it. For each
 * its CRm, that of its upper half where it has one (ICH_LRC of AArch32), and its op2.
 */
#define ICH_LR_CASES_(op)                                                                          \
    op(0, 12, 14, 0) op(1, 12, 14, 1) op(2, 12, 14, 2) op(3, 12, 14, 3) op(4, 12, 14, 4)           \
        op(5, 12, 14, 5) op(6, 12, 14, 6) op(7, 12, 14, 7) op(8, 13, 15, 0) op(9, 13, 15, 1)       \
            op(10, 13, 15, 2) op(11, 13, 15, 3) op(12, 13, 15, 4) op(13, 13, 15, 5)                \
                op(14, 13, 15, 6) op(15, 13, 15, 7)

static inline uint64_t ich_read_lr(unsigned i) {
    switch (i % 16) {
#define ICH_LR_READ_(n, crm, high, op2)                                                            \
    case n:                                                                                        \
        return READ_ICH_LR(crm, high, op2);
        ICH_LR_CASES_(ICH_LR_READ_)
#undef ICH_LR_READ_
    }
    __builtin_unreachable();
}

static inline void ich_write_lr(unsigned i, uint64_t val) {
    switch (i % 16) {
#define ICH_LR_WRITE_(n, crm, high, op2)                                                           \
    case n:                                                                                        \
        WRITE_ICH_LR(val, crm, high, op2);                                                         \
        break;
        ICH_LR_CASES_(ICH_LR_WRITE_)
#undef ICH_LR_WRITE_
    }
}

#endif
