/* Floor 6: the register a data abort's syndrome names: as the instruction has it, by mode. */
#ifndef ASM_ABORT_REG_H
#define ASM_ABORT_REG_H

#include <hv/vcpu.h>

#include <asm/regs.h>

static inline uint64_t abort_reg_get(const struct cpu_regs *r, unsigned n) {
    return vcpu_get_reg(r->vcpu, n);
}

static inline void abort_reg_set(struct cpu_regs *r, unsigned n, uint64_t val) {
    vcpu_set_reg(r->vcpu, n, val);
}

/* There is no A64 code. */
static inline bool abort_skip_a64(struct cpu_regs *r) {
    (void)r;
    return false;
}

#endif
