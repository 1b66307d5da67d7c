/*
 * Floor 1: the hypervisor's own table at boot: windows for the device tree and the first console,
 * then the direct map of RAM. After that hyp_map() (common/mm) extends the same table.
 */
#ifndef ASM_MMU_H
#define ASM_MMU_H

#include <hv/types.h>

#include <asm/pte.h>

/* Root table of the hypervisor, of level HV_ROOT_LEVEL, physical. */
paddr_t hyp_root(void);

/* Maps a device tree of at most 2 MiB read-only. NULL when the address cannot hold one. */
const void *mmu_early_fdt(paddr_t pa);
/* Maps the 2 MiB around a device's registers; returns the address of pa. One window: a later call
 * replaces it. */
volatile void *mmu_early_device(paddr_t pa);
/*
 * Maps what of [pa, pa+size) of RAM belongs there into the direct map, never executable, but
 * for the hypervisor's own text and constants. Table pages come from alloc(), which returns free
 * RAM (mapped or not).
 */
void mmu_map_ram(paddr_t pa, uint64_t size, bool writable, paddr_t (*alloc)(void));

/* The last-level entries of the windows at MAPWIN_VA, where not all RAM is in the direct map. */
extern pte_t mapwin_ptes[];

#endif
