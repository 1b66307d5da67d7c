/* Floor 1: system registers by the assembler's name (hcr_el2) or encoding (S3_4_C12_C11_0). */
#ifndef ASM_SYSREG_H
#define ASM_SYSREG_H

#include <stdint.h>

#define SYSREG_STR_(r) #r
#define SYSREG_STR(r) SYSREG_STR_(r)

/* Armv7 has one for each kind of abort. */
#define far_data_el2 far_el2
#define far_insn_el2 far_el2

/* One with op0=3. */
#define SYSREG3(op1, crn, crm, op2) S3_##op1##_C##crn##_C##crm##_##op2
/* Not where AArch32 has it. */
#define SGI1R SYSREG3(0, 12, 11, 5)

/* The instruction that reads it into %0. */
#define SYSREG_READ(r) "mrs %0, " SYSREG_STR(r)

#define read_sysreg(r)                                                                             \
    ({                                                                                             \
        uint64_t sysreg_;                                                                          \
        __asm__ volatile(SYSREG_READ(r) : "=r"(sysreg_));                                          \
        sysreg_;                                                                                   \
    })

/* Takes effect for what follows only after an isb(), unless the register says otherwise. */
#define write_sysreg(val, r)                                                                       \
    __asm__ volatile("msr " SYSREG_STR(r) ", %x0" : : "rZ"((uint64_t)(val)) : "memory")

/* A list register of GICv3; see asm/gicv3.h. */
#define READ_ICH_LR(crm, high, op2) read_sysreg(SYSREG3(4, 12, crm, op2))
#define WRITE_ICH_LR(val, crm, high, op2) write_sysreg(val, SYSREG3(4, 12, crm, op2))

#endif
