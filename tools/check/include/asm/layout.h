/* holdfast-check: the machine's memory is its modules, as files; everything else is one scratch
 * page. */
#ifndef ASM_LAYOUT_H
#define ASM_LAYOUT_H

#include <hv/types.h>

extern uint8_t check_frame_table[];
#define FRAMETABLE_VA ((uintptr_t)check_frame_table)

#define ALL_RAM_DIRECT 1
static inline bool paddr_is_direct(paddr_t pa, uint64_t size) {
    (void)pa;
    (void)size;
    return true;
}
static inline void directmap_clip(uint64_t *start, uint64_t *end) {
    (void)start;
    (void)end;
}
static inline bool va_is_direct(const void *va) {
    (void)va;
    return true;
}

void *phys_to_virt(paddr_t pa);
paddr_t virt_to_phys(const void *va);

#endif
