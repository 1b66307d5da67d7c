/*
 * Floor 6: the current vCPU's translation of an address, by the hardware (Arm ARM ARMv7-A B3.13).
 * PAR is the guest's. Executed in Hyp mode, all give its 64-bit format.
 */
#ifndef ASM_GUEST_TRANSLATE_H
#define ASM_GUEST_TRANSLATE_H

#include <hv/bits.h>
#include <hv/types.h>

#include <asm/sysreg.h>

#define PAR_F BIT(0)
#define PAR_PA GENMASK(39, 12)
#define PAR_NORMAL GENMASK(63, 60) /* zero for Device and strongly ordered memory */

#define ATS12NSOPR 32, "p15, 0, %0, c7, c8, 4"
#define ATS12NSOPW 32, "p15, 0, %0, c7, c8, 5"
#define ATS1CPR 32, "p15, 0, %0, c7, c8, 0"
#define ATS1CUR 32, "p15, 0, %0, c7, c8, 2"

/* PAR as an operation leaves it. */
#define AT_PAR(op, va)                                                                             \
    ({                                                                                             \
        uint64_t saved_ = read_sysreg(PAR64), par_;                                                \
                                                                                                   \
        write_sysreg(va, op);                                                                      \
        __asm__ volatile("isb" ::: "memory");                                                      \
        par_ = read_sysreg(PAR64);                                                                 \
        write_sysreg(saved_, PAR64);                                                               \
        par_;                                                                                      \
    })

enum guest_memory {
    GUEST_NOTHING, /* not mapped, or not allowed */
    GUEST_DEVICE,  /* Device memory by either stage: what is behind it may be anything */
    GUEST_NORMAL,  /* Normal memory by both stages, which stage 2 gives to RAM alone */
};

/*
 * Both stages for a read or write as the guest's PL1 would make it: hypercalls come from there. The
 * result stays true only while the caller keeps the domain's P2M from changing.
 */
static inline enum guest_memory guest_translate(vaddr_t va, bool write, paddr_t *pa) {
    uint64_t par = write ? AT_PAR(ATS12NSOPW, va) : AT_PAR(ATS12NSOPR, va);

    if (unlikely(par & PAR_F))
        return GUEST_NOTHING;
    *pa = paddr((par & PAR_PA) | (va & ~PAGE_MASK));
    return likely(par & PAR_NORMAL) ? GUEST_NORMAL : GUEST_DEVICE;
}

#endif
