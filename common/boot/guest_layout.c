/* Places in a guest's physical address space for what it starts with. */
#include <hv/bits.h>
#include <hv/guest_layout.h>
#include <hv/guest_map.h>

#define BLOCK MB(2) /* what stands apart is in different blocks: a guest maps by blocks */
#define MODULES_OFFSET                                                                             \
    MB(128)            /* where 32-bit Linux wants ramdisk and tree, and 64-bit does not mind */
#define ZIMAGE_ROOM 4u /* an unpacked kernel is at most so many times its zImage */

static void plan_banks(uint64_t mem_bytes, struct guest_layout *l) {
    l->bank[0].start = GUEST_RAM0_BASE;
    l->bank[0].size = MIN(mem_bytes, GUEST_RAM0_SIZE);
    l->bank[1].start = GUEST_RAM1_BASE;
    l->bank[1].size = mem_bytes - l->bank[0].size;
}

/* Offset of ramdisk and tree in the bank, when `below` bytes in front of them are taken. ~0: no
 * room. */
static uint64_t place_modules(uint64_t bank, uint64_t below, uint64_t size) {
    uint64_t at = MODULES_OFFSET;

    if (bank >= at && bank - at >= size && at >= below)
        return at;
    if (size > bank)
        return ~0ULL;
    at = ALIGN_DOWN(bank - size, BLOCK);
    return at >= below ? at : ~0ULL;
}

/* The banks are there; what stands in the first of them is placed. */
static bool place(const struct kernel_image *img, uint64_t initrd_size, struct guest_layout *l,
                  uint64_t *need) {
    uint64_t initrd = ALIGN_UP(initrd_size, PAGE_SIZE), modules = initrd + GUEST_FDT_MAX;
    uint64_t below = ALIGN_UP(img->text_offset + img->mem_size, BLOCK), at;
    uint64_t base = ALIGN_UP(l->bank[0].start, BLOCK), unused = base - l->bank[0].start;

    l->kernel.size = img->mem_size;
    l->kernel.start = base + img->text_offset;
    /* It unpacks to the bottom of RAM, so it stands as high below the modules as it may. */
    if (img->kind == IMAGE_ZIMAGE)
        below = ALIGN_UP(img->mem_size * (1 + ZIMAGE_ROOM), BLOCK);
    *need = unused + below + ALIGN_UP(modules, BLOCK);
    if (unused >= l->bank[0].size)
        return false;
    at = place_modules(l->bank[0].size - unused, below, modules);
    if (at == ~0ULL)
        return false;
    if (img->kind == IMAGE_ZIMAGE)
        l->kernel.start =
            base + ALIGN_DOWN(MAX(MIN(at, MODULES_OFFSET), below) - img->mem_size, BLOCK);
    l->initrd.start = base + at;
    l->initrd.size = initrd_size;
    l->fdt = base + at + initrd;
    return true;
}

bool guest_layout_plan(uint64_t mem_bytes, const struct kernel_image *img, uint64_t initrd_size,
                       struct guest_layout *l, uint64_t *need) {
    *l = (struct guest_layout){0};
    plan_banks(mem_bytes, l);
    return place(img, initrd_size, l, need);
}

bool guest_layout_plan_direct(const struct boot_module *range, unsigned nr,
                              const struct kernel_image *img, uint64_t initrd_size,
                              struct guest_layout *l, uint64_t *need) {
    *l = (struct guest_layout){0};
    for (unsigned i = 0; i < nr; i++)
        l->bank[i] = (struct guest_range){range[i].start, range[i].size};
    return place(img, initrd_size, l, need);
}
