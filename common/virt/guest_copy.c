/* Guest memory by guest virtual address, page by page under the P2M read lock. */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guest_copy.h>
#include <hv/page.h>
#include <hv/string.h>

#include <asm/guest_translate.h>

/*
 * Where the byte at va is, for as long as the lock is held; NULL: nowhere, or in a device. The
 * hardware's answer is current: whoever changes the P2M flushes before giving up the write lock.
 * With its MMU off a guest has RAM as Device memory too.
 */
static __force_inline char *locate(vaddr_t va, bool write) {
    paddr_t pa;

    switch (guest_translate(va, write, &pa)) {
    case GUEST_NORMAL:
        return phys_to_virt(pa);
    case GUEST_DEVICE:
        return mfn_is_managed(paddr_to_mfn(pa)) ? phys_to_virt(pa) : NULL;
    default:
        return NULL;
    }
}

/* Within one page. */
static __force_inline int copy_piece(struct p2m *p2m, vaddr_t va, char *ours, size_t n,
                                     bool write) {
    char *theirs;

    read_lock(&p2m->lock);
    theirs = locate(va, write);
    if (likely(theirs != NULL))
        memcpy(write ? theirs : ours, write ? ours : theirs, n);
    read_unlock(&p2m->lock);
    return theirs ? 0 : -EFAULT;
}

static __noinline int copy_pages(struct p2m *p2m, vaddr_t va, char *ours, size_t n, bool write) {
    while (n) {
        size_t piece = MIN(n, PAGE_SIZE - (va & (PAGE_SIZE - 1)));

        if (copy_piece(p2m, va, ours, piece, write))
            return -EFAULT;
        va += piece;
        ours += piece;
        n -= piece;
    }
    return 0;
}

static __force_inline int copy(vaddr_t va, char *ours, size_t n, bool write) {
    struct p2m *p2m = &current->domain->p2m;

    /* Nearly every argument lies in one page. */
    if (likely(n - 1 < PAGE_SIZE - (va & (PAGE_SIZE - 1))))
        return copy_piece(p2m, va, ours, n, write);
    return copy_pages(p2m, va, ours, n, write);
}

int copy_from_guest(void *to, vaddr_t from, size_t n) {
    return copy(from, to, n, false);
}

int64_t read_u32_from_guest(const struct vcpu *v, vaddr_t from) {
    struct p2m *p2m = &v->domain->p2m;
    const char *theirs;
    int64_t value = -EFAULT;
    uint32_t bytes;

    if (unlikely(from & 3))
        return copy_from_guest(&bytes, from, sizeof(bytes)) ? -EFAULT : (int64_t)bytes;
    read_lock(&p2m->lock);
    theirs = locate(from, false);
    if (likely(theirs != NULL))
        value = *(const uint32_t *)theirs;
    read_unlock(&p2m->lock);
    return value;
}

int copy_to_guest(vaddr_t to, const void *from, size_t n) {
    return copy(to, (char *)(uintptr_t)from, n, true);
}

/* With one look-up when they lie in one page. */
int copy_fields_to_guest(vaddr_t to, const uint64_t *from, size_t stride, size_t n) {
    struct p2m *p2m = &current->domain->p2m;
    vaddr_t last = to + (n - 1) * stride + sizeof(*from) - 1;
    char *theirs;

    if (!n)
        return 0;
    if ((to & 7) || (to ^ last) >> PAGE_SHIFT) {
        for (size_t i = 0; i < n; i++)
            if (copy_to_guest(to + i * stride, (const char *)from + i * stride, sizeof(*from)))
                return -EFAULT;
        return 0;
    }
    read_lock(&p2m->lock);
    theirs = locate(to, true);
    for (size_t i = 0; theirs && i < n; i++)
        *(uint64_t *)(theirs + i * stride) = *(const uint64_t *)((const char *)from + i * stride);
    read_unlock(&p2m->lock);
    return theirs ? 0 : -EFAULT;
}
