/* Floor 1: the register frame a trap from a guest leaves at the top of the vCPU's stack. */
#ifndef ASM_REGS_H
#define ASM_REGS_H

#include <stdint.h>

struct vcpu;

/*
 * vectors.S knows this layout through offsets.h. A hypercall and an interrupt leave pc and spsr in
 * hardware: what reads or changes them here (vcpu_get_reg(), injections, translations of stage 1)
 * is for the other traps.
 */
struct cpu_regs {
    uint64_t x[31];
    uint64_t pc;       /* ELR_EL2; not on the hypercall's and the interrupt's path, see above */
    uint64_t spsr;     /* SPSR_EL2; likewise */
    struct vcpu *vcpu; /* whose frame this is; set once */
};

/* The guest's frame pointer and return address. */
static inline uint64_t regs_frame(const struct cpu_regs *r) {
    return r->x[29];
}
static inline uint64_t regs_link(const struct cpu_regs *r) {
    return r->x[30];
}

#endif
