/* MSR and MRS of AArch64 guests that trap (EC 0x18): the registers themselves are in
 * arch/arm/guest/sysreg.c. */
#include <hv/domain.h>
#include <hv/vcpu.h>
#include <hv/vgic.h>

#include <asm/guest_regs.h>
#include <asm/guest_state.h>
#include <asm/guest_trap.h>

#define ICC_SGI1R_EL1 SYSREG(3, 0, 12, 11, 5)

static uint64_t idreg(uint32_t key) {
    return guest_idregs[IDREG(SYSREG_CRM(key), SYSREG_OP2(key))];
}

static void refuse(struct vcpu *v, uint32_t key, bool write, enum sysreg_result why) {
    if (why == SYSREG_UNKNOWN)
        domain_log(
            v->domain, "vcpu%u: %s of unknown register S%u_%u_C%u_C%u_%u at pc 0x%llx: undefined",
            v->id, write ? "write" : "read", SYSREG_OP0(key), SYSREG_OP1(key), SYSREG_CRN(key),
            SYSREG_CRM(key), SYSREG_OP2(key), (unsigned long long)v->regs->pc);
    inject_undefined(v, true);
}

/* vcpu_skip_instruction() for what is known to be A64. */
static void skip_a64(struct cpu_regs *regs) {
    regs->pc += 4;
    regs->spsr &= ~(PSR_SS | PSR_BTYPE);
}

static __noinline void other_sysreg(struct vcpu *v, struct cpu_regs *regs, uint32_t key,
                                    unsigned rt, bool write) {
    uint64_t val = rt == 31 ? 0 : regs->x[rt];
    enum sysreg_result result = sysreg_access(v, key, write, &val);

    if (unlikely(result != SYSREG_DONE)) {
        refuse(v, key, write, result);
        return;
    }
    if (!write && rt != 31)
        regs->x[rt] = val;
    skip_a64(regs);
}

void trap_sysreg(struct vcpu *v, struct cpu_regs *regs, uint64_t esr) {
    uint32_t key = (uint32_t)esr & SYSREG_MASK;
    unsigned rt = (unsigned)(esr >> 5) & 31;
    bool write = !(esr & 1);

    /* Programs read these by the thousand, and an SGI is somebody's wait: the short way, without a
     * stack frame. */
    if (sysreg_is_id(key) && !write) {
        if (rt != 31)
            regs->x[rt] = idreg(key);
        skip_a64(regs);
    } else if (key == ICC_SGI1R_EL1 && write) {
        skip_a64(regs);
        vgic_sgi1r(v, rt == 31 ? 0 : regs->x[rt], 1);
    } else {
        other_sysreg(v, regs, key, rt, write);
    }
}

void trap_unknown(struct vcpu *v, struct cpu_regs *regs, uint64_t esr) {
    domain_log(v->domain, "vcpu%u: trap of class 0x%x (esr 0x%llx) at pc 0x%llx: undefined", v->id,
               ESR_EC_OF(esr), (unsigned long long)esr, (unsigned long long)regs->pc);
    inject_undefined(v, esr & ESR_IL);
}
