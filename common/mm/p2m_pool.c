/* Table pages of one p2m: reserved when the domain is made, so that no guest draws on the heap
 * (invariant 12). */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/mm.h>
#include <hv/printk.h>

#include <asm/cache.h>
#include <asm/s2.h>
#include <asm/tlb.h>

#include "p2m_internal.h"

static struct p2m *p2m_of(struct pt *pt) {
    return container_of(pt, struct p2m, pt);
}

static pte_t *take_table(struct pt *pt) {
    struct p2m *p2m = p2m_of(pt);
    struct page_info *page = page_list_pop(&p2m->pool);

    BUG_ON(!page); /* whoever commits has counted before */
    p2m->pool_free--;
    page->u.used = 0;
    return page_to_virt(page);
}

static void give_table(struct pt *pt, pte_t *table) {
    struct p2m *p2m = p2m_of(pt);
    struct page_info *page = virt_to_page(table);

    page->type_info = PGT_TYPE_INFO_INITIALIZER;
    page_list_push(&p2m->pool, page);
    p2m->pool_free++;
}

static void flush_entry(struct pt *pt, uint64_t va, uint64_t size) {
    /* One address inside a block finds the whole block. */
    tlb_flush_ipa(p2m_of(pt)->vttbr, va, 1, size);
}

const struct pt_ops p2m_pt_ops = {.take = take_table, .give = give_table, .flush = flush_entry};

int p2m_pool_fill(struct p2m *p2m, uint32_t pages) {
    void *root = xenheap_alloc(S2_ROOT_ORDER);

    if (!root)
        return -ENOMEM;
    clear_range(root, PAGE_SIZE << S2_ROOT_ORDER);
    virt_to_page(root)->u.used = 0;
    p2m->pt.root = virt_to_phys(root);
    p2m->pool_free = 0;
    p2m->pool_total = 1u << S2_ROOT_ORDER;
    for (; pages; pages--) {
        void *table = xenheap_alloc(0);

        if (!table) {
            p2m_pool_drain(p2m);
            return -ENOMEM;
        }
        clear_range(table, PAGE_SIZE);
        page_list_push(&p2m->pool, virt_to_page(table));
        p2m->pool_free++;
        p2m->pool_total++;
    }
    return 0;
}

void p2m_pool_drain(struct p2m *p2m) {
    void *root = phys_to_virt(p2m->pt.root);
    struct page_info *page;

    while ((page = page_list_pop(&p2m->pool))) {
        page->u.owner = NULL;
        p2m->pool_free--;
        p2m->pool_total--;
        xenheap_free(page_to_virt(page), 0);
    }
    virt_to_page(root)->u.owner = NULL;
    xenheap_free(root, S2_ROOT_ORDER);
    p2m->pool_total -= 1u << S2_ROOT_ORDER;
}

/*
 * Every 2 MiB of RAM may end up as 4 KiB pages (one table each), every GiB needs one table above
 * that; then what lies elsewhere: the interrupt controller, shared pages, grants.
 */
uint32_t p2m_pool_size_for(uint64_t mem_bytes, unsigned vcpus) {
    return (uint32_t)(DIV_ROUND_UP(mem_bytes, MB(2)) + DIV_ROUND_UP(mem_bytes, GB(1))) + 32 +
           vcpus / 8;
}
