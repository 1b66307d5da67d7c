/*
 * Putting an exception into the current vCPU, as the processor would have taken it to EL1
 * (Arm ARM: AArch64.TakeException, AArch32.EnterMode). EL1 registers are live in hardware.
 */
#include <hv/domain.h>
#include <hv/vcpu.h>

#include <asm/features.h>
#include <asm/guest_regs.h>
#include <asm/guest_state.h>
#include <asm/sysreg.h>

/* ---- AArch64 ---- */

static uint64_t vector_offset64(uint64_t spsr) {
    if (spsr & PSR_AARCH32)
        return 0x600;
    switch (spsr & PSR_M_MASK) {
    case PSR_MODE_EL1H:
        return 0x200;
    case PSR_MODE_EL1T:
        return 0x000;
    default:
        return 0x400;
    }
}

/* PSTATE at the first instruction of the handler. */
static uint64_t entry_pstate64(uint64_t spsr, uint64_t sctlr) {
    uint64_t out = spsr & (PSR_NZCV | PSR_PAN | PSR_DIT);

    out |= PSR_D | PSR_A | PSR_I | PSR_F | PSR_MODE_EL1H;
    if (cpu_features.pan && !(sctlr & SCTLR_SPAN))
        out |= PSR_PAN;
    if (sctlr & SCTLR_DSSBS64)
        out |= PSR_SSBS;
    return out;
}

static void enter64(struct vcpu *v, uint64_t esr) {
    struct cpu_regs *r = v->regs;
    uint64_t sctlr = read_sysreg(sctlr_el1);

    write_sysreg(r->spsr, spsr_el1);
    write_sysreg(r->pc, elr_el1);
    write_sysreg(esr, esr_el1);
    r->pc = read_sysreg(vbar_el1) + vector_offset64(r->spsr);
    r->spsr = entry_pstate64(r->spsr, sctlr);
}

static bool from_el1_64(const struct vcpu *v) {
    uint64_t spsr = v->regs->spsr;

    return !(spsr & PSR_AARCH32) && (spsr & PSR_M_MASK) != PSR_MODE_EL0T;
}

static void abort64(struct vcpu *v, uint64_t ec_low, uint64_t far, uint64_t iss) {
    uint64_t ec = ec_low + from_el1_64(v); /* "same level" is the next number */

    write_sysreg(far, far_el1);
    enter64(v, ec << ESR_EC_SHIFT | ESR_IL | iss);
}

/* ---- AArch32 ---- */

#define VECTOR32_UND 0x04u
#define VECTOR32_PABT 0x0cu
#define VECTOR32_DABT 0x10u

/* x20, x22: r14_abt, r14_und (Arm ARM D1.6.3) */
#define X_LR_ABT 20
#define X_LR_UND 22

static uint64_t entry_pstate32(uint64_t spsr, uint64_t sctlr, uint64_t mode) {
    uint64_t out = spsr & (PSR_NZCV | BIT(27) /* Q */ | 0xfULL << 16 /* GE */ | PSR_PAN | PSR_DIT |
                           PSR_F | PSR_A);

    out |= PSR_I | mode;
    if (mode == PSR32_ABT)
        out |= PSR_A;
    if (sctlr & SCTLR_TE)
        out |= PSR32_T;
    if (sctlr & SCTLR_EE)
        out |= PSR32_E;
    if (cpu_features.pan && !(sctlr & SCTLR_SPAN))
        out |= PSR_PAN;
    if (sctlr & SCTLR_DSSBS32)
        out |= PSR32_SSBS;
    return out;
}

/* EL2 sees DIT in bit 24 and the step bit in 21; an AArch32 mode's SPSR has DIT in 21. */
static uint64_t spsr_to_aarch32(uint64_t spsr) {
    uint64_t out = spsr & ~(PSR_DIT | PSR_SS);

    return spsr & PSR_DIT ? out | PSR32_DIT : out;
}

static void enter32(struct vcpu *v, uint64_t mode, unsigned vector, unsigned return_offset) {
    struct cpu_regs *r = v->regs;
    uint64_t sctlr = read_sysreg(sctlr_el1);
    uint64_t base = sctlr & SCTLR_V ? 0xffff0000ULL : (uint32_t)read_sysreg(vbar_el1);
    uint64_t saved = spsr_to_aarch32(r->spsr);

    if (mode == PSR32_UND) {
        write_sysreg(saved, spsr_und);
        r->x[X_LR_UND] = (uint32_t)(r->pc + return_offset);
    } else {
        write_sysreg(saved, spsr_abt);
        r->x[X_LR_ABT] = (uint32_t)(r->pc + return_offset);
    }
    r->pc = base + vector;
    r->spsr = entry_pstate32(r->spsr, sctlr, mode);
}

/* Fault status of a synchronous external abort in the format the guest's translation uses (Arm ARM
 * G5.12). */
static uint32_t external_status32(void) {
    return read_sysreg(tcr_el1) & TTBCR_EAE ? BIT(9) | 0x10 : 0x08;
}

static void data_abort32(struct vcpu *v, uint64_t far, bool wnr) {
    uint64_t fars = read_sysreg(far_el1); /* IFAR : DFAR */

    write_sysreg((fars & ~0xffffffffULL) | (uint32_t)far, far_el1);
    write_sysreg(external_status32() | (wnr ? BIT(11) : 0), esr_el1); /* DFSR */
    enter32(v, PSR32_ABT, VECTOR32_DABT, 8);
}

static void insn_abort32(struct vcpu *v, uint64_t far) {
    uint64_t fars = read_sysreg(far_el1);

    write_sysreg(far << 32 | (uint32_t)fars, far_el1);
    write_sysreg(external_status32(), ifsr32_el2);
    enter32(v, PSR32_ABT, VECTOR32_PABT, 4);
}

/* ---- what the rest of the hypervisor asks for ---- */

void inject_undefined(struct vcpu *v, bool insn32) {
    if (v->domain->aarch32)
        enter32(v, PSR32_UND, VECTOR32_UND, v->regs->spsr & PSR32_T ? 2 : 4);
    else
        enter64(v, EC_UNKNOWN << ESR_EC_SHIFT | (insn32 ? ESR_IL : 0));
}

void inject_data_abort(struct vcpu *v, uint64_t far, bool wnr) {
    if (v->domain->aarch32)
        data_abort32(v, far, wnr);
    else
        abort64(v, EC_DABT_LOW, far, FSC_EXTERNAL | (wnr ? ISS_WNR : 0));
}

void inject_insn_abort(struct vcpu *v, uint64_t far) {
    if (v->domain->aarch32)
        insn_abort32(v, far);
    else
        abort64(v, EC_IABT_LOW, far, FSC_EXTERNAL);
}
