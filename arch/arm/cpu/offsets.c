/* Structure offsets for assembly: compiled to text, never linked; the build turns "->NAME value"
 * into asm/offsets.h. */
#include <hv/hypercall.h>
#include <hv/vcpu.h>

#include <asm/boot_cpu.h>

#define DEFINE(name, value) __asm__ volatile("\n.ascii \"->" #name " %0\"" ::"i"(value))

void offsets(void);
void offsets(void) {
    DEFINE(REGS_X0, offsetof(struct cpu_regs, x[0]));
    DEFINE(REGS_LR, offsetof(struct cpu_regs, pc) - sizeof(((struct cpu_regs *)0)->x[0]));
    DEFINE(REGS_PC, offsetof(struct cpu_regs, pc));
    DEFINE(REGS_SPSR, offsetof(struct cpu_regs, spsr));
    DEFINE(REGS_VCPU, offsetof(struct cpu_regs, vcpu));
    DEFINE(REGS_SIZE, sizeof(struct cpu_regs));
    DEFINE(TAG_OF_HYPERCALLS, HYPERCALL_TAG);
    DEFINE(VCPU_WORK, offsetof(struct vcpu, work));
    DEFINE(VCPU_SP, offsetof(struct vcpu, sp));
    DEFINE(BOOT_CPU_SP, offsetof(struct boot_cpu, sp));
    DEFINE(BOOT_CPU_PERCPU, offsetof(struct boot_cpu, percpu));
    DEFINE(BOOT_CPU_ID, offsetof(struct boot_cpu, id));
    DEFINE(BOOT_CPU_MPIDR, offsetof(struct boot_cpu, mpidr));
}
