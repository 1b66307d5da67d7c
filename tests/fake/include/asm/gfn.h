/* Host fake: widths of the words in struct page_info; HF_GFN_WIDTH=32 gives those of arm32. */
#ifndef ASM_GFN_H
#define ASM_GFN_H

#include <stdint.h>

#ifndef HF_GFN_WIDTH
#define HF_GFN_WIDTH 64
#endif

#if HF_GFN_WIDTH == 32
typedef uint32_t type_info_t;
typedef uint32_t count_info_t;
#define PGT_COUNT_BITS 2
#define PGT_GFN_BITS 29
#define PGC_COUNT_BITS 24
#else
typedef uint64_t type_info_t;
typedef uint64_t count_info_t;
#define PGT_COUNT_BITS 10
#define PGT_GFN_BITS 53
#define PGC_COUNT_BITS 32
#endif

#endif
