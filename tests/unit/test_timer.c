/* SOURCES: common/core/timer.c common/core/softirq.c common/lib/spinlock.c */
/* Timers: order of expiry, re-arming, stopping, moving between CPUs; conversions exact to a tick.
 */
#include "captured_log.h"

#include <hv/cpu.h>
#include <hv/fdt.h>
#include <hv/irq.h>
#include <hv/softirq.h>
#include <hv/timer.h>

#include <asm/hyp_timer.h>

#include "fake_timer_irq.h"

uint64_t fake_time;
uint64_t fake_comparator[MAX_CPUS];
uintptr_t percpu_offsets[MAX_CPUS];
DEFINE_PER_CPU(uint32_t, cpu_number);

unsigned fake_timer_cpu(void) {
    return cpu_id();
}

/* One CPU's variables are the prototypes; these tests use only that one. */
void cpu_kick(unsigned cpu) {
    (void)cpu;
    fail_msg("nobody to kick");
}

/* ---- driving time ---- */

static int fired[64];
static unsigned nr_fired;

static void note(void *arg) {
    fired[nr_fired++] = (int)(intptr_t)arg;
}

static void go_to(uint64_t t) {
    while (fake_comparator[0] <= t) {
        if (fake_time < fake_comparator[0])
            fake_time = fake_comparator[0];
        assert_int_equal(timer_handler(26, NULL), IRQ_DONE);
        softirq_run();
    }
    fake_time = t;
}

static int setup(void **state) {
    (void)state;
    fake_time = 1000;
    nr_fired = 0;
    timers_init(NULL);
    return 0;
}

static void expire_in_order(void **state) {
    struct timer t[5];
    static const uint64_t at[5] = {5000, 2000, 4000, 2000, 9000};

    (void)state;
    for (int i = 0; i < 5; i++) {
        timer_init(&t[i], note, (void *)(intptr_t)i);
        timer_set(&t[i], at[i]);
    }
    assert_int_equal(fake_comparator[0], 2000);
    go_to(5000);
    assert_int_equal(nr_fired, 4);
    assert_int_equal(fired[0], 1); /* equal times: first set, first run */
    assert_int_equal(fired[1], 3);
    assert_int_equal(fired[2], 2);
    assert_int_equal(fired[3], 0);
    assert_true(timer_is_set(&t[4]));
    go_to(9000);
    assert_int_equal(nr_fired, 5);
    assert_int_equal(fake_comparator[0], UINT64_MAX);
}

static void not_before_its_time(void **state) {
    struct timer t;

    (void)state;
    timer_init(&t, note, NULL);
    timer_set(&t, 3000);
    fake_time = 2999;
    softirq_raise(SOFTIRQ_TIMER);
    softirq_run();
    assert_int_equal(nr_fired, 0);
    assert_int_equal(fake_comparator[0], 3000);
    go_to(3000);
    assert_int_equal(nr_fired, 1);
}

static void stopped_and_replaced(void **state) {
    struct timer a, b;

    (void)state;
    timer_init(&a, note, (void *)1);
    timer_init(&b, note, (void *)2);
    timer_set(&a, 2000);
    timer_set(&b, 3000);
    timer_stop(&a);
    assert_false(timer_is_set(&a));
    timer_stop(&a); /* twice is harmless */
    timer_set(&b, 6000);
    go_to(5000);
    assert_int_equal(nr_fired, 0);
    go_to(6000);
    assert_int_equal(nr_fired, 1);
}

static struct timer again;

static void rearm(void *arg) {
    note(arg);
    if (nr_fired < 3)
        timer_set(&again, fake_time + 100);
}

static void function_may_set_its_own_timer(void **state) {
    (void)state;
    timer_init(&again, rearm, NULL);
    timer_set(&again, 1100);
    go_to(10000);
    assert_int_equal(nr_fired, 3);
    assert_false(timer_is_set(&again));
}

static void random_against_sorted_list(void **state) {
    enum { N = 64 };
    static struct timer t[N];
    uint64_t expect[N];
    unsigned seed = 12345;

    (void)state;
    for (int i = 0; i < N; i++) {
        timer_init(&t[i], note, NULL);
        expect[i] = UINT64_MAX;
    }
    for (int step = 0; step < 20000; step++) {
        int i;
        uint64_t first = UINT64_MAX;

        seed = seed * 1103515245 + 12345;
        i = (int)(seed >> 16) % N;
        if (seed & 0x100) {
            expect[i] = fake_time + 1 + (seed >> 8) % 1000;
            timer_set(&t[i], expect[i]);
        } else {
            timer_stop(&t[i]);
            expect[i] = UINT64_MAX;
        }
        if (seed & 0x200) {
            unsigned due = 0;

            nr_fired = 0;
            fake_time += 50;
            for (int k = 0; k < N; k++)
                if (expect[k] <= fake_time) {
                    due++;
                    expect[k] = UINT64_MAX;
                }
            softirq_raise(SOFTIRQ_TIMER);
            softirq_run();
            assert_int_equal(nr_fired, due);
        }
        for (int k = 0; k < N; k++) {
            assert_int_equal(timer_is_set(&t[k]), expect[k] != UINT64_MAX);
            if (expect[k] < first)
                first = expect[k];
        }
        assert_true(fake_comparator[0] <= first); /* early for a stopped one, never late */
    }
}

/* a * b / c, of b and c below 2^32; false: it does not fit. */
static bool muldiv(uint64_t a, uint64_t b, uint64_t c, uint64_t *result) {
    return !__builtin_mul_overflow(a / c, b, result) &&
           !__builtin_add_overflow(*result, a % c * b / c, result);
}

/* What an exact product says, for any time of centuries. */
static void conversions(void **state) {
    static const uint64_t hz[] = {1000000, 19200000, 24000000, 62500000, 999999999, 4000000000};
    uint64_t x = 88172645463325252;

    (void)state;
    for (unsigned i = 0; i < sizeof(hz) / sizeof(hz[0]); i++) {
        timer_hz = hz[i];
        for (unsigned n = 0; n < 20000; n++) {
            uint64_t t, exact;

            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            t = x >> (n % 62 + 2);
            muldiv(t, hz[i], 1000000000, &exact);
            assert_true(ns_to_ticks(t) == exact);
            if (muldiv(t, 1000000000, hz[i], &exact))
                assert_true(ticks_to_ns(t) == exact);
        }
    }
}

static void refused(unsigned irq) {
    timer_irq = irq;
    log_clear();
    panic_expected = true;
    if (!setjmp(panic_jump)) {
        timers_init(NULL);
        fail();
    }
    panic_expected = false;
    timer_irq = 26;
    assert_logged("/timer: interrupts: expected a private interrupt in entry 3");
}

static void its_interrupt_is_private(void **state) {
    (void)state;
    refused(0);
    refused(32); /* the first that CPUs share */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(expire_in_order, setup),
        cmocka_unit_test_setup(not_before_its_time, setup),
        cmocka_unit_test_setup(stopped_and_replaced, setup),
        cmocka_unit_test_setup(function_may_set_its_own_timer, setup),
        cmocka_unit_test_setup(random_against_sorted_list, setup),
        cmocka_unit_test_setup(conversions, setup),
        cmocka_unit_test_setup(its_interrupt_is_private, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
