/*
 * A machine for tests of the scheduler: CPUs and stacks are coroutines of one host thread. A CPU
 * has the turn until it takes or gives back a lock, spins, waits for an interrupt or calls
 * maybe_turn(); then another one may have it. So every order of the CPUs' locked sections can come
 * about, and a seed repeats it. Included by the one file of a test that defines main().
 */
#ifndef SCHED_WORLD_H
#define SCHED_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <cmocka.h>

#include <hv/arch_thread.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/irq.h>
#include <hv/mm.h>
#include <hv/softirq.h>
#include <hv/vcpu.h>

#include "../../common/virt/runqueue.h"

#include <asm/cpu_ops.h>
#include <asm/hyp_timer.h>

#include "fake_timer_irq.h"

#define CPUS_MAX 4u
#define CO_STACK 65536u

/* A stack with what runs on it. */
struct coroutine {
    ucontext_t context;
    bool active; /* some CPU is on it */
    void (*fn)(void *arg);
    void *arg;
    uint64_t runnable_since, last_ran; /* in ticks; 0: not */
    char stack[CO_STACK] __attribute__((aligned(64)));
};

struct sim_cpu {
    ucontext_t context; /* where it goes on when it gets the turn */
    struct coroutine idle;
    struct vcpu *left;   /* by the last stack switch */
    struct vcpu *loaded; /* whose guest state is in the registers */
    bool kicked, device; /* interrupts that wait */
    bool waiting;        /* in WFI */
    bool wfe_traps;      /* a WFE of the guest that is loaded */
    unsigned locks;
};

static struct sim_cpu cpus[CPUS_MAX];
static unsigned now; /* whose turn it is */
static bool turning; /* CPUs take turns: off while the test sets up */
static ucontext_t test_context;
static char failure[256]; /* of this run; empty: none */
static uint64_t steps, steps_max;

uintptr_t percpu_offsets[MAX_CPUS];
DEFINE_PER_CPU(uint32_t, cpu_number);
unsigned nr_cpus, nr_online;
uint64_t fake_time, fake_comparator[MAX_CPUS];
const struct irq_chip *irq_chip;

/* What the test does for the machine. */
static void world_device_irq(void);  /* on the CPU that has the turn */
static void world_all_waiting(void); /* no CPU has anything to do: checks; may raise an interrupt */
static void world_look(void);        /* now and then */
static void world_saved(struct vcpu *v); /* its guest's state is out of the CPU */

/* ---- random numbers: xorshift, so that a seed means the same everywhere ---- */

static uint64_t rnd_state;

static unsigned rnd(unsigned n) {
    rnd_state ^= rnd_state << 13;
    rnd_state ^= rnd_state >> 7;
    rnd_state ^= rnd_state << 17;
    return (unsigned)(rnd_state >> 32) % n;
}

/* ---- failing: back to the test, on its own stack ---- */

static void __attribute__((noreturn, format(printf, 1, 2))) broken(const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(failure, sizeof(failure), fmt, ap);
    va_end(ap);
    if (!turning)
        fail_msg("%s", failure);
    turning = false;
    setcontext(&test_context);
    abort();
}

#define check(c)                                                                                   \
    do {                                                                                           \
        if (!(c))                                                                                  \
            broken("%s:%d: %s", __FILE__, __LINE__, #c);                                           \
    } while (0)

void panic(const char *fmt, ...) {
    char text[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    broken("panic: %s", text);
}

/* ---- turns ---- */

static bool irq_due(unsigned cpu) {
    return cpus[cpu].kicked || cpus[cpu].device || fake_comparator[cpu] <= fake_time;
}

static bool may_run(unsigned cpu) {
    return !cpus[cpu].waiting || irq_due(cpu);
}

static void be_cpu(unsigned cpu) {
    now = cpu;
    percpu_set_offset(percpu_offsets[cpu]);
}

static void turn_to(unsigned cpu) {
    unsigned from = now;

    if (cpu == from)
        return;
    be_cpu(cpu);
    swapcontext(&cpus[from].context, &cpus[cpu].context);
}

/* Another CPU that has something to do, if there is one. */
static void turn_to_other(void) {
    unsigned first = rnd(nr_cpus);

    if (++steps > steps_max)
        broken("no end after %llu steps", (unsigned long long)steps_max);
    for (unsigned i = 0; i < nr_cpus; i++) {
        unsigned cpu = (first + i) % nr_cpus;

        if (cpu != now && may_run(cpu)) {
            turn_to(cpu);
            return;
        }
    }
}

static void maybe_turn(void) {
    if (!turning)
        return;
    if (!(++steps % 16))
        world_look();
    if (!rnd(3))
        turn_to_other();
}

/* The fake barriers' cpu_relax(). */
int sched_yield(void) {
    if (turning)
        turn_to_other();
    return 0;
}

void cpu_wait_for_interrupt(void) {
    struct sim_cpu *c = &cpus[now];

    check(!c->locks);
    c->waiting = true;
    while (!irq_due(now)) {
        bool anyone = false;

        for (unsigned i = 0; i < nr_cpus; i++)
            anyone |= may_run(i);
        if (anyone)
            turn_to_other();
        else
            world_all_waiting();
    }
    c->waiting = false;
}

/* Free memory that idle CPUs clear; somebody frees some now and then. */
static unsigned dirty;

bool heap_scrub_idle(void) {
    check(READ_ONCE(this_cpu(runqueue).idles) && !cpus[now].locks);
    maybe_turn();
    if (!dirty)
        return false;
    dirty--;
    fake_time += 100;
    maybe_turn();
    return true;
}

/* ---- interrupts ---- */

unsigned fake_timer_cpu(void) {
    return now;
}

void cpu_kick(unsigned cpu) {
    check(cpu < nr_cpus);
    if (cpu != now)
        cpus[cpu].kicked = true;
    maybe_turn();
}

static unsigned timer_irqs; /* on all CPUs */

void irq_dispatch(void) {
    struct sim_cpu *c = &cpus[now];

    check(!c->locks);
    c->kicked = false;
    maybe_turn();
    if (c->device) {
        c->device = false;
        world_device_irq();
    }
    if (fake_comparator[now] <= fake_time) {
        timer_irqs++;
        timer_handler(26, NULL);
    }
    maybe_turn();
}

static bool sim_irq_waiting(void) {
    return irq_due(now);
}

bool cpu_is_online(unsigned cpu) {
    return cpu < nr_cpus;
}

/* ---- locks: a turn may be lost before and after each ---- */

void spin_lock_init(spinlock_t *l, enum lock_rank rank, const char *name) {
    l->word = 0;
    l->rank = (uint16_t)rank;
    l->name = name;
}

void spin_lock(spinlock_t *l) {
    maybe_turn();
    while (l->word) {
        if (l->word == now + 1 || !turning)
            broken("lock %s cannot be had", l->name);
        turn_to_other();
    }
    l->word = now + 1;
    cpus[now].locks++;
}

bool spin_trylock(spinlock_t *l) {
    maybe_turn();
    if (l->word)
        return false;
    l->word = now + 1;
    cpus[now].locks++;
    return true;
}

bool spin_is_held(const spinlock_t *l) {
    return l->word == now + 1;
}

void spin_unlock(spinlock_t *l) {
    check(l->word == now + 1);
    l->word = 0;
    cpus[now].locks--;
    maybe_turn();
}

unsigned locks_held(void) {
    return cpus[now].locks;
}

/* ---- stacks ---- */

static struct coroutine *coroutine_of(struct vcpu *v) {
    return v->stack ? (struct coroutine *)v->stack : &cpus[v->cpu].idle;
}

static void body(void) {
    struct coroutine *co = coroutine_of(current);

    co->fn(co->arg);
    broken("a stack has ended");
}

static void start_at(struct coroutine *co, void (*fn)(void *), void *arg) {
    check(!co->active);
    co->fn = fn;
    co->arg = arg;
    getcontext(&co->context);
    co->context.uc_stack.ss_sp = co->stack;
    co->context.uc_stack.ss_size = sizeof(co->stack);
    co->context.uc_link = NULL;
    makecontext(&co->context, body, 0);
}

struct vcpu *switch_stack(struct vcpu *prev, struct vcpu *next) {
    struct coroutine *from = coroutine_of(prev), *to = coroutine_of(next);

    check(next->cpu == now && prev->cpu == now && current == next);
    check(from->active && !to->active && !cpus[now].loaded && !cpus[now].locks);
    from->active = false;
    to->active = true;
    cpus[now].left = prev;
    swapcontext(&from->context, &to->context);
    return cpus[now].left;
}

static void guest_main(struct vcpu *v);

static void guest_body(void *arg) {
    sched_switched(cpus[now].left);
    guest_main(arg);
}

static void thread_body(void *arg) {
    struct coroutine *co = arg;
    void **call = (void **)co->stack;

    sched_switched(cpus[now].left);
    ((void (*)(void *))call[0])(call[1]);
    thread_exit();
}

void arch_stack_init(struct vcpu *v) {
    (void)v;
}

void arch_stack_start_guest(struct vcpu *v) {
    start_at(coroutine_of(v), guest_body, v);
}

/* The lowest words of the stack hold the call. */
void arch_stack_start_thread(struct vcpu *v, void (*fn)(void *), void *arg) {
    struct coroutine *co = coroutine_of(v);
    void **call = (void **)co->stack;

    call[0] = (void *)fn;
    call[1] = arg;
    start_at(co, thread_body, co);
}

/* ---- memory: counted, and the Nth request may fail ---- */

static unsigned allocated, fail_at, requests;
static void *blocks[256]; /* allocated of them are in use, in any order */

static void *allocate(size_t size) {
    void *p;

    if (++requests == fail_at)
        return NULL;
    check(allocated < ARRAY_SIZE(blocks));
    p = aligned_alloc(64, ALIGN_UP(size, (size_t)64));
    blocks[allocated++] = p;
    return memset(p, 0, size);
}

void *hv_zalloc(size_t size) {
    return allocate(size);
}

void hv_free(void *p) {
    unsigned i = 0;

    if (!p)
        return;
    while (i < allocated && blocks[i] != p)
        i++;
    check(i < allocated);
    blocks[i] = blocks[--allocated];
    free(p);
}

vaddr_t stack_alloc(void) {
    return (vaddr_t)allocate(sizeof(struct coroutine));
}

void stack_free(vaddr_t base) {
    check(!((struct coroutine *)base)->active);
    hv_free((void *)base);
}

/* ---- guest state ---- */

void vcpu_save_guest(struct vcpu *v) {
    maybe_turn();
    check(cpus[now].loaded == v);
    cpus[now].loaded = NULL;
    world_saved(v);
    maybe_turn();
}

void vcpu_trap_wfe(bool on) {
    check(cpus[now].loaded == current);
    cpus[now].wfe_traps = on;
}

void vcpu_load_guest(struct vcpu *v) {
    maybe_turn();
    for (unsigned i = 0; i < nr_cpus; i++)
        check(cpus[i].loaded != v);
    check(!cpus[now].loaded && current == v);
    cpus[now].loaded = v;
    maybe_turn();
}

/* ---- setting up ---- */

static void idle_body(void *arg) {
    (void)arg;
    sched_idle();
}

extern char __start_percpu_data[], __stop_percpu_data[];

static void *area_of(unsigned cpu) {
    size_t size = (size_t)(__stop_percpu_data - __start_percpu_data);
    char *area = cpu ? aligned_alloc(64, ALIGN_UP(size, (size_t)64)) : __start_percpu_data;

    memset(area, 0, size);
    return area;
}

/* `n` CPUs at their idle stacks, about to wait. */
/* The scheduler looks that none is open. */
unsigned mapwin_open_count(void) {
    return 0;
}

static void world_create(unsigned n, uint64_t seed, uint64_t max) {
    static const struct irq_chip chip = {.irq_waiting = sim_irq_waiting};

    memset(cpus, 0, sizeof(cpus));
    failure[0] = '\0';
    turning = false;
    steps = allocated = fail_at = requests = 0;
    steps_max = max;
    rnd_state = seed ? seed : 1;
    fake_time = 1000;
    nr_cpus = nr_online = n;
    irq_chip = &chip;
    for (unsigned cpu = 0; cpu < n; cpu++) {
        fake_comparator[cpu] = UINT64_MAX;
        percpu_offsets[cpu] = (uintptr_t)area_of(cpu) - (uintptr_t)__start_percpu_data;
        be_cpu(cpu);
        this_cpu(cpu_number) = cpu;
        if (cpu)
            timers_init_cpu();
        else
            timers_init(NULL);
        sched_init_cpu();
        start_at(&cpus[cpu].idle, idle_body, NULL);
        cpus[cpu].idle.active = true;
        cpus[cpu].context = cpus[cpu].idle.context;
    }
    be_cpu(0);
    sched_init();
    cpupool_default()->nr_waiting = 0; /* the last run may have ended anywhere */
}

/* Until world_end() or something is broken. */
static void world_run(void) {
    be_cpu(rnd(nr_cpus));
    turning = true;
    swapcontext(&test_context, &cpus[now].context);
}

static void world_end(void) {
    turning = false;
    setcontext(&test_context);
}

static void world_destroy(void) {
    while (allocated)
        free(blocks[--allocated]);
    for (unsigned cpu = 1; cpu < nr_cpus; cpu++)
        free((void *)(percpu_offsets[cpu] + (uintptr_t)__start_percpu_data));
    percpu_set_offset(0);
}

#endif
