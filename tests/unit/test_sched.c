/* SOURCES: common/virt/sched.c common/virt/runqueue.c common/virt/cpupool.c common/virt/domain.c common/virt/domain_mmio.c common/core/timer.c common/core/softirq.c */
/*
 * The scheduler and the life of domains under every order of events that chance comes up with:
 * guests that compute, wait, stop, start each other and shut down; devices and timers that wake
 * them; domains that are crashed from outside and built again. HF_SEED=n runs one seed.
 */
#include "sched_world.h"

#include <hv/cmdline.h>
#include <hv/errno.h>
#include <hv/iommu.h>
#include <hv/vpl011.h>

#include "../fake/host_string.h"

#define SLOTS 4u
#define VCPUS_MAX 4u
#define EVENT 1u
#define UNSEEN_MAX                                                                                 \
    2000u /* steps of a guest until whoever wants something of it must have said so */
#define BOUND_NS                                                                                   \
    200000000ULL /* of a wait for the CPU: two rounds of slices, of all CPUs together */

struct slot {
    struct domain *d; /* while devices and others may reach it: under device_lock */
    bool ending;      /* somebody has it shut down, or is about to */
    struct vcpu *all[VCPUS_MAX];
    bool claimed[VCPUS_MAX];
    unsigned starts, deaths;
};

static struct slot slots[SLOTS];
static spinlock_t device_lock = {.name = "device"};
static bool closing;       /* the run comes to its end */
static bool restless;      /* many lives are short, many vCPUs stop */
static unsigned builders;  /* threads that build a domain */
static struct vcpu *clerk; /* a thread that works when it is told to; NULL: has ended */
static bool clerk_quit;
static unsigned posted, done;
static bool at_rest[SLOTS]; /* paused: nothing of it may run */

/* ---- what domain.c needs of the rest ---- */

void printk(const char *fmt, ...) {
    (void)fmt;
}

bool log_ratelimit(struct ratelimit *rl, uint64_t now_ns) {
    (void)rl;
    (void)now_ns;
    return false;
}

void domain_pages_init(struct domain_pages *pages, hv_domid_t id, uint64_t max) {
    (void)id;
    (void)max;
    memset(pages, 0, sizeof(*pages));
}

static bool pages_are_held;
static void (*emptied)(struct domain_pages *p);

static unsigned unsaid; /* domains that have freed memory and not said so yet */

bool domain_pages_orphan(struct domain_pages *p, void (*fn)(struct domain_pages *p)) {
    (void)p;
    emptied = fn;
    unsaid--;
    return pages_are_held;
}

int p2m_init(struct p2m *p2m, struct domain *d, uint32_t pool_pages) {
    (void)p2m;
    (void)d;
    (void)pool_pages;
    return ++requests == fail_at ? -12 : 0;
}

int p2m_relinquish(struct p2m *p2m) {
    (void)p2m;
    return turning && rnd(3) ? -EAGAIN : 0;
}

void p2m_destroy(struct p2m *p2m) {
    if (!p2m->dying)
        return;
    unsaid++;
    dirty += rnd(8);
}

bool cmdline_bool(const char *name, bool def) {
    (void)name;
    (void)def;
    return true;
}

/* What other CPUs asked for becomes known. */
static void world_saved(struct vcpu *v) {
    if (v->vgic.resync)
        v->vgic.priv.latch |= EVENT;
    v->vgic.resync = false;
}

void vgic_flush(struct vcpu *v) {
    check(v == current);
    vcpu_clear_work(v, VCPU_WORK_IRQ);
    maybe_turn();
    world_saved(v);
}

unsigned p2m_audit(struct p2m *p2m) {
    (void)p2m;
    return 0;
}

int vgic_init_domain(struct domain *d, unsigned nr_spis) {
    (void)d;
    (void)nr_spis;
    return ++requests == fail_at ? -12 : 0;
}

/* Late in a domain's end: whoever counted too much has done so. */
void vgic_destroy_domain(struct domain *d) {
    check(d->state != DOMAIN_DYING || !d->vcpus_alive);
}

int vgic_init_vcpu(struct vcpu *v) {
    (void)v;
    return ++requests == fail_at ? -12 : 0;
}

static bool is_loaded(const struct vcpu *v) {
    for (unsigned i = 0; i < nr_cpus; i++)
        if (cpus[i].loaded == v)
            return true;
    return false;
}

static void not_in_use(const struct vcpu *v) {
    check(!is_loaded(v));
    check(!((struct coroutine *)v->stack)->active);
}

void vgic_destroy_vcpu(struct vcpu *v) {
    not_in_use(v);
    check(v->state == VCPU_DEAD || v->state == VCPU_OFFLINE);
    check(!timer_is_set(&v->vtimer.timer));
}

/* Nobody uses the emulated timer here. */
void vtimer_phys_look(struct vcpu *v) {
    vcpu_clear_work(v, VCPU_WORK_PTIMER);
}

bool vgic_has_pending(const struct vcpu *v) {
    maybe_turn();
    return READ_ONCE(v->vgic.priv.latch) & EVENT;
}

/*
 * As the vGIC does it: state first, then the vCPU is told. An event whose interrupt is in a list
 * register is a request that only vgic_flush() turns into something pending.
 */
static void send_event(struct vcpu *v) {
    if (is_loaded(v) && rnd(2))
        v->vgic.resync = true;
    else
        v->vgic.priv.latch |= EVENT;
    maybe_turn();
    vcpu_set_work(v, VCPU_WORK_IRQ);
    maybe_turn();
    vcpu_kick(v);
}

static void guest_timer(void *arg) {
    send_event(arg);
}

void vtimer_init_vcpu(struct vcpu *v) {
    timer_init(&v->vtimer.timer, guest_timer, v);
}

void vtimer_destroy_vcpu(struct vcpu *v) {
    timer_stop(&v->vtimer.timer);
}

void vcpu_arch_init(struct vcpu *v) {
    not_in_use(v);
    v->arch.hcr = rnd(4); /* 0: a busy one */
}

void vcpu_dump(const struct vcpu *v) {
    (void)v;
}

/* The domain's device goes first: nobody reaches the domain through it after this. */
void iommu_domain_destroy(struct iommu_domain *dom) {
    assert_null(dom);
}
void iommu_set_crash_hook(void (*crash)(struct domain_pages *owner, const char *why)) {
    assert_non_null(crash);
}
void vpl011_destroy(struct domain *d) {
    spin_lock(&device_lock);
    slots[d->id].d = NULL;
    spin_unlock(&device_lock);
}

void passthrough_stop(struct domain *d) {
    (void)d;
}
void passthrough_release(struct domain *d) {
    (void)d;
}

/* ---- timers that every CPU sets and stops ---- */

#define SHARED_TIMERS 2u
static struct shared_timer {
    struct timer timer;
    bool running, stopped;
    unsigned being_set;
} shared[SHARED_TIMERS];

static void set_shared(struct shared_timer *t) {
    t->being_set++;
    t->stopped = false;
    timer_set(&t->timer, fake_time + (rnd(2) ? rnd(100000) : 0));
    t->stopped = false;
    t->being_set--;
}

static void stop_shared(struct shared_timer *t) {
    timer_stop(&t->timer);
    check(!t->running);
    t->stopped = !t->being_set; /* by another CPU, which was later */
}

static void shared_fired(void *arg) {
    struct shared_timer *t = arg;

    check(!t->running && !t->stopped);
    t->running = true;
    for (unsigned i = 0; i < 16; i++)
        maybe_turn();
    if (!rnd(4))
        set_shared(t);
    t->running = false;
}

static void use_shared_timer(void) {
    struct shared_timer *t = &shared[rnd(SHARED_TIMERS)];

    if (rnd(3))
        set_shared(t);
    else
        stop_shared(t);
}

static void check_timer(const struct timer *t) {
    check(t->cpu < 0 || fake_comparator[t->cpu] <= t->expires);
}

/* ---- domains ---- */

static void build(void *arg) {
    struct slot *s = arg;
    hv_domid_t id = (hv_domid_t)(s - slots);
    int err;
    struct domain *d = domain_create("sim", id, 1 + rnd(VCPUS_MAX), 32, 16, 16, &err);

    check(d && !err);
    memset(s->all, 0, sizeof(s->all));
    memset(s->claimed, 0, sizeof(s->claimed));
    memcpy(s->all, d->vcpus, d->max_vcpus * sizeof(d->vcpus[0]));
    d->vpl011 = (struct vpl011 *)(uintptr_t)16;
    s->starts++;
    s->ending = false;
    spin_lock(&device_lock);
    s->d = d;
    spin_unlock(&device_lock);
    domain_start(d);
    builders--;
}

static void start_builder(struct slot *s) {
    builders++;
    check(hv_thread_create(build, s));
}

static void on_death(const struct domain_obituary *o) {
    struct slot *s = &slots[o->id];

    check(!s->d && s->ending && s->deaths == s->starts - 1);
    check(o->reason == SHUT_CRASH || o->reason == SHUT_POWEROFF);
    s->deaths++;
    if (!closing)
        start_builder(s);
}

/* Whoever gets to `ending` first does it, so the domain is there; no lock keeps it while it is
 * done. */
static void shut_down(struct slot *s, enum shutdown_reason reason) {
    struct domain *d = s->d;

    if (!d || s->ending || d->state != DOMAIN_RUNNING)
        return;
    s->ending = true;
    maybe_turn();
    domain_shutdown(d, reason);
}

/* ---- somebody looks at domains that rest meanwhile ---- */

static void look_at_one(struct domain *d) {
    unsigned times = 1 + rnd(2);

    if (rnd(2))
        return;
    for (unsigned i = 0; i < times; i++)
        domain_pause(d);
    at_rest[d->id] = true;
    for (unsigned n = rnd(40); n; n--) {
        for (unsigned i = 0; i < d->max_vcpus && d->state == DOMAIN_RUNNING; i++)
            check(!is_loaded(d->vcpus[i]) || d->state != DOMAIN_RUNNING);
        fake_time += rnd(1000);
        preempt_point();
        if (times == 2 && n == 10) {
            domain_unpause(d);
            times--;
        }
    }
    at_rest[d->id] = false;
    while (times--)
        domain_unpause(d);
}

static void look_at_domains(void) {
    domains_for_each(look_at_one);
}

/* ---- a guest ---- */

/* As trap.c has it. */
static void leave_for_guest(struct vcpu *v) {
    for (;;) {
        uint32_t work;

        if (this_cpu(softirq_pending))
            softirq_run();
        maybe_turn();
        work = READ_ONCE(v->work);
        if (!work && !this_cpu(softirq_pending))
            return;
        if (work & VCPU_WORK_STOP)
            vcpu_stop_self(VCPU_DEAD);
        if (work & VCPU_WORK_PAUSE)
            vcpu_pause_self();
        if (work & VCPU_WORK_IRQ)
            vgic_flush(v);
    }
}

static void cpu_on(struct vcpu *v) {
    unsigned n = rnd(v->domain->max_vcpus);
    struct vcpu *t = v->domain->vcpus[n];
    struct slot *s = &slots[v->domain->id];

    if (!vcpu_claim(t))
        return;
    check(!s->claimed[n]);
    s->claimed[n] = true;
    vcpu_arch_init(t);
    maybe_turn();
    s->claimed[n] = false;
    vcpu_online(t);
}

static void tell_clerk(void) {
    spin_lock(&device_lock);
    if (!clerk_quit) {
        posted++;
        maybe_turn();
        vcpu_wake(clerk);
    }
    spin_unlock(&device_lock);
}

static void wait_for_event(struct vcpu *v) {
    if (rnd(2))
        timer_set(&v->vtimer.timer, fake_time + 1 + rnd(2000000));
    vcpu_block();
}

/* From any CPU, for any other. */
static void look_who_is_there(void) {
    unsigned cpu = rnd(nr_cpus);
    const struct vcpu *v = sched_peek(cpu);

    if (!v)
        return;
    for (unsigned i = 0; i < 8; i++) {
        check(v->state <= VCPU_DEAD && v->cpu < nr_cpus);
        maybe_turn();
    }
    sched_peek_end(cpu);
}

/* What only that one's CPU knows, as the vGIC's registers ask for it; who asks answers as well. */
static void ask(struct vcpu *v, struct vcpu *t) {
    t->vgic.resync = true;
    maybe_turn();
    vcpu_set_work(t, VCPU_WORK_IRQ);
    maybe_turn();
    vcpu_kick(t);
    for (unsigned n = 0; is_loaded(t) && READ_ONCE(t->vgic.resync); n++) {
        check(n < UNSEEN_MAX);
        if (v->work & VCPU_WORK_IRQ)
            vgic_flush(v);
        cpu_relax();
    }
}

static void trap(struct vcpu *v) {
    struct domain *d = v->domain;

    if (restless && !rnd(4))
        vcpu_stop_self(VCPU_OFFLINE);
    switch (rnd(18)) {
    case 16:
        look_who_is_there();
        break;
    case 17:
        ask(v, d->vcpus[rnd(d->max_vcpus)]);
        break;
    case 0:
        vcpu_stop_self(VCPU_OFFLINE);
        broken("CPU_OFF came back");
    case 1:
    case 2:
        cpu_on(v);
        break;
    case 3:
    case 4:
        send_event(d->vcpus[rnd(d->max_vcpus)]);
        break;
    case 5:
        tell_clerk();
        break;
    case 6:
        vcpu_yield();
        break;
    case 7:
        if (rnd(2))
            (void)domains_call(look_at_domains); /* or one that waits already */
        else if (!rnd(4))
            shut_down(&slots[d->id], SHUT_POWEROFF);
        break;
    case 8:
        timer_stop(&v->vtimer.timer);
        break;
    case 9:
        preempt_point();
        break;
    case 10:
    case 11:
        use_shared_timer();
        break;
    default:
        wait_for_event(v);
        break;
    }
}

/* A busy one leaves only for an interrupt, which must come when there is work for it. */
static void compute(struct vcpu *v) {
    struct coroutine *co = coroutine_of(v);
    unsigned unseen = 0;

    for (unsigned n = rnd(v->arch.hcr ? 4 : 20000) + 1; n && !irq_due(now); n--) {
        check(current == v && cpus[now].loaded == v && v->state == VCPU_RUNNABLE);
        check(!at_rest[v->domain->id]);
        check(v->domain->state == DOMAIN_RUNNING || v->domain->state == DOMAIN_DYING);
        unseen = v->work || this_cpu(softirq_pending) ||
                         (this_cpu(runqueue).nr_waiting && !cpus[now].wfe_traps)
                     ? unseen + 1
                     : 0;
        check(unseen < UNSEEN_MAX);
        co->last_ran = fake_time;
        fake_time += rnd(2000);
        v->vgic.priv.latch &= ~EVENT;
        maybe_turn();
    }
}

static void guest_main(struct vcpu *v) {
    for (;;) {
        leave_for_guest(v);
        compute(v);
        if (irq_due(now) && (!v->arch.hcr || rnd(4)))
            irq_dispatch();
        else
            trap(v); /* also when an interrupt has come just then */
    }
}

/* ---- a thread ---- */

static void clerk_main(void *arg) {
    (void)arg;
    while (!READ_ONCE(clerk_quit)) {
        while (done < posted) {
            done++;
            maybe_turn();
        }
        vcpu_block();
    }
    done = posted;
    clerk = NULL;
}

/* ---- the machine's demands ---- */

static void world_device_irq(void) {
    struct slot *s = &slots[rnd(SLOTS)];
    struct domain *d;

    spin_lock(&device_lock);
    d = s->d;
    if (d)
        send_event(d->vcpus[rnd(d->max_vcpus)]);
    spin_unlock(&device_lock);
    if (closing || !rnd(restless ? 4 : 20))
        shut_down(s, SHUT_CRASH);
}

static void check_wait(struct vcpu *v) {
    struct coroutine *co = coroutine_of(v);
    uint64_t since;

    if (v->state != VCPU_RUNNABLE) {
        co->runnable_since = 0;
        return;
    }
    if (!co->runnable_since)
        co->runnable_since = fake_time;
    since = MAX(co->runnable_since, co->last_ran);
    if (fake_time - since > ns_to_ticks(BOUND_NS))
        broken("d%u vcpu%u is runnable and does not run", v->domain->id, v->id);
}

static void world_look(void) {
    for (struct slot *s = slots; s < slots + SLOTS; s++)
        for (unsigned i = 0; s->d && i < s->d->max_vcpus; i++)
            check_wait(s->d->vcpus[i]);
    for (unsigned i = 0; i < nr_cpus && dirty && !unsaid; i++)
        check(!cpus[i].waiting || irq_due(i)); /* it was kicked */
    if (!rnd(10))
        cpus[rnd(nr_cpus)].device = true;
    if (steps > steps_max / 2)
        closing = true;
}

static void check_nothing_is_lost(void) {
    for (unsigned i = 0; i < SHARED_TIMERS; i++)
        check_timer(&shared[i].timer);
    for (struct slot *s = slots; s < slots + SLOTS; s++) {
        if (!s->d)
            continue;
        if (s->d->state != DOMAIN_RUNNING)
            broken("d%u died and nobody buries it, %u left", s->d->id, s->d->vcpus_alive);
        for (unsigned i = 0; i < s->d->max_vcpus; i++) {
            struct vcpu *v = s->d->vcpus[i];

            check_timer(&v->vtimer.timer);
            if (v->state == VCPU_BLOCKED && !(v->vgic.priv.latch & EVENT) && !v->vgic.resync)
                continue;
            if (v->state != VCPU_OFFLINE)
                broken("d%u vcpu%u: state %d with event %u, and all CPUs wait", s->d->id, i,
                       v->state, v->vgic.priv.latch);
        }
    }
    check(done == posted && !builders && !dirty);
}

static bool all_gone(void) {
    for (struct slot *s = slots; s < slots + SLOTS; s++)
        if (s->d)
            return false;
    return true;
}

static void world_all_waiting(void) {
    uint64_t next = UINT64_MAX;

    check_nothing_is_lost();
    for (unsigned i = 0; i < nr_cpus; i++)
        next = MIN(next, fake_comparator[i]);
    if (closing && all_gone()) {
        if (!clerk)
            world_end();
        clerk_quit = true;
        vcpu_wake(clerk);
        cpus[now].kicked = true; /* it looks at its softirqs */
    } else if (next != UINT64_MAX && rnd(4)) {
        fake_time = next;
    } else {
        cpus[rnd(nr_cpus)].device = true;
    }
}

static void run_seed(uint64_t seed) {
    world_create(1 + (unsigned)(seed % CPUS_MAX), seed * 0x9e3779b97f4a7c15, 160000);
    memset(slots, 0, sizeof(slots));
    memset(at_rest, 0, sizeof(at_rest));
    closing = clerk_quit = false;
    dirty = unsaid = 0;
    restless = seed & 4;
    builders = posted = done = 0;
    device_lock.word = 0;
    for (unsigned i = 0; i < SHARED_TIMERS; i++) {
        shared[i] = (struct shared_timer){.being_set = 0};
        timer_init(&shared[i].timer, shared_fired, &shared[i]);
    }
    domains_init();
    domain_set_death_hook(on_death, NULL);
    clerk = hv_thread_create(clerk_main, NULL);
    for (struct slot *s = slots; s < slots + SLOTS; s++)
        start_builder(s);
    world_run();
    if (failure[0])
        fail_msg("seed %llu: %s", (unsigned long long)seed, failure);
    for (struct slot *s = slots; s < slots + SLOTS; s++)
        assert_true(s->starts && s->starts == s->deaths);
    assert_int_equal(allocated, 2); /* the thread that buries, and its stack */
    world_destroy();
}

static void random_lives(void **state) {
    const char *one = getenv("HF_SEED");
    uint64_t first = one ? strtoull(one, NULL, 0) : 1;

    (void)state;
    for (uint64_t seed = first; seed < first + (one ? 1 : 300); seed++)
        run_seed(seed);
}

/* ---- without chance ---- */

static void failed_creation_leaves_nothing(void **state) {
    unsigned n = 0;
    struct domain *d;
    int err;

    (void)state;
    world_create(2, 1, 1000);
    do {
        requests = 0;
        fail_at = ++n;
        d = domain_create("sim", 1, 3, 32, 16, 16, &err);
        assert_true(d ? !err : err < 0);
        assert_true(d || allocated == 0);
        assert_null(domain_by_id(1)); /* nobody finds it before it runs */
    } while (!d);
    assert_true(n > 10);
    domain_destroy(d);
    assert_int_equal(allocated, 0);
    world_destroy();
}

static void references_outlive_a_domain(void **state) {
    struct domain *d;
    int err;

    (void)state;
    world_create(1, 1, 1000);
    d = domain_create("sim", 1, 1, 32, 16, 16, &err);
    domain_hold(d);
    domain_destroy(d);
    assert_true(allocated > 0);
    assert_int_equal(d->id, 1);
    domain_put(d);
    assert_int_equal(allocated, 0);

    /* What others hold of its pages counts like a reference. */
    d = domain_create("sim", 1, 1, 32, 16, 16, &err);
    pages_are_held = true;
    domain_destroy(d);
    pages_are_held = false;
    assert_true(allocated > 0);
    emptied(&d->pages);
    assert_int_equal(allocated, 0);
    world_destroy();
}

static void vcpus_go_to_the_emptiest_cpu(void **state) {
    unsigned on[CPUS_MAX] = {0};
    struct domain *d;
    int err;

    (void)state;
    world_create(4, 1, 1000);
    d = domain_create("sim", 1, 10, 32, 16, 16, &err);
    for (unsigned i = 0; i < 10; i++)
        on[d->vcpus[i]->cpu]++;
    for (unsigned i = 0; i < 4; i++)
        assert_in_range(on[i], 2, 3);
    domain_destroy(d);
    world_destroy();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failed_creation_leaves_nothing),
        cmocka_unit_test(references_outlive_a_domain),
        cmocka_unit_test(vcpus_go_to_the_emptiest_cpu),
        cmocka_unit_test(random_lives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
