/* Floor 9: what vectors.S calls. */
#ifndef ASM_TRAP_H
#define ASM_TRAP_H

#include <asm/regs.h>

void trap_sync(uint64_t esr, struct cpu_regs *regs);
/* HVC from AArch32. */
void trap_hvc32(struct vcpu *v, struct cpu_regs *regs, uint64_t esr);
void trap_fiq(struct cpu_regs *regs);
void trap_guest_serror(uint64_t esr, struct cpu_regs *regs);

/* Reasons of hv_exception(), as vectors.S numbers them. */
enum hv_exception_kind { HVX_SYNC, HVX_IRQ, HVX_SERROR, HVX_SP0, HVX_STACK_OVERFLOW };
void hv_exception(const struct cpu_regs *regs, enum hv_exception_kind kind)
    __attribute__((noreturn));

/* head.S jumps to these. */
void hv_main(uint64_t fdt_pa);
void secondary_main(unsigned cpu);

#endif
