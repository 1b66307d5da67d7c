/* Floor 6: a domain: its vCPUs, its memory, its devices, and its life. */
#ifndef HV_DOMAIN_H
#define HV_DOMAIN_H

#include <hv/console.h>
#include <hv/list.h>
#include <hv/mmio.h>
#include <hv/p2m.h>
#include <hv/page_owner.h> /* struct domain_pages: list, counts, lock (floor 3) */
#include <hv/printk.h>
#include <hv/spinlock.h>
#include <hv/trace.h>
#include <hv/types.h>
#include <hv/vcpu.h>
#include <hv/vgic.h>

#define MAX_VCPUS 128u
#define DOMAIN_NAME_MAX 32

enum domain_state {
    DOMAIN_BUILDING,
    DOMAIN_RUNNING,
    DOMAIN_DYING, /* shut down or crashed: vCPUs leave, then memory goes back */
    DOMAIN_DEAD,  /* nothing left but the name */
};

/* With the numbers of Xen's SHUTDOWN_. */
enum shutdown_reason {
    SHUT_POWEROFF,
    SHUT_REBOOT,
    SHUT_SUSPEND,
    SHUT_CRASH,
    SHUT_WATCHDOG,
    SHUT_SOFT_RESET
};

struct vpci;
struct vpl011;
struct domain_mmio;

struct domain {
    struct domain_pages pages; /* must be first: floor 3 sees a domain only as this */
    hv_domid_t id;
    uint32_t refs; /* atomic; see domain_get() */
    char name[DOMAIN_NAME_MAX];
    struct list link;            /* in the list of domains, under RANK_DOMAINS */
    enum domain_state state;     /* atomic */
    enum shutdown_reason reason; /* set once by whoever made it DYING */
    uint32_t latched_reason;     /* domain_latch_reason()'s plus 1; 0: none; atomic */
    spinlock_t pause_lock;       /* RANK_DOMAIN */
    uint32_t paused;             /* so often; written under pause_lock */
    bool kept;                   /* DYING, and stays so; domain thread only */
    uint32_t vcpus_alive; /* atomic: vCPUs that may still touch the domain, and its shutdown */
    struct list death_link;
    unsigned max_vcpus;
    struct vcpu **vcpus; /* max_vcpus pointers, filled before the domain runs */
    bool aarch32;
    uint64_t vtimer_offset; /* CNTVOFF_EL2 */

    struct p2m p2m;
    struct vpci *vpci;          /* NULL: no single PCI functions */
    struct iommu_domain *iommu; /* NULL: it has no devices that do DMA */
    uint8_t iommu_mode;         /* enum iommu_mode, for its first device */
    struct vgic_dist vgic;
    struct mmio_map mmio;
    struct domain_mmio *own_mmio; /* device frames it was given, hv/domain_mmio.h */
    struct vpl011 *vpl011;        /* NULL: none */
    struct ratelimit log;         /* for lines this domain causes */

    struct domain_abi *abi;            /* of the hypercall layer; NULL before it exists */
    uint32_t max_grant_version;        /* 1 or 2; set before it runs */
    uint32_t max_evtchn_port;          /* the highest event channel; set before it runs */
    bool privileged;                   /* has rights over other domains; set before it runs */
    uint32_t max_grant_frames;         /* 1 to 64; likewise */
    uint32_t max_maptrack_frames;      /* of 256 handles each; likewise */
    const struct guest_config *config; /* what it was built from; owned by common/boot */
};

/* For trace(); a thread is nobody. */
static inline uint32_t trace_who(const struct vcpu *v) {
    return v->domain ? TRACE_WHO(v->domain->id, v->id) : TRACE_NOBODY;
}

/* Creates the shell: vCPUs, vGIC, P2M with pool, no memory. NULL and *err on failure; nothing is
 * left behind. */
struct domain *domain_create(const char *name, hv_domid_t id, unsigned vcpus, unsigned nr_spis,
                             uint32_t p2m_pool_pages, uint64_t max_pages, int *err);
/* BUILDING -> RUNNING: vCPU 0 starts; its entry has been set with vcpu_set_entry(). */
void domain_start(struct domain *d);
/* RUNNING -> DYING, from any CPU and any context; returns (a guest's vCPU never gets back to its
 * guest). */
void domain_shutdown(struct domain *d, enum shutdown_reason reason);
/* However the domain ends, it ends for this reason; the first one counts. */
void domain_latch_reason(struct domain *d, enum shutdown_reason reason);
/* Logs one line with the reason and the current vCPU's registers, then domain_shutdown(SHUT_CRASH).
 */
void domain_crash(struct domain *d, const char *fmt, ...) __printf(2, 3);
/*
 * When domain_pause() returns, no vCPU runs and the registers of each are in its struct, until
 * domain_unpause() was called as often. Its timers go on. For threads: waits until its vCPUs have
 * come to a point where they can wait. The caller knows that the domain is not buried meanwhile.
 */
void domain_pause(struct domain *d);
void domain_unpause(struct domain *d);
/*
 * Frees everything of a DYING (all vCPUs gone) or BUILDING domain, and the domain itself when the
 * last reference and the last page that others hold are gone. Thread context: passes preemption
 * points.
 */
void domain_destroy(struct domain *d);
/* p2m_audit(), and what the hypercall layer keeps compared with the P2M: the number of breaches. */
unsigned domain_audit(struct domain *d);
/* What is left to tell of a domain when its pages are back. */
struct domain_obituary {
    hv_domid_t id;
    char name[DOMAIN_NAME_MAX];
    enum shutdown_reason reason;
    const struct guest_config *config;
};
/*
 * From the domain thread, for common/boot (restart policy): `keep` is asked when a domain's vCPUs
 * are gone, and with true it stays as it is, for good; else `hook` is told when it is no more.
 */
void domain_set_death_hook(void (*hook)(const struct domain_obituary *o),
                           bool (*keep)(const struct domain *d));
/* One that was kept goes after all. Domain thread. */
void domain_bury_kept(struct domain *d);

/* The scheduler says that one more vCPU of a DYING domain has left its stack for ever. */
void domain_vcpu_gone(struct domain *d);
/* Starts the thread that buries domains; after sched_init_cpu(). */
void domains_init(void);

/* Runs fn in the domain thread, soon. False: another call waits there. */
bool domains_call(void (*fn)(void));
/* Each domain that was started and is not buried. Domain thread only: so none goes away meanwhile.
 */
void domains_for_each(void (*fn)(struct domain *d));

/*
 * The domain of that number, with a reference that domain_put() drops; NULL: none. It keeps the
 * struct, its lock for pages and its hypercall state (domain_abi), not its memory: whoever uses
 * that has to see, under a lock of its own, that the domain is not being destroyed. domain_put()
 * may be called with locks up to RANK_P2M held.
 */
struct domain *domain_get(hv_domid_t id) __must_check;
void domain_put(struct domain *d);
/* One more reference for who has one. */
static inline void domain_hold(struct domain *d) {
    __atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
}
/* No reference is taken: for the thread that buries domains and for messages. NULL: none. */
struct domain *domain_by_id(hv_domid_t id);
/* One line for the domain's log, rate-limited: "(HF) d1: ..." */
void domain_log(struct domain *d, const char *fmt, ...) __printf(2, 3);

#endif
