/* The hypervisor's own memory: whole pages, direct-mapped. */
#include <hv/page.h>
#include <hv/printk.h>

void *xenheap_alloc(unsigned order) {
    struct page_info *page = heap_alloc_direct(order);

    if (!page)
        return NULL;
    for (uint64_t i = 0; i < 1ULL << order; i++) {
        page[i].count_info = PGC_xenheap | 1;
        page[i].type_info = PGT_TYPE_INFO_INITIALIZER;
        page[i].u.owner = NULL;
    }
    return page_to_virt(page);
}

void xenheap_free(void *va, unsigned order) {
    struct page_info *page = virt_to_page(va);

    for (uint64_t i = 0; i < 1ULL << order; i++) {
        /* Lent to a domain, mapped or never allocated: not ours to free. */
        BUG_ON(page[i].count_info != (PGC_xenheap | 1));
        page[i].count_info = 0;
    }
    heap_free(page, order);
}
