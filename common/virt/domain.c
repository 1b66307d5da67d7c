/* Domains from creation to burial. A thread buries them, so that no vCPU frees what it stands on.
 */
#include <hv/bits.h>
#include <hv/cmdline.h>
#include <hv/domain.h>
#include <hv/domain_abi.h>
#include <hv/domain_mmio.h>
#include <hv/errno.h>
#include <hv/iommu.h>
#include <hv/mm.h>
#include <hv/passthrough.h>
#include <hv/string.h>
#include <hv/vpl011.h>

static spinlock_t domains_lock = SPINLOCK_INIT(RANK_DOMAINS, "domains");
static struct list domains = LIST_INIT(domains); /* under domains_lock */
static spinlock_t burial_lock = SPINLOCK_INIT(RANK_LEAF, "burial");
static struct list dying = LIST_INIT(dying); /* under burial_lock: all vCPUs gone */
static struct vcpu *burier;
static bool audit_the_dead; /* command line: audit */
static void (*call)(void);  /* what the thread is asked to do next; atomic */
static const struct domain_abi_ops *abi_ops;
static void (*death_hook)(const struct domain_obituary *o);
static bool (*is_kept)(const struct domain *d);

struct domain *domain_by_id(hv_domid_t id) {
    struct domain *found = NULL;

    spin_lock(&domains_lock);
    list_for_each(e, &domains) {
        struct domain *d = list_entry(e, struct domain, link);

        if (d->id == id)
            found = d;
    }
    spin_unlock(&domains_lock);
    return found;
}

struct domain *domain_get(hv_domid_t id) {
    struct domain *found = NULL;

    spin_lock(&domains_lock);
    list_for_each(e, &domains) {
        struct domain *d = list_entry(e, struct domain, link);

        if (d->id == id) {
            domain_hold(d);
            found = d;
            break;
        }
    }
    spin_unlock(&domains_lock);
    return found;
}

void domain_put(struct domain *d) {
    if (__atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL))
        return;
    if (d->abi)
        abi_ops->free(d);
    hv_free(d);
}

void domain_set_abi_ops(const struct domain_abi_ops *ops) {
    abi_ops = ops;
}

unsigned domain_audit(struct domain *d) {
    unsigned breaches = p2m_audit(&d->p2m);

    return d->abi ? breaches + abi_ops->audit(d) : breaches;
}

/* ---- creation ---- */

static void destroy_vcpu(struct vcpu *v) {
    vtimer_destroy_vcpu(v);
    vgic_destroy_vcpu(v);
    sched_remove(v);
    hv_free(v);
}

static int create_vcpu(struct domain *d, unsigned id) {
    struct vcpu *v = hv_zalloc(sizeof(*v));
    int rc;

    if (!v)
        return -ENOMEM;
    v->id = id;
    v->domain = d;
    rc = sched_add(v);
    if (rc)
        goto free;
    rc = vgic_init_vcpu(v);
    if (rc)
        goto unsched;
    vcpu_arch_init(v);
    vtimer_init_vcpu(v);
    d->vcpus[id] = v;
    return 0;
unsched:
    sched_remove(v);
free:
    hv_free(v);
    return rc;
}

static void destroy_vcpus(struct domain *d) {
    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i])
            destroy_vcpu(d->vcpus[i]);
    hv_free(d->vcpus);
}

static int create_parts(struct domain *d, unsigned nr_spis, uint32_t p2m_pool_pages) {
    int rc = p2m_init(&d->p2m, d, p2m_pool_pages);

    if (rc)
        return rc;
    rc = vgic_init_domain(d, nr_spis);
    if (rc)
        goto p2m;
    d->vcpus = hv_zalloc(sizeof(*d->vcpus) * d->max_vcpus);
    rc = d->vcpus ? 0 : -ENOMEM;
    for (unsigned i = 0; !rc && i < d->max_vcpus; i++)
        rc = create_vcpu(d, i);
    if (!rc && abi_ops)
        rc = abi_ops->create(d);
    if (!rc)
        return 0;
    if (d->vcpus)
        destroy_vcpus(d);
    vgic_destroy_domain(d);
p2m:
    d->p2m.dying = true;
    BUG_ON(p2m_relinquish(&d->p2m));
    p2m_destroy(&d->p2m);
    return rc;
}

struct domain *domain_create(const char *name, hv_domid_t id, unsigned vcpus, unsigned nr_spis,
                             uint32_t p2m_pool_pages, uint64_t max_pages, int *err) {
    struct domain *d = hv_zalloc(sizeof(*d));

    *err = -ENOMEM;
    if (!d)
        return NULL;
    d->id = id;
    d->refs = 1;
    hv_strlcpy(d->name, name, sizeof(d->name));
    d->max_vcpus = vcpus;
    d->max_grant_version = 1;
    d->max_evtchn_port = 1023;
    d->max_grant_frames = 64;
    d->max_maptrack_frames = 1024;
    d->log = (struct ratelimit)RATELIMIT_INIT;
    domain_pages_init(&d->pages, id, max_pages);
    list_init(&d->link);
    list_init(&d->death_link);
    spin_lock_init(&d->pause_lock, RANK_DOMAIN, "pause");
    d->vtimer_offset = time_ticks();
    *err = create_parts(d, nr_spis, p2m_pool_pages);
    if (*err) {
        hv_free(d);
        return NULL;
    }
    d->vcpus_alive = vcpus + 1; /* the one more is for domain_shutdown() */
    return d;
}

void domain_start(struct domain *d) {
    BUG_ON(d->state != DOMAIN_BUILDING);
    BUG_ON(!vcpu_claim(d->vcpus[0]));
    spin_lock(&domains_lock);
    list_append(&domains, &d->link);
    spin_unlock(&domains_lock);
    if (d->abi)
        abi_ops->start(d);
    /* It may be shut down from here on; vCPU 0 is claimed, so it is counted when it comes online.
     */
    trace(TRACE_DOMAIN, TRACE_WHO(d->id, 0), DOMAIN_RUNNING, 0);
    __atomic_store_n(&d->state, DOMAIN_RUNNING, __ATOMIC_RELEASE);
    vcpu_online(d->vcpus[0]);
}

/* ---- pauses ---- */

static bool all_quiet(const struct domain *d) {
    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (!vcpu_is_quiet(d->vcpus[i]))
            return false;
    return true;
}

/*
 * On its way to rest a vCPU may start one that was offline when it was looked at. That one does not
 * reach its guest, so it starts no other: the second look finds it.
 */
static bool is_quiet(const struct domain *d) {
    if (!all_quiet(d))
        return false;
    return all_quiet(d);
}

void domain_pause(struct domain *d) {
    ASSERT(current->domain != d);
    spin_lock(&d->pause_lock);
    WRITE_ONCE(d->paused, d->paused + 1);
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        vcpu_set_work(d->vcpus[i], VCPU_WORK_PAUSE);
        vcpu_kick(d->vcpus[i]);
    }
    spin_unlock(&d->pause_lock);
    while (!is_quiet(d)) {
        preempt_point();
        vcpu_yield(); /* it may need this CPU to get there */
        cpu_relax();
    }
}

void domain_unpause(struct domain *d) {
    spin_lock(&d->pause_lock);
    BUG_ON(!d->paused);
    WRITE_ONCE(d->paused, d->paused - 1);
    for (unsigned i = 0; !d->paused && i < d->max_vcpus; i++) {
        vcpu_clear_work(d->vcpus[i], VCPU_WORK_PAUSE);
        vcpu_wake(d->vcpus[i]);
    }
    spin_unlock(&d->pause_lock);
}

/* ---- death ---- */

void domain_shutdown(struct domain *d, enum shutdown_reason reason) {
    enum domain_state running = DOMAIN_RUNNING;
    uint32_t latched;

    /* No lock: a guest may be crashed by code that holds any. The first reason counts. */
    if (!__atomic_compare_exchange_n(&d->state, &running, DOMAIN_DYING, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return;
    latched = READ_ONCE(d->latched_reason);
    d->reason = latched ? (enum shutdown_reason)(latched - 1) : reason;
    trace(TRACE_DOMAIN, TRACE_WHO(d->id, 0), DOMAIN_DYING, d->reason);
    for (unsigned i = 0; i < d->max_vcpus; i++)
        vcpu_stop(d->vcpus[i]);
    /* Only now: the last vCPU may have left, and the domain must not be buried under this loop. */
    domain_vcpu_gone(d);
}

void domain_latch_reason(struct domain *d, enum shutdown_reason reason) {
    uint32_t none = 0;

    __atomic_compare_exchange_n(&d->latched_reason, &none, (uint32_t)reason + 1, false,
                                __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

void domain_crash(struct domain *d, const char *fmt, ...) {
    char why[160];
    va_list ap;

    va_start(ap, fmt);
    hv_vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    if (READ_ONCE(d->state) == DOMAIN_RUNNING) {
        printk("d%u: %s: crashed: %s\n", d->id, d->name, why);
        if (current->domain == d)
            vcpu_dump(current);
    }
    domain_shutdown(d, SHUT_CRASH);
}

void domain_vcpu_gone(struct domain *d) {
    if (__atomic_sub_fetch(&d->vcpus_alive, 1, __ATOMIC_ACQ_REL))
        return;
    spin_lock(&burial_lock);
    list_append(&dying, &d->death_link);
    spin_unlock(&burial_lock);
    vcpu_wake(burier);
}

static void pages_came_back(struct domain_pages *p) {
    struct domain *d = (struct domain *)p;

    printk("d%u: %s: the last of its pages came back\n", d->id, d->name);
    domain_put(d);
}

void domain_destroy(struct domain *d) {
    spin_lock(&domains_lock);
    list_del(&d->link);
    spin_unlock(&domains_lock);

    if (d->abi)
        abi_ops->die(d); /* from here on no other domain can reach its vCPUs */
    passthrough_stop(d); /* before anything is freed that a device could reach */
    if (d->vpl011)
        vpl011_destroy(d);
    d->pages.dying = true;
    d->p2m.dying = true;
    destroy_vcpus(d); /* with their timers, which may raise lines of the vGIC */
    vgic_destroy_domain(d);
    domain_drop_mmio(d);
    while (p2m_relinquish(&d->p2m) == -EAGAIN)
        preempt_point();
    passthrough_release(d);
    if (d->abi)
        abi_ops->destroy(d);
    p2m_destroy(&d->p2m);
    sched_stir_idle(); /* there is memory to be cleared */
    domain_hold(d);    /* for the line: the last page may come back at any moment */
    if (domain_pages_orphan(&d->pages, pages_came_back))
        printk("d%u: %s: some of its pages are held by others\n", d->id, d->name);
    else
        domain_put(d);
    domain_put(d);
}

static struct domain *next_to_bury(void) {
    struct domain *d = NULL;

    spin_lock(&burial_lock);
    if (!list_empty(&dying)) {
        d = list_first(&dying, struct domain, death_link);
        list_del(&d->death_link);
    }
    spin_unlock(&burial_lock);
    return d;
}

static void put_to_rest(struct domain *d) {
    struct domain_obituary o = {.id = d->id, .reason = d->reason, .config = d->config};

    hv_strlcpy(o.name, d->name, sizeof(o.name));
    domain_destroy(d);
    trace(TRACE_DOMAIN, TRACE_WHO(o.id, 0), DOMAIN_DEAD, o.reason);
    if (death_hook)
        death_hook(&o);
}

static void bury(struct domain *d) {
    if (audit_the_dead)
        domain_audit(d); /* says what it finds; takes its time with all of the domain's pages */
    d->kept = is_kept && is_kept(d);
    if (!d->kept)
        put_to_rest(d);
}

void domain_bury_kept(struct domain *d) {
    BUG_ON(!d->kept);
    put_to_rest(d);
}

static void burier_main(void *arg) {
    (void)arg;
    for (;;) {
        struct domain *d = next_to_bury();
        void (*fn)(void) = __atomic_exchange_n(&call, NULL, __ATOMIC_ACQUIRE);

        if (fn)
            fn();
        if (d)
            bury(d);
        if (!fn && !d)
            vcpu_block();
    }
}

bool domains_call(void (*fn)(void)) {
    void (*none)(void) = NULL;

    if (!__atomic_compare_exchange_n(&call, &none, fn, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        return false;
    vcpu_wake(burier);
    return true;
}

/* Only this thread takes a domain out of the list, so the next one stays where it is while fn runs.
 */
void domains_for_each(void (*fn)(struct domain *d)) {
    spin_lock(&domains_lock);
    list_for_each_safe(e, next, &domains) {
        spin_unlock(&domains_lock);
        fn(list_entry(e, struct domain, link));
        spin_lock(&domains_lock);
    }
    spin_unlock(&domains_lock);
}

static void crash_by_iommu(struct domain_pages *owner, const char *why) {
    domain_crash(container_of(owner, struct domain, pages), "%s", why);
}

void domains_init(void) {
    iommu_set_crash_hook(crash_by_iommu);
    audit_the_dead = cmdline_bool("audit", false);
    burier = hv_thread_create(burier_main, NULL);
    if (!burier)
        panic("no memory for the domain thread");
}

void domain_set_death_hook(void (*hook)(const struct domain_obituary *o),
                           bool (*keep)(const struct domain *d)) {
    death_hook = hook;
    is_kept = keep;
}

void domain_log(struct domain *d, const char *fmt, ...) {
    char text[160];
    va_list ap;

    if (!log_ratelimit(&d->log, time_ns()))
        return;
    va_start(ap, fmt);
    hv_vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (d->log.suppressed) {
        printk("d%u: %u lines suppressed\n", d->id, d->log.suppressed);
        d->log.suppressed = 0;
    }
    printk("d%u: %s\n", d->id, text);
}
