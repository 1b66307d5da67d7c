/* Single PCI functions of a host bridge's first bus, for whoever gets just one of them. */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/mm.h>

#include "pci_internal.h"

#define BAR_IO 1u
#define BAR_TYPE 6u
#define BAR_FLAGS 0xfu

uint32_t pci_function_read(const struct pci_function *f, unsigned reg) {
    return pci_read32(&f->host->root, f->devfn, reg);
}

void pci_function_write(const struct pci_function *f, unsigned reg, uint16_t val) {
    pci_write16(&f->host->root, f->devfn, reg, val);
}

unsigned pci_function_capability(const struct pci_function *f, uint8_t id) {
    return pci_find_capability(&f->host->root, f->devfn, id);
}

/* Nobody on the bus decodes, masters or interrupts: they get neighbours they must not meet. */
static void silence(void *arg, const struct pci_bus *b, unsigned bus, unsigned devfn) {
    (void)arg;
    (void)bus;
    pci_write16(b, devfn, PCI_COMMAND, PCI_COMMAND_INTX_OFF);
}

static int split(struct pci_host *h) {
    if (h->root.base)
        return 0;
    if (pci_walk(h, silence, NULL) || !pci_bus_open(h, h->first_bus, &h->root))
        return -ENOMEM;
    return 0;
}

/* ---- BARs (PCI Local Bus 3.0, 6.2.5.1) ---- */

static void write_bar(const struct pci_function *f, unsigned i, uint64_t pci) {
    pci_write32(&f->host->root, f->devfn, PCI_BAR0 + 4 * i, (uint32_t)pci);
    if (f->bar[i].flags & PCI_BAR_64)
        pci_write32(&f->host->root, f->devfn, PCI_BAR0 + 4 * i + 4, (uint32_t)(pci >> 32));
}

/* What of the address can be written. */
static uint64_t probe_bar(const struct pci_function *f, unsigned i) {
    uint64_t mask;

    write_bar(f, i, ~0ULL);
    mask = pci_function_read(f, PCI_BAR0 + 4 * i) & ~BAR_FLAGS;
    mask |= f->bar[i].flags & PCI_BAR_64
                ? (uint64_t)pci_function_read(f, PCI_BAR0 + 4 * i + 4) << 32
                : 0xffffffff00000000;
    return mask;
}

/* Aligned to its size, and with all of its pages. */
static int place(struct pci_function *f, struct pci_bar *bar) {
    struct pci_host *h = f->host;
    uint64_t size = MAX(bar->size, PAGE_SIZE);
    uint64_t pci = ALIGN_UP((uint64_t)h->window_pci + h->placed, size);

    if (pci + size > (uint64_t)h->window_pci + h->window_size)
        return -ENOSPC;
    h->placed = (uint32_t)(pci + size - h->window_pci);
    bar->cpu = h->window_cpu + (pci - h->window_pci);
    return 0;
}

static int find_bars(struct pci_function *f) {
    for (unsigned i = 0; i < PCI_BARS; i++) {
        struct pci_bar *bar = &f->bar[i];
        uint32_t raw = pci_function_read(f, PCI_BAR0 + 4 * i);
        uint64_t mask;

        if (raw & BAR_IO)
            continue;
        bar->flags = raw & BAR_FLAGS;
        if ((bar->flags & BAR_TYPE) != PCI_BAR_64 || i == PCI_BARS - 1)
            bar->flags &= ~BAR_TYPE;
        mask = probe_bar(f, i);
        bar->size = mask & (uint32_t)~BAR_FLAGS || bar->flags & PCI_BAR_64 ? mask & -mask : 0;
        if (bar->size && place(f, bar))
            return -ENOSPC;
        if (bar->flags & PCI_BAR_64)
            i++;
    }
    return 0;
}

void pci_function_place(const struct pci_function *f) {
    const struct pci_host *h = f->host;

    for (unsigned i = 0; i < PCI_BARS; i++)
        if (f->bar[i].size)
            write_bar(f, i, h->window_pci + (f->bar[i].cpu - h->window_cpu));
}

/* ---- taking and resetting ---- */

static int add_function(struct pci_host *h, unsigned devfn, struct pci_function **out) {
    struct pci_function *f = hv_zalloc(sizeof(*f));
    int rc;

    if (!f)
        return -ENOMEM;
    f->host = h;
    f->devfn = devfn;
    rc = find_bars(f);
    if (rc) {
        hv_free(f);
        return rc;
    }
    f->next = h->functions;
    h->functions = f;
    *out = f;
    return 0;
}

/* Functions above 0 exist only where the header of function 0 says so. */
static bool exists(const struct pci_bus *b, unsigned devfn) {
    return pci_read32(b, devfn & ~7u, PCI_ID) != ~0u && pci_read32(b, devfn, PCI_ID) != ~0u &&
           (!(devfn & 7) || pci_read8(b, devfn & ~7u, PCI_HEADER_TYPE) & PCI_HEADER_MULTIFUNCTION);
}

int pci_function_open(struct pci_host *h, uint32_t rid, struct pci_function **out) {
    unsigned devfn = rid & 0xff;
    int rc;

    if (rid >> 8 != h->first_bus)
        return -EINVAL;
    rc = split(h);
    if (rc)
        return rc;
    for (*out = h->functions; *out; *out = (*out)->next)
        if ((*out)->devfn == devfn)
            return 0;
    if (!exists(&h->root, devfn))
        return -ENODEV;
    if (pci_read8(&h->root, devfn, PCI_HEADER_TYPE) & ~PCI_HEADER_MULTIFUNCTION)
        return -EINVAL;
    return add_function(h, devfn, out);
}

void pci_function_reset(struct pci_function *f) {
    const struct pci_bus *b = &f->host->root;

    pci_write16(b, f->devfn, PCI_COMMAND, PCI_COMMAND_INTX_OFF);
    pci_begin_reset(f->host->name, b, f->host->first_bus, f->devfn);
    pci_wait_half_reset();
    pci_end_reset(b, f->devfn);
    pci_wait_reset();
    pci_write16(b, f->devfn, PCI_COMMAND, PCI_COMMAND_INTX_OFF);
    pci_function_place(f);
}
