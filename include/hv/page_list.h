/*
 * Floor 3: doubly linked lists of pages. The links are 32-bit frame numbers inside struct
 * page_info, which is what keeps it at 32 bytes; frames at and above 16 TiB are therefore not used.
 */
#ifndef HV_PAGE_LIST_H
#define HV_PAGE_LIST_H

#include <hv/types.h>

#define PAGE_LINK_NONE 0xffffffffu
#define MAX_MFN ((uint64_t)PAGE_LINK_NONE - 1)

struct page_info;

struct page_list {
    uint32_t head, tail; /* PAGE_LINK_NONE: empty */
};

#define PAGE_LIST_INIT                                                                             \
    { PAGE_LINK_NONE, PAGE_LINK_NONE }

static inline void page_list_init(struct page_list *l) {
    l->head = l->tail = PAGE_LINK_NONE;
}
static inline bool page_list_empty(const struct page_list *l) {
    return l->head == PAGE_LINK_NONE;
}

#endif
