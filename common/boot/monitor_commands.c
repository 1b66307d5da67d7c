/* What the host console can be asked for, and told to do: one table. */
#include <hv/backtrace.h>
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/events.h>
#include <hv/guests.h>
#include <hv/iommu.h>
#include <hv/mm.h>
#include <hv/monitor.h>
#include <hv/printk.h>
#include <hv/restart.h>
#include <hv/xen_abi.h>

#include "monitor.h"

/* The domain that is named, or every one. */
static void for_each_named(const struct monitor_args *args, void (*fn)(struct domain *d)) {
    if (args->domain)
        fn(args->domain);
    else if (args->guest)
        printk("%s does not live\n", args->guest->name);
    else
        domains_for_each(fn);
}

/* ---- questions ---- */

static const char *state_name(const struct domain *d) {
    static const char *const names[] = {"building", "running", "dying", "dead"};
    enum domain_state state = READ_ONCE(d->state);

    return state == DOMAIN_RUNNING && READ_ONCE(d->paused) ? "paused" : names[state];
}

static void show_domain(struct domain *d) {
    printk("d%u: %s: %s, %u vCPUs, %llu of %llu pages, %llu hypervisor pages, %u of %u table pages "
           "free\n",
           d->id, d->name, state_name(d), d->max_vcpus, (unsigned long long)d->pages.tot_pages,
           (unsigned long long)d->pages.max_pages, (unsigned long long)d->pages.xenheap_pages,
           d->p2m.pool_free, d->p2m.pool_total);
    preempt_point();
}

static void show_vcpu(struct vcpu *v) {
    static const char *const states[] = {"running", "runnable", "blocked", "offline"};
    struct vcpu_times t;

    vcpu_get_times(v, &t);
    printk("d%u: vcpu%u: %s, CPU %u of pool %s, weight %u, ran %llu ms, waited %llu ms\n",
           v->domain->id, v->id, READ_ONCE(v->state) == VCPU_PAUSED ? "paused" : states[t.state],
           v->cpu, cpupool_name(v->sched.p.pool), v->sched.p.weight,
           (unsigned long long)ticks_to_ns(t.spent[TIME_RUNNING]) / 1000000,
           (unsigned long long)ticks_to_ns(t.spent[TIME_RUNNABLE]) / 1000000);
    preempt_point();
}

static void show_vcpus_of(struct domain *d) {
    for (unsigned i = 0; i < d->max_vcpus; i++)
        show_vcpu(d->vcpus[i]);
}

static void audit_domain(struct domain *d) {
    unsigned breaches = domain_audit(d);

    if (breaches)
        printk("audit: d%u: %u breaches\n", d->id, breaches);
    else
        printk("audit: d%u: clean\n", d->id);
    preempt_point();
}

static void show_p2m(struct domain *d) {
    static const char *const names[P2M_NR_TYPES] = {
        [P2M_RAM_RW] = "RAM",
        [P2M_RAM_RO] = "read-only RAM",
        [P2M_XENHEAP_RW] = "hypervisor",
        [P2M_XENHEAP_RO] = "read-only hypervisor",
        [P2M_MMIO_DIRECT] = "device",
        [P2M_GRANT_RW] = "granted",
        [P2M_GRANT_RO] = "read-only granted",
        [P2M_FOREIGN_RW] = "foreign",
        [P2M_FOREIGN_RO] = "read-only foreign",
    };
    struct p2m_summary s;

    p2m_summarize(&d->p2m, &s);
    printk("d%u: P2M: VMID %u, leaves of 4 KiB %llu, 2 MiB %llu, 1 GiB %llu; %u of %u table pages "
           "free\n",
           d->id, d->p2m.vmid, (unsigned long long)s.leaves[3], (unsigned long long)s.leaves[2],
           (unsigned long long)s.leaves[1], d->p2m.pool_free, d->p2m.pool_total);
    for (unsigned t = 0; t < P2M_NR_TYPES; t++)
        if (s.pages[t] && names[t])
            printk("d%u: P2M: %llu %s pages\n", d->id, (unsigned long long)s.pages[t], names[t]);
    preempt_point();
}

/* Registers are all in memory while nothing of the domain runs. */
static void show_registers(struct domain *d) {
    if (READ_ONCE(d->state) != DOMAIN_RUNNING) {
        printk("d%u: its vCPUs are gone\n", d->id);
        return;
    }
    domain_pause(d);
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        if (READ_ONCE(d->vcpus[i]->state) == VCPU_PAUSED)
            vcpu_dump(d->vcpus[i]);
        else
            printk("d%u vcpu%u: offline\n", d->id, i);
        preempt_point();
    }
    domain_unpause(d);
}

void monitor_show_cpu(unsigned cpu) {
    const struct vcpu *v = sched_peek(cpu);

    if (!v) {
        printk("CPU %u: in its scheduler\n", cpu);
        return;
    }
    if (!v->stack)
        printk("CPU %u: idle, or in its interrupts\n", cpu);
    else if (!v->domain)
        printk("CPU %u: a thread of Holdfast\n", cpu);
    else
        printk("CPU %u: d%u vcpu%u, frame %llx link %llx\n", cpu, v->domain->id, v->id,
               (unsigned long long)regs_frame(v->regs), (unsigned long long)regs_link(v->regs));
    if (v->stack)
        backtrace_of_stack(v->stack, v->domain ? (uintptr_t)v->regs : v->stack + STACK_SIZE,
                           v->domain ? (uintptr_t)regs_frame(v->regs) : 0);
    sched_peek_end(cpu);
}

static void cmd_domains(const struct monitor_args *args) {
    for_each_named(args, show_domain);
}

static void cmd_vcpus(const struct monitor_args *args) {
    for_each_named(args, show_vcpus_of);
}

static void cmd_audit(const struct monitor_args *args) {
    for_each_named(args, audit_domain);
}

static void cmd_p2m(const struct monitor_args *args) {
    for_each_named(args, show_p2m);
}

static void cmd_registers(const struct monitor_args *args) {
    for_each_named(args, show_registers);
}

static void cmd_memory(const struct monitor_args *args) {
    struct heap_summary s;
    uint64_t free_pages;

    (void)args;
    heap_summarize(&s);
    free_pages = s.fresh + s.clean + s.dirty;
    printk("memory: %llu of %llu pages free: %llu never used, %llu cleared, %llu to be cleared\n",
           (unsigned long long)free_pages, (unsigned long long)heap_total_pages(),
           (unsigned long long)s.fresh, (unsigned long long)s.clean, (unsigned long long)s.dirty);
}

static void cmd_iommu(const struct monitor_args *args) {
    (void)args;
    iommu_show();
}

/* ---- orders ---- */

static void cmd_pause(const struct monitor_args *args) {
    struct domain *d = args->domain;

    if (!d || READ_ONCE(d->state) != DOMAIN_RUNNING) {
        printk("%s does not run\n", args->guest->name);
        return;
    }
    domain_pause(d);
    printk("d%u: %s: paused\n", d->id, d->name);
}

static void cmd_unpause(const struct monitor_args *args) {
    struct domain *d = args->domain;

    if (!d || !READ_ONCE(d->paused)) {
        printk("%s is not paused\n", args->guest->name);
        return;
    }
    domain_unpause(d);
    printk("d%u: %s: %s\n", d->id, d->name, READ_ONCE(d->paused) ? "still paused" : "goes on");
}

/* What kernels do then is their own affair: Linux tells of its event channels. */
static void ask_kernels(struct domain *d) {
    if (READ_ONCE(d->state) == DOMAIN_RUNNING)
        for (unsigned i = 0; i < d->max_vcpus; i++)
            evtchn_raise_virq(d->vcpus[i], VIRQ_DEBUG);
}

static void cmd_debug(const struct monitor_args *args) {
    for_each_named(args, ask_kernels);
}

static void cmd_destroy(const struct monitor_args *args) {
    if (restart_end(args->guest))
        printk("%s does not live\n", args->guest->name);
}

static void cmd_restart(const struct monitor_args *args) {
    if (restart_again(args->guest))
        printk("%s is not at a point where it can be restarted\n", args->guest->name);
}

/* ---- the table ---- */

static void cmd_help(const struct monitor_args *args);

const struct monitor_command monitor_commands[] = {
    {"audit", 'a', "[DOMAIN]", "compare all that is known of the memory", cmd_audit},
    {"debug", 'q', "[DOMAIN]", "raise VIRQ_DEBUG at every vCPU", cmd_debug},
    {"destroy", 0, "DOMAIN", "end it, whatever its node says", cmd_destroy},
#if HF_DEBUG
    {"die", 0, "N DOMAIN", "it ends at the N-th point where its vCPUs give way", monitor_die},
#endif
    {"domains", 'd', "[DOMAIN]", "state and pages", cmd_domains},
#if HF_DEBUG
    {"fail", 0, "N [DOMAIN]", "the N-th allocation from now finds no memory", monitor_fail},
#endif
    {"help", 'h', "", "this list", cmd_help},
    {"iommu", 'i', "", "IOMMUs, the devices behind them, and their faults", cmd_iommu},
    {"memory", 'm', "", "free pages of the machine, and which are cleared", cmd_memory},
    {"p2m", 'p', "[DOMAIN]", "what is mapped for the guest", cmd_p2m},
    {"pause", 0, "DOMAIN", "its vCPUs stop until unpaused as often", cmd_pause},
    {"registers", 'r', "[DOMAIN]", "of every vCPU, which stop for it", cmd_registers},
    {"restart", 0, "DOMAIN", "from its original modules, whatever its node says", cmd_restart},
    {"trace", 0, "on|off|dump", "what happened when; dump turns it off first", monitor_trace},
    {"unpause", 0, "DOMAIN", "", cmd_unpause},
    {"vcpus", 's', "[DOMAIN]", "state, CPU and time of every vCPU", cmd_vcpus},
    {NULL, 0, NULL, NULL, NULL},
};

static void cmd_help(const struct monitor_args *args) {
    (void)args;
    for (const struct monitor_command *c = monitor_commands; c->name; c++)
        printk("%c%c %-9s %-10s %s\n", c->key ? c->key : ' ', c->key ? ',' : ' ', c->name, c->args,
               c->help);
    printk("Enter or \":\" opens a line for commands, an empty one or Ctrl-C closes it; a key asks "
           "without one. DOMAIN is its name or number.\n");
}
