/* Floor 1: widths of the words in struct page_info on arm32 (the packing itself is in
 * hv/type_info.h). */
#ifndef ASM_GFN_H
#define ASM_GFN_H

#include <stdint.h>

/* type_info: 1 bit of type, 2 bits of count, and a 28-bit GFN with one spare bit on top. */
typedef uint32_t type_info_t;
#define PGT_COUNT_BITS 2
#define PGT_GFN_BITS 29

/* count_info: flags on top, references below. */
typedef uint32_t count_info_t;
#define PGC_COUNT_BITS 24

#endif
