/* Addresses in the vmap region: devices, stacks, mappings of RAM outside the direct map. */
#include <hv/bits.h>
#include <hv/mm.h>
#include <hv/printk.h>

#include "heap.h"

/* Sorted by address; every area is followed by at least one unmapped page. */
struct area {
    struct list link;
    vaddr_t va;
    uint64_t size;   /* with its guard page */
    uint64_t device; /* device memory: the physical address of its first page; else NO_DEVICE */
};
#define NO_DEVICE ~0ULL

#define EARLY_AREAS 16u

static spinlock_t vmap_lock = SPINLOCK_INIT(RANK_HYP_MAP, "vmap");
static struct list areas = LIST_INIT(areas); /* guarded by vmap_lock */
/* Before the heap is up. */
static struct area early[EARLY_AREAS];
static unsigned nr_early;

static bool is_early(const struct area *a) {
    return a >= early && a < early + EARLY_AREAS;
}

static struct area *new_area(void) {
    if (!page_alloc_is_up())
        return nr_early < EARLY_AREAS ? &early[nr_early++] : NULL;
    return hv_zalloc(sizeof(struct area));
}

/* First gap that is large enough. 0: none. */
static vaddr_t vmap_reserve(uint64_t size, uint64_t align, uint64_t device) {
    struct area *a = new_area(), *other;
    vaddr_t at = ALIGN_UP((vaddr_t)VMAP_DYNAMIC, align);
    struct list *pos;

    if (!a)
        return 0;
    spin_lock(&vmap_lock);
    for (pos = areas.next; pos != &areas; pos = pos->next) {
        other = list_entry(pos, struct area, link);
        if (at + size <= other->va)
            break;
        at = ALIGN_UP(other->va + (vaddr_t)other->size, align);
    }
    if (size > VMAP_END - at)
        panic("the vmap region is full");
    a->va = at;
    a->size = size;
    a->device = device;
    list_insert_after(pos->prev, &a->link);
    spin_unlock(&vmap_lock);
    return at;
}

static void vmap_release(vaddr_t va) {
    struct area *a = NULL;

    spin_lock(&vmap_lock);
    list_for_each(pos, &areas) {
        struct area *here = list_entry(pos, struct area, link);

        if (here->va == va) {
            a = here;
            break;
        }
    }
    BUG_ON(!a);
    list_del(&a->link);
    spin_unlock(&vmap_lock);
    if (!is_early(a))
        hv_free(a);
}

static void *map_at_new_address(paddr_t pa, uint64_t size, enum hyp_prot prot) {
    uint64_t offset = pa.pa & (PAGE_SIZE - 1);
    uint64_t span = ALIGN_UP(offset + size, PAGE_SIZE);
    vaddr_t va;

    if (!size || span < size)
        return NULL;
    va = vmap_reserve(span + PAGE_SIZE, PAGE_SIZE, prot == HYP_DEVICE ? pa.pa - offset : NO_DEVICE);
    if (!va)
        return NULL;
    if (hyp_map(va, paddr(pa.pa - offset), span, prot)) {
        vmap_release(va);
        return NULL;
    }
    return (char *)va + offset;
}

volatile void *ioremap(paddr_t pa, uint64_t size) {
    return map_at_new_address(pa, size, HYP_DEVICE);
}

void *memremap(paddr_t pa, uint64_t size, enum hyp_prot prot) {
    return map_at_new_address(pa, size, prot);
}

void iounmap(volatile void *p, uint64_t size) {
    vaddr_t va = (vaddr_t)p;
    uint64_t offset = va & (PAGE_SIZE - 1);

    hyp_unmap(va - offset, ALIGN_UP(offset + size, PAGE_SIZE));
    vmap_release(va - offset);
}

bool ioremap_overlaps(paddr_t pa, uint64_t size) {
    bool found = false;

    spin_lock(&vmap_lock);
    list_for_each(pos, &areas) {
        struct area *a = list_entry(pos, struct area, link);

        if (a->device != NO_DEVICE && a->device < pa.pa + size &&
            pa.pa < a->device + a->size - PAGE_SIZE)
            found = true;
    }
    spin_unlock(&vmap_lock);
    return found;
}

/* A slot of twice the size, aligned to it: the lower half is never mapped. */
vaddr_t stack_alloc(void) {
    unsigned order = order_of_size(STACK_SIZE);
    void *mem = xenheap_alloc(order);
    vaddr_t slot;

    if (!mem)
        return 0;
    slot = vmap_reserve(2 * STACK_SIZE, 2 * STACK_SIZE, NO_DEVICE);
    if (slot && !hyp_map(slot + STACK_SIZE, virt_to_phys(mem), STACK_SIZE, HYP_RW))
        return slot + STACK_SIZE;
    if (slot)
        vmap_release(slot);
    xenheap_free(mem, order);
    return 0;
}

void stack_free(vaddr_t base) {
    paddr_t pa = hyp_lookup(base);

    hyp_unmap(base, STACK_SIZE);
    vmap_release(base - STACK_SIZE);
    xenheap_free(phys_to_virt(pa), order_of_size(STACK_SIZE));
}
