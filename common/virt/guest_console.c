/* A vCPU whose text has to wait for the UART sleeps a little and tries again. */
#include <hv/domain.h>
#include <hv/guest_console.h>
#include <hv/timer.h>
#include <hv/vcpu.h>

#define NAP_NS 1000000ULL

static void wake(void *arg) {
    vcpu_wake(arg);
}

/* An interrupt for the guest ends the nap early: others have their turn all the same. */
static void nap(struct vcpu *v) {
    struct timer t;

    timer_init(&t, wake, v);
    timer_set(&t, time_ticks() + ns_to_ticks(NAP_NS));
    vcpu_block();
    vcpu_pause_self();
    timer_stop(&t);
    vcpu_yield();
    preempt_point();
}

void guest_console_write(struct console_port *port, const char *s, size_t n) {
    for (;;) {
        size_t taken = console_port_write(port, s, n);

        s += taken;
        n -= taken;
        if (likely(!n) || (READ_ONCE(current->work) & VCPU_WORK_STOP))
            return;
        nap(current);
    }
}
