/*
 * Putting an exception into the current vCPU, as the processor would have taken it (Arm ARM
 * ARMv7-A B1.8). PL1 registers are live in hardware.
 */
#include <hv/domain.h>
#include <hv/vcpu.h>

#include <asm/guest_regs.h>
#include <asm/guest_state.h>
#include <asm/guest_trap.h>
#include <asm/sysreg.h>

#define VECTOR_UND 0x04u
#define VECTOR_PABT 0x0cu
#define VECTOR_DABT 0x10u

#define PSR_Q BIT(27)
#define PSR_GE (0xfULL << 16)

static uint32_t entry_cpsr(uint32_t cpsr, uint32_t sctlr, uint64_t mode) {
    uint64_t out = (cpsr & (PSR_NZCV | PSR_Q | PSR_GE | PSR_F | PSR_A)) | PSR_I | mode;

    if (mode == PSR32_ABT)
        out |= PSR_A;
    if (sctlr & SCTLR_TE)
        out |= PSR32_T;
    if (sctlr & SCTLR_EE)
        out |= PSR32_E;
    return (uint32_t)out;
}

static void enter(struct vcpu *v, uint64_t mode, unsigned vector, unsigned return_offset) {
    struct cpu_regs *r = v->regs;
    uint32_t sctlr = read_sysreg(SCTLR);
    uint32_t lr = r->pc + return_offset;

    if (mode == PSR32_UND)
        __asm__ volatile(".arch_extension virt\n\tmsr spsr_und, %0\n\tmsr lr_und, %1"
                         :
                         : "r"(r->spsr), "r"(lr));
    else
        __asm__ volatile(".arch_extension virt\n\tmsr spsr_abt, %0\n\tmsr lr_abt, %1"
                         :
                         : "r"(r->spsr), "r"(lr));
    r->pc = (sctlr & SCTLR_V ? 0xffff0000u : read_sysreg(VBAR)) + vector;
    r->spsr = entry_cpsr(r->spsr, sctlr, mode);
}

/* A synchronous external abort in the format the guest's translation uses. */
static uint32_t external_status(void) {
    return read_sysreg(TTBCR) & TTBCR_EAE ? (uint32_t)(BIT(9) | 0x10) : 0x08;
}

void inject_undefined(struct vcpu *v, bool insn32) {
    (void)insn32;
    enter(v, PSR32_UND, VECTOR_UND, v->regs->spsr & PSR32_T ? 2 : 4);
}

void inject_data_abort(struct vcpu *v, uint64_t far, bool wnr) {
    write_sysreg(far, DFAR);
    write_sysreg(external_status() | (wnr ? BIT(11) : 0), DFSR);
    enter(v, PSR32_ABT, VECTOR_DABT, 8);
}

void inject_insn_abort(struct vcpu *v, uint64_t far) {
    write_sysreg(far, IFAR);
    write_sysreg(external_status(), IFSR);
    enter(v, PSR32_ABT, VECTOR_PABT, 4);
}

/* Everything a guest may try and is not offered. */
void trap_unknown(struct vcpu *v, struct cpu_regs *regs, uint64_t esr) {
    domain_log(v->domain, "vcpu%u: trap of class 0x%x (hsr 0x%llx) at pc 0x%x: undefined", v->id,
               ESR_EC_OF(esr), (unsigned long long)esr, regs->pc);
    inject_undefined(v, esr & ESR_IL);
}
