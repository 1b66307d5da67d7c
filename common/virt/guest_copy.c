/* Guest memory by guest virtual address, page by page under the P2M read lock. */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guest_copy.h>
#include <hv/mapwin.h>
#include <hv/page.h>
#include <hv/string.h>

#include <asm/guest_translate.h>

/*
 * Where the byte at va is, while the lock is held and until mapwin_unmap(); NULL: nowhere, or in a
 * device. The hardware's answer is current: whoever changes the P2M flushes before giving up the
 * write lock.
 * With its MMU off a guest has RAM as Device memory too.
 */
static char *locate(vaddr_t va, bool write) {
    paddr_t pa;

    switch (guest_translate(va, write, &pa)) {
    case GUEST_NORMAL:
        return mapwin_map(pa);
    case GUEST_DEVICE:
        return mfn_is_managed(paddr_to_mfn(pa)) ? mapwin_map(pa) : NULL;
    default:
        return NULL;
    }
}

/* Within one page. */
static int copy_piece(struct p2m *p2m, vaddr_t va, char *ours, size_t n, bool write) {
    char *theirs;

    read_lock(&p2m->lock);
    theirs = locate(va, write);
    if (theirs) {
        memcpy(write ? theirs : ours, write ? ours : theirs, n);
        mapwin_unmap(theirs);
    }
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

/* Longer ones are for memcpy(). */
#define WORDS_MAX 64u

/* Whole words; written so that the compiler makes no call of it. */
static __force_inline void copy_words(uint64_t *to, const uint64_t *from, size_t n) {
    if (n & 8)
        *to++ = *from++;
    for (n /= 16; n; n--, from += 2, to += 2) {
        uint64_t first = from[0], second = from[1];

        __asm__ volatile("" ::: "memory");
        to[0] = first;
        to[1] = second;
    }
}

/*
 * Nearly always nobody changes the P2M and va is in RAM: where it is, with the lock held. This way
 * calls nothing, so it needs no stack frame. NULL: ask copy_pages().
 */
static __force_inline char *enter(struct p2m *p2m, vaddr_t va, bool write) {
    paddr_t pa;

    if (unlikely(!read_trylock(&p2m->lock)))
        return NULL;
    if (likely(guest_translate(va, write, &pa) == GUEST_NORMAL))
        return mapwin_map(pa);
    read_unlock(&p2m->lock);
    return NULL;
}
static __force_inline void leave(struct p2m *p2m, const char *theirs) {
    mapwin_unmap(theirs);
    read_unlock(&p2m->lock);
}

/* Nearly every argument is a few aligned words in one page. */
static __force_inline bool is_words(vaddr_t va, const char *ours, size_t n) {
    return !((va | (uintptr_t)ours | n) & 7) && n - 8 <= WORDS_MAX - 8 &&
           (va & ~PAGE_MASK) <= PAGE_SIZE - n;
}

static __force_inline int copy(vaddr_t va, char *ours, size_t n, bool write) {
    struct p2m *p2m = &current->domain->p2m;
    char *theirs = likely(is_words(va, ours, n)) ? enter(p2m, va, write) : NULL;

    if (unlikely(!theirs))
        return copy_pages(p2m, va, ours, n, write);
    copy_words((uint64_t *)(write ? theirs : ours), (uint64_t *)(write ? ours : theirs), n);
    leave(p2m, theirs);
    return 0;
}

int copy_from_guest(void *to, vaddr_t from, size_t n) {
    return copy(from, to, n, false);
}

int copy_to_guest(vaddr_t to, const void *from, size_t n) {
    return copy(to, (char *)(uintptr_t)from, n, true);
}

static __noinline int64_t read_u32(struct p2m *p2m, vaddr_t from) {
    uint32_t value;

    return copy_pages(p2m, from, (char *)&value, sizeof(value), false) ? -EFAULT : (int64_t)value;
}

int64_t read_u32_from_guest(const struct vcpu *v, vaddr_t from) {
    struct p2m *p2m = &v->domain->p2m;
    char *theirs = likely(!(from & 3)) ? enter(p2m, from, false) : NULL;
    uint32_t value;

    if (unlikely(!theirs))
        return read_u32(p2m, from);
    value = *(const uint32_t *)theirs;
    leave(p2m, theirs);
    return value;
}

static __noinline int write_u16(struct p2m *p2m, vaddr_t to, uint16_t value) {
    return copy_pages(p2m, to, (char *)&value, sizeof(value), true);
}

int write_u16_to_guest(vaddr_t to, uint16_t value) {
    struct p2m *p2m = &current->domain->p2m;
    char *theirs = likely(!(to & 1)) ? enter(p2m, to, true) : NULL;

    if (unlikely(!theirs))
        return write_u16(p2m, to, value);
    *(uint16_t *)theirs = value;
    leave(p2m, theirs);
    return 0;
}

/* With one look-up when they lie in one page. */
int copy_fields_to_guest(vaddr_t to, const uint64_t *from, size_t stride, size_t n) {
    struct p2m *p2m = &current->domain->p2m;
    vaddr_t last = to + (n - 1) * stride + sizeof(*from) - 1;
    char *theirs;

    if (!n)
        return 0;
    theirs = (to & 7) || (to ^ last) >> PAGE_SHIFT ? NULL : enter(p2m, to, true);
    if (unlikely(!theirs)) {
        for (size_t i = 0; i < n; i++)
            if (copy_to_guest(to + i * stride, (const char *)from + i * stride, sizeof(*from)))
                return -EFAULT;
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        *(uint64_t *)(theirs + i * stride) = *(const uint64_t *)((const char *)from + i * stride);
    leave(p2m, theirs);
    return 0;
}
