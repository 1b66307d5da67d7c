/* IOMMUs, the domains they serve, and which stream belongs to whom (contract in hv/iommu.h). */
#include <hv/bits.h>
#include <hv/cmdline.h>
#include <hv/errno.h>
#include <hv/mm.h>
#include <hv/page_owner.h>
#include <hv/printk.h>
#include <hv/timer.h>

#include <asm/barrier.h>

#include "iommu_internal.h"

/* Streams that were attached together. */
struct attachment {
    struct list link;
    struct iommu_streams s;
    struct iommu_domain *dom; /* NULL: they could not be blocked, and are never given away again */
    enum iommu_fault_policy policy;
    uint64_t faults;
    struct ratelimit log;
};

spinlock_t iommu_lock = SPINLOCK_INIT(RANK_IOMMU, "iommu");
struct iommu *iommus[IOMMU_MAX];
unsigned nr_iommus;

unsigned iommu_count(void) {
    return nr_iommus;
}
/* All under iommu_lock. */
static struct list attachments = LIST_INIT(attachments);
static struct list domains = LIST_INIT(domains);
#define VMIDS 256u /* as many as every IOMMU has; 0 is nobody's */
static uint64_t vmids[VMIDS / 64] = {1};

static void (*crash_hook)(struct domain_pages *owner, const char *why);

void iommu_set_crash_hook(void (*crash)(struct domain_pages *owner, const char *why)) {
    crash_hook = crash;
}

int iommu_register(struct iommu *iommu) {
    if (nr_iommus == IOMMU_MAX)
        return -ENOSPC;
    iommu->index = nr_iommus;
    iommus[nr_iommus++] = iommu;
    return 0;
}

/* ---- domains ---- */

static int take_vmid(uint16_t *vmid) {
    int rc = -ENOSPC;

    spin_lock(&iommu_lock);
    for (unsigned i = 0; rc && i < ARRAY_SIZE(vmids); i++) {
        if (!~vmids[i])
            continue;
        *vmid = (uint16_t)(i * 64 + ffs64(~vmids[i]));
        vmids[i] |= BIT(*vmid % 64);
        rc = 0;
    }
    spin_unlock(&iommu_lock);
    return rc;
}

static void release_vmid(uint16_t vmid) {
    spin_lock(&iommu_lock);
    vmids[vmid / 64] &= ~BIT(vmid % 64);
    spin_unlock(&iommu_lock);
}

/* What all offer: a device of the domain may be behind any of them. False: none can serve. */
static bool common_limits(struct iommu_limits *l) {
    bool any = false;

    *l = (struct iommu_limits){64, true, true, true};
    for (unsigned i = 0; i < nr_iommus; i++) {
        const struct iommu *iommu = iommus[i];

        if (!iommu->stage2)
            continue;
        any = true;
        l->oas_bits = MIN(l->oas_bits, iommu->oas_bits);
        l->coherent &= iommu->coherent;
        l->live_split &= iommu->live_split;
        l->fwb &= iommu->fwb;
    }
    return any;
}

static enum iommu_mode default_mode = IOMMU_MODE_MIRROR;

void iommu_cmdline_init(void) {
    if (cmdline_choice("iommu", "mirror", "shared"))
        default_mode = IOMMU_MODE_SHARED;
}

/* NULL: the table of the CPUs can serve devices as it is. */
static const char *why_not_shared(const struct p2m *p2m, const struct iommu_limits *l) {
    if (p2m->cpu_only)
        return "the guest's CPU interface (GICv2) is not for devices";
    if (!l->coherent)
        return "it walks tables past the caches";
    if (!l->live_split)
        return "it cannot take a block's split while in use";
    if (p2m->pt.start_level && p2m->pt.addr_bits > 39)
        return "some models walk a root of two tables wrongly";
    if (!p2m->pt.start_level && l->oas_bits < 44)
        return "its addresses are too short for the CPUs' table";
    if (p2m->hcr && !l->fwb)
        return "the CPUs' table forces write-back, which it does not know";
    return NULL;
}

static bool can_share(const struct p2m *p2m, enum iommu_mode mode, const struct iommu_limits *l) {
    const char *why;

    if (mode == IOMMU_MODE_DEFAULT)
        mode = default_mode;
    if (mode != IOMMU_MODE_SHARED)
        return false;
    why = why_not_shared(p2m, l);
    if (why)
        printk("d%u: iommu: a mirror, not a shared table: %s\n", p2m->owner->domid, why);
    return !why;
}

static int init_table(struct iommu_domain *dom, const struct iommu_limits *l) {
    struct p2m *p2m = dom->p2m;
    int rc;

    if (dom->shared) {
        dom->table.root = p2m->pt.root;
        dom->table.start_level = p2m->pt.start_level;
        dom->table.ipa_bits = p2m->pt.addr_bits;
        dom->table.fwb = p2m->hcr != 0;
        return p2m_set_mirror(p2m, &iommu_shared_ops, dom);
    }
    rc = iommu_mirror_init(dom, l);
    if (rc)
        return rc;
    rc = p2m_set_mirror(p2m, &iommu_mirror_ops, dom);
    if (rc)
        iommu_mirror_free(dom);
    return rc;
}

int iommu_domain_create(struct p2m *p2m, enum iommu_mode mode, struct iommu_domain **out) {
    struct iommu_limits limits;
    struct iommu_domain *dom;
    int rc;

    if (!common_limits(&limits))
        return -ENODEV;
    dom = hv_zalloc(sizeof(*dom));
    if (!dom)
        return -ENOMEM;
    dom->p2m = p2m;
    page_list_init(&dom->unlinked);
    dom->shared = can_share(p2m, mode, &limits);
    rc = take_vmid(&dom->table.vmid);
    if (!rc) {
        rc = init_table(dom, &limits);
        if (rc)
            release_vmid(dom->table.vmid);
    }
    if (rc) {
        hv_free(dom);
        return rc;
    }
    spin_lock(&iommu_lock);
    list_append(&domains, &dom->link);
    spin_unlock(&iommu_lock);
    *out = dom;
    return 0;
}

/* ---- flushes ---- */

int iommu_flush_domain(const struct iommu_domain *dom, uint64_t ipa, uint64_t size) {
    uint64_t used;
    int rc = 0;

    /* The entries are changed before this is read; attach() sets the bit before a device walks. */
    smp_mb();
    used = __atomic_load_n(&dom->used_by, __ATOMIC_RELAXED);
    for (; used; used &= used - 1) {
        struct iommu *iommu = iommus[ffs64(used)];

        if (iommu->ops->flush(iommu, dom->table.vmid, ipa, size))
            rc = -EIO;
    }
    return rc;
}

/* ---- attaching ---- */

static bool overlap(const struct iommu_streams *a, const struct iommu_streams *b) {
    return a->iommu == b->iommu && a->first < b->first + b->count && b->first < a->first + a->count;
}

static struct attachment *find_overlap(const struct iommu_streams *s) {
    list_for_each(e, &attachments) {
        struct attachment *a = list_entry(e, struct attachment, link);

        if (overlap(&a->s, s))
            return a;
    }
    return NULL;
}

static bool uses(const struct iommu_domain *dom, const struct iommu *iommu) {
    list_for_each(e, &attachments) {
        const struct attachment *a = list_entry(e, struct attachment, link);

        if (a->dom == dom && a->s.iommu == iommu)
            return true;
    }
    return false;
}

/* Nothing of these streams is under way any more and nothing of theirs is remembered; iommu_lock.
 */
static int quiesce(struct iommu_domain *dom, const struct iommu_streams *s) {
    const struct iommu_ops *ops = s->iommu->ops;
    int rc = ops->block(s->iommu, s->first, s->count);

    if (!rc)
        rc = ops->flush(s->iommu, dom->table.vmid, 0, 0);
    if (rc) {
        dom->failed = dom->unsafe = true;
        printk("error: %s: streams %#x..%#x of d%u could not be blocked; the pages they reach stay "
               "out of use\n",
               s->iommu->name, s->first, s->first + s->count - 1, dom->p2m->owner->domid);
    }
    return rc;
}

/* Takes the record out; the streams stay out of use when they could not be blocked. iommu_lock. */
static int release(struct attachment *a) {
    struct iommu_domain *dom = a->dom;
    int rc = quiesce(dom, &a->s);

    a->dom = NULL;
    if (rc)
        return rc;
    if (!uses(dom, a->s.iommu))
        __atomic_fetch_and(&dom->used_by, ~BIT(a->s.iommu->index), __ATOMIC_RELAXED);
    list_del(&a->link);
    hv_free(a);
    return 0;
}

/* The record is the list's from here on. */
static int attach_locked(struct attachment *a) {
    struct iommu *iommu = a->s.iommu;
    int rc, blocked = 0;

    list_append(&attachments, &a->link);
    __atomic_fetch_or(&a->dom->used_by, BIT(iommu->index), __ATOMIC_RELAXED);
    smp_mb(); /* as in iommu_flush_domain() */
    rc = iommu->ops->translate(iommu, a->s.first, a->s.count, &a->dom->table);
    if (rc)
        blocked = release(a);
    return blocked ? blocked : rc;
}

int iommu_attach(struct iommu_domain *dom, const struct iommu_streams *streams,
                 enum iommu_fault_policy policy) {
    struct attachment *a;
    int rc;

    BUG_ON(!streams->count || !streams->iommu->stage2 ||
           streams->count > streams->iommu->stream_end - streams->first);
    a = hv_zalloc(sizeof(*a));
    if (!a)
        return -ENOMEM;
    *a = (struct attachment){.s = *streams, .dom = dom, .policy = policy, .log = RATELIMIT_INIT};
    spin_lock(&iommu_lock);
    rc = dom->failed ? -EIO : find_overlap(streams) ? -EBUSY : 0;
    if (rc)
        hv_free(a);
    else
        rc = attach_locked(a);
    spin_unlock(&iommu_lock);
    return rc;
}

static void release_all(struct iommu_domain *dom) {
    spin_lock(&iommu_lock);
    list_for_each_safe(e, next, &attachments) {
        struct attachment *a = list_entry(e, struct attachment, link);

        if (a->dom == dom)
            (void)release(a); /* dom->unsafe remembers */
    }
    list_del(&dom->link);
    spin_unlock(&iommu_lock);
}

void iommu_domain_destroy(struct iommu_domain *dom) {
    if (!dom)
        return;
    release_all(dom);
    if (dom->failed) {
        /* It stays where it is, and with it what keeps the P2M from giving pages back. */
        printk("leaking the tables of d%u's devices: %s\n", dom->p2m->owner->domid,
               dom->unsafe ? "a device may still walk them" : "a flush failed");
        dom->p2m->keep_tables = dom->shared;
        return;
    }
    if (p2m_set_mirror(dom->p2m, NULL, NULL))
        BUG();
    if (!dom->shared)
        iommu_mirror_free(dom);
    release_vmid(dom->table.vmid);
    hv_free(dom);
}

/* ---- trouble ---- */

void iommu_domain_fail(struct iommu_domain *dom, const char *why) {
    spin_lock(&iommu_lock);
    dom->failed = true;
    list_for_each(e, &attachments) {
        const struct attachment *a = list_entry(e, struct attachment, link);

        if (a->dom == dom)
            (void)quiesce(dom, &a->s); /* dom->unsafe remembers */
    }
    if (crash_hook)
        crash_hook(dom->p2m->owner, why);
    spin_unlock(&iommu_lock);
}

bool iommu_fault(struct iommu *iommu, uint32_t stream, uint16_t *domid) {
    struct iommu_streams s = {iommu, stream, 1};
    static struct ratelimit strays = RATELIMIT_INIT;
    struct ratelimit *log = &strays;
    struct attachment *a;
    bool print;

    spin_lock(&iommu_lock);
    a = find_overlap(&s);
    *domid = IOMMU_NOBODY;
    if (a) {
        a->faults++;
        log = &a->log;
    }
    print = log_ratelimit(log, time_ns());
    if (a && a->dom) {
        *domid = a->dom->p2m->owner->domid;
        if (a->policy == IOMMU_FAULT_CRASH && crash_hook)
            crash_hook(a->dom->p2m->owner, "a device of it reached for memory it may not have");
    }
    spin_unlock(&iommu_lock);
    return print;
}

/* ---- the console key ---- */

static void show_attachment(const struct attachment *a) {
    char owner[16] = "out of use";

    if (a->dom)
        hv_snprintf(owner, sizeof(owner), "d%u", a->dom->p2m->owner->domid);
    printk("iommu: %s: streams %#x..%#x: %s, %llu faults\n", a->s.iommu->name, a->s.first,
           a->s.first + a->s.count - 1, owner, (unsigned long long)a->faults);
}

static void show_domain(const struct iommu_domain *dom) {
    if (dom->shared)
        printk("iommu: d%u: shares the CPUs' table\n", dom->p2m->owner->domid);
    else
        printk("iommu: d%u: mirror of %llu pages, %u of %u table pages free\n",
               dom->p2m->owner->domid, (unsigned long long)dom->mapped_pages, dom->pool_free,
               dom->pool_total);
}

void iommu_show(void) {
    if (!nr_iommus)
        printk("iommu: none\n");
    for (unsigned i = 0; i < nr_iommus; i++)
        iommus[i]->ops->show(iommus[i]);
    spin_lock(&iommu_lock);
    list_for_each(e, &domains) show_domain(list_entry(e, struct iommu_domain, link));
    list_for_each(e, &attachments) show_attachment(list_entry(e, struct attachment, link));
    spin_unlock(&iommu_lock);
}
