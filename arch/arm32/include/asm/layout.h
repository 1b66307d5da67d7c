/*
 * Floor 1: the hypervisor's virtual address space on arm32 (32 bits, HTTBR, 3 levels).
 *
 *   0x00000000   nothing
 *   0x40000000   frame table: struct page_info of frame n at FRAMETABLE_VA + n * sizeof
 *   0x80000000   direct map of one GiB of physical addresses (the xenheap), RW, never executable
 *   0xc0000000   vmap: boot windows, the CPUs' windows on other RAM (hv/mapwin.h), devices, stacks
 *   0xffa00000   the image: text RX, rodata RO, data RW, each section page-aligned
 *
 * While the MMU is switched on, the image's own physical addresses are mapped as well; they must
 * not lie in the image's last 2 MiB above.
 */
#ifndef ASM_LAYOUT_H
#define ASM_LAYOUT_H

#define HV_IMAGE_VA 0xffa00000
#define VMAP_START 0xc0000000
#define VMAP_END 0xff000000
#define FRAMETABLE_VA 0x40000000
#define FRAMETABLE_END 0x80000000
#define DIRECTMAP_VA 0x80000000
#define DIRECTMAP_SIZE 0x40000000
#define PADDR_BITS 40
#define HV_ROOT_LEVEL 1
#define HV_VA_BITS 32

/* First pages of vmap: windows with fixed addresses, used before vmap's allocator runs. */
#define FIXMAP_FDT (VMAP_START + 0x00000000)  /* 4 MiB: the boot device tree */
#define FIXMAP_UART (VMAP_START + 0x00400000) /* 2 MiB: early console registers */
#define FIXMAP_TABLE(level)                                                                        \
    (VMAP_START + 0x00600000 + (level)*0x200000) /* 4 x 2 MiB: tables in the making */
#define MAPWIN_VA (VMAP_START + 0x01000000)      /* 4 MiB: MAPWIN_SLOTS pages for each CPU */
#define MAPWIN_SLOTS 8u
#define VMAP_DYNAMIC (VMAP_START + 0x01400000)

#define STACK_SHIFT 13 /* 8 KiB, twice that apart: the other half is the guard */

#ifndef __ASSEMBLER__

#include <hv/types.h>

/* Physical address of HV_IMAGE_VA; set once by head.S. */
extern uint64_t hv_image_pa;
/* First physical address in the direct map: the GiB that the image was loaded in. */
extern uint64_t directmap_pa;

#define ALL_RAM_DIRECT 0
/* True when all of it can be reached by phys_to_virt(). */
static inline bool paddr_is_direct(paddr_t pa, uint64_t size) {
    return pa.pa >= directmap_pa && size <= DIRECTMAP_SIZE &&
           pa.pa - directmap_pa <= DIRECTMAP_SIZE - size;
}
/* Leaves of [*start, *end) what is in the direct map; end below start: nothing. */
static inline void directmap_clip(uint64_t *start, uint64_t *end) {
    if (*start < directmap_pa)
        *start = directmap_pa;
    if (*end > directmap_pa + DIRECTMAP_SIZE)
        *end = directmap_pa + DIRECTMAP_SIZE;
}
static inline bool va_is_direct(const void *va) {
    return (uintptr_t)va - DIRECTMAP_VA < DIRECTMAP_SIZE;
}
static inline void *phys_to_virt(paddr_t pa) {
    return (void *)(uintptr_t)(DIRECTMAP_VA + (pa.pa - directmap_pa));
}

/* For direct-map addresses and addresses inside the image. */
static inline paddr_t virt_to_phys(const void *va) {
    uintptr_t a = (uintptr_t)va;

    if (a < VMAP_START)
        return paddr(a - DIRECTMAP_VA + directmap_pa);
    return paddr(a - HV_IMAGE_VA + hv_image_pa);
}

#endif
#endif
