/* Stage 1 of the current vCPU's translation of an address, as its current mode has it. */
#include <hv/vcpu.h>

#include <asm/guest_regs.h>
#include <asm/guest_translate.h>
#include <asm/guest_trap.h>

bool guest_translate_stage1(const struct vcpu *v, vaddr_t va, uint64_t *ipa) {
    uint64_t mode = v->regs->spsr & PSR32_MODE_MASK;
    bool user = mode == PSR32_USR || mode == PSR_MODE_EL0T;
    uint64_t par = user ? AT_PAR(AT_STAGE1_USER, va) : AT_PAR(AT_STAGE1_KERNEL, va);

    *ipa = (par & PAR_PA) | (va & ~PAGE_MASK);
    return !(par & PAR_F);
}
