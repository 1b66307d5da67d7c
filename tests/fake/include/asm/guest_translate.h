/* Host fake: where a guest's address leads is the test's to say (tests/unit/abi_world.h). */
#ifndef ASM_GUEST_TRANSLATE_H
#define ASM_GUEST_TRANSLATE_H

#include <hv/types.h>

enum guest_memory { GUEST_NOTHING, GUEST_DEVICE, GUEST_NORMAL };

enum guest_memory guest_translate(vaddr_t va, bool write, paddr_t *pa);

#endif
