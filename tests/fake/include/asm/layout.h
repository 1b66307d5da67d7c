/* Host fake: RAM is an arena of the test, the frame table one of its own. Set up by
 * tests/fake/mm_world.c. */
#ifndef ASM_LAYOUT_H
#define ASM_LAYOUT_H

#include <assert.h>

#include <hv/types.h>

extern uint8_t *fake_ram;
extern uint64_t fake_ram_base, fake_ram_size;
extern uint8_t *fake_frame_table, *fake_frame_table_end;

#define FRAMETABLE_VA ((uintptr_t)fake_frame_table)
#define FRAMETABLE_END ((uintptr_t)fake_frame_table_end)
#define VMAP_START 0x7d8000000000
#define VMAP_END 0x7d8040000000
#define VMAP_DYNAMIC (VMAP_START + 0x600000)

static inline void *phys_to_virt(paddr_t pa) {
    assert(pa.pa >= fake_ram_base && pa.pa - fake_ram_base < fake_ram_size);
    return fake_ram + (pa.pa - fake_ram_base);
}
static inline paddr_t virt_to_phys(const void *va) {
    uint64_t offset = (uint64_t)((const uint8_t *)va - fake_ram);

    assert(offset < fake_ram_size);
    return paddr(fake_ram_base + offset);
}

#endif
