/*
 * What guests learn about the machine from its identification registers: only what they can use
 * without harm and what the hypervisor switches for them. A field not listed here reads as zero, so
 * a feature yet unknown is not offered.
 */
#include <hv/bits.h>
#include <hv/gic.h>

#include <asm/features.h>
#include <asm/guest_state.h>
#include <asm/guest_trap.h>

uint64_t guest_idregs[NR_IDREGS];

#define FIELD(shift) (0xfULL << (shift))

static uint64_t cap(uint64_t value, unsigned shift, uint64_t most) {
    uint64_t level = (value >> shift) & 0xf;

    return level > most ? (value & ~FIELD(shift)) | most << shift : value;
}

/* No EL2, EL3, RAS, SVE, SEL2, MPAM, AMU, RME. */
static uint64_t aa64pfr0(uint64_t m) {
    uint64_t v = m & (FIELD(0) | FIELD(4) | FIELD(16) | FIELD(20) | FIELD(24) | FIELD(48) |
                      FIELD(56) | FIELD(60));

    v = cap(v, 56, 1); /* CSV2_2 is SCXTNUM_ELx, which is not switched */
    return cap(v, 24, 1);
}

/* DebugVer, breakpoints, watchpoints, context comparators; no PMU, SPE or trace; DoubleLock absent.
 */
static uint64_t aa64dfr0(uint64_t m) {
    uint64_t v = m & (FIELD(0) | FIELD(12) | FIELD(20) | FIELD(28));

    return cap(v, 0, 8) | FIELD(36);
}

/* Everything but TME. */
static uint64_t aa64isar0(uint64_t m) {
    return m & ~(FIELD(0) | FIELD(24));
}

/* No pointer authentication (its keys are not switched), no LS64, no XS. */
static uint64_t aa64isar1(uint64_t m) {
    return m & (FIELD(0) | FIELD(12) | FIELD(16) | FIELD(20) | FIELD(32) | FIELD(36) | FIELD(40) |
                FIELD(44) | FIELD(48) | FIELD(52));
}

/* RPRES, BC, CLRBHB, CSSC; WFxT would need a timed wait, MOPS needs HCRX_EL2. */
static uint64_t aa64isar2(uint64_t m) {
    return m & (FIELD(4) | FIELD(20) | FIELD(28) | FIELD(52));
}

/* No 52-bit addresses, stage-2 granules as stage 1, no FGT, no ECV. */
static uint64_t aa64mmfr0(uint64_t m) {
    uint64_t v = m & (FIELD(0) | FIELD(4) | FIELD(8) | FIELD(12) | FIELD(16) | FIELD(20) |
                      FIELD(24) | FIELD(28) | FIELD(44));

    v = cap(v, 0, 5);
    v = cap(v, 20, 1);
    if (((v >> 28) & 0xf) == 1)
        v &= ~FIELD(28);
    return v;
}

/* No VHE, LORegions, stage-2 features, HCRX, TWED. */
static uint64_t aa64mmfr1(uint64_t m) {
    uint64_t v =
        m & (FIELD(0) | FIELD(12) | FIELD(20) | FIELD(36) | FIELD(44) | FIELD(48) | FIELD(60));

    v = cap(v, 0, 2);
    v = cap(v, 12, 2);
    return cap(v, 20, 3);
}

/* No nested virtualization, FWB, EVT, IESB. */
static uint64_t aa64mmfr2(uint64_t m) {
    return m & (FIELD(0) | FIELD(4) | FIELD(8) | FIELD(16) | FIELD(20) | FIELD(28) | FIELD(32) |
                FIELD(36) | FIELD(48) | FIELD(52) | FIELD(60));
}

uint64_t idreg_for_guest(unsigned idreg, uint64_t m) {
    switch (idreg) {
    case ID_PFR0:
        return cap(m & (0xffffULL | FIELD(16) | FIELD(24)), 16, 1); /* no AMU, RAS */
    case ID_PFR1:
        return cap(m & (FIELD(0) | FIELD(8) | FIELD(16) | FIELD(28)), 28, 1);
    case ID_PFR2:
        return m & (FIELD(0) | FIELD(4));
    case ID_DFR0:
        return cap(m & FIELD(0), 0, 8);
    case ID_MMFR0 ... ID_MMFR3:
    case ID_ISAR0 ... ID_ISAR5:
    case ID_MMFR4:
    case ID_ISAR6:
    case ID_MVFR0:
    case ID_MVFR1:
    case ID_MVFR2:
        return (uint32_t)m;
    case ID_MMFR5:
        return m & FIELD(0);
    case ID_AA64PFR0:
        return aa64pfr0(m);
    case ID_AA64PFR1:
        return m & (FIELD(0) | FIELD(4)); /* BTI, SSBS; no MTE, SME, NMI */
    case ID_AA64DFR0:
        return aa64dfr0(m);
    case ID_AA64ISAR0:
        return aa64isar0(m);
    case ID_AA64ISAR1:
        return aa64isar1(m);
    case ID_AA64ISAR2:
        return aa64isar2(m);
    case ID_AA64MMFR0:
        return aa64mmfr0(m);
    case ID_AA64MMFR1:
        return aa64mmfr1(m);
    case ID_AA64MMFR2:
        return aa64mmfr2(m);
    default:
        return 0;
    }
}

void guest_features_init(void) {
    for (unsigned i = 0; i < NR_IDREGS; i++)
        guest_idregs[i] = idreg_for_guest(i, cpu_features.id[i]);
    if (vgic_hw->version == 2) { /* the CPU may have what its interrupt controller has not */
        guest_idregs[ID_AA64PFR0] &= ~FIELD(24);
        guest_idregs[ID_PFR1] &= ~FIELD(28);
    }
}
