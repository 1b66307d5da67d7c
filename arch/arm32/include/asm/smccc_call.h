/* Floor 1: one SMC to the firmware (SMCCC: r0..r3 in and out). */
#ifndef ASM_SMCCC_CALL_H
#define ASM_SMCCC_CALL_H

#include <stdint.h>

/* The arguments' lower halves; the result is not negative. */
static inline uint64_t smccc_smc(uint64_t fn, uint64_t a1, uint64_t a2, uint64_t a3) {
    register uint32_t r0 __asm__("r0") = (uint32_t)fn;
    register uint32_t r1 __asm__("r1") = (uint32_t)a1;
    register uint32_t r2 __asm__("r2") = (uint32_t)a2;
    register uint32_t r3 __asm__("r3") = (uint32_t)a3;

    __asm__ volatile(".arch_extension sec\n\tsmc #0"
                     : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)
                     :
                     : "r12", "lr", "memory");
    return r0;
}

#endif
