/* What lies below the builder of domains, as far as a check needs it: memory is counted and not
 * touched, devices are noted and not programmed. */
#include "check.h"

#include <hv/bits.h>
#include <hv/cpu.h>
#include <hv/errno.h>
#include <hv/events.h>
#include <hv/fdt.h>
#include <hv/gic.h>
#include <hv/guest_config.h>
#include <hv/guest_map.h>
#include <hv/hypercall.h>
#include <hv/mm.h>
#include <hv/modules.h>
#include <hv/page.h>
#include <hv/pci.h>
#include <hv/percpu.h>
#include <hv/printk.h>
#include <hv/restart.h>
#include <hv/string.h>
#include <hv/vpci.h>
#include <hv/vpl011.h>

#include <asm/features.h>

#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/core/iommu_internal.h"
#include "../../common/mm/boot_mem.h"

/* ---- memory ---- */

#define SCRATCH 0x1000u /* where every page of guests' RAM is */
static uint8_t scratch[PAGE_SIZE] __attribute__((aligned(4096)));
uint8_t check_frame_table[2 * sizeof(struct page_info)] __attribute__((aligned(64)));

static struct {
    uint64_t at, size;
    uint8_t *bytes;
} files[MODULES_MAX + 1];
static unsigned nr_files;
static uint64_t pages_taken;

bool world_add_file(uint64_t at, void *bytes, uint64_t size) {
    for (unsigned i = 0; i < nr_files; i++)
        if (at < files[i].at + files[i].size && files[i].at < at + size)
            return false;
    if (nr_files == ARRAY_SIZE(files))
        return false;
    files[nr_files].at = at;
    files[nr_files].size = size;
    files[nr_files++].bytes = bytes;
    return true;
}

/* A module of the tree that no file was named for reads as zeros of its size. */
void *phys_to_virt(paddr_t pa) {
    for (unsigned i = 0; i < nr_files; i++)
        if (pa.pa >= files[i].at && pa.pa - files[i].at < files[i].size)
            return files[i].bytes + (pa.pa - files[i].at);
    return scratch;
}

paddr_t virt_to_phys(const void *va) {
    (void)va;
    return paddr(SCRATCH);
}

uint64_t heap_free_pages(void) {
    uint64_t free = 0;
    struct mem_range r;

    for (unsigned i = 0; boot_mem_free_range(i, &r); i++)
        free += (r.end - r.start) >> PAGE_SHIFT;
    return free > pages_taken ? free - pages_taken : 0;
}

void world_take_overhead(void) {
    paddr_t start;
    uint64_t size, ram = 0;

    for (unsigned i = 0; boot_mem_bank(i, &start, &size); i++)
        ram += size;
    pages_taken += (ram >> PAGE_SHIFT) / 128 + 256;
}

struct page_info *heap_alloc(unsigned order) {
    pages_taken += 1ULL << order;
    return (struct page_info *)check_frame_table;
}
struct page_info *domain_take_static(struct domain_pages *owner, mfn_t m) {
    (void)owner;
    (void)m;
    return (struct page_info *)check_frame_table;
}
void domain_pages_init(struct domain_pages *p, uint16_t domid, uint64_t max_pages) {
    *p = (struct domain_pages){.domid = domid, .max_pages = max_pages};
    page_list_init(&p->pages);
}
int domain_assign_pages(struct domain_pages *owner, struct page_info *page, unsigned order) {
    (void)owner;
    (void)page;
    (void)order;
    return 0;
}
int domain_add_static(struct domain_pages *owner, mfn_t m, uint64_t nr, mfn_t *bad) {
    (void)m;
    (void)bad;
    owner->has_static = true;
    owner->reserve_pages += nr;
    return 0;
}
void page_last_put(struct page_info *page) {
    (void)page;
}
void *hv_zalloc(size_t size) {
    return calloc(1, size);
}
void hv_free(void *p) {
    free(p);
}
volatile void *ioremap(paddr_t pa, uint64_t size) {
    volatile uint8_t *p = malloc(size);

    /* Configuration space of a bridge with nothing behind it. */
    (void)pa;
    if (p)
        memset((void *)p, 0xff, size);
    return p;
}
void iounmap(volatile void *va, uint64_t size) {
    (void)size;
    free((void *)va);
}
bool ioremap_overlaps(paddr_t pa, uint64_t size) {
    (void)pa;
    (void)size;
    return false;
}
void (*mm_preempt_hook)(void);
void preempt_point(void) {
}

/* ---- what domains have ---- */

static struct given given[4096];
static unsigned nr_given;

static void note(const struct given *g) {
    if (nr_given == ARRAY_SIZE(given))
        panic("more than %u things are given to domains", (unsigned)ARRAY_SIZE(given));
    given[nr_given++] = *g;
}
bool world_given(unsigned i, struct given *out) {
    if (i < nr_given)
        *out = given[i];
    return i < nr_given;
}

#define DOMAIN_OF(p2m_ptr) container_of(p2m_ptr, struct domain, p2m)

int p2m_populate_some(struct p2m *p2m, gfn_t g, uint64_t nr, uint64_t *done) {
    struct domain *d = DOMAIN_OF(p2m);

    (void)done;
    if (nr)
        note(&(struct given){d, GIVEN_RAM, g.gfn << PAGE_SHIFT, 0, nr << PAGE_SHIFT, "RAM"});
    if (!d->pages.has_static)
        pages_taken += nr;
    return 0;
}
int p2m_map_mmio(struct p2m *p2m, gfn_t g, mfn_t m, uint64_t nr) {
    note(&(struct given){DOMAIN_OF(p2m), GIVEN_REGISTERS, g.gfn << PAGE_SHIFT, m.mfn << PAGE_SHIFT,
                         nr << PAGE_SHIFT, "registers"});
    return 0;
}
int p2m_map(struct p2m *p2m, gfn_t g, mfn_t m, unsigned order, enum p2m_type t) {
    (void)p2m;
    (void)g;
    (void)m;
    (void)order;
    (void)t;
    return 0;
}
void p2m_clear_page(void *va) {
    (void)va;
}
mfn_t p2m_lookup(struct p2m *p2m, gfn_t g, enum p2m_type *t, unsigned *order) {
    uint64_t at = g.gfn << PAGE_SHIFT;

    *order = 0;
    for (unsigned i = 0; i < nr_given; i++)
        if (given[i].d == DOMAIN_OF(p2m) && given[i].kind <= GIVEN_REGISTERS &&
            at >= given[i].guest && at - given[i].guest < given[i].size) {
            *t = given[i].kind == GIVEN_RAM ? P2M_RAM_RW : P2M_MMIO_DIRECT;
            return mfn(SCRATCH >> PAGE_SHIFT);
        }
    *t = P2M_INVALID;
    return INVALID_MFN;
}
/* About as many as the real one takes. */
uint32_t p2m_pool_size_for(uint64_t mem_bytes, unsigned vcpus) {
    return 16 + vcpus + (uint32_t)(mem_bytes >> 21);
}
int domain_give_mmio(struct domain *d, mfn_t m, uint64_t nr) {
    (void)d;
    (void)m;
    (void)nr;
    return 0;
}
int vgic_map_hw(struct domain *d, struct vcpu *v, unsigned intid, unsigned phys_irq) {
    (void)v;
    (void)intid;
    note(&(struct given){d, GIVEN_INTERRUPT, 0, phys_irq, 1, "interrupt"});
    return 0;
}
void vgic_unmap_hw(struct domain *d, struct vcpu *v, unsigned intid) {
    (void)d;
    (void)v;
    (void)intid;
}
void vgic_set_level(struct domain *d, struct vcpu *v, unsigned intid, bool level) {
    (void)d;
    (void)v;
    (void)intid;
    (void)level;
}

/* ---- domains ---- */

static struct domain *domains[GUESTS_MAX];
static unsigned nr_domains;

const struct domain *world_domain(unsigned i) {
    return i < nr_domains ? domains[i] : NULL;
}
struct domain *domain_create(const char *name, hv_domid_t id, unsigned vcpus, unsigned nr_spis,
                             uint32_t p2m_pool_pages, uint64_t max_pages, int *err) {
    struct domain *d = calloc(1, sizeof(*d));

    (void)nr_spis;
    (void)max_pages;
    *err = 0;
    d->id = id;
    hv_strlcpy(d->name, name, sizeof(d->name));
    d->max_vcpus = vcpus;
    d->vcpus = calloc(vcpus, sizeof(*d->vcpus));
    for (unsigned i = 0; i < vcpus; i++)
        d->vcpus[i] = calloc(1, sizeof(**d->vcpus));
    d->p2m.pt.addr_bits = 48;
    pages_taken += p2m_pool_pages;
    return d;
}
/* A domain that is refused while it is built gives everything back; its address stays its own. */
void domain_destroy(struct domain *d) {
    for (unsigned i = 0; i < nr_given; i++)
        if (given[i].d == d)
            given[i].d = NULL;
}
void domain_start(struct domain *d) {
    domains[nr_domains++] = d;
}
void vcpu_set_entry(struct vcpu *v, uint64_t pc, uint64_t x0, bool aarch32) {
    (void)v;
    (void)pc;
    (void)x0;
    (void)aarch32;
}
void vcpu_set_reg(struct vcpu *v, unsigned n, uint64_t val) {
    (void)v;
    (void)n;
    (void)val;
}
int vpl011_init(struct domain *d, unsigned intid) {
    (void)intid;
    d->mmio.range[d->mmio.count++] =
        (struct mmio_range){.start = GUEST_PL011_BASE, .end = GUEST_PL011_BASE + PAGE_SIZE};
    return 0;
}
int abi_pv_console_init(struct domain *d) {
    (void)d;
    return 0;
}
void abi_console_keys(struct domain *d) {
    (void)d;
}
int evtchn_make_static(struct domain *d, uint32_t port, hv_domid_t remote, uint32_t remote_port) {
    (void)remote;
    (void)remote_port;
    return port <= d->max_evtchn_port ? 0 : -EINVAL;
}
struct vcpu *hv_thread_create(void (*fn)(void *), void *arg) {
    static struct vcpu thread;

    fn(arg);
    return &thread;
}
void restart_init(void) {
}
void restart_boot_done(void) {
}
void restart_domain_alive(void) {
}

/* ---- CPUs and pools ---- */

unsigned nr_cpus, nr_online;
static uint64_t mpidrs[MAX_CPUS];
struct cpu_features cpu_features = {.aarch64_el1 = true, .aarch32_el1 = true};

bool cpu_is_online(unsigned cpu) {
    return cpu < nr_cpus;
}
int cpu_from_mpidr(uint64_t mpidr) {
    for (unsigned i = 0; i < nr_cpus; i++)
        if (mpidrs[i] == mpidr)
            return (int)i;
    return -1;
}

struct cpupool {
    char name[32];
    struct cpumask cpus;
    enum sched_policy policy;
    unsigned used;
};
static struct cpupool pools[33] = {{.name = "default"}};
static unsigned nr_pools = 1;

int cpupool_create(const char *name, const struct cpumask *cpus, enum sched_policy policy,
                   struct cpupool **pool) {
    for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
        if (cpumask_has(cpus, cpu) && !cpumask_has(&pools[0].cpus, cpu))
            return -EBUSY;
    for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
        if (cpumask_has(cpus, cpu))
            cpumask_remove(&pools[0].cpus, cpu);
    *pool = &pools[nr_pools++];
    hv_strlcpy((*pool)->name, name, sizeof((*pool)->name));
    (*pool)->cpus = *cpus;
    (*pool)->policy = policy;
    return 0;
}
const char *cpupool_name(const struct cpupool *p) {
    return p->name;
}
const struct cpumask *cpupool_cpus(const struct cpupool *p) {
    return &p->cpus;
}
void sched_params_init(struct sched_params *p) {
    *p = (struct sched_params){.pool = &pools[0], .weight = SCHED_WEIGHT_USUAL};
    cpumask_fill(&p->hard);
}
/* A pool of the null policy has a CPU for each of so many vCPUs. */
int sched_configure(struct vcpu *v, const struct sched_params *p) {
    unsigned cpus = 0;

    (void)v;
    for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
        cpus += cpumask_has(&p->pool->cpus, cpu);
    return !cpus || (p->pool->policy == SCHED_NULL && p->pool->used++ >= cpus) ? -ENOSPC : 0;
}

/* ---- IOMMUs ---- */

struct iommu *iommus[IOMMU_MAX];
unsigned nr_iommus;

unsigned iommu_count(void) {
    return nr_iommus;
}

int iommu_domain_create(struct p2m *p2m, enum iommu_mode mode, struct iommu_domain **out) {
    (void)mode;
    *out = calloc(1, sizeof(**out));
    (*out)->p2m = p2m;
    return 0;
}
void iommu_domain_destroy(struct iommu_domain *dom) {
    free(dom);
}
int iommu_attach(struct iommu_domain *dom, const struct iommu_streams *s,
                 enum iommu_fault_policy policy) {
    (void)policy;
    for (unsigned i = 0; i < nr_given; i++)
        if (given[i].d && given[i].kind == GIVEN_STREAMS && given[i].what == s->iommu->name &&
            s->first < given[i].host + given[i].size && given[i].host < s->first + s->count)
            return -EBUSY;
    note(
        &(struct given){DOMAIN_OF(dom->p2m), GIVEN_STREAMS, 0, s->first, s->count, s->iommu->name});
    return 0;
}

/* ---- PCI functions: what they are is known on the machine only ---- */

int pci_function_open(struct pci_host *h, uint32_t rid, struct pci_function **out) {
    *out = calloc(1, sizeof(**out));
    (*out)->host = h;
    (*out)->devfn = rid & 0xff;
    return 0;
}
/* Most functions have one interrupt, INTA. */
uint32_t pci_function_read(const struct pci_function *f, unsigned reg) {
    (void)f;
    return reg == PCI_INTERRUPT ? 1u << 8 : 0;
}
/* As if it stood on the first bus. */
uint32_t pci_function_pin(const struct pci_function *f, unsigned *pin) {
    uint32_t first, count;

    (void)pin;
    pci_host_rids(f->host, &first, &count);
    return first | f->devfn;
}
void pci_function_reset(struct pci_function *f) {
    (void)f;
}
int pci_host_reset(struct pci_host *h) {
    (void)h;
    return 0;
}
int vpci_add(struct domain *d, struct pci_function *f, unsigned intid, enum irq_trigger trigger) {
    (void)d;
    (void)f;
    (void)intid;
    (void)trigger;
    return 0;
}
bool vpci_slot(const struct domain *d, unsigned i, unsigned *intid, enum irq_trigger *trigger) {
    (void)d;
    (void)i;
    (void)intid;
    (void)trigger;
    return false;
}
void vpci_destroy(struct domain *d) {
    (void)d;
}

/* ---- the machine ---- */

DEFINE_PER_CPU(uint32_t, cpu_number);
static struct vgic_hw_ops gic = {.version = 2};
const struct vgic_hw_ops *vgic_hw = &gic;

unsigned vgic_max_vcpus(void) {
    return gic.version == 3 ? MAX_VCPUS : 8;
}

static void nothing(uint32_t irq) {
    (void)irq;
}
static void no_trigger(uint32_t irq, enum irq_trigger t) {
    (void)irq;
    (void)t;
}
static void no_target(uint32_t irq, unsigned cpu) {
    (void)irq;
    (void)cpu;
}
static void no_state(uint32_t irq, bool on) {
    (void)irq;
    (void)on;
}
static void no_cpu(void) {
}
static const struct irq_chip chip = {.nr_irqs = NR_IRQS,
                                     .init_cpu = no_cpu,
                                     .enable = nothing,
                                     .disable = nothing,
                                     .set_trigger = no_trigger,
                                     .set_target = no_target,
                                     .set_active = no_state,
                                     .set_pending = no_state};
void cpu_stop_self(void) {
    abort();
}

static void find_cpus(const void *fdt) {
    int cpus = fdt_path_offset(fdt, "/cpus"), node;
    uint64_t none;
    unsigned ac, sc;

    if (cpus < 0)
        return;
    fdt_cells(fdt, cpus, &ac, &sc);
    fdt_for_each_subnode(node, fdt, cpus) {
        const char *type;

        if (nr_cpus < MAX_CPUS && !fdt_str(fdt, node, "device_type", &type) &&
            !strcmp(type, "cpu") && fdt_enabled(fdt, node) &&
            !fdt_reg_raw(fdt, node, 0, ac, 0, &mpidrs[nr_cpus], &none))
            cpumask_add(&pools[0].cpus, nr_cpus++);
    }
    nr_online = nr_cpus;
}

static void find_iommus(const void *fdt) {
    int node = -1;

    while ((node = fdt_next_compatible(fdt, node, "arm,smmu-v3")) >= 0 && nr_iommus < IOMMU_MAX) {
        struct iommu *iommu = calloc(1, sizeof(*iommu));

        iommu->name = fdt_get_name(fdt, node, NULL);
        iommu->phandle = fdt_get_phandle(fdt, node);
        iommu->stage2 = true;
        iommu->stream_end = ~0u;
        iommus[nr_iommus++] = iommu;
    }
}

void world_init(const void *fdt) {
    if (fdt_next_compatible(fdt, -1, "arm,gic-v3") >= 0)
        gic.version = 3;
    irq_init(&chip);
    find_cpus(fdt);
    find_iommus(fdt);
}
