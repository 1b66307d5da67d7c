/*
 * Floor 6: the current vCPU's translation of an address, by the hardware (Arm ARM D8.12). PAR_EL1
 * is the guest's.
 */
#ifndef ASM_GUEST_TRANSLATE_H
#define ASM_GUEST_TRANSLATE_H

#include <hv/bits.h>
#include <hv/types.h>

#include <asm/sysreg.h>

#define PAR_F BIT(0)
#define PAR_PA GENMASK(47, 12)
#define PAR_NORMAL GENMASK(63, 60) /* zero for every kind of Device memory */

/* PAR_EL1 as an AT instruction leaves it. */
#define AT_PAR(insn, va)                                                                           \
    ({                                                                                             \
        uint64_t saved_ = read_sysreg(par_el1), par_;                                              \
                                                                                                   \
        __asm__ volatile("at " insn ", %0\n\tisb" ::"r"(va) : "memory");                           \
        par_ = read_sysreg(par_el1);                                                               \
        write_sysreg(saved_, par_el1);                                                             \
        par_;                                                                                      \
    })

enum guest_memory {
    GUEST_NOTHING, /* not mapped, or not allowed */
    GUEST_DEVICE,  /* Device memory by either stage: what is behind it may be anything */
    GUEST_NORMAL,  /* Normal memory by both stages, which stage 2 gives to RAM alone */
};

/*
 * Both stages for a read or write as the guest's EL1 would make it: hypercalls come from there. The
 * result stays true only while the caller keeps the domain's P2M from changing.
 */
static inline enum guest_memory guest_translate(vaddr_t va, bool write, paddr_t *pa) {
    uint64_t par = write ? AT_PAR("s12e1w", va) : AT_PAR("s12e1r", va);

    if (unlikely(par & PAR_F))
        return GUEST_NOTHING;
    *pa = paddr((par & PAR_PA) | (va & ~PAGE_MASK));
    return likely(par & PAR_NORMAL) ? GUEST_NORMAL : GUEST_DEVICE;
}

#endif
