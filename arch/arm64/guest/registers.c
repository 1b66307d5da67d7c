/* General registers of a guest as its instructions name them, and stepping over an instruction. */
#include <hv/domain.h>
#include <hv/printk.h>
#include <hv/vcpu.h>

#include <asm/guest_regs.h>
#include <asm/guest_state.h>
#include <asm/guest_trap.h>
#include <asm/switch_frame.h>
#include <asm/sysreg.h>

/* Where r13 and r14 of each AArch32 mode lie in x0..x30 (Arm ARM D1.6.3); r8..r12 are banked for
 * FIQ only. */
static unsigned banked_index(uint64_t spsr, unsigned n) {
    static const uint8_t r13[16] = {13, 29, 17, 19, 13, 13, 13, 21, 13, 13, 15, 23, 13, 13, 13, 13};
    static const uint8_t r14[16] = {14, 30, 16, 18, 14, 14, 14, 20, 14, 14, 14, 22, 14, 14, 14, 14};
    unsigned mode = (unsigned)(spsr & 0xf);

    switch (n) {
    case 8 ... 12:
        return (spsr & PSR32_MODE_MASK) == PSR32_FIQ ? n + 16 : n;
    case 13:
        return r13[mode];
    case 14:
        return r14[mode];
    default:
        return n;
    }
}

uint64_t vcpu_get_reg(const struct vcpu *v, unsigned n) {
    const struct cpu_regs *r = v->regs;

    if (n >= 31)
        return 0;
    if (likely(!(r->spsr & PSR_AARCH32)))
        return r->x[n];
    return (uint32_t)r->x[banked_index(r->spsr, n)];
}

void vcpu_set_reg(struct vcpu *v, unsigned n, uint64_t val) {
    struct cpu_regs *r = v->regs;

    if (n >= 31)
        return;
    if (likely(!(r->spsr & PSR_AARCH32)))
        r->x[n] = val;
    else
        r->x[banked_index(r->spsr, n)] = (uint32_t)val;
}

uint64_t vcpu_get_sp(const struct vcpu *v) {
    if (v->regs->spsr & PSR_AARCH32)
        return vcpu_get_reg(v, 13);
    return (v->regs->spsr & PSR_M_MASK) == PSR_MODE_EL1H ? read_sysreg(sp_el1)
                                                         : read_sysreg(sp_el0);
}

void vcpu_set_sp(struct vcpu *v, uint64_t sp) {
    if (v->regs->spsr & PSR_AARCH32)
        vcpu_set_reg(v, 13, sp);
    else if ((v->regs->spsr & PSR_M_MASK) == PSR_MODE_EL1H)
        write_sysreg(sp, sp_el1);
    else
        write_sysreg(sp, sp_el0);
}

void vcpu_skip_instruction(struct vcpu *v, unsigned bytes) {
    struct cpu_regs *r = v->regs;

    r->pc += bytes;
    if (unlikely(r->spsr & PSR_AARCH32)) {
        r->pc = (uint32_t)r->pc;
        r->spsr = aarch32_advance_it(r->spsr);
    }
    /* A single step ends with the instruction, emulated or not. BTYPE is that of a non-branch. */
    r->spsr &= ~PSR_SS;
    if (likely(!(r->spsr & PSR_AARCH32)))
        r->spsr &= ~PSR_BTYPE;
}

static void dump_el1(uint64_t sctlr, uint64_t ttbr0, uint64_t ttbr1, uint64_t tcr, uint64_t vbar,
                     uint64_t esr, uint64_t far, uint64_t elr, uint64_t spsr) {
    printk("  sctlr %016llx tcr  %016llx vbar %016llx\n", (unsigned long long)sctlr,
           (unsigned long long)tcr, (unsigned long long)vbar);
    printk("  ttbr0 %016llx ttbr1 %016llx\n", (unsigned long long)ttbr0, (unsigned long long)ttbr1);
    printk("  EL1: esr %08llx far %016llx elr %016llx spsr %08llx\n", (unsigned long long)esr,
           (unsigned long long)far, (unsigned long long)elr, (unsigned long long)spsr);
}

/* ELR_EL2, which a switch keeps, is right on every path, the frame's pc not (asm/regs.h). */
void vcpu_dump(const struct vcpu *v) {
    const struct cpu_regs *r = v->regs;
    const struct arch_vcpu *a = &v->arch;
    bool cur = v == current;
    const struct switch_frame *left = (const struct switch_frame *)v->sp;
    uint64_t pc = cur ? read_sysreg(elr_el2) : left->elr;
    uint64_t spsr = cur ? read_sysreg(spsr_el2) : left->spsr;

    printk("d%u vcpu%u: pc %016llx pstate %08llx%s\n", v->domain->id, v->id, (unsigned long long)pc,
           (unsigned long long)spsr, spsr & PSR_AARCH32 ? " (AArch32)" : "");
    for (unsigned i = 0; i < 31; i += 3) {
        if (i + 2 < 31)
            printk("  x%-2u %016llx x%-2u %016llx x%-2u %016llx\n", i, (unsigned long long)r->x[i],
                   i + 1, (unsigned long long)r->x[i + 1], i + 2, (unsigned long long)r->x[i + 2]);
        else
            printk("  x%-2u %016llx\n", i, (unsigned long long)r->x[i]);
    }
    if (!cur) {
        printk("  sp_el0 %016llx sp_el1 %016llx\n", (unsigned long long)a->sp_el0,
               (unsigned long long)a->sp_el1);
        dump_el1(a->sctlr_el1, a->ttbr0_el1, a->ttbr1_el1, a->tcr_el1, a->vbar_el1, a->esr_el1,
                 a->far_el1, a->elr_el1, a->spsr_el1);
        return;
    }
    printk("  sp_el0 %016llx sp_el1 %016llx\n", (unsigned long long)read_sysreg(sp_el0),
           (unsigned long long)read_sysreg(sp_el1));
    dump_el1(read_sysreg(sctlr_el1), read_sysreg(ttbr0_el1), read_sysreg(ttbr1_el1),
             read_sysreg(tcr_el1), read_sysreg(vbar_el1), read_sysreg(esr_el1),
             read_sysreg(far_el1), read_sysreg(elr_el1), read_sysreg(spsr_el1));
}

/* An AArch64 hypercall has its SPSR in hardware, an AArch32 one in its frame (vectors.S). */
void vcpu_unmask_interrupts(struct vcpu *v) {
    v->regs->spsr &= ~PSR_I;
    write_sysreg(read_sysreg(spsr_el2) & ~PSR_I, spsr_el2);
}
