/* The emulated configuration space of a domain's own PCI bridge. */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guest_map.h>
#include <hv/mm.h>
#include <hv/pci.h>
#include <hv/vpci.h>

struct vpci_function {
    struct pci_function *f;
    unsigned intid; /* 0: none */
    enum irq_trigger trigger;
    uint16_t command;          /* as the guest has set it */
    uint8_t line;              /* the register that only remembers */
    uint64_t bar[PCI_BARS];    /* the guest's addresses, without flags */
    uint64_t mapped[PCI_BARS]; /* where the BAR is mapped; 0: nowhere */
    unsigned express, express_end;
};

struct vpci {
    struct domain *domain;
    spinlock_t lock; /* RANK_VPCI; for `busy` */
    bool busy;       /* a vCPU is at one of its registers */
    unsigned count;  /* fixed when the domain runs */
    struct vpci_function slot[VPCI_SLOTS];
};

#define COMMAND_GUEST                                                                              \
    (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR |             \
     PCI_COMMAND_INTX_OFF)
#define STATUS_SHOWN 0xf908u   /* errors, and whether INTx is asserted */
#define STATUS_CLEARED 0xf900u /* by writing ones */

/* Length of the PCI Express capability, by its version (PCIe 7.5.3). */
#define EXPRESS_V1_SIZE 0x14u
#define EXPRESS_V2_SIZE 0x3cu
#define EXPRESS_DEVICE_CAP 0x04u
#define DEVICE_CAP_FLR (1u << 28)
#define EXPRESS_KIND 0x00f00000u
#define KIND_INTEGRATED 0x00900000u

/* ---- BARs ---- */

static uint64_t bar_size(const struct vpci_function *s, unsigned i) {
    return s->f->bar[i].size ? MAX(s->f->bar[i].size, PAGE_SIZE) : 0;
}

/*
 * Turns, not a lock: a large BAR is mapped piece by piece, and what the guest has in its place, as
 * much as the BAR is large, goes back to the heap.
 */
static void begin_turn(struct vpci *p) {
    bool mine = false;

    while (!mine) {
        spin_lock(&p->lock);
        mine = !p->busy;
        p->busy = true;
        spin_unlock(&p->lock);
        if (!mine)
            preempt_point();
    }
}

static void end_turn(struct vpci *p) {
    spin_lock(&p->lock);
    p->busy = false;
    spin_unlock(&p->lock);
}

#define PIECE MB(2)

static int unmap_pieces(struct vpci *p, uint64_t at, uint64_t size) {
    int rc = 0;

    for (uint64_t done = 0; done < size && !rc; done += PIECE) {
        rc = p2m_unmap(&p->domain->p2m, ipaddr_to_gfn(ipaddr(at + done)),
                       MIN(size - done, PIECE) >> PAGE_SHIFT);
        preempt_point();
    }
    return rc;
}

static int map_pieces(struct vpci *p, uint64_t cpu, uint64_t at, uint64_t size) {
    for (uint64_t done = 0; done < size; done += PIECE) {
        int rc =
            p2m_map_mmio(&p->domain->p2m, ipaddr_to_gfn(ipaddr(at + done)),
                         mfn((cpu + done) >> PAGE_SHIFT), MIN(size - done, PIECE) >> PAGE_SHIFT);

        if (rc) {
            int undone = unmap_pieces(p, at, done);

            return undone ? undone : rc;
        }
        preempt_point();
    }
    return 0;
}

static void unmap_bar(struct vpci *p, struct vpci_function *s, unsigned i) {
    uint64_t at = s->mapped[i];

    if (!at)
        return;
    s->mapped[i] = 0;
    if (unmap_pieces(p, at, bar_size(s, i)))
        domain_crash(p->domain, "PCI 00:%02x.0: pages of BAR %u are not where they were mapped",
                     (unsigned)(s - p->slot), i);
}

static void map_bar(struct vpci *p, struct vpci_function *s, unsigned i) {
    uint64_t size = bar_size(s, i), at = s->bar[i];
    int rc;

    if (!size)
        return;
    if (size > GUEST_VPCI_MEM_SIZE || at < GUEST_VPCI_MEM_ADDR ||
        at - GUEST_VPCI_MEM_ADDR > GUEST_VPCI_MEM_SIZE - size) {
        domain_log(p->domain, "PCI 00:%02x.0: BAR %u at 0x%llx is outside of the bridge's window",
                   (unsigned)(s - p->slot), i, (unsigned long long)at);
        return;
    }
    rc = map_pieces(p, s->f->bar[i].cpu, at, size);
    if (rc)
        domain_log(p->domain, "PCI 00:%02x.0: BAR %u cannot be mapped at 0x%llx, error %d",
                   (unsigned)(s - p->slot), i, (unsigned long long)at, rc);
    else
        s->mapped[i] = at;
}

/* All go before any comes: two BARs may change places. */
static void follow_bars(struct vpci *p, struct vpci_function *s) {
    bool on = s->command & PCI_COMMAND_MEMORY;

    for (unsigned i = 0; i < PCI_BARS; i++)
        if (!on || s->mapped[i] != s->bar[i])
            unmap_bar(p, s, i);
    for (unsigned i = 0; on && i < PCI_BARS; i++)
        if (!s->mapped[i])
            map_bar(p, s, i);
}

static uint32_t read_bar(const struct vpci_function *s, unsigned i) {
    if (i && s->f->bar[i - 1].flags & PCI_BAR_64)
        return (uint32_t)(s->bar[i - 1] >> 32);
    return s->f->bar[i].size ? (uint32_t)s->bar[i] | s->f->bar[i].flags : 0;
}

static void write_bar(struct vpci *p, struct vpci_function *s, unsigned i, uint32_t val,
                      uint32_t mask) {
    bool upper = i && s->f->bar[i - 1].flags & PCI_BAR_64;
    unsigned shift = upper ? 32 : 0;
    uint64_t bar;

    i -= upper;
    if (!bar_size(s, i))
        return;
    bar = (s->bar[i] & ~((uint64_t)mask << shift)) | (uint64_t)(val & mask) << shift;
    if (!(s->f->bar[i].flags & PCI_BAR_64))
        bar = (uint32_t)bar;
    s->bar[i] = bar & ~(bar_size(s, i) - 1);
    if (s->command & PCI_COMMAND_MEMORY)
        follow_bars(p, s);
}

/* ---- registers ---- */

static uint32_t read_status(const struct vpci_function *s) {
    uint32_t status = pci_function_read(s->f, PCI_COMMAND) >> 16 & STATUS_SHOWN;

    return status | (s->express ? PCI_STATUS_CAPABILITIES : 0);
}

/* The function is the guest's for DMA too, so bus mastering is its own to turn on. */
static void write_command(struct vpci *p, struct vpci_function *s, uint32_t val, uint32_t mask) {
    uint16_t was = s->command;

    s->command = (uint16_t)((was & ~mask) | (val & mask)) & COMMAND_GUEST;
    if ((s->command & ~was) & PCI_COMMAND_MEMORY)
        pci_function_place(s->f);
    if ((s->command ^ was) & PCI_COMMAND_MEMORY)
        follow_bars(p, s);
    pci_function_write(s->f, PCI_COMMAND, s->command);
    if (val & mask & STATUS_CLEARED << 16)
        pci_function_write(s->f, PCI_STATUS, (uint16_t)((val & mask) >> 16 & STATUS_CLEARED));
}

static uint32_t read_express(const struct vpci_function *s, unsigned reg) {
    uint32_t val = pci_function_read(s->f, reg);

    if (reg == s->express)
        /* The last of the list; and no port is above it, whatever it has on the machine. */
        val = (val & (0xffff00ff & ~EXPRESS_KIND)) | KIND_INTEGRATED;
    if (reg == s->express + EXPRESS_DEVICE_CAP)
        val &= ~DEVICE_CAP_FLR;
    return val;
}

static uint32_t read_register(const struct vpci_function *s, unsigned reg) {
    switch (reg) {
    case PCI_ID:
    case PCI_CLASS_REVISION:
    case PCI_SUBSYSTEM:
        return pci_function_read(s->f, reg);
    case PCI_COMMAND:
        return s->command | read_status(s) << 16;
    case PCI_BAR0 ... PCI_BAR0 + 4 * (PCI_BARS - 1):
        return read_bar(s, (reg - PCI_BAR0) / 4);
    case PCI_CAPABILITIES:
        return s->express;
    case PCI_INTERRUPT:
        return s->line | (s->intid ? 1u << 8 : 0); /* always INTA */
    default:
        return reg >= s->express && reg < s->express_end ? read_express(s, reg) : 0;
    }
}

static void write_register(struct vpci *p, struct vpci_function *s, unsigned reg, uint32_t val,
                           uint32_t mask) {
    switch (reg) {
    case PCI_COMMAND:
        write_command(p, s, val, mask);
        break;
    case PCI_BAR0 ... PCI_BAR0 + 4 * (PCI_BARS - 1):
        write_bar(p, s, (reg - PCI_BAR0) / 4, val, mask);
        break;
    case PCI_INTERRUPT:
        s->line = (uint8_t)((s->line & ~mask) | (val & mask));
        break;
    default: /* read-only, or nothing we let through */
        break;
    }
}

/* ECAM: device << 15 | function << 12 | register; there is one bus. */
static bool vpci_mmio(struct vcpu *v, void *arg, struct mmio_access *a) {
    unsigned slot = (unsigned)(a->offset >> 15), reg = a->offset & 0xffc,
             shift = 8 * (a->offset & 3);
    uint32_t mask = (uint32_t)(GENMASK(8 * a->size - 1, 0) << shift);
    struct vpci *p = arg;

    (void)v;
    if (a->size > 4)
        return false;
    if (slot >= p->count || a->offset & 0x7000) {
        a->value = GENMASK(8 * a->size - 1, 0);
        return true;
    }
    begin_turn(p);
    if (a->write)
        write_register(p, &p->slot[slot], reg, (uint32_t)a->value << shift, mask);
    else
        a->value = (read_register(&p->slot[slot], reg) & mask) >> shift;
    end_turn(p);
    return true;
}

/* ---- building ---- */

static int create(struct domain *d) {
    struct vpci *p = hv_zalloc(sizeof(*p));
    int rc;

    if (!p)
        return -ENOMEM;
    p->domain = d;
    spin_lock_init(&p->lock, RANK_VPCI, "vpci");
    rc =
        mmio_register(&d->mmio, ipaddr(GUEST_VPCI_ECAM_BASE), VPCI_ECAM_SIZE, vpci_mmio, p, "vpci");
    if (rc) {
        hv_free(p);
        return rc;
    }
    d->vpci = p;
    return 0;
}

int vpci_add(struct domain *d, struct pci_function *f, unsigned intid, enum irq_trigger trigger) {
    int rc = d->vpci ? 0 : create(d);
    struct vpci_function *s;

    if (rc)
        return rc;
    if (d->vpci->count == VPCI_SLOTS)
        return -ENOSPC;
    s = &d->vpci->slot[d->vpci->count++];
    s->f = f;
    s->intid = intid;
    s->trigger = trigger;
    s->express = pci_function_capability(f, PCI_CAP_EXPRESS);
    if (s->express)
        s->express_end =
            s->express + ((pci_function_read(f, s->express) >> 16 & 0xf) >= 2 ? EXPRESS_V2_SIZE
                                                                              : EXPRESS_V1_SIZE);
    return 0;
}

bool vpci_slot(const struct domain *d, unsigned i, unsigned *intid, enum irq_trigger *trigger) {
    if (!d->vpci || i >= d->vpci->count)
        return false;
    *intid = d->vpci->slot[i].intid;
    *trigger = d->vpci->slot[i].trigger;
    return true;
}

void vpci_destroy(struct domain *d) {
    hv_free(d->vpci);
    d->vpci = NULL;
}
