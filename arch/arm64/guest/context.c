/* A vCPU's system registers: reset values, and the switch between processor and arch_vcpu. */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/guest_map.h>
#include <hv/speculation.h>
#include <hv/string.h>

#include <asm/barrier.h>
#include <asm/features.h>
#include <asm/guest_regs.h>
#include <asm/guest_state.h>
#include <asm/guest_trap.h>
#include <asm/sysreg.h>
#include <asm/tlb.h>

/*
 * FB and BSU: what a guest says to its own CPU only (a local TLBI, IC IALLU, DSB NSH) reaches the
 * inner shareable domain, since its vCPU may be on another CPU a moment later. WFE is trapped only
 * while others wait for the CPU: vcpu_trap_wfe().
 */
#define HCR_GUEST                                                                                  \
    (HCR_VM | HCR_SWIO | HCR_PTW | HCR_FMO | HCR_IMO | HCR_AMO | HCR_FB | HCR_BSU_IS | HCR_TWI |   \
     HCR_TSC | HCR_TID3 | HCR_TIDCP | HCR_TACR | HCR_TSW)

static uint64_t hcr_for(const struct domain *d) {
    uint64_t hcr = HCR_GUEST | d->p2m.hcr;

    if (!d->aarch32)
        hcr |= HCR_RW;
    if (cpu_features.lor)
        hcr |= HCR_TLOR;
    if (cpu_features.ras)
        hcr |= HCR_TERR;
    return hcr;
}

void vcpu_arch_init(struct vcpu *v) {
    struct arch_vcpu *a = &v->arch;

    memset(a, 0, sizeof(*a));
    a->hcr = hcr_for(v->domain);
    a->sctlr_el1 = v->domain->aarch32 ? SCTLR_RESET32 : SCTLR_RESET64;
    a->fpexc32 = FPEXC_RESET;
    a->vmpidr = BIT(31) | vcpu_affinity(v->id);
}

void vcpu_set_entry(struct vcpu *v, uint64_t pc, uint64_t x0, bool aarch32) {
    struct cpu_regs *r = v->regs;

    memset(r->x, 0, sizeof(r->x));
    r->x[0] = x0;
    if (aarch32) {
        bool thumb = pc & 1;

        r->pc = pc & (thumb ? ~1ULL : ~3ULL);
        r->spsr = PSR_A | PSR_I | PSR_F | PSR32_SVC | (thumb ? PSR32_T : 0);
    } else {
        r->pc = pc;
        r->spsr = PSR_D | PSR_A | PSR_I | PSR_F | PSR_MODE_EL1H;
    }
    /* The domain's width is set after its vCPUs are made. */
    v->arch.hcr = hcr_for(v->domain);
    v->arch.sctlr_el1 = aarch32 ? SCTLR_RESET32 : SCTLR_RESET64;
}

static void save_el1(struct arch_vcpu *a) {
    a->sp_el0 = read_sysreg(sp_el0);
    a->sp_el1 = read_sysreg(sp_el1);
    a->elr_el1 = read_sysreg(elr_el1);
    a->spsr_el1 = read_sysreg(spsr_el1);
    a->sctlr_el1 = read_sysreg(sctlr_el1);
    a->cpacr_el1 = read_sysreg(cpacr_el1);
    a->ttbr0_el1 = read_sysreg(ttbr0_el1);
    a->ttbr1_el1 = read_sysreg(ttbr1_el1);
    a->tcr_el1 = read_sysreg(tcr_el1);
    a->mair_el1 = read_sysreg(mair_el1);
    a->amair_el1 = read_sysreg(amair_el1);
    a->vbar_el1 = read_sysreg(vbar_el1);
    a->contextidr_el1 = read_sysreg(contextidr_el1);
    a->tpidr_el0 = read_sysreg(tpidr_el0);
    a->tpidrro_el0 = read_sysreg(tpidrro_el0);
    a->tpidr_el1 = read_sysreg(tpidr_el1);
    a->esr_el1 = read_sysreg(esr_el1);
    a->far_el1 = read_sysreg(far_el1);
    a->afsr0_el1 = read_sysreg(afsr0_el1);
    a->afsr1_el1 = read_sysreg(afsr1_el1);
    a->par_el1 = read_sysreg(par_el1);
    a->csselr_el1 = read_sysreg(csselr_el1);
    a->cntkctl_el1 = read_sysreg(cntkctl_el1);
}

/* TCR_EL1 is the caller's. */
static void load_el1(const struct arch_vcpu *a) {
    write_sysreg(a->sp_el0, sp_el0);
    write_sysreg(a->sp_el1, sp_el1);
    write_sysreg(a->elr_el1, elr_el1);
    write_sysreg(a->spsr_el1, spsr_el1);
    write_sysreg(a->sctlr_el1, sctlr_el1);
    write_sysreg(a->cpacr_el1, cpacr_el1);
    write_sysreg(a->ttbr0_el1, ttbr0_el1);
    write_sysreg(a->ttbr1_el1, ttbr1_el1);
    write_sysreg(a->mair_el1, mair_el1);
    write_sysreg(a->amair_el1, amair_el1);
    write_sysreg(a->vbar_el1, vbar_el1);
    write_sysreg(a->contextidr_el1, contextidr_el1);
    write_sysreg(a->tpidr_el0, tpidr_el0);
    write_sysreg(a->tpidrro_el0, tpidrro_el0);
    write_sysreg(a->tpidr_el1, tpidr_el1);
    write_sysreg(a->esr_el1, esr_el1);
    write_sysreg(a->far_el1, far_el1);
    write_sysreg(a->afsr0_el1, afsr0_el1);
    write_sysreg(a->afsr1_el1, afsr1_el1);
    write_sysreg(a->par_el1, par_el1);
    write_sysreg(a->csselr_el1, csselr_el1);
    write_sysreg(a->cntkctl_el1, cntkctl_el1);
}

/* These registers are undefined on a CPU without AArch32 at EL1. */
static void save_aarch32(struct arch_vcpu *a) {
    a->spsr_abt = read_sysreg(spsr_abt);
    a->spsr_und = read_sysreg(spsr_und);
    a->spsr_irq = read_sysreg(spsr_irq);
    a->spsr_fiq = read_sysreg(spsr_fiq);
    a->dacr32 = read_sysreg(dacr32_el2);
    a->ifsr32 = read_sysreg(ifsr32_el2);
    a->fpexc32 = read_sysreg(fpexc32_el2);
}

static void load_aarch32(const struct arch_vcpu *a) {
    write_sysreg(a->spsr_abt, spsr_abt);
    write_sysreg(a->spsr_und, spsr_und);
    write_sysreg(a->spsr_irq, spsr_irq);
    write_sysreg(a->spsr_fiq, spsr_fiq);
    write_sysreg(a->dacr32, dacr32_el2);
    write_sysreg(a->ifsr32, ifsr32_el2);
    write_sysreg(a->fpexc32, fpexc32_el2);
}

void vcpu_save_guest(struct vcpu *v) {
    struct arch_vcpu *a = &v->arch;

    vgic_save(v);
    vtimer_save(v);
    save_el1(a);
    if (v->domain->aarch32)
        save_aarch32(a);
    debug_save(v);
    fpsimd_save(&a->fp);
    a->hcr = read_sysreg(hcr_el2); /* vcpu_trap_wfe() may have changed it */
}

void vcpu_load_guest(struct vcpu *v) {
    const struct arch_vcpu *a = &v->arch;
    uint64_t vttbr = v->domain->p2m.vttbr;

    /*
     * While stage-1 registers of one guest meet the stage-2 table of another, no speculative walk
     * may fill the TLB: walks are off until all is in place.
     */
    write_sysreg(TCR_EPD0 | TCR_EPD1, tcr_el1);
    isb();
    write_sysreg(a->hcr, hcr_el2);
    write_sysreg(v->domain->p2m.vtcr, vtcr_el2);
    write_sysreg(vttbr, vttbr_el2);
    write_sysreg(a->vmpidr, vmpidr_el2);
    isb();
    tlb_forget_other_vcpu(v, vttbr);
    load_el1(a);
    if (v->domain->aarch32)
        load_aarch32(a);
    debug_load(v);
    fpsimd_load(&a->fp);
    isb();
    write_sysreg(a->tcr_el1, tcr_el1);
    vtimer_load(v);
    vgic_load(v);
}

/* Zero means no trap, or, for the newer fields, a trap of what no guest is offered. */
static void init_fine_grained_traps(void) {
    write_sysreg(0, S3_4_C1_C1_4); /* HFGRTR_EL2 */
    write_sysreg(0, S3_4_C1_C1_5); /* HFGWTR_EL2 */
    write_sysreg(0, S3_4_C1_C1_6); /* HFGITR_EL2 */
    write_sysreg(0, S3_4_C3_C1_4); /* HDFGRTR_EL2 */
    write_sysreg(0, S3_4_C3_C1_5); /* HDFGWTR_EL2 */
    if (cpu_features.fgt < 2)
        return;
    write_sysreg(0, S3_4_C3_C1_0); /* HDFGRTR2_EL2 */
    write_sysreg(0, S3_4_C3_C1_1); /* HDFGWTR2_EL2 */
    write_sysreg(0, S3_4_C3_C1_2); /* HFGRTR2_EL2 */
    write_sysreg(0, S3_4_C3_C1_3); /* HFGWTR2_EL2 */
    write_sysreg(0, S3_4_C3_C1_7); /* HFGITR2_EL2 */
}

#define HSTR_T15 BIT(15) /* CP15's c15 of 32-bit guests, which TIDCP does not cover */

void guest_init_cpu(void) {
    /* Until the first guest: interrupts belong to EL2. */
    write_sysreg(HCR_RW | HCR_FMO | HCR_IMO | HCR_AMO, hcr_el2);
    write_sysreg(CPTR_GUEST, cptr_el2);
    write_sysreg(HSTR_T15, hstr_el2);
    write_sysreg(read_sysreg(midr_el1), vpidr_el2);
    if (cpu_features.fgt)
        init_fine_grained_traps();
    if (cpu_features.hcx)
        write_sysreg(0, S3_4_C1_C2_2); /* HCRX_EL2 */
    if (cpu_features.ras)
        write_sysreg(0, S3_4_C5_C2_3); /* VSESR_EL2 */
    debug_init_cpu();
    speculation_init_cpu();
    isb();
}

void vcpu_trap_wfe(bool on) {
    uint64_t hcr = read_sysreg(hcr_el2), new = on ? hcr | HCR_TWE : hcr & ~HCR_TWE;

    if (new != hcr)
        write_sysreg(new, hcr_el2);
}
