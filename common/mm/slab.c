/*
 * Small objects: a page of a size class is cut into equal objects; page_info.u.slab says which
 * class, how many are in use and where the first free one is. A page with none in use goes back.
 */
#include <hv/bits.h>
#include <hv/mm.h>
#include <hv/page.h>
#include <hv/printk.h>
#include <hv/string.h>

#include <asm/cache.h>

/* Multiples of 16, each near a whole fraction of a page. */
static const uint16_t class_size[] = {16,  32,  48,  64,  96,   128,  192,
                                      256, 336, 512, 672, 1024, 1360, 2048};
#define NR_CLASSES ARRAY_SIZE(class_size)
#define CLASS_LARGE 31u /* a block of pages; `used` is its order */

#define SLAB_UNIT 16u /* free objects are named by offset / SLAB_UNIT + 1; 0: none */

/* The word in page_info.u.slab. */
struct slab {
    unsigned class, used, free;
};

static struct slab unpack(const struct page_info *page) {
    uint32_t w = page->u.slab;

    return (struct slab){w & 31, (w >> 5) & 1023, (w >> 15) & 1023};
}
static void pack(struct page_info *page, struct slab s) {
    page->u.slab = s.class | s.used << 5 | s.free << 15;
}

static spinlock_t slab_lock = SPINLOCK_INIT(RANK_SLAB, "slab");
/* Pages with a free object, by class; guarded by slab_lock. */
static struct page_list partial[NR_CLASSES] = {[0 ... NR_CLASSES - 1] = PAGE_LIST_INIT};

static unsigned class_of(size_t size) {
    unsigned c = 0;

    while (class_size[c] < size)
        c++;
    return c;
}

/* The first bytes of a free object name the next one. */
static uint16_t *free_link(void *base, unsigned name) {
    return (uint16_t *)((char *)base + (name - 1) * SLAB_UNIT);
}

static struct page_info *new_slab(unsigned c) {
    void *base = xenheap_alloc(0);
    unsigned n = PAGE_SIZE / class_size[c], step = class_size[c] / SLAB_UNIT;
    struct page_info *page;

    if (!base)
        return NULL;
    for (unsigned i = 0; i < n; i++)
        *free_link(base, i * step + 1) = (uint16_t)(i + 1 < n ? (i + 1) * step + 1 : 0);
    page = virt_to_page(base);
    pack(page, (struct slab){c, 0, 1});
    page_list_push(&partial[c], page);
    return page;
}

static void *alloc_large(size_t size) {
    unsigned order = order_of_size(size);
    void *p = order > MAX_ORDER ? NULL : xenheap_alloc(order);

    if (p) {
        pack(virt_to_page(p), (struct slab){CLASS_LARGE, order, 0});
        clear_range(p, PAGE_SIZE << order);
    }
    return p;
}

void *hv_zalloc(size_t size) {
    struct page_info *page;
    struct slab s;
    unsigned c;
    void *base, *p = NULL;

    if (size > class_size[NR_CLASSES - 1])
        return alloc_large(size);
    if (mm_fails())
        return NULL;
    c = class_of(size);
    spin_lock(&slab_lock);
    page = page_list_first(&partial[c]);
    if (!page)
        page = new_slab(c);
    if (page) {
        base = page_to_virt(page);
        s = unpack(page);
        p = free_link(base, s.free);
        s.free = *(uint16_t *)p;
        s.used++;
        pack(page, s);
        if (!s.free)
            page_list_del(&partial[c], page);
    }
    spin_unlock(&slab_lock);
    if (p)
        memset(p, 0, class_size[c]);
    return p;
}

static void free_large(void *p, struct page_info *page) {
    unsigned order = unpack(page).used;

    page->u.owner = NULL;
    xenheap_free(p, order);
}

void hv_free(void *p) {
    struct page_info *page;
    void *base;
    struct slab s;

    if (!p)
        return;
    page = virt_to_page(p);
    s = unpack(page);
    BUG_ON(page->count_info != (PGC_xenheap | 1));
    if (s.class == CLASS_LARGE) {
        free_large(p, page);
        return;
    }
    base = (void *)((uintptr_t)p & ~(uintptr_t)(PAGE_SIZE - 1));
    spin_lock(&slab_lock);
    s = unpack(page);
    BUG_ON(s.class >= NR_CLASSES || !s.used ||
           ((uintptr_t)p - (uintptr_t)base) % class_size[s.class]);
    if (!s.free)
        page_list_push(&partial[s.class], page);
    *(uint16_t *)p = (uint16_t)s.free;
    s.free = (unsigned)((uintptr_t)p - (uintptr_t)base) / SLAB_UNIT + 1;
    s.used--;
    pack(page, s);
    if (!s.used) {
        page_list_del(&partial[s.class], page);
        page->u.owner = NULL;
        xenheap_free(base, 0);
    }
    spin_unlock(&slab_lock);
}
