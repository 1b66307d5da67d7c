/*
 * Floor 6: the part of a virtual CPU's state that lives in the processor's registers while it runs.
 *
 * Plain data: no instruction in here. Except where said, a field is current only while the vCPU is
 * off its CPU; for the running vCPU the hardware register is.
 */
#ifndef ASM_VCPU_H
#define ASM_VCPU_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

struct fpsimd_state {
    uint64_t v[64]; /* V0..V31, low half first */
    uint64_t fpsr;
    uint64_t fpcr;
} __attribute__((aligned(16)));

#define DEBUG_SLOTS 16
/*
 * Self-hosted debug (Arm ARM D2). The hardware registers belong to the vCPU only while `live`: from
 * the moment it enables something in MDSCR until a switch finds everything disabled. Otherwise its
 * accesses trap and these fields are the registers.
 */
struct debug_state {
    bool live;
    bool os_lock;
    uint32_t vcr; /* DBGVCR32: AArch32 vector catch */
    uint64_t mdscr;
    uint64_t bvr[DEBUG_SLOTS], bcr[DEBUG_SLOTS];
    uint64_t wvr[DEBUG_SLOTS], wcr[DEBUG_SLOTS];
};

/* One sweep of set/way cache operations, see setway.c. */
struct setway_state {
    uint64_t last_ticks;
    uint64_t first_operand;
    bool seen;
};

struct arch_vcpu {
    /* EL1&0, both execution states (the AArch32 names map onto these, Arm ARM G8.2) */
    uint64_t sp_el0, sp_el1;
    uint64_t elr_el1, spsr_el1;
    uint64_t sctlr_el1, cpacr_el1;
    uint64_t ttbr0_el1, ttbr1_el1, tcr_el1;
    uint64_t mair_el1, amair_el1;
    uint64_t vbar_el1;
    uint64_t contextidr_el1;
    uint64_t tpidr_el0, tpidrro_el0, tpidr_el1;
    uint64_t esr_el1, far_el1, afsr0_el1, afsr1_el1, par_el1;
    uint64_t csselr_el1, cntkctl_el1;
    /* AArch32 only */
    uint64_t spsr_abt, spsr_und, spsr_irq, spsr_fiq;
    uint64_t dacr32, ifsr32, fpexc32;

    /* what EL2 sets for it */
    uint64_t hcr; /* HCR_EL2; TWE is read back at a switch */
    uint64_t vmpidr;

    struct debug_state debug;
    struct setway_state setway;
    struct fpsimd_state fp;
};

#endif
