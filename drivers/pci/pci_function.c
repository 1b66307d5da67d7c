/* Single PCI functions behind a host bridge, for whoever gets just one of them. */
#include <hv/errno.h>

#include "pci_internal.h"

uint32_t pci_function_read(const struct pci_function *f, unsigned reg) {
    return pci_read32(f->bus, f->devfn, reg);
}

void pci_function_write(const struct pci_function *f, unsigned reg, uint16_t val) {
    pci_write16(f->bus, f->devfn, reg, val);
}

unsigned pci_function_capability(const struct pci_function *f, uint8_t id) {
    return pci_find_capability(f->bus, f->devfn, id);
}

void pci_function_place(const struct pci_function *f) {
    const struct pci_host *h = f->host;

    for (unsigned i = 0; i < PCI_BARS; i++)
        if (f->bar[i].size)
            pci_write_bar(f, i, h->window_pci + (f->bar[i].cpu - h->window_cpu));
}

int pci_function_open(struct pci_host *h, uint32_t rid, struct pci_function **out) {
    struct pci_function *f;
    int rc = pci_split(h);

    if (rc)
        return rc;
    for (f = h->functions; f && (f->number << 8 | f->devfn) != rid; f = f->next)
        ;
    *out = f;
    return !f ? -ENODEV : f->bridge ? -EINVAL : f->one_stream ? -EXDEV : f->no_room ? -ENOSPC : 0;
}

/* A bridge turns the pins of the devices behind it (PCI-to-PCI Bridge 1.2, 9.1). */
uint32_t pci_function_pin(const struct pci_function *f, unsigned *pin) {
    for (; f->above; f = f->above)
        *pin = (*pin - 1 + (f->devfn >> 3)) % 4 + 1;
    return f->number << 8 | f->devfn;
}

/* ---- resetting ---- */

/* A function alone behind its bridge can be reset with its bus. */
static const struct pci_function *what_to_reset(const struct pci_function *f) {
    if (pci_has_reset(f->bus, f->devfn) || !f->above)
        return f;
    for (const struct pci_function *other = f->host->functions; other; other = other->next)
        if (other != f && other->above == f->above)
            return f;
    return f->above;
}

void pci_function_reset(struct pci_function *f) {
    const struct pci_function *r = what_to_reset(f);

    pci_function_write(f, PCI_COMMAND, PCI_COMMAND_INTX_OFF);
    pci_begin_reset(f->host->name, r->bus, r->number, r->devfn);
    pci_wait_half_reset();
    pci_end_reset(r->bus, r->devfn);
    pci_wait_reset();
    pci_function_write(f, PCI_COMMAND, PCI_COMMAND_INTX_OFF);
    pci_smallest_payload(f);
    pci_function_place(f);
}
