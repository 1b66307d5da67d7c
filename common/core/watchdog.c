/* The host's watchdog: hv/watchdog.h. */
#include <hv/cmdline.h>
#include <hv/cpu.h>
#include <hv/printk.h>
#include <hv/softirq.h>
#include <hv/timer.h>
#include <hv/watchdog.h>

#define SECONDS_MAX 3600u

struct watch {
    uint32_t passed; /* how often this CPU came by */
    /* What it knows of the next one. */
    struct timer timer;
    uint32_t seen; /* of that one's `passed` when it was asked */
    bool asked, reported;
};

static DEFINE_PER_CPU(struct watch, watch);
static uint64_t seconds;
static void (*show_cpu)(unsigned cpu);

static unsigned next_cpu(void) {
    unsigned cpu = cpu_id();

    do
        cpu = (cpu + 1) % nr_cpus;
    while (!cpu_is_online(cpu));
    return cpu;
}

static void judge(struct watch *w, unsigned cpu) {
    bool stuck = w->asked && READ_ONCE(per_cpu(watch, cpu).passed) == w->seen;

    if (stuck && !w->reported) {
        printk("watchdog: CPU %u did not come by for %llu s\n", cpu, (unsigned long long)seconds);
        show_cpu(cpu);
    }
    if (!stuck && w->reported)
        printk("watchdog: CPU %u comes by again\n", cpu);
    w->reported = stuck;
}

static void look(void *arg) {
    struct watch *w = arg;
    unsigned cpu = next_cpu();

    judge(w, cpu);
    w->seen = READ_ONCE(per_cpu(watch, cpu).passed);
    w->asked = true;
    softirq_raise_on(cpu, SOFTIRQ_WATCHDOG);
    timer_set(&w->timer, time_ticks() + seconds * timer_hz);
}

/* The first time it is the start of its own watch. */
static void pass(void) {
    struct watch *w = &this_cpu(watch);

    if (!w->passed) {
        timer_init(&w->timer, look, w);
        timer_set(&w->timer, time_ticks() + seconds * timer_hz);
    }
    WRITE_ONCE(w->passed, w->passed + 1 ? w->passed + 1 : 1);
}

void watchdog_init(void (*show)(unsigned cpu)) {
    seconds = cmdline_size("watchdog", 0);
    if (!seconds)
        return;
    if (seconds > SECONDS_MAX || nr_online < 2) {
        printk("error: watchdog: expected 1 to %u seconds and a second CPU; off\n", SECONDS_MAX);
        return;
    }
    show_cpu = show;
    softirq_register(SOFTIRQ_WATCHDOG, pass);
    for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
        if (cpu_is_online(cpu))
            softirq_raise_on(cpu, SOFTIRQ_WATCHDOG);
}
