/* The host console's `fail`, in debug builds only: one allocation to come finds no memory. */
#include <hv/backtrace.h>
#include <hv/mm.h>
#include <hv/printk.h>
#include <hv/vcpu.h>

#include "monitor.h"

/* `whose` is written while none is to come. */
static unsigned long to_come;            /* that one is the last of so many; atomic; 0: it came */
static const struct guest_config *whose; /* counted are those that its vCPUs ask for; NULL: all */

/* May be called with the locks of the slabs or of a P2M, both of which may print. */
static bool is_the_one(void) {
    const struct domain *d = current->domain;
    unsigned long left = __atomic_load_n(&to_come, __ATOMIC_RELAXED);

    if (whose && (!d || d->id != whose->domid))
        return false;
    do
        if (!left)
            return false;
    while (!__atomic_compare_exchange_n(&to_come, &left, left - 1, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED));
    if (left > 1)
        return false;
    printk("fail: no memory here, by order\n");
    backtrace_here();
    return true;
}

void monitor_fail(const struct monitor_args *args) {
    unsigned long left = __atomic_exchange_n(&to_come, 0, __ATOMIC_ACQ_REL);

    if (left)
        printk("fail: the one before did not come, %lu were to go\n", left);
    whose = args->guest;
    __atomic_store_n(&to_come, args->number, __ATOMIC_RELEASE);
    WRITE_ONCE(mm_fail_hook, args->number ? is_the_one : NULL);
}
