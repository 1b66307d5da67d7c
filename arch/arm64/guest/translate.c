/* The current vCPU's translation of an address, by the hardware (Arm ARM D8.12). PAR_EL1 is the
 * guest's. */
#include <hv/bits.h>
#include <hv/types.h>
#include <hv/vcpu.h>

#include <asm/guest_regs.h>
#include <asm/guest_trap.h>
#include <asm/sysreg.h>

#define PAR_F BIT(0)
#define PAR_PA GENMASK(47, 12)

/* One AT instruction: the address it finds; false when it finds none. */
#define TRANSLATE(insn, va, out)                                                                   \
    ({                                                                                             \
        uint64_t saved_ = read_sysreg(par_el1), par_;                                              \
                                                                                                   \
        __asm__ volatile("at " insn ", %0\n\tisb" ::"r"(va) : "memory");                           \
        par_ = read_sysreg(par_el1);                                                               \
        write_sysreg(saved_, par_el1);                                                             \
        *(out) = (par_ & PAR_PA) | ((va) & ~PAGE_MASK);                                            \
        !(par_ & PAR_F);                                                                           \
    })

bool guest_translate_stage1(const struct vcpu *v, vaddr_t va, uint64_t *ipa) {
    uint64_t mode = v->regs->spsr & (PSR_AARCH32 | PSR_M_MASK);

    if (mode == PSR32_USR || mode == PSR_MODE_EL0T)
        return TRANSLATE("s1e0r", va, ipa);
    return TRANSLATE("s1e1r", va, ipa);
}

/* As the kernel of the guest would see it: hypercalls come from EL1. */
bool guest_translate(vaddr_t va, bool write, paddr_t *pa) {
    if (write)
        return TRANSLATE("s12e1w", va, &pa->pa);
    return TRANSLATE("s12e1r", va, &pa->pa);
}
