/* Floor 6: the current vCPU's translation of an address, by the hardware. */
#ifndef ASM_GUEST_TRANSLATE_H
#define ASM_GUEST_TRANSLATE_H

#include <hv/types.h>

#include <asm/at.h>

#define PAR_F BIT(0)
#define PAR_NORMAL GENMASK(63, 60) /* zero for every kind of Device memory */

enum guest_memory {
    GUEST_NOTHING, /* not mapped, or not allowed */
    GUEST_DEVICE,  /* Device memory by either stage: what is behind it may be anything */
    GUEST_NORMAL,  /* Normal memory by both stages, which stage 2 gives to RAM alone */
};

/*
 * Both stages for a read or write as the guest's kernel would make it: hypercalls come from there.
 * The result stays true only while the caller keeps the domain's P2M from changing.
 */
static inline enum guest_memory guest_translate(vaddr_t va, bool write, paddr_t *pa) {
    uint64_t par = write ? AT_PAR(AT_GUEST_WRITE, va) : AT_PAR(AT_GUEST_READ, va);

    if (unlikely(par & PAR_F))
        return GUEST_NOTHING;
    *pa = paddr((par & PAR_PA) | (va & ~PAGE_MASK));
    return likely(par & PAR_NORMAL) ? GUEST_NORMAL : GUEST_DEVICE;
}

#endif
