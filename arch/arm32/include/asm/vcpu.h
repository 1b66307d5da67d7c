/*
 * Floor 6: the part of a virtual CPU's state that lives in the processor's registers while it runs.
 *
 * Plain data: no instruction in here. A field is current only while the vCPU is off its CPU; for
 * the running vCPU the hardware register is. Offsets known to vectors.S.
 */
#ifndef ASM_VCPU_H
#define ASM_VCPU_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

struct fpsimd_state {
    uint64_t d[32];
    uint32_t fpscr, fpexc;
} __attribute__((aligned(8)));

/* Guests have no debug registers of their own: see vdebug.c. */
struct debug_state {
    uint32_t vcr;
};

/* One sweep of set/way cache operations, see setway.c. */
struct setway_state {
    uint64_t last_ticks;
    uint64_t first_operand;
    bool seen;
};

/* r13, r14 and SPSR of the modes, and FIQ mode's r8..r12. */
struct banked_regs {
    uint32_t sp_usr;
    uint32_t svc[3], abt[3], und[3], irq[3];
    uint32_t fiq[3], r8_fiq[5];
};

struct arch_vcpu {
    struct banked_regs banked;
    uint64_t ttbr0, ttbr1, par;
    uint32_t sctlr, cpacr, ttbcr, dacr;
    uint32_t dfsr, ifsr, adfsr, aifsr, dfar, ifar;
    uint32_t mair0, mair1, amair0, amair1;
    uint32_t vbar, contextidr;
    uint32_t tpidrurw, tpidruro, tpidrprw;
    uint32_t csselr, cntkctl;

    /* what Hyp mode sets for it */
    uint32_t hcr; /* TWE is read back at a switch */
    uint32_t vmpidr;

    struct debug_state debug;
    struct setway_state setway;
    struct fpsimd_state fp;
};

#endif
