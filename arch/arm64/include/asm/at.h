/* Floor 1: address translation by the hardware (Arm ARM D8.12). */
#ifndef ASM_AT_H
#define ASM_AT_H

#include <hv/bits.h>

#include <asm/sysreg.h>

#define PAR_PA GENMASK(47, 12)

#define AT_GUEST_READ "s12e1r" /* both stages */
#define AT_GUEST_WRITE "s12e1w"
#define AT_STAGE1_KERNEL "s1e1r"
#define AT_STAGE1_USER "s1e0r"
#define AT_HYP "s1e2r"

/* PAR_EL1, which is the guest's, as an AT instruction leaves it. */
#define AT_PAR(insn, va)                                                                           \
    ({                                                                                             \
        uint64_t saved_ = read_sysreg(par_el1), par_;                                              \
                                                                                                   \
        __asm__ volatile("at " insn ", %0\n\tisb" ::"r"(va) : "memory");                           \
        par_ = read_sysreg(par_el1);                                                               \
        write_sysreg(saved_, par_el1);                                                             \
        par_;                                                                                      \
    })

#endif
