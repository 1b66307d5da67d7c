/* Restart policy: which death is an end and which a new start, and when the machine goes off. */
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/guests.h>
#include <hv/printk.h>
#include <hv/restart.h>
#include <hv/vcpu.h>

/*
 * Domains alive or about to be, plus one while the boot still builds; the one who takes it to
 * nought turns the machine off. With no domain ever started nobody does: the log with its errors
 * stays on the screen.
 */
static unsigned holds = 1;
static bool any_started;

static void hold(void) {
    __atomic_fetch_add(&holds, 1, __ATOMIC_RELAXED);
}

static void release(void) {
    if (__atomic_sub_fetch(&holds, 1, __ATOMIC_ACQ_REL) || !READ_ONCE(any_started))
        return;
    printk("all domains are gone: powering off\n");
    console_flush();
    machine_power_off();
}

void restart_domain_alive(void) {
    WRITE_ONCE(any_started, true);
    hold();
}

void restart_boot_done(void) {
    release();
}

/* In a thread of its own: a large domain must not keep others from being buried. */
static void rebuild(void *arg) {
    const struct guest_config *cfg = arg;

    if (guest_build(cfg))
        printk("d%u: %s: stays dead\n", cfg->domid, cfg->name);
    release(); /* what the dead one held; the new one has its own */
}

static void on_death(const struct domain_obituary *o) {
    switch (o->reason) {
    case SHUT_REBOOT:
    case SHUT_SOFT_RESET:
        printk("d%u: %s: reboots\n", o->id, o->name);
        if (!o->config)
            break;
        if (!hv_thread_create(rebuild, (void *)(uintptr_t)o->config))
            rebuild((void *)(uintptr_t)o->config);
        return;
    case SHUT_POWEROFF:
        printk("d%u: %s: powered off\n", o->id, o->name);
        break;
    case SHUT_SUSPEND: /* there is nobody who could save it and let it go on */
        printk("d%u: %s: stays dead after it suspended\n", o->id, o->name);
        break;
    case SHUT_WATCHDOG:
        printk("d%u: %s: stays dead after its watchdog fired\n", o->id, o->name);
        break;
    case SHUT_CRASH:
        printk("d%u: %s: stays dead after its crash\n", o->id, o->name);
        break;
    }
    release();
}

void restart_init(void) {
    domain_set_death_hook(on_death);
}
