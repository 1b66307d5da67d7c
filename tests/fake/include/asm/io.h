/*
 * Host fake of asm/io.h: plain memory, unless the test defines fake_mmio_read() and
 * fake_mmio_write(), which then get every access (a model of a device's registers).
 */
#ifndef ASM_IO_H
#define ASM_IO_H

#include <stdint.h>
#include <string.h>

uint64_t fake_mmio_read(const volatile void *at, unsigned size) __attribute__((weak));
void fake_mmio_write(volatile void *at, uint64_t val, unsigned size) __attribute__((weak));

#define DEFINE_IO_(suffix, type)                                                                   \
    static inline type read##suffix(const volatile void *at) {                                     \
        if (fake_mmio_read)                                                                        \
            return (type)fake_mmio_read(at, sizeof(type));                                         \
        return *(const volatile type *)at;                                                         \
    }                                                                                              \
    static inline void write##suffix(type val, volatile void *at) {                                \
        if (fake_mmio_write)                                                                       \
            fake_mmio_write(at, val, sizeof(type));                                                \
        else                                                                                       \
            *(volatile type *)at = val;                                                            \
    }

DEFINE_IO_(b, uint8_t)
DEFINE_IO_(w, uint16_t)
DEFINE_IO_(l, uint32_t)
DEFINE_IO_(q, uint64_t)

#undef DEFINE_IO_

#endif
