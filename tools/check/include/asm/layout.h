/* holdfast-check: the machine's memory is its modules, as files; everything else is one scratch
 * page. */
#ifndef ASM_LAYOUT_H
#define ASM_LAYOUT_H

#include <hv/types.h>

extern uint8_t check_frame_table[];
#define FRAMETABLE_VA ((uintptr_t)check_frame_table)

void *phys_to_virt(paddr_t pa);
paddr_t virt_to_phys(const void *va);

#endif
