/* A vCPU's system registers: reset values, and the switch between processor and arch_vcpu. */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/guest_map.h>
#include <hv/speculation.h>
#include <hv/string.h>

#include <asm/barrier.h>
#include <asm/features.h>
#include <asm/guest_banked.h>
#include <asm/guest_regs.h>
#include <asm/guest_state.h>
#include <asm/guest_trap.h>
#include <asm/sysreg.h>

/*
 * FB and BSU: what a guest says to its own CPU only reaches the inner shareable domain, since its
 * vCPU may be on another CPU a moment later.
 */
#define HCR_GUEST                                                                                  \
    ((uint32_t)(HCR_VM | HCR_SWIO | HCR_PTW | HCR_FMO | HCR_IMO | HCR_AMO | HCR_FB | HCR_BSU_IS |  \
                HCR_TWI | HCR_TSC | HCR_TID3 | HCR_TIDCP | HCR_TACR | HCR_TSW))

#define HSTR_T15 BIT(15)   /* what a processor has of its own in CP15's c15, */
#define HSTR_TTEE BIT(16)  /* ThumbEE and */
#define HSTR_TJDBX BIT(17) /* Jazelle: their registers are not switched */

void vcpu_arch_init(struct vcpu *v) {
    struct arch_vcpu *a = &v->arch;

    memset(a, 0, sizeof(*a));
    a->hcr = HCR_GUEST;
    a->sctlr = (uint32_t)SCTLR_RESET32;
    a->vmpidr = (uint32_t)(BIT(31) | vcpu_affinity(v->id));
}

void vcpu_set_entry(struct vcpu *v, uint64_t pc, uint64_t x0, bool aarch32) {
    struct cpu_regs *r = v->regs;
    bool thumb = pc & 1;

    (void)aarch32;
    memset(r->x, 0, sizeof(r->x));
    r->x[0] = (uint32_t)x0;
    r->pc = (uint32_t)(pc & (thumb ? ~1ULL : ~3ULL));
    r->spsr = (uint32_t)(PSR_A | PSR_I | PSR_F | PSR32_SVC | (thumb ? PSR32_T : 0));
}

/* The registers of PL1 that hold no walk together: in the order of arch_vcpu. */
#define FOR_EACH_PL1(X)                                                                            \
    X(ttbr0, TTBR0)                                                                                \
    X(ttbr1, TTBR1)                                                                                \
    X(par, PAR64)                                                                                  \
    X(sctlr, SCTLR)                                                                                \
    X(cpacr, CPACR)                                                                                \
    X(dacr, DACR)                                                                                  \
    X(dfsr, DFSR)                                                                                  \
    X(ifsr, IFSR)                                                                                  \
    X(adfsr, ADFSR)                                                                                \
    X(aifsr, AIFSR)                                                                                \
    X(dfar, DFAR)                                                                                  \
    X(ifar, IFAR)                                                                                  \
    X(mair0, MAIR0)                                                                                \
    X(mair1, MAIR1)                                                                                \
    X(amair0, AMAIR0)                                                                              \
    X(amair1, AMAIR1)                                                                              \
    X(vbar, VBAR)                                                                                  \
    X(contextidr, CONTEXTIDR)                                                                      \
    X(tpidrurw, TPIDRURW)                                                                          \
    X(tpidruro, TPIDRURO)                                                                          \
    X(tpidrprw, TPIDRPRW)                                                                          \
    X(csselr, CSSELR)                                                                              \
    X(cntkctl, CNTKCTL)

#define SAVE(field, reg) a->field = read_sysreg(reg);
#define LOAD(field, reg) write_sysreg(a->field, reg);

void vcpu_save_guest(struct vcpu *v) {
    struct arch_vcpu *a = &v->arch;

    vgic_save(v);
    vtimer_save(v);
    a->ttbcr = read_sysreg(TTBCR);
    FOR_EACH_PL1(SAVE)
    banked_save(&a->banked);
    vfp_save(&a->fp, cpu_features.simd32);
    a->hcr = read_sysreg(HCR); /* vcpu_trap_wfe() may have changed it */
}

void vcpu_load_guest(struct vcpu *v) {
    const struct arch_vcpu *a = &v->arch;
    uint64_t vttbr = v->domain->p2m.vttbr;

    /*
     * While stage-1 registers of one guest meet the stage-2 table of another, no speculative walk
     * may fill the TLB: walks are off (by long descriptors' EPD0, EPD1) until all is in place.
     */
    write_sysreg(TTBCR_EAE | TCR_EPD0 | TCR_EPD1, TTBCR);
    isb();
    write_sysreg(a->hcr, HCR);
    write_sysreg(v->domain->p2m.vtcr, VTCR);
    write_sysreg(vttbr, VTTBR);
    write_sysreg(a->vmpidr, VMPIDR);
    isb();
    tlb_forget_other_vcpu(v, vttbr);
    FOR_EACH_PL1(LOAD)
    banked_load(&a->banked);
    vfp_load(&a->fp, cpu_features.simd32);
    isb();
    write_sysreg(a->ttbcr, TTBCR);
    vtimer_load(v);
    vgic_load(v);
}

void guest_init_cpu(void) {
    /* Until the first guest: interrupts belong to Hyp mode. */
    write_sysreg(HCR_FMO | HCR_IMO | HCR_AMO, HCR);
    write_sysreg(CPTR_GUEST & ~BIT(30), HCPTR);
    write_sysreg(HSTR_T15 | HSTR_TTEE | HSTR_TJDBX, HSTR);
    write_sysreg(read_sysreg(midr_el1), VPIDR);
    debug_init_cpu();
    speculation_init_cpu();
    isb();
}

void vcpu_trap_wfe(bool on) {
    uint32_t hcr = read_sysreg(HCR), new = on ? hcr | (uint32_t)HCR_TWE : hcr & ~(uint32_t)HCR_TWE;

    if (new != hcr)
        write_sysreg(new, HCR);
}
