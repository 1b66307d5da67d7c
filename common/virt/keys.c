/* Keys while the input goes to Holdfast itself: questions about the machine and its domains. */
#include <hv/console.h>
#include <hv/domain.h>
#include <hv/iommu.h>
#include <hv/keys.h>
#include <hv/mm.h>
#include <hv/printk.h>

static const char *const state_names[] = {"building", "running", "dying", "dead"};

static void show_domain(struct domain *d) {
    printk("d%u: %s: %s, %u vCPUs, %llu of %llu pages, %llu hypervisor pages, %u of %u table pages "
           "free\n",
           d->id, d->name, state_names[READ_ONCE(d->state)], d->max_vcpus,
           (unsigned long long)d->pages.tot_pages, (unsigned long long)d->pages.max_pages,
           (unsigned long long)d->pages.xenheap_pages, d->p2m.pool_free, d->p2m.pool_total);
}

static void show_vcpu(struct vcpu *v) {
    static const char *const states[] = {"running", "runnable", "blocked", "offline"};
    struct vcpu_times t;

    vcpu_get_times(v, &t);
    printk("d%u: vcpu%u: %s, CPU %u of pool %s, weight %u, ran %llu ms, waited %llu ms\n",
           v->domain->id, v->id, states[t.state], v->cpu, cpupool_name(v->sched.p.pool),
           v->sched.p.weight, (unsigned long long)ticks_to_ns(t.spent[TIME_RUNNING]) / 1000000,
           (unsigned long long)ticks_to_ns(t.spent[TIME_RUNNABLE]) / 1000000);
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
}

static void show_domains(void) {
    domains_for_each(show_domain);
}

static void show_vcpus(void) {
    domains_for_each(show_vcpus_of);
}

static void audit_domains(void) {
    domains_for_each(audit_domain);
}

static void show_memory(void) {
    printk("memory: %llu of %llu pages free\n", (unsigned long long)heap_free_pages(),
           (unsigned long long)heap_total_pages());
}

static void show_help(void);

static const struct {
    char key;
    void (*run)(void);
    const char *what;
} keys[] = {
    {'a', audit_domains, "audit every domain's memory"},
    {'d', show_domains, "domains"},
    {'h', show_help, "this help"},
    {'i', iommu_show, "IOMMUs, and the devices behind them"},
    {'m', show_memory, "memory"},
    {'s', show_vcpus, "scheduling: every vCPU's CPU and time"},
};

static void show_help(void) {
    for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
        printk("key %c: %s\n", keys[i].key, keys[i].what);
}

/* The answer comes from the domain thread: only there no domain goes away while it is looked at. */
static bool key_in(void *arg, char c) {
    (void)arg;
    for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
        if (keys[i].key == c && !domains_call(keys[i].run))
            printk("key %c: ignored, the one before is not answered yet\n", c);
    return true;
}

void keys_init(void) {
    console_set_hv_input(key_in);
}
