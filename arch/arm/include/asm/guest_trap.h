/*
 * Floor 6: what the trap dispatcher calls, one function per kind of trap.
 *
 * The vCPU is current and regs is its complete frame (pc and spsr valid). Each function either
 * emulates and moves pc on, leaves pc for a retry, or puts an exception into the guest.
 */
#ifndef ASM_GUEST_TRAP_H
#define ASM_GUEST_TRAP_H

#include <hv/types.h>

#include <asm/regs.h>

struct vcpu;

void trap_data_abort(struct vcpu *v, struct cpu_regs *regs, uint64_t esr);
void trap_insn_abort(struct vcpu *v, struct cpu_regs *regs, uint64_t esr);
void trap_sysreg(struct vcpu *v, struct cpu_regs *regs, uint64_t esr);
void trap_cp(struct vcpu *v, struct cpu_regs *regs, uint64_t esr); /* EC 3, 4, 5, 6, 8, 0xc */
void trap_wfx(struct vcpu *v, struct cpu_regs *regs, uint64_t esr);
void trap_smc32(struct vcpu *v, struct cpu_regs *regs, uint64_t esr);
/* Everything a guest may try and is not offered: undefined instruction, with a line. */
void trap_unknown(struct vcpu *v, struct cpu_regs *regs, uint64_t esr);

/* This CPU's EL2 controls over guests that no vCPU changes. Each CPU, after features_init_cpu(). */
void guest_init_cpu(void);
/* Once, when all CPUs are known: what the identification registers say to guests. */
void guest_features_init(void);

/* What no device emulates: the guest tries again, or gets an abort. far: as it trapped. */
void guest_data_abort(struct vcpu *v, uint64_t esr, uint64_t far);

/* The instruction at guest virtual address pc, from RAM only. T32: first halfword in 31:16. */
bool guest_read_insn(struct vcpu *v, vaddr_t pc, uint32_t *insn);

/* Stage 1 alone, in the vCPU's current mode, for the frame of a trap. False: not mapped. */
bool guest_translate_stage1(const struct vcpu *v, vaddr_t va, uint64_t *ipa) __must_check;

/* Stack pointer of the current vCPU's current mode. */
uint64_t vcpu_get_sp(const struct vcpu *v);
void vcpu_set_sp(struct vcpu *v, uint64_t sp);

#endif
