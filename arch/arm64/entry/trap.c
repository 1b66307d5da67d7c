/* Where traps from guests go: one table by the exception class (Arm ARM D19.2.38). */
#include <hv/domain.h>
#include <hv/timer.h>
#include <hv/trace.h>
#include <hv/vpsci.h>

#include <asm/guest_trap.h>
#include <asm/sysreg.h>
#include <asm/trap.h>

#define ESR_EC(esr) ((unsigned)((esr) >> 26) & 0x3f) /* ISS2 lies above */

static void trap_smc64(struct vcpu *v, struct cpu_regs *regs, uint64_t esr) {
    (void)esr;
    vcpu_skip_instruction(v, 4); /* a trapped SMC has not been stepped over, an HVC has */
    smccc_call(v, regs);
}

typedef void (*trap_fn)(struct vcpu *v, struct cpu_regs *regs, uint64_t esr);

/* By exception class. What is missing (SVE and SIMD among it) is not trapped for what guests are
 * offered. */
static const trap_fn traps[64] = {
    [0x01] = trap_wfx,   [0x03] = trap_cp,     [0x04] = trap_cp,         [0x05] = trap_cp,
    [0x06] = trap_cp,    [0x08] = trap_cp,     [0x0c] = trap_cp,         [0x12] = trap_hvc32,
    [0x13] = trap_smc32, /* conditional, so the condition is checked */
    [0x17] = trap_smc64, [0x18] = trap_sysreg, [0x20] = trap_insn_abort, [0x24] = trap_data_abort,
};

static __noinline void traced(trap_fn fn, struct cpu_regs *regs, uint64_t esr) {
    uint64_t start = time_ticks();

    fn(regs->vcpu, regs, esr);
    trace(TRACE_TRAP, trace_who(regs->vcpu), esr, time_ticks() - start);
}

void trap_sync(uint64_t esr, struct cpu_regs *regs) {
    trap_fn fn = traps[ESR_EC(esr)];

    if (unlikely(!fn))
        trap_unknown(regs->vcpu, regs, esr);
    else if (trace_is_on())
        traced(fn, regs, esr);
    else
        fn(regs->vcpu, regs, esr);
}
