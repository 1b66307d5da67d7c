/* Floor 1: address translation by the hardware (Arm ARM ARMv7-A B3.13). */
#ifndef ASM_AT_H
#define ASM_AT_H

#include <hv/bits.h>

#include <asm/sysreg.h>

#define PAR_PA GENMASK(39, 12)

#define AT_GUEST_READ 32, "p15, 0, %0, c7, c8, 4" /* both stages */
#define AT_GUEST_WRITE 32, "p15, 0, %0, c7, c8, 5"
#define AT_STAGE1_KERNEL 32, "p15, 0, %0, c7, c8, 0"
#define AT_STAGE1_USER 32, "p15, 0, %0, c7, c8, 2"
#define AT_HYP 32, "p15, 4, %0, c7, c8, 0"

/* PAR, which is the guest's, as an operation leaves it: in its 64-bit format, from Hyp mode. */
#define AT_PAR(op, va)                                                                             \
    ({                                                                                             \
        uint64_t saved_ = read_sysreg(PAR64), par_;                                                \
                                                                                                   \
        write_sysreg(va, op);                                                                      \
        __asm__ volatile("isb" ::: "memory");                                                      \
        par_ = read_sysreg(PAR64);                                                                 \
        write_sysreg(saved_, PAR64);                                                               \
        par_;                                                                                      \
    })

#endif
