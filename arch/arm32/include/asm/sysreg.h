/*
 * Floor 1: system registers of cp15: each name stands for its width and its operands in MRC/MCR or
 * MRRC/MCRR. Where AArch64 has the same register, it goes by that name, for code shared by both.
 */
#ifndef ASM_SYSREG_H
#define ASM_SYSREG_H

#include <stdint.h>

#define midr_el1 32, "p15, 0, %0, c0, c0, 0"
#define mpidr_el1 32, "p15, 0, %0, c0, c0, 5"
#define vbar_el2 32, "p15, 4, %0, c12, c0, 0"
#define far_data_el2 32, "p15, 4, %0, c6, c0, 0" /* HDFAR */
#define far_insn_el2 32, "p15, 4, %0, c6, c0, 2" /* HIFAR */
#define hpfar_el2 32, "p15, 4, %0, c6, c0, 4"
#define tpidr_el2 32, "p15, 4, %0, c13, c0, 2"
#define isr_el1 32, "p15, 0, %0, c12, c1, 0"
#define cntfrq_el0 32, "p15, 0, %0, c14, c0, 0"
#define cntpct_el0 64, "p15, 0, %Q0, %R0, c14"
#define cntv_ctl_el0 32, "p15, 0, %0, c14, c3, 1"
#define cntv_cval_el0 64, "p15, 3, %Q0, %R0, c14"
#define cntvoff_el2 64, "p15, 4, %Q0, %R0, c14"
#define cnthctl_el2 32, "p15, 4, %0, c14, c1, 0"
#define cnthp_ctl_el2 32, "p15, 4, %0, c14, c2, 1"
#define cnthp_cval_el2 64, "p15, 6, %Q0, %R0, c14"

/* Hyp mode's own */
#define HCR 32, "p15, 4, %0, c1, c1, 0"
#define HDCR 32, "p15, 4, %0, c1, c1, 1"
#define HCPTR 32, "p15, 4, %0, c1, c1, 2"
#define HSTR 32, "p15, 4, %0, c1, c1, 3"
#define HSR 32, "p15, 4, %0, c5, c2, 0"
#define VPIDR 32, "p15, 4, %0, c0, c0, 0"
#define VMPIDR 32, "p15, 4, %0, c0, c0, 5"
#define VTTBR 64, "p15, 6, %Q0, %R0, c2"
#define VTCR 32, "p15, 4, %0, c2, c1, 2"
#define ACTLR 32, "p15, 0, %0, c1, c0, 1"

/* a guest's */
#define SCTLR 32, "p15, 0, %0, c1, c0, 0"
#define CPACR 32, "p15, 0, %0, c1, c0, 2"
#define TTBR0 64, "p15, 0, %Q0, %R0, c2"
#define TTBR1 64, "p15, 1, %Q0, %R0, c2"
#define TTBCR 32, "p15, 0, %0, c2, c0, 2"
#define DACR 32, "p15, 0, %0, c3, c0, 0"
#define DFSR 32, "p15, 0, %0, c5, c0, 0"
#define IFSR 32, "p15, 0, %0, c5, c0, 1"
#define ADFSR 32, "p15, 0, %0, c5, c1, 0"
#define AIFSR 32, "p15, 0, %0, c5, c1, 1"
#define DFAR 32, "p15, 0, %0, c6, c0, 0"
#define IFAR 32, "p15, 0, %0, c6, c0, 2"
#define PAR64 64, "p15, 0, %Q0, %R0, c7"
#define MAIR0 32, "p15, 0, %0, c10, c2, 0"
#define MAIR1 32, "p15, 0, %0, c10, c2, 1"
#define AMAIR0 32, "p15, 0, %0, c10, c3, 0"
#define AMAIR1 32, "p15, 0, %0, c10, c3, 1"
#define VBAR 32, "p15, 0, %0, c12, c0, 0"
#define CONTEXTIDR 32, "p15, 0, %0, c13, c0, 1"
#define TPIDRURW 32, "p15, 0, %0, c13, c0, 2"
#define TPIDRURO 32, "p15, 0, %0, c13, c0, 3"
#define TPIDRPRW 32, "p15, 0, %0, c13, c0, 4"
#define CSSELR 32, "p15, 2, %0, c0, c0, 0"
#define CNTKCTL 32, "p15, 0, %0, c14, c1, 0"

/* The identification register CRn=0 CRm op2. */
#define ID_REGISTER(crm, op2) 32, "p15, 0, %0, c0, c" #crm ", " #op2
/* One of AArch64 with op0=3, in the place where AArch32 has it. */
#define SYSREG3(op1, crn, crm, op2) 32, "p15, " #op1 ", %0, c" #crn ", c" #crm ", " #op2
#define SGI1R 64, "p15, 0, %Q0, %R0, c12"

#define SYSREG_TYPE_32 uint32_t
#define SYSREG_TYPE_64 uint64_t
#define SYSREG_READ_32 "mrc "
#define SYSREG_READ_64 "mrrc "
#define SYSREG_WRITE_32 "mcr "
#define SYSREG_WRITE_64 "mcrr "

#define SYSREG_INSN_(width, operands) SYSREG_READ_##width operands
#define SYSREG_GET_(width, operands)                                                               \
    ({                                                                                             \
        SYSREG_TYPE_##width sysreg_;                                                               \
        __asm__ volatile(SYSREG_READ_##width operands : "=r"(sysreg_));                            \
        sysreg_;                                                                                   \
    })
#define SYSREG_SET_(val, width, operands)                                                          \
    __asm__ volatile(SYSREG_WRITE_##width operands : : "r"((SYSREG_TYPE_##width)(val)) : "memory")
#define SYSREG_GET(...) SYSREG_GET_(__VA_ARGS__)
#define SYSREG_SET(val, ...) SYSREG_SET_(val, __VA_ARGS__)

/* The instruction that reads it into %0. */
#define SYSREG_READ(...) SYSREG_INSN_(__VA_ARGS__)
#define read_sysreg(...) SYSREG_GET(__VA_ARGS__)
/* Takes effect for what follows only after an isb(), unless the register says otherwise. */
#define write_sysreg(val, ...) SYSREG_SET(val, __VA_ARGS__)

/* A list register of GICv3: two of 32 bits; see asm/gicv3.h. */
#define READ_ICH_LR(crm, high, op2)                                                                \
    (read_sysreg(SYSREG3(4, 12, crm, op2)) | (uint64_t)read_sysreg(SYSREG3(4, 12, high, op2)) << 32)
#define WRITE_ICH_LR(val, crm, high, op2)                                                          \
    do {                                                                                           \
        uint64_t lr_ = (val);                                                                      \
                                                                                                   \
        write_sysreg(lr_, SYSREG3(4, 12, crm, op2));                                               \
        write_sysreg(lr_ >> 32, SYSREG3(4, 12, high, op2));                                        \
    } while (0)

#endif
