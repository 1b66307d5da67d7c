/*
 * Floor 1: the register a data abort's syndrome names. ISS.SRT is the AArch64 view also for a fault
 * from AArch32 (Arm ARM D19.2.40): an index into the frame, not to be resolved by the mode.
 */
#ifndef ASM_ABORT_REG_H
#define ASM_ABORT_REG_H

#include <stdbool.h>

#include <asm/guest_regs.h>
#include <asm/regs.h>

static inline uint64_t abort_reg_get(const struct cpu_regs *r, unsigned n) {
    return n < 31 ? r->x[n] : 0;
}

static inline void abort_reg_set(struct cpu_regs *r, unsigned n, uint64_t val) {
    if (n < 31)
        r->x[n] = val;
}

/* vcpu_skip_instruction() for A64; false, with nothing done, in AArch32. */
static inline bool abort_skip_a64(struct cpu_regs *r) {
    if (r->spsr & PSR_AARCH32)
        return false;
    r->pc += 4;
    r->spsr &= ~(PSR_SS | PSR_BTYPE);
    return true;
}

#endif
