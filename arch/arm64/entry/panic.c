/* The hypervisor itself went wrong: tell everything once, stop every CPU. */
#include <hv/backtrace.h>
#include <hv/bits.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/printk.h>

#include <asm/layout.h>
#include <asm/sysreg.h>
#include <asm/trap.h>

extern const char _start[], _etext[];

static uint32_t panicking; /* CPU number + 1 of the first to get here */

static const char *const ec_names[64] = {
    [0x00] = "unknown",
    [0x0e] = "illegal execution state",
    [0x18] = "system register",
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

static bool in_text(uintptr_t pc) {
    return pc >= (uintptr_t)_start && pc < (uintptr_t)_etext;
}

static void print_address(uintptr_t pc) {
    uintptr_t off;
    const char *name = symbol_lookup(pc, &off);

    if (name)
        printk("  %s+0x%lx\n", name, (unsigned long)off);
    else
        printk("  0x%lx\n", (unsigned long)pc);
}

/* Asks the MMU, so that a wrong frame pointer does not end the report. PAR_EL1 is the guest's. */
static bool readable(uintptr_t va) {
    uint64_t guests = read_sysreg(par_el1), par;

    __asm__ volatile("at s1e2r, %0\n\tisb" : : "r"(va) : "memory");
    par = read_sysreg(par_el1);
    write_sysreg(guests, par_el1);
    return !(par & 1);
}

/*
 * A frame record is two words on a stack: only aligned addresses that rise within one stack are
 * followed, since the outermost record holds what the guest had in x29.
 */
void backtrace_from(uintptr_t pc, uintptr_t fp) {
    uintptr_t first = fp, last = 0;

    printk("call trace:\n");
    print_address(pc);
    for (unsigned i = 0; i < 32; i++) {
        const uintptr_t *rec = (const uintptr_t *)fp;
        bool sound = (fp & 15) == 0 && fp > last && (fp ^ first) >> STACK_SHIFT == 0;

        if (!sound || !readable(fp) || !in_text(rec[1]))
            return;
        print_address(rec[1] - 4);
        last = fp;
        fp = rec[0];
    }
}

void backtrace_here(void) {
    backtrace_from((uintptr_t)__builtin_return_address(0),
                   *(uintptr_t *)__builtin_frame_address(0));
}

void backtrace_of_stack(uintptr_t base, uintptr_t top, uintptr_t outer_fp) {
    uintptr_t called[16];
    unsigned n = 0;

    for (uintptr_t at = ALIGN_DOWN(top, 16) - 16; at >= base && readable(at); at -= 16) {
        const volatile uintptr_t *rec = (const volatile uintptr_t *)at;
        uintptr_t lr = rec[1];

        if (rec[0] != outer_fp || !in_text(lr))
            continue;
        outer_fp = at;
        called[n++] = lr - 4;
        if (n == ARRAY_SIZE(called))
            break;
    }
    printk("call trace, by what its stack holds:\n");
    while (n)
        print_address(called[--n]);
}

static void __noreturn stop_here(void) {
    for (;;)
        __asm__ volatile("wfe");
}

static void __noreturn stop_machine(void) {
    printk("machine stopped\n");
    console_flush();
    stop_here();
}

/*
 * The first CPU that panics reports; any other just stops. Trouble inside the report ends the
 * report, and trouble in saying so everything.
 */
static void enter_panic(void) {
    static bool again;
    uint32_t me = cpu_id() + 1, first = 0;

    if (__atomic_compare_exchange_n(&panicking, &first, me, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_RELAXED)) {
        printk_enter_panic();
        return;
    }
    if (first != me || again)
        stop_here();
    again = true;
    cpus_stop_others();
    printk("\nanother panic inside this report\n");
    stop_machine();
}

void panic(const char *fmt, ...) {
    va_list ap;

    enter_panic();
    printk("\npanic on CPU %u: ", cpu_id());
    va_start(ap, fmt);
    vprintk(fmt, ap);
    va_end(ap);
    printk("\n");
    cpus_stop_others();
    backtrace_here();
    stop_machine();
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
    if (in_text(r->x[30])) {
        printk("x30 is in\n"); /* the caller of one that has no frame (yet) */
        print_address(r->x[30] - 4);
    }
    backtrace_from(r->pc, r->x[29]);
    stop_machine();
}
