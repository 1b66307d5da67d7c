/* Who called whom, from the frame records on a stack of the hypervisor: hv/backtrace.h. */
#include <hv/backtrace.h>
#include <hv/bits.h>
#include <hv/printk.h>

#include <asm/layout.h>
#include <asm/sysreg.h>

extern const char _start[], _etext[];

bool backtrace_in_text(uintptr_t pc) {
    return pc >= (uintptr_t)_start && pc < (uintptr_t)_etext;
}

void backtrace_print(uintptr_t pc) {
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
    backtrace_print(pc);
    for (unsigned i = 0; i < 32; i++) {
        const uintptr_t *rec = (const uintptr_t *)fp;
        bool sound = (fp & 15) == 0 && fp > last && (fp ^ first) >> STACK_SHIFT == 0;

        if (!sound || !readable(fp) || !backtrace_in_text(rec[1]))
            return;
        backtrace_print(rec[1] - 4);
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

        if (rec[0] != outer_fp || !backtrace_in_text(lr))
            continue;
        outer_fp = at;
        called[n++] = lr - 4;
        if (n == ARRAY_SIZE(called))
            break;
    }
    printk("call trace, by what its stack holds:\n");
    while (n)
        backtrace_print(called[--n]);
}
