/* The hypervisor itself went wrong: tell everything once, stop every CPU. */
#include <hv/backtrace.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/printk.h>

#include <asm/panic.h>

static uint32_t panicking; /* CPU number + 1 of the first to get here */

static void __noreturn stop_here(void) {
    for (;;)
        __asm__ volatile("wfe");
}

void __noreturn stop_machine(void) {
    printk("machine stopped\n");
    console_flush();
    stop_here();
}

/*
 * The first CPU that panics reports; any other just stops. Trouble inside the report ends the
 * report, and trouble in saying so everything.
 */
void enter_panic(void) {
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
