/* Floor 1: data cache maintenance and fast clearing of ordinary cacheable memory. Assembly in
 * cpu/cache.S. */
#ifndef ASM_CACHE_H
#define ASM_CACHE_H

#include <stddef.h>

/* Zeroes [va, va+size): any alignment. By FEAT_MOPS, else DC ZVA, else stores. */
void clear_range(void *va, size_t size);
/* A whole page onto another, or onto itself (cpu/string.S). */
void copy_page(void *to, const void *from);

/* To the point of coherency: what an observer without caches (a guest before its MMU is on, a
 * device) sees. */
void dcache_clean_poc(const void *va, size_t size);
void dcache_clean_inval_poc(const void *va, size_t size);
/* Drops lines without writing them back; the range must be whole lines. */
void dcache_inval_poc(void *va, size_t size);
/* Forgets all cached instructions, on every CPU. */
void icache_inval_all(void);

#endif
