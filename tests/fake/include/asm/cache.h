/* Host fake: clearing is memset; cache maintenance does nothing, but a test may watch cleaning. */
#ifndef ASM_CACHE_H
#define ASM_CACHE_H

#include <stddef.h>
#include <string.h>

static inline void clear_range(void *va, size_t size) {
    memset(va, 0, size);
}
static inline void copy_page(void *to, const void *from) {
    memmove(to, from, 4096);
}
void fake_dcache_cleaned(const void *va, size_t size) __attribute__((weak));
static inline void dcache_clean_poc(const void *va, size_t size) {
    if (fake_dcache_cleaned)
        fake_dcache_cleaned(va, size);
}
static inline void dcache_clean_inval_poc(const void *va, size_t size) {
    if (fake_dcache_cleaned)
        fake_dcache_cleaned(va, size);
}
static inline void dcache_inval_poc(void *va, size_t size) {
    (void)va;
    (void)size;
}
static inline void icache_inval_all(void) {
}

#endif
