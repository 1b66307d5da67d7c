/*
 * Floor 1: device registers. Each call is exactly one load or store of that size, in program order
 * with other accesses to the same device; 64-bit registers are two words, the lower first. Order
 * against normal memory is the caller's (dmb/dsb of asm/barrier.h).
 */
#ifndef ASM_IO_H
#define ASM_IO_H

#include <stdint.h>

#define DEFINE_READ_(name, type, insn)                                                             \
    static inline type name(const volatile void *at) {                                             \
        uint32_t val_;                                                                             \
        __asm__ volatile(insn " %0, [%1]" : "=r"(val_) : "r"(at) : "memory");                      \
        return (type)val_;                                                                         \
    }
#define DEFINE_WRITE_(name, type, insn)                                                            \
    static inline void name(type val, volatile void *at) {                                         \
        __asm__ volatile(insn " %0, [%1]" : : "r"((uint32_t)val), "r"(at) : "memory");             \
    }

DEFINE_READ_(readb, uint8_t, "ldrb")
DEFINE_READ_(readw, uint16_t, "ldrh")
DEFINE_READ_(readl, uint32_t, "ldr")
DEFINE_WRITE_(writeb, uint8_t, "strb")
DEFINE_WRITE_(writew, uint16_t, "strh")
DEFINE_WRITE_(writel, uint32_t, "str")

#undef DEFINE_READ_
#undef DEFINE_WRITE_

static inline uint64_t readq(const volatile void *at) {
    uint64_t low = readl(at);

    return low | (uint64_t)readl((const volatile char *)at + 4) << 32;
}
static inline void writeq(uint64_t val, volatile void *at) {
    writel((uint32_t)val, at);
    writel((uint32_t)(val >> 32), (volatile char *)at + 4);
}

#endif
