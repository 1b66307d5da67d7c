/*
 * Floor 8: where a new guest's memory, kernel, ramdisk and device tree go. Pure arithmetic.
 *
 * RAM is at the places of the public layout (guest_map.h). The kernel stands at the bottom of the
 * first bank (a zImage below 128 MiB instead, clear of where it unpacks itself); ramdisk and device
 * tree follow each other from 128 MiB on, or in a small guest at the end of the bank. Nothing
 * overlaps.
 */
#ifndef HV_GUEST_LAYOUT_H
#define HV_GUEST_LAYOUT_H

#include <hv/image.h>
#include <hv/modules.h>
#include <hv/types.h>

#define GUEST_BANKS 8u /* more than two only where they are machine addresses */
/* Room for the generated tree: guests map it as one 2 MiB block at most. */
#define GUEST_FDT_MAX (64u << 10)

struct guest_range {
    uint64_t start, size; /* guest physical; size 0: not there */
};

struct guest_layout {
    struct guest_range bank[GUEST_BANKS];
    struct guest_range kernel, initrd;
    uint64_t fdt; /* GUEST_FDT_MAX bytes from here on are free */
};

/* False when mem_bytes cannot hold it all; *need is then what would do at least. */
bool guest_layout_plan(uint64_t mem_bytes, const struct kernel_image *img, uint64_t initrd_size,
                       struct guest_layout *l, uint64_t *need);
/* The same for banks at machine addresses; the kernel goes to the first. */
bool guest_layout_plan_direct(const struct boot_module *range, unsigned nr,
                              const struct kernel_image *img, uint64_t initrd_size,
                              struct guest_layout *l, uint64_t *need);

#endif
