/*
 * Taking a host bridge apart, so that its functions can be given away one by one: every function
 * behind it is silenced and found a place for its BARs, bridges get windows around what is behind
 * them. Bus numbers that firmware gave stay; where it gave none they follow the order in which the
 * bridges are found, as firmware and Linux number them.
 */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/mm.h>
#include <hv/printk.h>

#include "pci_internal.h"

#define MAX_DEPTH 8u /* of bridges behind bridges: each takes a stack frame */

#define BAR_IO 1u
#define BAR_TYPE 6u
#define BAR_FLAGS 0xfu

/* Registers of a bridge (PCI-to-PCI Bridge 1.2, 3.2.5), and what makes a window one of nothing. */
#define IO_WINDOW 0x1cu
#define MEMORY_WINDOW 0x20u
#define PREFETCH_WINDOW 0x24u
#define PREFETCH_BASE_HIGH 0x28u
#define PREFETCH_LIMIT_HIGH 0x2cu
#define NO_IO 0x00f0u
#define NO_MEMORY 0x0000fff0u
#define WINDOW_UNIT MB(1)

/* PCIe 7.5.3.2: kinds of ports. */
#define EXPRESS_KIND(caps) ((caps) >> 20 & 0xf)
#define KIND_ROOT_PORT 4u
#define KIND_UPSTREAM 5u
#define KIND_DOWNSTREAM 6u

/* PCIe 7.5.3.4. */
#define EXPRESS_DEVICE_CONTROL 0x08u
#define PAYLOAD_SIZE 0x80e0u /* and no reset */

/* Access Control Services (PCIe 7.7.11): requests between devices go up to the IOMMU. */
#define EXTENDED_CAPABILITIES 0x100u
#define CAP_ACS 0x000du
#define ACS_CONTROL 6u
#define ACS_VALIDATE (1u << 0)
#define ACS_REDIRECT (1u << 2 | 1u << 3)
#define ACS_FORWARD (1u << 4)

/* A bus that is looked at. */
struct level {
    struct pci_host *h;
    struct pci_function *above; /* NULL: the first bus */
    unsigned number, last;      /* it may have numbers up to `last` below it */
    unsigned used;              /* the highest there is */
    unsigned depth;
    struct pci_bus *bus;
    bool point_to_point; /* it has one device */
    bool one_stream;
    bool found; /* something */
    int rc;
};

/* ---- BARs (PCI Local Bus 3.0, 6.2.5.1) ---- */

void pci_write_bar(const struct pci_function *f, unsigned i, uint64_t pci) {
    pci_write32(f->bus, f->devfn, PCI_BAR0 + 4 * i, (uint32_t)pci);
    if (f->bar[i].flags & PCI_BAR_64)
        pci_write32(f->bus, f->devfn, PCI_BAR0 + 4 * i + 4, (uint32_t)(pci >> 32));
}

/* What of the address can be written. */
static uint64_t probe_bar(const struct pci_function *f, unsigned i) {
    uint64_t mask;

    pci_write_bar(f, i, ~0ULL);
    mask = pci_function_read(f, PCI_BAR0 + 4 * i) & ~BAR_FLAGS;
    mask |= f->bar[i].flags & PCI_BAR_64
                ? (uint64_t)pci_function_read(f, PCI_BAR0 + 4 * i + 4) << 32
                : 0xffffffff00000000;
    return mask;
}

/* Aligned to its size, and with all of its pages. */
static bool place(struct pci_host *h, struct pci_bar *bar) {
    uint64_t size = MAX(bar->size, PAGE_SIZE);
    uint64_t pci = ALIGN_UP((uint64_t)h->window_pci + h->placed, size);

    if (size > h->window_size || pci + size > (uint64_t)h->window_pci + h->window_size)
        return false;
    h->placed = (uint32_t)(pci + size - h->window_pci);
    bar->cpu = h->window_cpu + (pci - h->window_pci);
    return true;
}

static void find_bars(struct pci_function *f, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        struct pci_bar *bar = &f->bar[i];
        uint32_t raw = pci_function_read(f, PCI_BAR0 + 4 * i);
        uint64_t mask;

        if (raw & BAR_IO)
            continue;
        bar->flags = raw & BAR_FLAGS;
        if ((bar->flags & BAR_TYPE) != PCI_BAR_64 || i == count - 1)
            bar->flags &= ~BAR_TYPE;
        mask = probe_bar(f, i);
        bar->size = mask & (uint32_t)~BAR_FLAGS || bar->flags & PCI_BAR_64 ? mask & -mask : 0;
        if (bar->size && !place(f->host, bar)) {
            bar->size = 0;
            f->no_room = true;
        }
        if (bar->flags & PCI_BAR_64)
            i++;
    }
    pci_function_place(f);
}

/* ---- bridges ---- */

void pci_smallest_payload(const struct pci_function *f) {
    unsigned express = pci_function_capability(f, PCI_CAP_EXPRESS);
    uint32_t control;

    if (!express)
        return;
    control = pci_function_read(f, express + EXPRESS_DEVICE_CONTROL);
    pci_function_write(f, express + EXPRESS_DEVICE_CONTROL, (uint16_t)(control & ~PAYLOAD_SIZE));
}

static void redirect_requests(const struct pci_function *f) {
    uint32_t head;

    /* A list that loops has an end. */
    for (unsigned at = EXTENDED_CAPABILITIES, n = 0; at >= EXTENDED_CAPABILITIES && n < 64; n++) {
        head = pci_function_read(f, at);
        if ((head & 0xffff) == CAP_ACS)
            pci_function_write(f, at + ACS_CONTROL, ACS_VALIDATE | ACS_REDIRECT | ACS_FORWARD);
        at = head >> 20 & ~3u;
    }
}

static void set_numbers(const struct pci_function *f, unsigned below, unsigned last) {
    uint32_t timer = pci_function_read(f, PCI_BUS_NUMBERS) & 0xff000000;

    pci_write32(f->bus, f->devfn, PCI_BUS_NUMBERS, timer | last << 16 | below << 8 | f->number);
}

/* [from, h->placed) of the window, whole units, is what the bridge lets through. */
static void set_window(const struct pci_function *f, uint64_t from) {
    const struct pci_host *h = f->host;
    uint64_t first = h->window_pci + from, end = h->window_pci + (uint64_t)h->placed;

    pci_write16(f->bus, f->devfn, IO_WINDOW, NO_IO);
    pci_write32(f->bus, f->devfn, PREFETCH_WINDOW, NO_MEMORY);
    pci_write32(f->bus, f->devfn, PREFETCH_BASE_HIGH, 0);
    pci_write32(f->bus, f->devfn, PREFETCH_LIMIT_HIGH, 0);
    pci_write32(f->bus, f->devfn, MEMORY_WINDOW,
                first < end ? (uint32_t)((first >> 16 & 0xfff0) | ((end - 1) & 0xfff00000))
                            : NO_MEMORY);
}

/* The next bridge's window begins in another unit. False: there is none. */
static bool next_unit(struct pci_host *h) {
    uint64_t at = ALIGN_UP((uint64_t)h->window_pci + h->placed, WINDOW_UNIT) - h->window_pci;

    if (at > h->window_size)
        return false;
    h->placed = (uint32_t)at;
    return true;
}

static int scan(struct level *l);

/* What is behind the bridge gets numbers above l->used. */
static int open_bridge(struct level *l, struct pci_function *f) {
    uint32_t numbers = pci_function_read(f, PCI_BUS_NUMBERS);
    unsigned below = numbers >> 8 & 0xff, last = numbers >> 16 & 0xff;
    unsigned express = pci_function_capability(f, PCI_CAP_EXPRESS);
    unsigned kind = express ? EXPRESS_KIND(pci_function_read(f, express)) : 0;
    bool kept = below > l->used && last >= below && last <= l->last;
    struct level next = {.h = l->h, .above = f, .depth = l->depth + 1};
    uint64_t from;
    int rc;

    next.number = next.used = kept ? below : l->used + 1;
    next.last = kept ? last : l->last;
    next.point_to_point = kind == KIND_ROOT_PORT || kind == KIND_DOWNSTREAM;
    next.one_stream = l->one_stream || kind < KIND_ROOT_PORT || kind > KIND_DOWNSTREAM;
    if (next.number > l->last || next.depth > MAX_DEPTH || !next_unit(l->h)) {
        printk("%s: %02x:%02x.%x: no numbers or no room for what is behind it\n", l->h->name,
               f->number, f->devfn >> 3, f->devfn & 7);
        set_numbers(f, 0, 0);
        return 0;
    }
    from = l->h->placed;
    set_numbers(f, next.number, next.last);
    rc = scan(&next);
    if (rc)
        return rc;
    l->used = kept ? last : next.used;
    set_numbers(f, next.number, l->used);
    (void)next_unit(l->h); /* at the end of the window it ends there */
    set_window(f, from);
    redirect_requests(f);
    return 0;
}

/* ---- functions ---- */

static void found(void *arg, const struct pci_bus *b, unsigned bus, unsigned devfn) {
    struct level *l = arg;
    struct pci_function *f;
    unsigned header = pci_read8(b, devfn, PCI_HEADER_TYPE) & ~PCI_HEADER_MULTIFUNCTION;

    if (l->rc || (l->point_to_point && devfn > 7))
        return;
    f = hv_zalloc(sizeof(*f));
    if (!f) {
        l->rc = -ENOMEM;
        return;
    }
    *f = (struct pci_function){.next = l->h->functions,
                               .host = l->h,
                               .above = l->above,
                               .bus = l->bus,
                               .number = bus,
                               .devfn = devfn,
                               .bridge = header,
                               .one_stream = l->one_stream};
    l->h->functions = f;
    l->found = true;
    /* Nobody decodes, masters or interrupts: they get neighbours they must not meet. */
    pci_function_write(f, PCI_COMMAND, PCI_COMMAND_INTX_OFF);
    pci_smallest_payload(f);
    find_bars(f, !header ? PCI_BARS : header == PCI_HEADER_BRIDGE ? 2 : 0);
    if (header == PCI_HEADER_BRIDGE)
        l->rc = open_bridge(l, f);
}

static int scan(struct level *l) {
    l->bus = hv_zalloc(sizeof(*l->bus));
    if (!l->bus || !pci_bus_open(l->h, l->number, l->bus)) {
        hv_free(l->bus);
        return -ENOMEM;
    }
    pci_walk_bus(l->bus, l->number, found, l);
    if (!l->found) { /* nobody refers to it */
        pci_bus_close(l->bus);
        hv_free(l->bus);
    }
    mm_preempt_point();
    return l->rc;
}

int pci_split(struct pci_host *h) {
    struct level root = {.h = h, .number = h->first_bus, .used = h->first_bus, .last = h->last_bus};

    if (h->split)
        return h->split_rc;
    h->split = true;
    h->split_rc = pci_silence(h);
    if (!h->split_rc)
        h->split_rc = scan(&root);
    /* Only now, when no number and no window changes any more. */
    for (struct pci_function *f = h->functions; f && !h->split_rc; f = f->next)
        if (f->bridge)
            pci_function_write(f, PCI_COMMAND,
                               PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
    return h->split_rc;
}
