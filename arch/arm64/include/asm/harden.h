/*
 * Floor 1: pointer authentication (FEAT_PAuth) and landing pads (FEAT_BTI) of EL2 itself. No guest
 * is offered pointer authentication, so the keys are the hypervisor's alone: one for all CPUs,
 * since a stack may go on on another CPU. Pages of text are guarded by head.S.
 */
#ifndef ASM_HARDEN_H
#define ASM_HARDEN_H

#include <stdbool.h>
#include <stdint.h>

#include <hv/bits.h>

#include <asm/barrier.h>
#include <asm/sysreg.h>

#define SCTLR_ENIA BIT(31)
#define SCTLR_BT BIT(36) /* a PACIASP is no landing pad for a jump */

struct pac_key {
    uint64_t low, high;
    uint64_t algorithm; /* of the boot CPU; 0: it has none */
};
extern struct pac_key pac_key;

/* ID_AA64ISAR1_EL1.{APA, API} and ID_AA64ISAR2_EL1.APA3: which algorithm, if any. */
static inline uint64_t pac_algorithm(void) {
    return (read_sysreg(id_aa64isar1_el1) & GENMASK(11, 4)) |
           (read_sysreg(S3_0_C0_C6_2) & GENMASK(15, 12));
}

static inline bool cpu_has_bti(void) {
    return read_sysreg(S3_0_C0_C4_1) & 0xf; /* ID_AA64PFR1_EL1.BT */
}

/* A word of the CPU's random number generator (FEAT_RNG); 0 without. */
static inline uint64_t harden_cpu_random(void) {
    return read_sysreg(id_aa64isar0_el1) >> 60 ? read_sysreg(S3_3_C2_C4_0) : 0; /* RNDR */
}

static __force_inline void harden_set_key(uint64_t low, uint64_t high) {
    pac_key = (struct pac_key){low, high, pac_algorithm()};
}

/*
 * Each CPU, inline in a function that never returns. False: what others signed this one cannot
 * check, so that it must not run anything of theirs. Where the boot CPU does not sign, none does.
 */
static __force_inline bool harden_cpu(void) {
    uint64_t sctlr = read_sysreg(sctlr_el2);

    if (pac_key.algorithm && pac_algorithm() != pac_key.algorithm)
        return false;
    if (cpu_has_bti())
        sctlr |= SCTLR_BT;
    if (pac_key.algorithm) {
        write_sysreg(pac_key.low, S3_0_C2_C1_0);  /* APIAKeyLo_EL1 */
        write_sysreg(pac_key.high, S3_0_C2_C1_1); /* APIAKeyHi_EL1 */
        sctlr |= SCTLR_ENIA;
    }
    write_sysreg(sctlr, sctlr_el2);
    isb();
    return true;
}

/* What of it this CPU does, for the log. */
static inline const char *harden_name(void) {
    return cpu_has_bti()            ? "; landing pads, signed returns"
           : pac_key.algorithm != 0 ? "; signed returns"
                                    : "";
}

/* A return address as a function signs it that begins with its stack pointer at sp. */
static inline uintptr_t harden_sign(uintptr_t address, uintptr_t sp) {
    register uintptr_t x17 __asm__("x17") = address;
    register uint64_t x16 __asm__("x16") = sp;

    __asm__("hint #8" : "+r"(x17) : "r"(x16)); /* PACIA1716 */
    return x17;
}

#endif
