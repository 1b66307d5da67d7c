/*
 * Floor 1: the hypervisor's virtual address space on arm64 (48 bits, one TTBR0_EL2, 4 levels).
 *
 *   slot of 512 GiB   what
 *   0 ..              identity map of the image while the MMU is switched on, gone afterwards
 *   250               the image: text RX, rodata RO, data RW, each section page-aligned
 *   251               vmap: devices, stacks with guard pages, temporary mappings
 *   252               frame table: struct page_info of frame n at FRAMETABLE_VA + n * 32
 *   256 .. 511        direct map of RAM: DIRECTMAP_VA + physical address, RW, never executable
 *
 * Kept below the direct map so that one compare tells the two apart.
 */
#ifndef ASM_LAYOUT_H
#define ASM_LAYOUT_H

#define HV_IMAGE_VA 0x00007d0000000000
#define VMAP_START 0x00007d8000000000
#define VMAP_END 0x00007e0000000000
#define FRAMETABLE_VA 0x00007e0000000000
#define FRAMETABLE_END 0x00007e8000000000
#define DIRECTMAP_VA 0x0000800000000000
#define PADDR_BITS 47 /* of RAM: the direct map has room for so much */
#define HV_ROOT_LEVEL 0
#define HV_VA_BITS 48

/* First pages of vmap: windows with fixed addresses, used before vmap's allocator runs. */
#define FIXMAP_FDT (VMAP_START + 0x00000000)  /* 4 MiB: the boot device tree */
#define FIXMAP_UART (VMAP_START + 0x00400000) /* 2 MiB: early console registers */
#define FIXMAP_TABLE(level)                                                                        \
    (VMAP_START + 0x00600000 + (level)*0x200000) /* 4 x 2 MiB: tables in the making */
#define VMAP_DYNAMIC (VMAP_START + 0x01000000)

#define STACK_SHIFT 13 /* 8 KiB, twice that apart: the other half is the guard */

#ifndef __ASSEMBLER__

#include <hv/types.h>

/* Physical address of HV_IMAGE_VA; set once by head.S. */
extern uint64_t hv_image_pa;

/* All RAM is in the direct map: what asks is decided by the compiler. */
#define ALL_RAM_DIRECT 1
static inline bool paddr_is_direct(paddr_t pa, uint64_t size) {
    (void)pa;
    (void)size;
    return true;
}
/* Leaves of [*start, *end) what is in the direct map; end below start: nothing. */
static inline void directmap_clip(uint64_t *start, uint64_t *end) {
    (void)start;
    (void)end;
}
static inline bool va_is_direct(const void *va) {
    (void)va;
    return true;
}

static inline void *phys_to_virt(paddr_t pa) {
    return (void *)(DIRECTMAP_VA + pa.pa);
}

/* For direct-map addresses and addresses inside the image. */
static inline paddr_t virt_to_phys(const void *va) {
    uint64_t a = (uint64_t)va;

    if (a >= DIRECTMAP_VA)
        return paddr(a - DIRECTMAP_VA);
    return paddr(a - HV_IMAGE_VA + hv_image_pa);
}

#endif
#endif
