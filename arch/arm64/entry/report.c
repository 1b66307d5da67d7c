/* Exceptions of the hypervisor itself. */
#include <hv/backtrace.h>
#include <hv/cpu.h>
#include <hv/printk.h>

#include <asm/frame_record.h>
#include <asm/layout.h>
#include <asm/panic.h>
#include <asm/sysreg.h>
#include <asm/trap.h>

static const char *const ec_names[64] = {
    [0x00] = "unknown",
    [0x0d] = "branch target",
    [0x0e] = "illegal execution state",
    [0x18] = "system register",
    [0x1c] = "pointer authentication",
    [0x20] = "insn abort (EL1)",
    [0x21] = "instruction abort",
    [0x22] = "pc alignment",
    [0x24] = "data abort (EL1)",
    [0x25] = "data abort",
    [0x26] = "sp alignment",
    [0x2f] = "SError",
    [0x3c] = "brk",
};

static const char *fault_name(unsigned fsc) {
    switch (fsc & 0x3c) {
    case 0x00:
        return "address size";
    case 0x04:
        return "translation";
    case 0x08:
        return "access flag";
    case 0x0c:
        return "permission";
    case 0x20:
        return fsc == 0x21 ? "alignment" : "other";
    case 0x10:
    case 0x14:
        return "external";
    case 0x30:
        return fsc == 0x30 ? "TLB conflict" : "other";
    default:
        return "other";
    }
}

static void print_regs(const struct cpu_regs *r, uintptr_t sp) {
    for (unsigned i = 0; i < 30; i += 3)
        printk("x%-2u %016llx  x%-2u %016llx  x%-2u %016llx\n", i, (unsigned long long)r->x[i],
               i + 1, (unsigned long long)r->x[i + 1], i + 2, (unsigned long long)r->x[i + 2]);
    printk("x30 %016llx  sp  %016lx  pc  %016llx  spsr %08llx\n", (unsigned long long)r->x[30],
           (unsigned long)sp, (unsigned long long)r->pc, (unsigned long long)r->spsr);
}

void hv_exception(const struct cpu_regs *r, enum hv_exception_kind kind) {
    static const char *const kinds[] = {"synchronous exception", "unexpected interrupt", "SError",
                                        "exception on SP_EL0", "stack overflow"};
    uint64_t esr = read_sysreg(esr_el2), far = read_sysreg(far_el2);
    unsigned ec = (unsigned)(esr >> 26) & 63;
    uintptr_t sp = (uintptr_t)(r + 1);

    enter_panic();
    if (kind == HVX_STACK_OVERFLOW)
        sp = read_sysreg(tpidr_el0) + sizeof(*r);
    printk("\npanic on CPU %u: %s in the hypervisor\n", cpu_id(), kinds[kind]);
    cpus_stop_others();
    printk("esr %08llx: %s%s%s, %s; far %016llx; elr %016llx\n", (unsigned long long)esr,
           ec_names[ec] ? ec_names[ec] : "class", ec == 0x25 || ec == 0x21 ? ", fault: " : "",
           ec == 0x25 || ec == 0x21 ? fault_name(esr & 63) : "",
           ec == 0x25 ? (esr & (1 << 6) ? "write" : "read") : "-", (unsigned long long)far,
           (unsigned long long)r->pc);
    print_regs(r, sp);
    if (backtrace_in_text(code_address(r->x[30]))) {
        printk("x30 is in\n"); /* the caller of one that has no frame (yet) */
        backtrace_print(code_address(r->x[30]) - 4);
    }
    backtrace_from(r->pc, r->x[29]);
    stop_machine();
}
