/*
 * Floor 1: device registers. Each call is exactly one load or store of that size, in program order
 * with other accesses to the same device; order against normal memory is the caller's (dmb/dsb of
 * asm/barrier.h).
 *
 * Assembly, because a compiler may join two volatile accesses into a pair or use an addressing mode
 * with writeback, which a hypervisor below us could not emulate from the syndrome.
 */
#ifndef ASM_IO_H
#define ASM_IO_H

#include <stdint.h>

#define DEFINE_READ_(name, type, insn, reg)                                                        \
    static inline type name(const volatile void *at) {                                             \
        type val_;                                                                                 \
        __asm__ volatile(insn " %" reg "0, [%1]" : "=r"(val_) : "r"(at) : "memory");               \
        return val_;                                                                               \
    }
#define DEFINE_WRITE_(name, type, insn, reg)                                                       \
    static inline void name(type val, volatile void *at) {                                         \
        __asm__ volatile(insn " %" reg "0, [%1]" : : "rZ"(val), "r"(at) : "memory");               \
    }

DEFINE_READ_(readb, uint8_t, "ldrb", "w")
DEFINE_READ_(readw, uint16_t, "ldrh", "w")
DEFINE_READ_(readl, uint32_t, "ldr", "w")
DEFINE_READ_(readq, uint64_t, "ldr", "x")
DEFINE_WRITE_(writeb, uint8_t, "strb", "w")
DEFINE_WRITE_(writew, uint16_t, "strh", "w")
DEFINE_WRITE_(writel, uint32_t, "str", "w")
DEFINE_WRITE_(writeq, uint64_t, "str", "x")

#undef DEFINE_READ_
#undef DEFINE_WRITE_

#endif
