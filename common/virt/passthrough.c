/* Who has which device of the machine: claims on registers, interrupts and nodes, each made once.
 */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/domain_mmio.h>
#include <hv/fdt.h>
#include <hv/guest_map.h>
#include <hv/iommu.h>
#include <hv/list.h>
#include <hv/mm.h>
#include <hv/passthrough.h>
#include <hv/pci.h>
#include <hv/printk.h>
#include <hv/string.h>
#include <hv/vpci.h>

#include <libfdt.h>

enum claim_kind {
    CLAIM_MMIO, /* frames */
    CLAIM_SPI,  /* an INTID */
    CLAIM_NODE, /* an offset in the host's tree */
    CLAIM_PCI,  /* host bridge's node << 16 | requester ID: one of them, or all */
};
#define PCI_CLAIM(node, rid) ((uint64_t)(unsigned)(node) << 16 | (rid))

struct claim {
    struct list link;
    struct domain *domain; /* NULL: Holdfast keeps it */
    enum claim_kind kind;
    uint64_t first, last;
};

static const void *host; /* the machine's tree */
/* Claims are few, and made and looked at only when a domain is built or buried. */
static spinlock_t claims_lock = SPINLOCK_INIT(RANK_PASSTHROUGH, "passthrough");
static struct list claims = LIST_INIT(claims);

int passthrough_refuse(struct passthrough_why *why, const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    hv_vsnprintf(why->text, sizeof(why->text), fmt, ap);
    va_end(ap);
    return -EINVAL;
}

/* ---- claims ---- */

static struct claim *find_locked(enum claim_kind kind, uint64_t first, uint64_t last) {
    ASSERT(spin_is_held(&claims_lock));
    list_for_each(e, &claims) {
        struct claim *c = list_entry(e, struct claim, link);

        if (c->kind == kind && c->first <= last && first <= c->last)
            return c;
    }
    return NULL;
}

/* Who has what was asked for. */
struct owner {
    hv_domid_t id; /* DOMID_HOLDFAST: none of the domains */
    char name[DOMAIN_NAME_MAX];
};
#define DOMID_HOLDFAST 0xffffu

static void note_owner(const struct domain *d, struct owner *owner) {
    owner->id = d ? d->id : DOMID_HOLDFAST;
    hv_strlcpy(owner->name, d ? d->name : "", sizeof(owner->name));
}

/* 0 and *out; -EBUSY and *owner; -ENOMEM. */
static int claim(struct domain *d, enum claim_kind kind, uint64_t first, uint64_t last,
                 struct claim **out, struct owner *owner) {
    struct claim *c = hv_zalloc(sizeof(*c)), *other;

    if (!c)
        return -ENOMEM;
    *c = (struct claim){.domain = d, .kind = kind, .first = first, .last = last};
    spin_lock(&claims_lock);
    other = find_locked(kind, first, last);
    if (!other)
        list_append(&claims, &c->link);
    else
        note_owner(other->domain, owner);
    spin_unlock(&claims_lock);
    if (!other) {
        *out = c;
        return 0;
    }
    hv_free(c);
    return -EBUSY;
}

static void drop(struct claim *c) {
    spin_lock(&claims_lock);
    list_del(&c->link);
    spin_unlock(&claims_lock);
    hv_free(c);
}

/* The next claim of a domain of that kind after *at (NULL: the first one). Nobody else removes it.
 */
static struct claim *next_claim(const struct domain *d, enum claim_kind kind, struct claim *after) {
    struct claim *found = NULL;

    spin_lock(&claims_lock);
    for (struct list *e = after ? after->link.next : claims.next; e != &claims; e = e->next) {
        struct claim *c = list_entry(e, struct claim, link);

        if (c->domain == d && c->kind == kind) {
            found = c;
            break;
        }
    }
    spin_unlock(&claims_lock);
    return found;
}

static int not_free(const char *what, int rc, const struct owner *owner,
                    struct passthrough_why *why) {
    if (rc == -ENOMEM)
        return passthrough_refuse(why, "expected memory to note it");
    if (owner->id == DOMID_HOLDFAST)
        return passthrough_refuse(why, "expected %s that Holdfast does not need itself", what);
    return passthrough_refuse(why, "expected %s nobody else has, domain %s was given it", what,
                              owner->name);
}

/* ---- what Holdfast keeps ---- */

static void keep_registers(int node) {
    struct owner owner;
    uint64_t start, size;
    struct claim *c;

    for (unsigned i = 0; !fdt_reg(host, node, i, &start, &size); i++) {
        uint64_t last = start + size - 1;

        if (size &&
            claim(NULL, CLAIM_MMIO, start >> PAGE_SHIFT, last >> PAGE_SHIFT, &c, &owner) == -ENOMEM)
            panic("no memory to note which registers are ours");
    }
}

/* Also what has no driver here: an ITS or a doorbell frame reaches every domain's interrupts. */
void passthrough_init(const void *fdt) {
    static const char *const kept[] = {
        "arm,gic-v3",         "arm,gic-v3-its",      "arm,gic-400",
        "arm,cortex-a15-gic", "arm,cortex-a7-gic",   "arm,gic-v2m-frame",
        "arm,smmu-v3",        "arm,armv7-timer-mem", "qemu,fw-cfg-mmio"};

    host = fdt;
    for (unsigned i = 0; i < ARRAY_SIZE(kept); i++) {
        int node = -1;

        while ((node = fdt_node_offset_by_compatible(fdt, node, kept[i])) >= 0)
            keep_registers(node);
    }
}

/* ---- registers ---- */

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size) {
    return a < b + b_size && b < a + a_size;
}

/* Of the machine, also what firmware keeps from us. */
static bool touches_memory(uint64_t start, uint64_t size) {
    uint64_t base, n;
    int node;

    fdt_for_each_subnode(node, host, 0) {
        const char *type;

        if (fdt_str(host, node, "device_type", &type) || strcmp(type, "memory"))
            continue;
        for (unsigned i = 0; !fdt_reg(host, node, i, &base, &n); i++)
            if (overlaps(start, size, base, n))
                return true;
    }
    return false;
}

/* What the guest finds there besides: its memory, and what is emulated or comes later. */
static bool guest_place_taken(struct domain *d, uint64_t guest, uint64_t size) {
    uint64_t end = guest + size;

    if (overlaps(guest, size, GUEST_GNTTAB_BASE, GUEST_GNTTAB_SIZE) ||
        overlaps(guest, size, GUEST_MAGIC_BASE, GUEST_MAGIC_SIZE))
        return true;
    for (unsigned i = 0; i < d->mmio.count; i++)
        if (d->mmio.range[i].start < end && guest < d->mmio.range[i].end)
            return true;
    while (guest < end) {
        enum p2m_type t;
        unsigned order;

        if (!mfn_eq(p2m_lookup(&d->p2m, ipaddr_to_gfn(ipaddr(guest)), &t, &order), INVALID_MFN))
            return true;
        guest = (guest | ((PAGE_SIZE << order) - 1)) + 1;
        preempt_point();
    }
    return false;
}

int passthrough_give_mmio(struct domain *d, uint64_t at, uint64_t guest, uint64_t size,
                          struct passthrough_why *why) {
    uint64_t frames = size >> PAGE_SHIFT;
    struct owner owner;
    mfn_t m = mfn(at >> PAGE_SHIFT);
    struct claim *c;
    int rc;

    if (!size || !IS_ALIGNED(at | guest | size, PAGE_SIZE))
        return passthrough_refuse(why, "expected whole pages, got 0x%llx, 0x%llx bytes, at 0x%llx",
                                  (unsigned long long)at, (unsigned long long)size,
                                  (unsigned long long)guest);
    if (at + size < at || (at + size) >> 48 || guest + size < guest ||
        (guest + size - 1) >> PAGE_SHIFT >= p2m_gfn_limit(&d->p2m))
        return passthrough_refuse(why, "expected a range this machine can address");
    if (touches_memory(at, size))
        return passthrough_refuse(why, "expected registers, 0x%llx is memory of the machine",
                                  (unsigned long long)at);
    if (ioremap_overlaps(paddr(at), size))
        return passthrough_refuse(why, "expected registers that Holdfast does not need itself");
    if (guest_place_taken(d, guest, size))
        return passthrough_refuse(why, "expected a free place for the guest, 0x%llx is not",
                                  (unsigned long long)guest);
    rc = claim(d, CLAIM_MMIO, m.mfn, m.mfn + frames - 1, &c, &owner);
    if (rc)
        return not_free("registers", rc, &owner, why);
    rc = p2m_map_mmio(&d->p2m, ipaddr_to_gfn(ipaddr(guest)), m, frames);
    if (!rc)
        rc = domain_give_mmio(d, m, frames);
    if (rc) /* what is mapped goes with the domain, which cannot be built */
        return passthrough_refuse(why, "cannot be mapped, error %d", rc);
    return 0;
}

/* ---- interrupts ---- */

/* Left active for the guest: its end of interrupt is the physical one. */
static enum irq_result to_guest(unsigned irq, void *arg) {
    struct claim *c = arg;

    vgic_set_level(c->domain, NULL, irq, true);
    return IRQ_TO_GUEST;
}

int passthrough_give_irq(struct domain *d, unsigned irq, enum irq_trigger trigger,
                         struct passthrough_why *why) {
    struct owner owner;
    struct claim *c;
    int rc;

    if (irq < 32)
        return passthrough_refuse(why, "expected shared interrupts, got PPI %u", irq - 16);
    rc = claim(d, CLAIM_SPI, irq, irq, &c, &owner);
    if (rc == -EBUSY && owner.id == d->id)
        return 0;
    if (rc)
        return not_free("an interrupt", rc, &owner, why);
    rc = vgic_map_hw(d, NULL, irq, irq);
    if (!rc) {
        rc = irq_request(irq, trigger, to_guest, c, d->name);
        if (!rc)
            return 0;
        vgic_unmap_hw(d, NULL, irq);
    }
    drop(c);
    if (rc == -EBUSY)
        return passthrough_refuse(why, "expected an interrupt Holdfast does not need, got SPI %u",
                                  irq - 32);
    return passthrough_refuse(why, "expected an SPI this machine has, got %u", irq - 32);
}

static void take_irq_back(struct domain *d, unsigned irq) {
    irq_release(irq);
    vgic_unmap_hw(d, NULL, irq);
    /* Also what the guest had not taken, or not ended. */
    irq_chip->set_pending(irq, false);
    irq_chip->set_active(irq, false);
}

/* ---- DMA ---- */

static int dma_why(int rc, struct passthrough_why *why) {
    switch (rc) {
    case -ENODEV:
        return passthrough_refuse(why, "expected an IOMMU that translates stage 2 (SMMUv3), there "
                                       "is none for it");
    case -ENOENT:
        return passthrough_refuse(why, "expected a device behind an IOMMU (iommus or iommu-map), "
                                       "or xen,force-assign-without-iommu");
    case -EBUSY:
        return passthrough_refuse(why, "expected a device whose DMA stream is nobody else's");
    case -ERANGE:
        return passthrough_refuse(why, "expected addresses and streams that its IOMMU has");
    default:
        return passthrough_refuse(why, "cannot be put behind its IOMMU, error %d", rc);
    }
}

static int attach(struct domain *d, const struct iommu_streams *streams,
                  enum iommu_fault_policy faults) {
    int rc = d->iommu ? 0 : iommu_domain_create(&d->p2m, d->iommu_mode, &d->iommu);

    return rc ? rc : iommu_attach(d->iommu, streams, faults);
}

/* Everything a bridge can send as: its functions' numbers change as the guest numbers its buses. */
static int attach_bridge(struct domain *d, const struct pci_host *h, int node,
                         enum iommu_fault_policy faults) {
    struct iommu_streams s;
    uint32_t rid, left;
    int rc;

    pci_host_rids(h, &rid, &left);
    for (; left; rid += s.count, left -= s.count) {
        rc = iommu_streams_of_rid(host, node, rid, left, &s);
        if (!rc)
            rc = attach(d, &s, faults);
        if (rc)
            return rc;
    }
    return 0;
}

static int attach_node(struct domain *d, int node, enum iommu_fault_policy faults) {
    struct iommu_streams s;
    unsigned i;
    int rc = 0;

    for (i = 0; !rc; i++) {
        rc = iommu_streams_of_node(host, node, i, &s);
        if (!rc)
            rc = attach(d, &s, faults);
    }
    return rc == -ENOENT && i > 1 ? 0 : rc;
}

/* ---- whole nodes ---- */

int passthrough_node_irq(int node, unsigned index, unsigned *irq, enum irq_trigger *trigger) {
    struct pci_intx line;
    int rc;

    if (!pci_host_of_node(node))
        return irq_from_fdt(host, node, index, irq, trigger);
    rc = pci_intx_from_fdt(host, node, index, &line);
    if (rc)
        return rc;
    *irq = line.irq;
    *trigger = line.trigger;
    return 0;
}

static int give_irqs(struct domain *d, int node, struct passthrough_why *why) {
    enum irq_trigger trigger;
    unsigned irq;
    int rc;

    for (unsigned i = 0; !(rc = passthrough_node_irq(node, i, &irq, &trigger)); i++) {
        rc = passthrough_give_irq(d, irq, trigger, why);
        if (rc)
            return rc;
    }
    return rc == -ENOENT ? 0 : passthrough_refuse(why, "expected interrupts of the machine's GIC");
}

int passthrough_give_node(struct domain *d, int node, bool force, enum iommu_fault_policy faults,
                          struct passthrough_why *why) {
    struct pci_host *h = pci_host_of_node(node);
    struct owner owner;
    struct claim *c;
    int rc = h ? claim(d, CLAIM_PCI, PCI_CLAIM(node, 0), PCI_CLAIM(node, 0xffff), &c, &owner)
               : claim(d, CLAIM_NODE, (uint64_t)node, (uint64_t)node, &c, &owner);

    if (rc)
        return not_free("a device", rc, &owner, why);
    if (h && pci_host_reset(h))
        return passthrough_refuse(why, "expected memory to reach its configuration space");
    rc = give_irqs(d, node, why);
    if (rc)
        return rc;
    rc = h ? attach_bridge(d, h, node, faults) : attach_node(d, node, faults);
    if (rc == -ENOENT && force)
        return 0;
    return rc ? dma_why(rc, why) : 0;
}

/* ---- single PCI functions ---- */

static int open_why(int rc, struct passthrough_why *why) {
    switch (rc) {
    case -ENODEV:
        return passthrough_refuse(why, "expected a PCI function that is there");
    case -EINVAL:
        return passthrough_refuse(why, "expected a device, got a bridge");
    case -EXDEV:
        return passthrough_refuse(why, "expected a device behind PCI Express alone: one behind a "
                                       "PCI bridge goes only with the whole host bridge");
    case -ENOSPC:
        return passthrough_refuse(why, "expected BARs that fit into the bridge's 32-bit window");
    default:
        return passthrough_refuse(why, "expected memory to reach its configuration space");
    }
}

/* The guest maps them itself. */
static int give_bars(struct domain *d, const struct pci_function *f, struct passthrough_why *why) {
    struct owner owner;
    struct claim *c;

    for (unsigned i = 0; i < PCI_BARS; i++) {
        uint64_t nr = DIV_ROUND_UP(f->bar[i].size, PAGE_SIZE), first = f->bar[i].cpu >> PAGE_SHIFT;
        int rc;

        if (!nr)
            continue;
        rc = claim(d, CLAIM_MMIO, first, first + nr - 1, &c, &owner);
        if (rc)
            return not_free("BARs", rc, &owner, why);
        if (domain_give_mmio(d, mfn(first), nr))
            return passthrough_refuse(why, "expected memory to note its BARs");
    }
    return 0;
}

/* *intid 0: it has no pin. */
static int give_intx(struct domain *d, const struct pci_function *f, struct pci_intx *line,
                     struct passthrough_why *why) {
    unsigned pin = pci_function_read(f, PCI_INTERRUPT) >> 8 & 0xff;
    uint32_t rid;

    *line = (struct pci_intx){.irq = 0};
    if (!pin)
        return 0;
    rid = pci_function_pin(f, &pin);
    if (pci_intx_of_function(host, pci_host_node(f->host), rid, pin, line))
        return passthrough_refuse(why, "expected its pin in the bridge's interrupt-map");
    return passthrough_give_irq(d, line->irq, line->trigger, why);
}

static int attach_function(struct domain *d, const struct pci_function *f, uint32_t rid,
                           enum iommu_fault_policy faults) {
    struct iommu_streams s;
    int rc = iommu_streams_of_rid(host, pci_host_node(f->host), rid, 1, &s);

    return rc ? rc : attach(d, &s, faults);
}

int passthrough_give_function(struct domain *d, uint32_t segment, uint32_t rid,
                              enum iommu_fault_policy faults, struct passthrough_why *why) {
    struct pci_host *h = pci_host_of_segment(segment);
    struct pci_function *f;
    struct pci_intx line;
    struct owner owner;
    struct claim *c;
    int rc;

    if (!h)
        return passthrough_refuse(why, "expected a PCI segment that is there, got %04x", segment);
    rid &= 0xffff;
    rc = claim(d, CLAIM_PCI, PCI_CLAIM(pci_host_node(h), rid), PCI_CLAIM(pci_host_node(h), rid), &c,
               &owner);
    if (rc)
        return not_free("a PCI function", rc, &owner, why);
    rc = pci_function_open(h, rid, &f);
    if (rc)
        return open_why(rc, why);
    pci_function_reset(f);
    rc = give_bars(d, f, why);
    if (!rc)
        rc = give_intx(d, f, &line, why);
    if (rc)
        return rc;
    rc = attach_function(d, f, rid, faults);
    if (rc)
        return dma_why(rc, why);
    rc = vpci_add(d, f, line.irq, line.trigger);
    return rc ? passthrough_refuse(why, "expected at most %u functions, and room for them",
                                   VPCI_SLOTS)
              : 0;
}

/* ---- the end ---- */

static int reset_pci(const struct claim *c) {
    struct pci_host *h = pci_host_of_node((int)(c->first >> 16));
    struct pci_function *f;

    if (c->first != c->last)
        return pci_host_reset(h);
    /* One that is there was opened before. */
    if (!pci_function_open(h, c->first & 0xffff, &f))
        pci_function_reset(f);
    return 0;
}

void passthrough_stop(struct domain *d) {
    struct claim *c = NULL;

    while ((c = next_claim(d, CLAIM_PCI, c)))
        if (reset_pci(c))
            printk("warning: d%u: no memory to stop its PCI devices, only their DMA is\n", d->id);
    iommu_domain_destroy(d->iommu);
    d->iommu = NULL;
    for (c = NULL; (c = next_claim(d, CLAIM_SPI, c));)
        take_irq_back(d, (unsigned)c->first);
}

void passthrough_release(struct domain *d) {
    vpci_destroy(d);
    for (unsigned kind = CLAIM_MMIO; kind <= CLAIM_PCI; kind++) {
        struct claim *c;

        while ((c = next_claim(d, kind, NULL)))
            drop(c);
    }
}
