/* SOURCES: common/virt/sched.c common/virt/runqueue.c common/virt/cpupool.c common/core/timer.c common/core/softirq.c */
/*
 * What the scheduler promises of time: shares, caps, deadlines, CPUs of one's own. Simulated CPUs
 * run guests that compute, and such that sleep, for a while; then their times are looked at.
 */
#include "sched_world.h"

#include <hv/errno.h>

#include "../fake/host_string.h"

#define VCPUS 8u
#define STEP_TICKS 2000u
#define SECOND (timer_hz)

static struct domain doms[VCPUS]; /* each vCPU has its own, unless a test says otherwise */
static struct vcpu guests[VCPUS];
static struct {
    uint64_t work, sleep; /* ticks; sleep 0: computes for ever */
    uint64_t latest;      /* from wake-up to the end of its work, at most */
    unsigned wakes;
    uint64_t ready; /* when it was to wake */
    bool locks;     /* half of its work is done under the one spinlock there is */
    unsigned rounds;
    struct timer timer;
} load[VCPUS];
static unsigned nr_guests;
static uint64_t longest_wait[VCPUS];
static unsigned seen_on[VCPUS][CPUS_MAX]; /* world_look() found the guest running there */
static uint64_t until;

/* ---- the rest of the hypervisor ---- */

void domain_vcpu_gone(struct domain *d) {
    (void)d;
    broken("a vCPU has ended");
}

void vgic_flush(struct vcpu *v) {
    vcpu_clear_work(v, VCPU_WORK_IRQ);
}

bool vgic_has_pending(const struct vcpu *v) {
    (void)v;
    return false;
}

void vtimer_phys_look(struct vcpu *v) {
    (void)v;
}

static void world_saved(struct vcpu *v) {
    (void)v;
}

static void world_device_irq(void) {
}

static void world_all_waiting(void) {
    uint64_t next = until;

    for (unsigned i = 0; i < nr_cpus; i++)
        next = MIN(next, fake_comparator[i]);
    fake_time = MAX(fake_time, next);
    if (fake_time >= until)
        world_end();
}

static void world_look(void) {
    for (unsigned i = 0; i < nr_cpus; i++)
        if (cpus[i].loaded)
            check(cpumask_has(&cpus[i].loaded->sched.p.hard, i));
    for (unsigned i = 0; i < nr_guests; i++)
        seen_on[i][guests[i].cpu] += guests[i].times.state == TIME_RUNNING;
    for (unsigned i = 0; i < nr_guests; i++)
        if (guests[i].times.state == TIME_RUNNABLE)
            longest_wait[i] = MAX(longest_wait[i], fake_time - guests[i].times.since);
    if (fake_time >= until)
        world_end();
}

/* ---- guests ---- */

static void to_guest(struct vcpu *v) {
    while (this_cpu(softirq_pending) || v->work) {
        if (this_cpu(softirq_pending))
            softirq_run();
        vcpu_clear_work(v, ~0u);
    }
}

static void compute(struct vcpu *v, uint64_t ticks) {
    while (ticks) {
        to_guest(v);
        if (irq_due(now)) {
            irq_dispatch();
            continue;
        }
        fake_time += STEP_TICKS / nr_cpus; /* all CPUs' steps make time pass */
        ticks -= MIN(ticks, STEP_TICKS);
        maybe_turn();
    }
}

static void wake(void *arg) {
    vcpu_wake(arg);
}

static bool locked;

/* As a guest's spinlock does it: who waits says WFE, which ends at once unless it is trapped. */
static void work_with_lock(struct vcpu *v, uint64_t ticks) {
    while (locked)
        if (cpus[now].wfe_traps)
            vcpu_yield();
        else
            compute(v, STEP_TICKS);
    locked = true;
    compute(v, ticks / 2);
    locked = false;
    compute(v, ticks / 2);
    load[v->id].rounds++;
}

static void guest_main(struct vcpu *v) {
    unsigned me = v->id;

    while (load[me].locks)
        work_with_lock(v, load[me].work);
    for (;;) {
        compute(v, load[me].work);
        if (!load[me].sleep)
            continue;
        if (load[me].ready && fake_time > SECOND / 10) /* at the start all are equal */
            load[me].latest = MAX(load[me].latest, fake_time - load[me].ready);
        load[me].ready = MAX(load[me].ready ? load[me].ready : fake_time,
                             fake_time > load[me].sleep ? fake_time - load[me].sleep : 0) +
                         load[me].sleep;
        load[me].wakes++;
        timer_set(&load[me].timer, load[me].ready);
        vcpu_block();
    }
}

/* ---- a run ---- */

static void make(unsigned nr_of_cpus, uint64_t seed) {
    world_create(nr_of_cpus, seed, UINT64_MAX);
    memset(guests, 0, sizeof(guests));
    memset(load, 0, sizeof(load));
    memset(longest_wait, 0, sizeof(longest_wait));
    memset(seen_on, 0, sizeof(seen_on));
    nr_guests = 0;
}

static int add(const struct sched_params *p) {
    struct vcpu *v = &guests[nr_guests];
    int rc;

    v->domain = &doms[nr_guests];
    v->id = nr_guests;
    assert_int_equal(sched_add(v), 0);
    rc = sched_configure(v, p);
    if (rc) {
        sched_remove(v);
        return rc;
    }
    load[nr_guests].work = STEP_TICKS;
    timer_init(&load[nr_guests].timer, wake, v);
    nr_guests++;
    return 0;
}

static void hog(uint32_t weight) {
    struct sched_params p;

    sched_params_init(&p);
    p.weight = weight;
    assert_int_equal(add(&p), 0);
}

static void budgeted(bool realtime, uint32_t budget_us, uint32_t period_us) {
    struct sched_params p;

    sched_params_init(&p);
    p.realtime = realtime;
    p.budget_us = budget_us;
    p.period_us = period_us;
    assert_int_equal(add(&p), 0);
}

/* The guest computes for `work`, then is not ready until `sleep` after it was the last time. */
static void sleeps(unsigned guest, uint64_t work, uint64_t sleep) {
    load[guest].work = work;
    load[guest].sleep = sleep;
}

static void run_for(uint64_t ticks) {
    for (unsigned i = 0; i < nr_guests; i++) {
        assert_true(vcpu_claim(&guests[i]));
        vcpu_online(&guests[i]);
    }
    until = fake_time + ticks;
    world_run();
    if (failure[0])
        fail_msg("%s", failure);
}

static uint64_t spent(unsigned i) {
    struct vcpu_times t;

    vcpu_get_times(&guests[i], &t);
    return t.spent[TIME_RUNNING];
}

/* Of one CPU's time during the run, in thousandths. */
static unsigned share(unsigned i, uint64_t ticks) {
    return (unsigned)(spent(i) * 1000 / ticks);
}

#define NEAR(got, wanted, tolerance)                                                               \
    do {                                                                                           \
        unsigned got_ = (got), wanted_ = (wanted);                                                 \
        if (got_ + (tolerance) < wanted_ || got_ > wanted_ + (tolerance))                          \
            fail_msg("%s:%d: %s is %u, not about %u", __FILE__, __LINE__, #got, got_, wanted_);    \
    } while (0)

/* ---- tests ---- */

static void shares_follow_weights(void **state) {
    (void)state;
    for (unsigned seed = 1; seed <= 3; seed++) {
        make(1, seed);
        hog(128);
        hog(256);
        hog(512);
        run_for(4 * SECOND);
        NEAR(share(0, 4 * SECOND), 143, 15);
        NEAR(share(1, 4 * SECOND), 286, 20);
        NEAR(share(2, 4 * SECOND), 571, 25);
        world_destroy();
    }
}

/* Nobody owns a CPU while two share the other. */
static void equals_share_all_cpus(void **state) {
    (void)state;
    for (unsigned seed = 1; seed <= 3; seed++) {
        make(2, seed);
        for (unsigned i = 0; i < 3; i++)
            hog(256);
        run_for(6 * SECOND);
        for (unsigned i = 0; i < 3; i++)
            NEAR(share(i, 6 * SECOND), 667, 70);
        world_destroy();
    }
}

/* One that is worth as much as two others has a CPU of its own. */
static void weights_share_all_cpus(void **state) {
    (void)state;
    make(2, 1);
    hog(256);
    hog(512);
    hog(256);
    run_for(6 * SECOND);
    NEAR(share(0, 6 * SECOND), 500, 60);
    NEAR(share(1, 6 * SECOND), 1000, 60);
    NEAR(share(2, 6 * SECOND), 500, 60);
    world_destroy();
}

static void no_cpu_idles_while_one_waits(void **state) {
    (void)state;
    make(4, 1);
    for (unsigned i = 0; i < 4; i++)
        hog(256);
    run_for(SECOND);
    for (unsigned i = 0; i < 4; i++)
        NEAR(share(i, SECOND), 1000, 30);
    world_destroy();
}

/* A CPU with one that computes has no timer set; with two it has one for each slice. */
static void alone_there_is_no_tick(void **state) {
    (void)state;
    for (unsigned nr = 2; nr <= 3; nr++) {
        make(2, 1);
        for (unsigned i = 0; i < nr; i++)
            hog(256);
        timer_irqs = 0;
        run_for(SECOND);
        if (nr == 2)
            assert_int_equal(timer_irqs, 0);
        else
            assert_in_range(timer_irqs, 150, 300);
        world_destroy();
    }
}

static void capped_even_when_alone(void **state) {
    (void)state;
    make(1, 1);
    budgeted(false, 7500, 30000);
    run_for(3 * SECOND);
    NEAR(share(0, 3 * SECOND), 250, 15);
    world_destroy();
}

/* Works 1 ms of each 10, against three that never rest; and one that takes more than its budget. */
static void realtime_is_in_time(void **state) {
    (void)state;
    for (unsigned greedy = 0; greedy < 2; greedy++) {
        make(1, 1 + greedy);
        budgeted(true, 2000, 10000);
        if (!greedy)
            sleeps(0, SECOND / 1000, SECOND / 100);
        for (unsigned i = 0; i < 3; i++)
            hog(4096);
        run_for(2 * SECOND);
        if (greedy) {
            NEAR(share(0, 2 * SECOND), 200, 15);
        } else {
            assert_in_range(load[0].wakes, 190, 210);
            assert_in_range(load[0].latest, SECOND / 1000, SECOND / 1000 * 5 / 4);
        }
        world_destroy();
    }
}

/* Of two budgets the one whose period ends first goes first: both are kept. */
static void budgets_are_kept_together(void **state) {
    (void)state;
    make(1, 1);
    budgeted(true, 4000, 10000);
    budgeted(true, 9000, 20000);
    hog(256);
    run_for(2 * SECOND);
    NEAR(share(0, 2 * SECOND), 400, 15);
    NEAR(share(1, 2 * SECOND), 450, 15);
    NEAR(share(2, 2 * SECOND), 150, 25);
    world_destroy();
}

/* The one whose period is the shorter is not kept waiting by the other's long budget. */
static void the_earliest_deadline_goes_first(void **state) {
    (void)state;
    make(1, 1);
    budgeted(true, 2000, 5000);
    sleeps(0, SECOND / 1000, SECOND / 200);
    budgeted(true, 9000, 20000);
    run_for(2 * SECOND);
    assert_in_range(load[0].latest, SECOND / 1000, SECOND / 200);
    NEAR(share(1, 2 * SECOND), 450, 15);
    world_destroy();
}

/* One that sleeps most of the time does not wait for slices of those who never do. */
static void sleepers_go_first(void **state) {
    (void)state;
    make(1, 1);
    hog(256);
    sleeps(0, SECOND / 10000, SECOND / 100);
    for (unsigned i = 0; i < 3; i++)
        hog(256);
    run_for(2 * SECOND);
    assert_in_range(load[0].wakes, 180, 210);
    assert_in_range(load[0].latest, 1, SECOND / 2000);
    world_destroy();
}

/* One that wakes lets a sibling go on for a moment, which may hold a lock that it would wait for; a
 * stranger it interrupts. */
static void siblings_wait_a_moment(void **state) {
    (void)state;
    for (unsigned related = 0; related < 2; related++) {
        make(1, 1);
        hog(256);
        sleeps(0, SECOND / 10000, SECOND / 100);
        hog(256);
        if (related)
            guests[1].domain = guests[0].domain;
        run_for(2 * SECOND);
        assert_in_range(load[0].wakes, 180, 210);
        if (related)
            assert_in_range(load[0].latest, SECOND * 3 / 10000, SECOND * 4 / 10000);
        else
            assert_in_range(load[0].latest, 1, SECOND * 2 / 10000);
        world_destroy();
    }
}

/* Real time does not wait for siblings. */
static void realtime_siblings_do_not_wait(void **state) {
    (void)state;
    make(1, 1);
    budgeted(true, 2000, 10000);
    sleeps(0, SECOND / 10000, SECOND / 100);
    hog(256);
    guests[1].domain = guests[0].domain;
    run_for(2 * SECOND);
    assert_in_range(load[0].latest, 1, SECOND * 2 / 10000);
    world_destroy();
}

/* A lock whose holder is not on a CPU costs those who wait for it next to nothing. */
static void who_waits_for_a_lock_gives_way(void **state) {
    (void)state;
    /* The waiters' turns take the test's time, not the machine's: a short while is enough. */
    for (unsigned seed = 1; seed <= 3; seed++) {
        unsigned rounds = 0;

        make(1, seed);
        locked = false;
        for (unsigned i = 0; i < 3; i++) {
            hog(256);
            guests[i].domain = &doms[0];
            load[i].locks = true;
            load[i].work = SECOND / 1000;
        }
        run_for(SECOND / 10);
        for (unsigned i = 0; i < 3; i++) {
            rounds += load[i].rounds;
            assert_in_range(longest_wait[i], 0, SECOND / 20);
        }
        assert_in_range(rounds, 90, 100);
        world_destroy();
    }
}

static void hard_affinity_is_obeyed(void **state) {
    struct sched_params p;

    (void)state;
    make(4, 1);
    for (unsigned i = 0; i < 6; i++) {
        sched_params_init(&p);
        p.hard = (struct cpumask){{0}};
        cpumask_add(&p.hard, 2);
        cpumask_add(&p.hard, 3);
        assert_int_equal(add(&p), 0);
        sleeps(i, SECOND / 200, i % 2 ? SECOND / 150 : 0);
    }
    run_for(SECOND); /* world_look() checks */
    world_destroy();
}

static void only(struct cpumask *mask, unsigned cpu) {
    *mask = (struct cpumask){{0}};
    cpumask_add(mask, cpu);
}

static unsigned seen_elsewhere(unsigned guest, unsigned cpu) {
    unsigned sum = 0;

    for (unsigned i = 0; i < nr_cpus; i++)
        sum += i == cpu ? 0 : seen_on[guest][i];
    return sum;
}

/* Who is seldom busy leaves CPU 3 to who would be there, who is a hog does not. */
static void soft_affinity_is_a_wish(void **state) {
    (void)state;
    for (unsigned hogs = 0; hogs < 2; hogs++) {
        struct sched_params p;

        make(4, 1);
        sched_params_init(&p);
        only(&p.hard, 3);
        assert_int_equal(add(&p), 0);
        load[0].sleep = hogs ? 0 : SECOND / 20;
        sched_params_init(&p);
        only(&p.soft, 3);
        assert_int_equal(add(&p), 0);
        sleeps(1, SECOND / 200, SECOND / 150);
        run_for(SECOND);
        if (hogs)
            assert_true(10 * seen_on[1][3] < seen_elsewhere(1, 3));
        else
            assert_true(seen_on[1][3] > 10 * seen_elsewhere(1, 3));
        world_destroy();
    }
}

static struct cpupool *pool_of(unsigned from, unsigned to, enum sched_policy policy) {
    struct cpumask cpus_in = {{0}};
    struct cpupool *pool;

    for (unsigned cpu = from; cpu <= to; cpu++)
        cpumask_add(&cpus_in, cpu);
    assert_int_equal(cpupool_create("pool", &cpus_in, policy, &pool), 0);
    return pool;
}

static void pools_are_apart(void **state) {
    struct sched_params p;
    struct cpumask taken = {{0}};
    struct cpupool *pool;

    (void)state;
    make(4, 1);
    pool = pool_of(2, 3, SCHED_FAIR);
    cpumask_add(&taken, 1);
    cpumask_add(&taken, 2);
    assert_int_equal(cpupool_create("again", &taken, SCHED_FAIR, &pool), -EBUSY);
    sched_params_init(&p);
    p.pool = pool;
    assert_int_equal(add(&p), 0);
    for (unsigned i = 0; i < 5; i++)
        hog(256);
    run_for(2 * SECOND);
    NEAR(share(0, 2 * SECOND), 1000, 20); /* alone there, however many are in the other one */
    world_destroy();
}

static void null_gives_a_cpu_each(void **state) {
    struct sched_params p;

    (void)state;
    make(4, 1);
    sched_params_init(&p);
    p.pool = pool_of(1, 2, SCHED_NULL);
    assert_int_equal(add(&p), 0);
    assert_int_equal(add(&p), 0);
    assert_int_equal(add(&p), -EBUSY);
    assert_int_not_equal(guests[0].cpu, guests[1].cpu);
    sleeps(1, SECOND / 500, SECOND / 300);
    for (unsigned i = 0; i < 3; i++)
        hog(256);
    run_for(2 * SECOND);
    NEAR(share(0, 2 * SECOND), 1000, 10);
    assert_in_range(load[1].latest, 1, SECOND / 250); /* not a slice later than its work */
    world_destroy();
}

static uint64_t spent_before[VCPUS], came_at;

/* From a timer: this one starts now. */
static void come(void *arg) {
    for (unsigned i = 0; i < nr_guests; i++)
        spent_before[i] = spent(i);
    came_at = fake_time;
    if (!vcpu_claim(arg))
        broken("a vCPU that was not started runs");
    vcpu_online(arg);
}

static unsigned share_since(unsigned i) {
    return (unsigned)((spent(i) - spent_before[i]) * 1000 / (fake_time - came_at));
}

/* Ten seconds alone are no debt to one that starts then, be it on the same CPU or from another. */
static void who_was_alone_owes_nothing(void **state) {
    (void)state;
    for (unsigned nr = 1; nr <= 2; nr++) {
        make(nr, nr);
        for (unsigned i = 0; i <= nr; i++)
            hog(256);
        nr_guests--; /* run_for() starts the others */
        timer_init(&load[nr].timer, come, &guests[nr]);
        timer_set(&load[nr].timer, fake_time + 10 * SECOND);
        run_for(14 * SECOND);
        nr_guests++;
        for (unsigned i = 0; i <= nr; i++)
            NEAR(share_since(i), 1000 * nr / (nr + 1), 70);
        world_destroy();
    }
}

/* However the loads go up and down and CPUs change places, nobody is forgotten. */
static void none_waits_for_long(void **state) {
    static const uint32_t weights[VCPUS] = {256, 512, 256, 512, 1024, 128, 256, 64};

    (void)state;
    for (unsigned seed = 1; seed <= 5; seed++) {
        make(2 + seed % 3, seed);
        for (unsigned i = 0; i < VCPUS; i++) {
            hog(weights[i]);
            sleeps(i, SECOND / (50 + 20 * i), i % 3 ? 0 : SECOND / 300);
        }
        run_for(3 * SECOND);
        for (unsigned i = 0; i < VCPUS; i++)
            assert_in_range(longest_wait[i], 0, SECOND / 3);
        world_destroy();
    }
}

/* A CPU is counted down by those it was given to, wherever they ended. */
static void places_are_given_back(void **state) {
    unsigned moved = 0;

    (void)state;
    for (unsigned seed = 1; seed <= 20; seed++) {
        make(2, seed);
        for (unsigned i = 0; i < 3; i++)
            hog(256);
        run_for(SECOND / 10 + seed * SECOND / 170);
        for (unsigned i = 0; i < nr_guests; i++) {
            moved += guests[i].cpu != guests[i].sched.assigned;
            cpupool_unassign(&guests[i]);
        }
        for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
            assert_int_equal(per_cpu(runqueue, cpu).assigned, 0);
        world_destroy();
    }
    assert_int_not_equal(moved, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_follow_weights),
        cmocka_unit_test(equals_share_all_cpus),
        cmocka_unit_test(weights_share_all_cpus),
        cmocka_unit_test(no_cpu_idles_while_one_waits),
        cmocka_unit_test(alone_there_is_no_tick),
        cmocka_unit_test(capped_even_when_alone),
        cmocka_unit_test(realtime_is_in_time),
        cmocka_unit_test(budgets_are_kept_together),
        cmocka_unit_test(the_earliest_deadline_goes_first),
        cmocka_unit_test(sleepers_go_first),
        cmocka_unit_test(siblings_wait_a_moment),
        cmocka_unit_test(realtime_siblings_do_not_wait),
        cmocka_unit_test(who_waits_for_a_lock_gives_way),
        cmocka_unit_test(hard_affinity_is_obeyed),
        cmocka_unit_test(soft_affinity_is_a_wish),
        cmocka_unit_test(pools_are_apart),
        cmocka_unit_test(null_gives_a_cpu_each),
        cmocka_unit_test(who_was_alone_owes_nothing),
        cmocka_unit_test(none_waits_for_long),
        cmocka_unit_test(places_are_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
