/* Host fake: the root of the hypervisor's own table, one page of the fake RAM. */
#ifndef ASM_MMU_H
#define ASM_MMU_H

#include <hv/types.h>

#include <asm/pte.h>

paddr_t hyp_root(void);
extern pte_t mapwin_ptes[];

#endif
