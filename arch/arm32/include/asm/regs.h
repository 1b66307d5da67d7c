/* Floor 1: the register frame a trap from a guest leaves at the top of the vCPU's stack. */
#ifndef ASM_REGS_H
#define ASM_REGS_H

#include <stdint.h>

struct vcpu;

/*
 * vectors.S knows this layout through offsets.h. The registers of the other modes, and r13 of all
 * of them, stay in the processor until a vCPU switch.
 */
struct cpu_regs {
    uint32_t x[15]; /* r0..r12; [13] is not used; [14] is r14 of User mode, which Hyp mode shares */
    uint32_t pc;    /* ELR_hyp */
    uint32_t spsr;  /* SPSR_hyp */
    struct vcpu *vcpu; /* whose frame this is; set once */
};

/* The guest's frame pointer and return address. */
static inline uint32_t regs_frame(const struct cpu_regs *r) {
    return r->x[11];
}
static inline uint32_t regs_link(const struct cpu_regs *r) {
    return r->x[14];
}

#endif
