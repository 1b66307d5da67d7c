/* Floor 9: started where the hypervisor cannot run (arch/arm/entry/wrong_el.c); the MMU is off. */
#ifndef ASM_WRONG_EL_H
#define ASM_WRONG_EL_H

#include <hv/types.h>

#define WRONG_EL_PREFIX "EL"
#define WRONG_EL_WANTED "EL2 (QEMU: virtualization=on, and no secure=on without EL3 firmware)"

/* One line on the console that the tree names; el: where this is, 1 or 3. */
void boot_wrong_el(const void *fdt, unsigned el);

static inline volatile char *wrong_el_device(uint64_t pa) {
    return (volatile char *)pa;
}

#endif
