/*
 * Coprocessor accesses of AArch32 guests that trap: CP15 (system registers), CP14 (debug) and the
 * floating-point identification registers. Each is turned into the AArch64 register it maps to (Arm
 * ARM G8.2, K15) and handled there; what has no counterpart is handled here.
 */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/vcpu.h>
#include <hv/vpsci.h>

#include <asm/features.h>
#include <asm/guest_regs.h>
#include <asm/guest_state.h>
#include <asm/guest_trap.h>

#define EC_CP15_32 0x03u
#define EC_CP15_64 0x04u
#define EC_CP14_32 0x05u
#define EC_CP14_LDC 0x06u
#define EC_VMRS 0x08u
#define EC_CP14_64 0x0cu

/* An MCR/MRC syndrome has its fields where the MSR/MRS one has them, without op0. */
#define CP_FIELDS_MASK SYSREG(0, 7, 15, 15, 7)
#define CP(opc1, crn, crm, opc2) SYSREG(0, opc1, crn, crm, opc2)

static unsigned insn_bytes(uint64_t esr) {
    return esr & ESR_IL ? 4 : 2;
}

static enum sysreg_result cp15_32(struct vcpu *v, uint32_t cp, bool write, uint64_t *val) {
    uint32_t key;

    switch (cp) {
    case CP(0, 7, 6, 2):  /* DCISW */
    case CP(0, 7, 10, 2): /* DCCSW */
    case CP(0, 7, 14, 2): /* DCCISW */
        key = SYSREG(1, 0, 0, 0, 0) | cp;
        break;
    case CP(0, 14, 2, 0): /* CNTP_TVAL */
    case CP(0, 14, 2, 1): /* CNTP_CTL */
        key = SYSREG(3, 3, 0, 0, 0) | cp;
        if (write && SYSREG_OP2(cp) == 0)
            *val = (uint64_t)(int64_t)(int32_t)*val;
        break;
    default:
        key = SYSREG(3, 0, 0, 0, 0) | cp;
        break;
    }
    return sysreg_access(v, key, write, val);
}

/* MCRR/MRRC: opc1 and CRm name the register. */
static enum sysreg_result cp15_64(struct vcpu *v, unsigned opc1, unsigned crm, bool write,
                                  uint64_t *val) {
    if (crm == 12 && opc1 <= 2) {
        static const uint32_t sgi[3] = {SYSREG(3, 0, 12, 11, 5), SYSREG(3, 0, 12, 11, 6),
                                        SYSREG(3, 0, 12, 11, 7)};
        return sysreg_access(v, sgi[opc1], write, val);
    }
    if (crm == 14 && opc1 == 0)
        return sysreg_access(v, SYSREG(3, 3, 14, 0, 1), write, val); /* CNTPCT */
    if (crm == 14 && opc1 == 2)
        return sysreg_access(v, SYSREG(3, 3, 14, 2, 2), write, val); /* CNTP_CVAL */
    return SYSREG_UNKNOWN;
}

/* DBGDIDR: numbers of slots, the architecture's version of debug, no secure user debug. */
static uint32_t dbgdidr(void) {
    uint64_t dfr = guest_idregs[ID_AA64DFR0];

    return (uint32_t)(bits_get(dfr, 23, 20) << 28 | bits_get(dfr, 15, 12) << 24 |
                      bits_get(dfr, 31, 28) << 20 | bits_get(dfr, 3, 0) << 16 | BIT(15) | BIT(12));
}

/* The upper half of a breakpoint value register. */
static enum sysreg_result breakpoint_upper(struct vcpu *v, unsigned n, bool write, uint64_t *val) {
    uint32_t key = SYSREG(2, 0, 0, n, 4);
    uint64_t whole = 0;
    enum sysreg_result result = debug_access(v, key, false, &whole);

    if (result != SYSREG_DONE)
        return result;
    if (!write) {
        *val = whole >> 32;
        return SYSREG_DONE;
    }
    whole = (whole & 0xffffffffULL) | *val << 32;
    return debug_access(v, key, true, &whole);
}

static enum sysreg_result cp14_32(struct vcpu *v, uint32_t cp, bool write, uint64_t *val) {
    if (SYSREG_OP1(cp) == 0 && SYSREG_CRN(cp) == 1 && SYSREG_OP2(cp) == 1)
        return breakpoint_upper(v, SYSREG_CRM(cp), write, val);
    switch (cp) {
    case CP(0, 0, 0, 0): /* DBGDIDR */
        *val = dbgdidr();
        return write ? SYSREG_UNDEFINED : SYSREG_DONE;
    case CP(0, 0, 1, 0): /* DBGDSCRint: what EL0 may know of DBGDSCRext */
    case CP(0, 0, 5, 0): /* DBGDTRRXint/TXint: nobody at the other end */
    case CP(0, 2, 0, 0): /* DBGDSAR */
    case CP(0, 7, 0, 7): /* DBGDEVID2, 1, 0 */
    case CP(0, 7, 1, 7):
    case CP(0, 7, 2, 7):
        if (!write)
            *val = 0;
        return SYSREG_DONE;
    case CP(0, 0, 7, 0): /* DBGVCR */
        if (write)
            v->arch.debug.vcr = (uint32_t)*val;
        else
            *val = v->arch.debug.vcr;
        return SYSREG_DONE;
    default:
        return debug_access(v, SYSREG(2, 0, 0, 0, 0) | cp, write, val);
    }
}

/* FPSID is not trapped; the media feature registers lie in the identification space. */
static enum sysreg_result vmrs(unsigned reg, bool write, uint64_t *val) {
    if (write)
        return SYSREG_UNDEFINED;
    switch (reg) {
    case 5:
        *val = guest_idregs[ID_MVFR2];
        return SYSREG_DONE;
    case 6:
        *val = guest_idregs[ID_MVFR1];
        return SYSREG_DONE;
    case 7:
        *val = guest_idregs[ID_MVFR0];
        return SYSREG_DONE;
    default:
        return SYSREG_UNKNOWN;
    }
}

static enum sysreg_result access_32(struct vcpu *v, unsigned ec, uint64_t esr) {
    uint32_t cp = (uint32_t)esr & CP_FIELDS_MASK;
    unsigned rt = (unsigned)(esr >> 5) & 31;
    bool write = !(esr & 1);
    uint64_t val = vcpu_get_reg(v, rt);
    enum sysreg_result result;

    if (ec == EC_CP15_32)
        result = cp15_32(v, cp, write, &val);
    else if (ec == EC_CP14_32)
        result = cp14_32(v, cp, write, &val);
    else
        result = vmrs(SYSREG_CRN(cp), write, &val);
    /* MRC with r15 as target goes to the flags; no register offered here is read that way. */
    if (result == SYSREG_DONE && !write && rt != 15)
        vcpu_set_reg(v, rt, val);
    return result;
}

static enum sysreg_result access_64(struct vcpu *v, unsigned ec, uint64_t esr) {
    unsigned rt = (unsigned)(esr >> 5) & 31, rt2 = (unsigned)(esr >> 10) & 31;
    unsigned opc1 = (unsigned)(esr >> 16) & 15, crm = (unsigned)(esr >> 1) & 15;
    bool write = !(esr & 1);
    uint64_t val = vcpu_get_reg(v, rt) | vcpu_get_reg(v, rt2) << 32;
    enum sysreg_result result;

    if (ec == EC_CP14_64) {
        /* DBGDRAR and DBGDSAR as 64-bit registers: no memory-mapped debug registers. */
        if (write || opc1 || (crm != 1 && crm != 2))
            return SYSREG_UNKNOWN;
        val = 0;
        result = SYSREG_DONE;
    } else {
        result = cp15_64(v, opc1, crm, write, &val);
    }
    if (result == SYSREG_DONE && !write) {
        vcpu_set_reg(v, rt, (uint32_t)val);
        vcpu_set_reg(v, rt2, val >> 32);
    }
    return result;
}

static void refuse(struct vcpu *v, unsigned ec, uint64_t esr, enum sysreg_result why) {
    if (why == SYSREG_UNKNOWN)
        domain_log(v->domain,
                   "vcpu%u: unknown coprocessor access, class 0x%x, syndrome 0x%llx, at pc 0x%llx: "
                   "undefined",
                   v->id, ec, (unsigned long long)bits_get(esr, 24, 0),
                   (unsigned long long)v->regs->pc);
    inject_undefined(v, esr & ESR_IL);
}

void trap_cp(struct vcpu *v, struct cpu_regs *regs, uint64_t esr) {
    unsigned ec = ESR_EC_OF(esr);
    enum sysreg_result result;

    if (!aarch32_condition_holds(regs->spsr, esr)) {
        vcpu_skip_instruction(v, insn_bytes(esr));
        return;
    }
    switch (ec) {
    case EC_CP15_64:
    case EC_CP14_64:
        result = access_64(v, ec, esr);
        break;
    case EC_CP14_LDC: /* the debug channel as memory: nobody at the other end */
        result = SYSREG_UNDEFINED;
        break;
    default:
        result = access_32(v, ec, esr);
        break;
    }
    if (result == SYSREG_DONE)
        vcpu_skip_instruction(v, insn_bytes(esr));
    else
        refuse(v, ec, esr, result);
}

void trap_smc32(struct vcpu *v, struct cpu_regs *regs, uint64_t esr) {
    /* The condition fields are valid only when CCKNOWNPASS (bit 19) is set (Arm ARM D19.2.37, EC
     * 0x13). */
    bool executed = !(esr & BIT(19)) || aarch32_condition_holds(regs->spsr, esr);

    vcpu_skip_instruction(v, insn_bytes(esr));
    if (executed)
        smccc_call(v, regs);
}
