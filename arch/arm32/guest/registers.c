/* General registers of a guest as its instructions name them, and stepping over an instruction. */
#include <hv/domain.h>
#include <hv/printk.h>
#include <hv/string.h>
#include <hv/vcpu.h>

#include <asm/guest_banked.h>
#include <asm/guest_regs.h>
#include <asm/guest_state.h>
#include <asm/guest_trap.h>

/* Where r13 or r14 of a mode, or r8..r12 of FIQ mode, is among the banked ones. */
static uint32_t *banked_reg(struct banked_regs *b, uint64_t mode, unsigned n) {
    uint32_t *three;

    switch (mode) {
    case PSR32_FIQ:
        if (n < 13)
            return &b->r8_fiq[n - 8];
        three = b->fiq;
        break;
    case PSR32_IRQ:
        three = b->irq;
        break;
    case PSR32_SVC:
        three = b->svc;
        break;
    case PSR32_ABT:
        three = b->abt;
        break;
    case PSR32_UND:
        three = b->und;
        break;
    default: /* User and System; r14 is in the frame */
        return &b->sp_usr;
    }
    return &three[n - 13];
}

static bool is_banked(uint64_t mode, unsigned n) {
    if (n < 13)
        return n >= 8 && mode == PSR32_FIQ;
    return n == 13 || (mode != PSR32_USR && mode != PSR32_SYS);
}

/* The banked registers of the current vCPU are in the processor: rare enough to move them all. */
uint64_t vcpu_get_reg(const struct vcpu *v, unsigned n) {
    uint64_t mode = v->regs->spsr & PSR32_MODE_MASK;
    struct banked_regs b = v->arch.banked;

    if (n >= 15)
        return 0;
    if (likely(!is_banked(mode, n)))
        return v->regs->x[n];
    if (v == current)
        banked_save(&b);
    return *banked_reg(&b, mode, n);
}

void vcpu_set_reg(struct vcpu *v, unsigned n, uint64_t val) {
    uint64_t mode = v->regs->spsr & PSR32_MODE_MASK;

    if (n >= 15)
        return;
    if (likely(!is_banked(mode, n))) {
        v->regs->x[n] = (uint32_t)val;
        return;
    }
    if (v == current)
        banked_save(&v->arch.banked);
    *banked_reg(&v->arch.banked, mode, n) = (uint32_t)val;
    if (v == current)
        banked_load(&v->arch.banked);
}

uint64_t vcpu_get_sp(const struct vcpu *v) {
    return vcpu_get_reg(v, 13);
}

void vcpu_set_sp(struct vcpu *v, uint64_t sp) {
    vcpu_set_reg(v, 13, sp);
}

void vcpu_skip_instruction(struct vcpu *v, unsigned bytes) {
    v->regs->pc += bytes;
    v->regs->spsr = (uint32_t)aarch32_advance_it(v->regs->spsr);
}

void vcpu_dump(const struct vcpu *v) {
    const struct cpu_regs *r = v->regs;

    printk("d%u vcpu%u: pc %08x cpsr %08x\n", v->domain->id, v->id, r->pc, r->spsr);
    for (unsigned i = 0; i < 12; i += 4)
        printk("  r%-2u %08x r%-2u %08x r%-2u %08x r%-2u %08x\n", i, r->x[i], i + 1, r->x[i + 1],
               i + 2, r->x[i + 2], i + 3, r->x[i + 3]);
    printk("  r12 %08x r13 %08x r14 %08x\n", r->x[12], (uint32_t)vcpu_get_reg(v, 13),
           (uint32_t)vcpu_get_reg(v, 14));
}

void vcpu_unmask_interrupts(struct vcpu *v) {
    v->regs->spsr &= ~(uint32_t)PSR_I;
}
