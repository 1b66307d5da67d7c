/* The host console's `fail` and `die`, in debug builds only: one allocation to come finds no
 * memory; a domain ends at one of the points where it gives way. */
#include <hv/backtrace.h>
#include <hv/mm.h>
#include <hv/printk.h>
#include <hv/vcpu.h>

#include "monitor.h"

/* `whose` is written while none is to come. */
struct order {
    const char *name;
    unsigned long to_come;            /* that one is the last of so many; atomic; 0: it came */
    const struct guest_config *whose; /* counted are those of its vCPUs; NULL: all */
};

static struct order fail = {.name = "fail"}, die = {.name = "die"};

/* May be called with the locks of the slabs or of a P2M, both of which may print. */
static bool is_the_one(struct order *o, const char *what) {
    const struct domain *d = current->domain;
    unsigned long left = __atomic_load_n(&o->to_come, __ATOMIC_ACQUIRE);

    do /* whose it is may have changed with the count */
        if (!left || (o->whose && (!d || d->id != o->whose->domid)))
            return false;
    while (!__atomic_compare_exchange_n(&o->to_come, &left, left - 1, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_ACQUIRE));
    if (left > 1)
        return false;
    printk("%s: %s here, by order\n", o->name, what);
    backtrace_here();
    return true;
}

static bool fails(void) {
    return is_the_one(&fail, "no memory");
}

static void may_die(void) {
    if (is_the_one(&die, "the end"))
        domain_shutdown(current->domain, SHUT_POWEROFF);
}

static void set_order(struct order *o, const struct monitor_args *args) {
    unsigned long left = __atomic_exchange_n(&o->to_come, 0, __ATOMIC_ACQ_REL);

    if (left)
        printk("%s: the one before did not come, %lu were to go\n", o->name, left);
    o->whose = args->guest;
    __atomic_store_n(&o->to_come, args->number, __ATOMIC_RELEASE);
}

void monitor_fail(const struct monitor_args *args) {
    set_order(&fail, args);
    WRITE_ONCE(mm_fail_hook, args->number ? fails : NULL);
}

void monitor_die(const struct monitor_args *args) {
    set_order(&die, args);
    WRITE_ONCE(preempt_point_hook, args->number ? may_die : NULL);
}
