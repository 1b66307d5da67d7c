/* Exceptions of the hypervisor itself. */
#include <hv/backtrace.h>
#include <hv/cpu.h>
#include <hv/printk.h>

#include <asm/layout.h>
#include <asm/panic.h>
#include <asm/sysreg.h>
#include <asm/trap.h>

void hv_exception(const struct cpu_regs *r, enum hv_exception_kind kind, uintptr_t sp) {
    static const char *const kinds[] = {"undefined instruction", "HVC", "instruction abort",
                                        "data abort"};
    uint32_t hsr = (uint32_t)read_sysreg(HSR);
    bool overflow = !(sp & (1u << STACK_SHIFT)) && kind == HVX_DATA_ABORT;

    enter_panic();
    printk("\npanic on CPU %u: %s in the hypervisor\n", cpu_id(),
           overflow ? "stack overflow" : kinds[kind]);
    cpus_stop_others();
    printk("hsr %08x; hdfar %08x; hifar %08x; elr %08x\n", hsr, (uint32_t)read_sysreg(far_data_el2),
           (uint32_t)read_sysreg(far_insn_el2), r->pc);
    for (unsigned i = 0; i < 12; i += 4)
        printk("r%-2u %08x  r%-2u %08x  r%-2u %08x  r%-2u %08x\n", i, r->x[i], i + 1, r->x[i + 1],
               i + 2, r->x[i + 2], i + 3, r->x[i + 3]);
    printk("r12 %08x  sp  %08lx  lr  %08x  spsr %08x\n", r->x[12], (unsigned long)sp, r->x[14],
           r->spsr);
    if (backtrace_in_text(r->x[14])) {
        printk("lr is in\n"); /* the caller of one that has no frame (yet) */
        backtrace_print(r->x[14] - 4);
    }
    backtrace_from(r->pc, r->x[11]);
    stop_machine();
}
