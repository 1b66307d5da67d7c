/* Firmware calls of guests by the SMC calling convention: its own functions, then PSCI. */
#include <hv/domain.h>
#include <hv/psci.h>
#include <hv/speculation.h>
#include <hv/vpsci.h>

#define SMCCC_FN_64 0x40000000u
#define SMCCC_VERSION_1_2 0x10002

/* What the call would do is done at each entry, so that the call itself is all. */
static int64_t workaround(enum spec_state state) {
    return state == SPEC_MITIGATED    ? 0
           : state == SPEC_UNAFFECTED ? SMCCC_UNAFFECTED
                                      : SMCCC_NOT_SUPPORTED;
}

/* The functions of the convention and of PSCI that SMCCC_ARCH_FEATURES may be asked about: 0, or
 * not supported. */
static int64_t arch_features(uint32_t fn) {
    switch (fn) {
    case SMCCC_VERSION:
    case SMCCC_ARCH_FEATURES:
        return 0;
    case SMCCC_ARCH_WORKAROUND_1:
        return workaround(speculation.targets);
    case SMCCC_ARCH_WORKAROUND_2: /* what is mitigated is so for good, guests in it */
        return speculation.stores == SPEC_VULNERABLE ? SMCCC_NOT_SUPPORTED : SMCCC_NOT_REQUIRED;
    case SMCCC_ARCH_WORKAROUND_3:
        return workaround(speculation.history);
    default:
        return SMCCC_NOT_SUPPORTED;
    }
}

/*
 * a71812dc-c698-4369-9acf-79d18ddee667, which says that the Xen ABI is spoken here (Xen's public
 * arch-arm/smccc.h); four bytes to a register, the first in its low bits.
 */
static void vendor_uid(struct cpu_regs *regs) {
    regs->x[0] = 0xdc1218a7;
    regs->x[1] = 0x694398c6;
    regs->x[2] = 0xd179cf9a;
    regs->x[3] = 0x67e6de8d;
}

static __noinline bool rare_call(struct cpu_regs *regs, uint32_t fn) {
    switch (fn) {
    case SMCCC_ARCH_WORKAROUND_1:
    case SMCCC_ARCH_WORKAROUND_3:
        if (arch_features(fn) == SMCCC_NOT_SUPPORTED)
            return false;
        regs->x[0] = 0;
        return true;
    case SMCCC_VENDOR_CALL_COUNT:
        regs->x[0] = 3;
        return true;
    case SMCCC_VENDOR_UID:
        vendor_uid(regs);
        return true;
    case SMCCC_VENDOR_REVISION:
        regs->x[0] = 0;
        regs->x[1] = 1;
        return true;
    default:
        return false;
    }
}

void smccc_call(struct vcpu *v, struct cpu_regs *regs) {
    uint32_t fn = (uint32_t)regs->x[0];
    int64_t ret = SMCCC_NOT_SUPPORTED;

    if (unlikely((fn & SMCCC_FN_64) && v->domain->aarch32)) {
        regs->x[0] = (uint64_t)ret;
        return;
    }
    if (likely(vpsci_call(v, regs, fn, &ret))) {
        regs->x[0] = (uint64_t)ret;
        return;
    }
    switch (fn) {
    case SMCCC_VERSION:
        ret = SMCCC_VERSION_1_2;
        break;
    case SMCCC_ARCH_FEATURES:
        ret = arch_features((uint32_t)regs->x[1]);
        break;
    default:
        if (rare_call(regs, fn))
            return;
        break;
    }
    regs->x[0] = (uint64_t)ret;
}
