/* Restart policy: which death is an end and which a new start, and when the machine goes off. */
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guests.h>
#include <hv/mm.h>
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

/* What the host console wants of a domain, before what the domain's node says. */
enum wish { WISH_NONE, WISH_END, WISH_AGAIN };

/* By number. `restarts` is for the thread that buries, `wish` too; `gone` is set when the domain
 * was there and is no more, nor about to be. */
static struct {
    uint32_t restarts; /* after a crash or by a watchdog */
    enum wish wish;
    bool gone;
} lives[GUESTS_MAX + 1];

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
    heap_scrub_start();
}

/* In a thread of its own: a large domain must not keep others from being buried. */
static void rebuild(void *arg) {
    const struct guest_config *cfg = arg;

    if (guest_build(cfg)) {
        printk("d%u: %s: stays dead\n", cfg->domid, cfg->name);
        WRITE_ONCE(lives[cfg->domid].gone, true);
    }
    release(); /* what the dead one held; the new one has its own */
}

/* With a hold of the machine, which goes over to the new one. */
static void start_rebuild(const struct guest_config *cfg) {
    if (!hv_thread_create(rebuild, (void *)(uintptr_t)cfg))
        rebuild((void *)(uintptr_t)cfg);
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
    uint32_t *restarts = &lives[cfg->domid].restarts;

    if (kind == END_POWEROFF || kind == END_REBOOT)
        return true;
    if (*restarts < cfg->restart_limit) {
        (*restarts)++;
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

/* What was wished for is done, and then it is its node's again. */
static enum end_action action_for(const struct domain_obituary *o, enum end_kind kind) {
    enum end_action action;
    enum wish wish;

    if (!o->config)
        return END_DESTROY;
    wish = lives[o->id].wish;
    lives[o->id].wish = WISH_NONE;
    if (wish == WISH_AGAIN)
        lives[o->id].restarts = 0;
    if (wish)
        return wish == WISH_AGAIN ? END_RESTART : END_DESTROY;
    action = o->config->on_end[kind];
    return action == END_RESTART && !may_restart(o->config, kind) ? END_DESTROY : action;
}

static void on_death(const struct domain_obituary *o) {
    enum end_kind kind = kind_of(o->reason);
    enum end_action action = action_for(o, kind);

    if (action == END_RESTART) {
        printk("d%u: %s: %s\n", o->id, o->name, kind == END_REBOOT ? "reboots" : "is restarted");
        start_rebuild(o->config);
        return;
    }
    if (o->config)
        WRITE_ONCE(lives[o->id].gone, true);
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
    if (!d->config || lives[d->id].wish || d->config->on_end[kind_of(d->reason)] != END_PRESERVE)
        return false;
    printk("d%u: %s: ended, and is kept as it is\n", d->id, d->name);
    return true;
}

/* ---- the host console ---- */

/* -ESRCH: it does not live, or its end is under way. */
static int end_with(const struct guest_config *cfg, enum shutdown_reason reason, enum wish wish) {
    struct domain *d = domain_by_id(cfg->domid);

    if (!d || (READ_ONCE(d->state) != DOMAIN_RUNNING && !d->kept))
        return -ESRCH;
    lives[cfg->domid].wish = wish;
    if (d->kept)
        domain_bury_kept(d);
    else
        domain_shutdown(d, reason);
    return 0;
}

int restart_end(const struct guest_config *cfg) {
    return end_with(cfg, SHUT_POWEROFF, WISH_END);
}

int restart_again(const struct guest_config *cfg) {
    int rc = end_with(cfg, SHUT_REBOOT, WISH_AGAIN);

    if (!rc || !READ_ONCE(lives[cfg->domid].gone))
        return rc;
    lives[cfg->domid].gone = false;
    lives[cfg->domid].restarts = 0;
    hold();
    start_rebuild(cfg);
    return 0;
}

void restart_init(void) {
    domain_set_death_hook(on_death, is_kept);
}
