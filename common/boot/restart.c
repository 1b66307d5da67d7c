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

static enum end_kind kind_of(enum shutdown_reason reason) {
    switch (reason) {
    case SHUT_REBOOT:
    case SHUT_SOFT_RESET:
        return END_REBOOT;
    case SHUT_CRASH:
        return END_CRASH;
    case SHUT_WATCHDOG:
        return END_WATCHDOG;
    case SHUT_POWEROFF:
    case SHUT_SUSPEND: /* there is nobody who could save it and let it go on */
        break;
    }
    return END_POWEROFF;
}

/* A domain that fails again and again does so only so often. */
static bool may_restart(const struct guest_config *cfg, enum end_kind kind) {
    static uint32_t restarts[GUESTS_MAX + 1];

    if (kind == END_POWEROFF || kind == END_REBOOT)
        return true;
    if (restarts[cfg->domid] < cfg->restart_limit) {
        restarts[cfg->domid]++;
        return true;
    }
    printk("d%u: %s: was restarted %u times already\n", cfg->domid, cfg->name, cfg->restart_limit);
    return false;
}

static void say_dead(const struct domain_obituary *o) {
    static const char *const after[] = {
        [SHUT_SUSPEND] = "it suspended",        [SHUT_CRASH] = "its crash",
        [SHUT_WATCHDOG] = "its watchdog fired", [SHUT_REBOOT] = "its reboot",
        [SHUT_SOFT_RESET] = "its reset",
    };

    if (o->reason == SHUT_POWEROFF)
        printk("d%u: %s: powered off\n", o->id, o->name);
    else
        printk("d%u: %s: stays dead after %s\n", o->id, o->name, after[o->reason]);
}

static void on_death(const struct domain_obituary *o) {
    enum end_kind kind = kind_of(o->reason);
    enum end_action action = o->config ? o->config->on_end[kind] : END_DESTROY;

    if (action == END_RESTART && may_restart(o->config, kind)) {
        printk("d%u: %s: %s\n", o->id, o->name, kind == END_REBOOT ? "reboots" : "is restarted");
        if (!hv_thread_create(rebuild, (void *)(uintptr_t)o->config))
            rebuild((void *)(uintptr_t)o->config);
        return;
    }
    say_dead(o);
    if (action == END_HALT_MACHINE) {
        printk("d%u: %s: its end is the machine's: powering off\n", o->id, o->name);
        console_flush();
        machine_power_off();
    }
    release();
}

/* It keeps its hold of the machine, too: what is to be looked at must not go off. */
static bool is_kept(const struct domain *d) {
    if (!d->config || d->config->on_end[kind_of(d->reason)] != END_PRESERVE)
        return false;
    printk("d%u: %s: ended, and is kept as it is\n", d->id, d->name);
    return true;
}

void restart_init(void) {
    domain_set_death_hook(on_death, is_kept);
}
