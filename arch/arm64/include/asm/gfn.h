/* Floor 1: widths of the words in struct page_info on arm64 (the packing itself is in
 * hv/type_info.h). */
#ifndef ASM_GFN_H
#define ASM_GFN_H

#include <stdint.h>

/* type_info: 1 bit of type, 10 bits of count, and a 52-bit GFN with one spare bit on top. */
typedef uint64_t type_info_t;
#define PGT_COUNT_BITS 10
#define PGT_GFN_BITS 53

/* count_info: flags on top, references below. */
typedef uint64_t count_info_t;
#define PGC_COUNT_BITS 32

#endif
