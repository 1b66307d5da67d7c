/* Stage 1 of the current vCPU's translation of an address, as its current mode has it. */
#include <hv/vcpu.h>

#include <asm/guest_regs.h>
#include <asm/guest_translate.h>
#include <asm/guest_trap.h>

bool guest_translate_stage1(const struct vcpu *v, vaddr_t va, uint64_t *ipa) {
    bool user = (v->regs->spsr & PSR32_MODE_MASK) == PSR32_USR;
    uint64_t par = user ? AT_PAR(ATS1CUR, va) : AT_PAR(ATS1CPR, va);

    *ipa = (par & PAR_PA) | (va & ~PAGE_MASK);
    return !(par & PAR_F);
}
