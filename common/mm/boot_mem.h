/* Between boot_mem.c and page_alloc_init(): the free ranges, and blocks with a chosen offset. */
#ifndef MM_BOOT_MEM_H
#define MM_BOOT_MEM_H

#include <hv/types.h>

struct mem_range {
    uint64_t start, end; /* bytes, [start, end) */
};

/* Lowest address of the block is `offset` modulo `align`. INVALID_PADDR when there is none. */
paddr_t boot_mem_alloc_at_offset(uint64_t size, uint64_t align, uint64_t offset);

/* Free range i, sorted by address, page-aligned; false past the last. */
bool boot_mem_free_range(unsigned i, struct mem_range *out);
/* From here on boot_mem_alloc() is a bug. */
void boot_mem_close(void);

#endif
