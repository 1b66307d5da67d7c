/* Traps and the way out to a guest, where both architectures do the same. */
#include <hv/arch_thread.h>
#include <hv/domain.h>
#include <hv/hypercall.h>
#include <hv/irq.h>
#include <hv/softirq.h>
#include <hv/vpsci.h>

#include <asm/guest_trap.h>
#include <asm/trap.h>

#define HVC_IMM_MASK 0xffffu

/* The AArch32 caller's registers are the low halves; the number is in r12. */
void trap_hvc32(struct vcpu *v, struct cpu_regs *regs, uint64_t esr) {
    uint64_t args[HYPERCALL_ARGS];

    if ((esr & HVC_IMM_MASK) != HYPERCALL_TAG) {
        smccc_call(v, regs);
        return;
    }
    for (unsigned i = 0; i < HYPERCALL_ARGS; i++)
        args[i] = (uint32_t)regs->x[i];
    regs->x[0] = (uint32_t)hypercall(v, args, (uint32_t)regs->x[12]);
}

void trap_fiq(struct cpu_regs *regs) {
    (void)regs;
    panic("FIQ while a guest ran: the interrupt controller delivers group 0 to EL2");
}

void trap_guest_serror(uint64_t esr, struct cpu_regs *regs) {
    domain_crash(regs->vcpu->domain, "system error (SError), esr 0x%llx", (unsigned long long)esr);
}

/* Softirqs and vCPU work repeat until neither is left: either may raise the other. */
void leave_to_guest(struct vcpu *v) {
    for (;;) {
        uint32_t work;

        if (this_cpu(softirq_pending))
            softirq_run();
        work = READ_ONCE(v->work);
        if (!work && !this_cpu(softirq_pending))
            return;
        if (work & VCPU_WORK_STOP)
            vcpu_stop_self(VCPU_DEAD);
        if (work & VCPU_WORK_PAUSE)
            vcpu_pause_self();
        if (work & VCPU_WORK_PTIMER)
            vtimer_phys_look(v);
        if (work & VCPU_WORK_IRQ)
            vgic_flush(v);
    }
}
