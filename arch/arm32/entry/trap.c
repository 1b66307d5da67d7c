/* Where traps from guests go: one table by the exception class (Arm ARM ARMv7-A B3.13.6). */
#include <hv/domain.h>
#include <hv/timer.h>
#include <hv/trace.h>
#include <hv/vcpu.h>

#include <asm/guest_trap.h>
#include <asm/trap.h>

#define HSR_EC(hsr) ((unsigned)((hsr) >> 26) & 0x3f)

typedef void (*trap_fn)(struct vcpu *v, struct cpu_regs *regs, uint64_t esr);

static const trap_fn traps[64] = {
    [0x01] = trap_wfx,        [0x03] = trap_cp,         [0x04] = trap_cp, [0x05] = trap_cp,
    [0x06] = trap_cp,         [0x08] = trap_cp,         [0x0c] = trap_cp, [0x12] = trap_hvc32,
    [0x13] = trap_smc32, /* conditional, so the condition is checked */
    [0x20] = trap_insn_abort, [0x24] = trap_data_abort,
};

void trap_sync(uint64_t esr, struct cpu_regs *regs) {
    trap_fn fn = traps[HSR_EC(esr)];
    uint64_t start = trace_is_on() ? time_ticks() : 0;

    if (unlikely(!fn))
        trap_unknown(regs->vcpu, regs, esr);
    else
        fn(regs->vcpu, regs, esr);
    if (unlikely(start))
        trace(TRACE_TRAP, trace_who(regs->vcpu), esr, time_ticks() - start);
}
