/* SOURCES: common/boot/restart.c */
/* Which death is an end, which a new start, and when the machine goes off. */
#include "captured_log.h"

#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guests.h>
#include <hv/restart.h>
#include <hv/vcpu.h>

#include "own_process.h"

static void (*die)(const struct domain_obituary *o);
static bool (*is_kept)(const struct domain *d);
static unsigned builds;
static bool build_fails, off, threads_fail;

void domain_set_death_hook(void (*hook)(const struct domain_obituary *o),
                           bool (*keep)(const struct domain *d)) {
    die = hook;
    is_kept = keep;
}
int guest_build(const struct guest_config *cfg) {
    (void)cfg;
    builds++;
    if (build_fails)
        return -1;
    restart_domain_alive();
    return 0;
}
struct vcpu *hv_thread_create(void (*fn)(void *), void *arg) {
    static uint64_t thread;

    if (threads_fail)
        return NULL;
    fn(arg);
    return (struct vcpu *)&thread;
}
static struct domain living = {.id = 1, .name = "domU1"};
static bool lives;
static enum shutdown_reason told;
static unsigned shut, buried;

struct domain *domain_by_id(hv_domid_t id) {
    return lives && id == living.id ? &living : NULL;
}
void domain_shutdown(struct domain *d, enum shutdown_reason reason) {
    assert_ptr_equal(d, &living);
    d->state = DOMAIN_DYING;
    told = reason;
    shut++;
}
void domain_bury_kept(struct domain *d) {
    assert_true(d->kept);
    buried++;
}
void heap_scrub_start(void) {
}
void console_flush(void) {
}
void machine_power_off(void) {
    off = true;
    longjmp(panic_jump, 1); /* never returns */
}

static struct guest_config cfg = {
    .domid = 1, .name = "domU1", .on_end = {[END_REBOOT] = END_RESTART}, .restart_limit = 2};

static void dies(enum shutdown_reason reason) {
    struct domain_obituary o = {.id = 1, .name = "domU1", .reason = reason, .config = &cfg};

    if (!setjmp(panic_jump))
        die(&o);
}
static void boot_done(void) {
    if (!setjmp(panic_jump))
        restart_boot_done();
}
static void domains(unsigned n) {
    restart_init();
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(guest_build(&cfg), 0);
    builds = 0;
}

static void last_one_turns_off(void **s) {
    (void)s;
    domains(2);
    boot_done();
    dies(SHUT_POWEROFF);
    assert_false(off);
    assert_logged("d1: domU1: powered off");
    dies(SHUT_CRASH);
    assert_true(off);
    assert_logged("all domains are gone: powering off");
}

static void not_while_others_are_built(void **s) {
    (void)s;
    domains(1);
    dies(SHUT_POWEROFF);
    assert_false(off);
    boot_done();
    assert_true(off);
}

static void none_started(void **s) {
    (void)s;
    domains(0);
    boot_done();
    assert_false(off);
}

static void reboot(void **s) {
    (void)s;
    domains(1);
    boot_done();
    for (unsigned i = 0; i < 5; i++) {
        threads_fail = i % 2; /* without a thread it is built where it died */
        dies(SHUT_REBOOT);
        assert_int_equal(builds, i + 1);
        assert_false(off);
    }
    dies(SHUT_POWEROFF);
    assert_true(off);
}

static void reboot_that_fails(void **s) {
    (void)s;
    domains(2);
    boot_done();
    build_fails = true;
    dies(SHUT_REBOOT);
    assert_logged("d1: domU1: stays dead");
    assert_false(off);
    dies(SHUT_REBOOT);
    assert_true(off);
}

static void failures_are_limited(void **s) {
    (void)s;
    domains(2);
    boot_done();
    cfg.on_end[END_CRASH] = cfg.on_end[END_WATCHDOG] = END_RESTART;
    dies(SHUT_CRASH);
    dies(SHUT_REBOOT); /* does not count */
    dies(SHUT_WATCHDOG);
    assert_int_equal(builds, 3);
    dies(SHUT_CRASH);
    assert_int_equal(builds, 3);
    assert_logged("d1: domU1: was restarted 2 times already");
    assert_logged("d1: domU1: stays dead after its crash");
    assert_false(off);
}

static void actions_are_taken(void **s) {
    struct domain d = {.id = 1, .name = "domU1", .config = &cfg};

    (void)s;
    domains(3);
    boot_done();
    cfg.on_end[END_REBOOT] = END_DESTROY;
    dies(SHUT_REBOOT);
    assert_int_equal(builds, 0);
    assert_logged("d1: domU1: stays dead after its reboot");
    cfg.on_end[END_CRASH] = END_PRESERVE;
    d.reason = SHUT_POWEROFF;
    assert_false(is_kept(&d));
    d.reason = SHUT_CRASH;
    assert_true(is_kept(&d));
    cfg.on_end[END_POWEROFF] = END_HALT_MACHINE;
    assert_false(off);
    dies(SHUT_POWEROFF);
    assert_true(off);
    assert_logged("d1: domU1: its end is the machine's: powering off");
}

/* What the console wishes goes before the node and its limit, once. */
static void wishes_come_first(void **s) {
    (void)s;
    living.config = &cfg;
    domains(2);
    boot_done();
    assert_int_equal(restart_again(&cfg), -ESRCH); /* its first build is not done */
    lives = true;
    living.state = DOMAIN_RUNNING;
    cfg.on_end[END_REBOOT] = cfg.on_end[END_POWEROFF] = END_PRESERVE;
    assert_int_equal(restart_again(&cfg), 0);
    assert_int_equal(told, SHUT_REBOOT);
    living.reason = told;
    assert_false(is_kept(&living));
    dies(SHUT_REBOOT);
    assert_int_equal(builds, 1);

    assert_int_equal(restart_end(&cfg), -ESRCH); /* it is dying already */
    assert_true(is_kept(&living));
    living.kept = true;
    cfg.restart_limit = 0;
    assert_int_equal(restart_again(&cfg), 0); /* after a crash, of which none is forgiven */
    assert_int_equal(buried, 1);
    dies(SHUT_CRASH);
    assert_int_equal(builds, 2);

    assert_int_equal(restart_end(&cfg), 0);
    assert_int_equal(buried, 2);
    dies(SHUT_REBOOT);
    assert_int_equal(builds, 2);
    assert_false(off);

    lives = false;
    assert_int_equal(restart_end(&cfg), -ESRCH);
    assert_int_equal(restart_again(&cfg), 0); /* it is dead */
    assert_int_equal(builds, 3);
    assert_int_equal(restart_again(&cfg), -ESRCH); /* and now it is not */
    assert_int_equal(shut, 1);
    dies(SHUT_POWEROFF); /* with the one that is left this is the last but one */
    assert_false(off);
    build_fails = true;
    assert_int_equal(restart_again(&cfg), 0); /* fails, and may be tried again */
    assert_int_equal(restart_again(&cfg), 0);
    assert_false(off);
    dies(SHUT_POWEROFF);
    assert_true(off);
}

/* restart.c counts from the machine's start: each test has a process of its own. */
int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_one_turns_off), cmocka_unit_test(not_while_others_are_built),
        cmocka_unit_test(none_started),       cmocka_unit_test(reboot),
        cmocka_unit_test(reboot_that_fails),  cmocka_unit_test(failures_are_limited),
        cmocka_unit_test(actions_are_taken),  cmocka_unit_test(wishes_come_first),
    };

    return run_in_processes(argc, argv, tests, ARRAY_SIZE(tests));
}
