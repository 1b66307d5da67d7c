/* WFI and WFE of guests. */
#include <hv/vcpu.h>

#include <asm/abort_reg.h>
#include <asm/guest_regs.h>
#include <asm/guest_state.h>
#include <asm/guest_trap.h>

#define WFX_TI(esr) ((unsigned)(esr)&3)
#define WFX_WFI 0u

/*
 * WFI waits until an interrupt is pending, masked or not, which is what vcpu_block() waits for. The
 * others (WFE, and the timed forms, which guests are not offered) may end at any time: they only
 * give the CPU away once.
 */
void trap_wfx(struct vcpu *v, struct cpu_regs *regs, uint64_t esr) {
    if (unlikely(!abort_skip_a64(regs))) {
        bool executed = aarch32_condition_holds(regs->spsr, esr);

        vcpu_skip_instruction(v, esr & ESR_IL ? 4 : 2);
        if (!executed)
            return;
    }
    if (WFX_TI(esr) == WFX_WFI)
        vcpu_block();
    else
        vcpu_yield();
}
