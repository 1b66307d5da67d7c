/* Floor 1: one SMC or HVC from the hypervisor to the firmware (SMCCC: x0..x3 in and out, x4..x17 clobbered). */
#ifndef ASM_SMCCC_CALL_H
#define ASM_SMCCC_CALL_H

#include <stdint.h>

#define SMCCC_CALL_(insn, fn, a1, a2, a3)                                                         \
    ({                                                                                            \
        register uint64_t r0_ __asm__("x0") = (fn);                                               \
        register uint64_t r1_ __asm__("x1") = (a1);                                               \
        register uint64_t r2_ __asm__("x2") = (a2);                                               \
        register uint64_t r3_ __asm__("x3") = (a3);                                               \
        __asm__ volatile(insn " #0"                                                               \
                         : "+r"(r0_), "+r"(r1_), "+r"(r2_), "+r"(r3_)                             \
                         :                                                                        \
                         : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", \
                           "x15", "x16", "x17", "memory");                                        \
        r0_;                                                                                      \
    })

static inline uint64_t smccc_smc(uint64_t fn, uint64_t a1, uint64_t a2, uint64_t a3) {
    return SMCCC_CALL_("smc", fn, a1, a2, a3);
}

static inline uint64_t smccc_hvc(uint64_t fn, uint64_t a1, uint64_t a2, uint64_t a3) {
    return SMCCC_CALL_("hvc", fn, a1, a2, a3);
}

#endif
