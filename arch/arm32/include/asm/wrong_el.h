/* Floor 9: started in another mode than Hyp (arch/arm/entry/wrong_el.c); PL1's MMU is on. */
#ifndef ASM_WRONG_EL_H
#define ASM_WRONG_EL_H

#include <asm/mmu.h>

#define WRONG_EL_PREFIX "PL"
#define WRONG_EL_WANTED "PL2, in Hyp mode (QEMU: virtualization=on)"

/* One line on the console that the tree names; el: 1. */
void boot_wrong_el(const void *fdt, unsigned el);

static inline volatile char *wrong_el_device(uint64_t pa) {
    return (volatile char *)mmu_early_device(paddr(pa));
}

#endif
