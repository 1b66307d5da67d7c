/* Host fake of asm/smccc_call.h: the firmware is the test's. */
#ifndef ASM_SMCCC_CALL_H
#define ASM_SMCCC_CALL_H

#include <stdint.h>

uint64_t smccc_smc(uint64_t fn, uint64_t a1, uint64_t a2, uint64_t a3);

#endif
