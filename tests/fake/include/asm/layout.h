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
/* Nothing is there in the tests' own address space: entries of tables only. */
#if UINTPTR_MAX == UINT64_MAX
#define VMAP_START 0x7d8000000000
#define HV_ROOT_LEVEL 0
#define HV_VA_BITS 48
#else
#define VMAP_START 0xa0000000
#define HV_ROOT_LEVEL 1
#define HV_VA_BITS 32
#endif
#define VMAP_END (VMAP_START + 0x40000000)
#define VMAP_DYNAMIC (VMAP_START + 0x600000)
#define MAPWIN_VA (VMAP_START + 0x10000000)
#define MAPWIN_SLOTS 8u

/*
 * A test may leave RAM from fake_direct_end on out of the direct map; then common code that does
 * without a window is caught here. It has to be a multiple of 1 GiB.
 */
#define ALL_RAM_DIRECT 0
__attribute__((weak)) uint64_t fake_direct_end = ~0ULL;
__attribute__((weak)) unsigned fake_windows; /* open at the moment */

static inline bool paddr_is_direct(paddr_t pa, uint64_t size) {
    return pa.pa < fake_direct_end && size <= fake_direct_end - pa.pa;
}
static inline void directmap_clip(uint64_t *start, uint64_t *end) {
    (void)start;
    if (*end > fake_direct_end)
        *end = fake_direct_end;
}
/* A window is the fake RAM itself. */
static inline bool va_is_direct(const void *va) {
    uint64_t offset = (uintptr_t)va - (uintptr_t)fake_ram;

    return offset >= fake_ram_size || paddr_is_direct(paddr(fake_ram_base + offset), 1);
}
/* In tests/fake/mm_world.c. */
__attribute__((weak)) void *mapwin_open(paddr_t pa);
__attribute__((weak)) void mapwin_close(const void *va);
unsigned mapwin_open_count(void);

/* RAM as a test sees it. */
static inline void *fake_at(paddr_t pa) {
    assert(pa.pa >= fake_ram_base && pa.pa - fake_ram_base < fake_ram_size);
    return fake_ram + (pa.pa - fake_ram_base);
}
static inline void *phys_to_virt(paddr_t pa) {
    assert(paddr_is_direct(pa, 1));
    return fake_at(pa);
}
static inline paddr_t virt_to_phys(const void *va) {
    uint64_t offset = (uintptr_t)va - (uintptr_t)fake_ram;

    assert(offset < fake_ram_size);
    assert(paddr_is_direct(paddr(fake_ram_base + offset), 1));
    return paddr(fake_ram_base + offset);
}

#endif
