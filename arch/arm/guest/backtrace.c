/* Who called whom, from the frame records on a stack of the hypervisor: hv/backtrace.h. */
#include <hv/backtrace.h>
#include <hv/bits.h>
#include <hv/printk.h>

#include <asm/frame_record.h>
#include <asm/layout.h>

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

/*
 * A frame record is two words on a stack: only aligned addresses that rise within one stack are
 * followed, since the outermost record holds what the guest had in its frame pointer.
 */
void backtrace_from(uintptr_t pc, uintptr_t fp) {
    uintptr_t first = fp, last = 0;

    printk("call trace:\n");
    backtrace_print(pc);
    for (unsigned i = 0; i < 32; i++) {
        const uintptr_t *rec = (const uintptr_t *)fp;
        bool sound = (fp & (FRAME_ALIGN - 1)) == 0 && fp > last && (fp ^ first) >> STACK_SHIFT == 0;

        if (!sound || !hyp_readable(fp) || !backtrace_in_text(frame_caller(rec)))
            return;
        backtrace_print(frame_caller(rec) - 4);
        last = fp;
        fp = frame_outer(rec);
    }
}

void backtrace_here(void) {
    backtrace_from((uintptr_t)__builtin_return_address(0),
                   frame_outer((const uintptr_t *)__builtin_frame_address(0)));
}

void backtrace_of_stack(uintptr_t base, uintptr_t top, uintptr_t outer_fp) {
    uintptr_t called[16];
    unsigned n = 0;

    /* Not at the base: a record may begin below its address (frame_record.h). */
    for (uintptr_t at = ALIGN_DOWN(top, FRAME_ALIGN) - FRAME_ALIGN; at > base && hyp_readable(at);
         at -= FRAME_ALIGN) {
        const volatile uintptr_t *rec = (const volatile uintptr_t *)at;
        uintptr_t lr = frame_caller(rec);

        if (frame_outer(rec) != outer_fp || !backtrace_in_text(lr))
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
