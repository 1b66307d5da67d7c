/* Bringing PCI functions back to where they began: function-level, by power state, by their bus. */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/mm.h>
#include <hv/printk.h>
#include <hv/timer.h>

#include "pci_internal.h"

/* PCIe 7.5.3.3 and 7.5.3.4. */
#define EXPRESS_DEVICE_CAP 0x04u
#define DEVICE_CAP_FLR (1u << 28)
#define EXPRESS_DEVICE_CONTROL 0x08u
#define DEVICE_CONTROL_FLR (1u << 15)
/* PCI Power Management 1.2, 3.2.4. */
#define PM_CONTROL 0x04u
#define PM_STATE 3u
#define PM_STATE_D3HOT 3u
#define PM_NO_SOFT_RESET (1u << 3)

#define BRIDGE_CONTROL_RESET (1u << 6)

/* PCIe 6.6: a function may take so long until it answers again. */
#define RESET_NS 100000000ULL
/* PCI PM 1.2 table 5-6, and longer than a secondary bus must be held (PCIe 7.5.1.3.13). */
#define PM_NS 10000000ULL

static void wait_ns(uint64_t ns) {
    uint64_t end = time_ns() + ns;

    while (time_ns() < end)
        mm_preempt_point();
}

void pci_wait_half_reset(void) {
    wait_ns(PM_NS);
}

void pci_wait_reset(void) {
    wait_ns(RESET_NS);
}

static bool is_bridge(const struct pci_bus *b, unsigned devfn) {
    return (pci_read8(b, devfn, PCI_HEADER_TYPE) & ~PCI_HEADER_MULTIFUNCTION) == PCI_HEADER_BRIDGE;
}

enum how { RESET_NONE, RESET_FLR, RESET_PM, RESET_BUS };

/* reg: where the reset is begun. */
static enum how find_reset(const struct pci_bus *b, unsigned devfn, unsigned *reg) {
    unsigned express = pci_find_capability(b, devfn, PCI_CAP_EXPRESS);
    unsigned pm = pci_find_capability(b, devfn, PCI_CAP_PM);

    *reg = PCI_BRIDGE_CONTROL;
    if (is_bridge(b, devfn))
        return RESET_BUS;
    *reg = express + EXPRESS_DEVICE_CONTROL;
    if (express && pci_read32(b, devfn, express + EXPRESS_DEVICE_CAP) & DEVICE_CAP_FLR)
        return RESET_FLR;
    *reg = pm + PM_CONTROL;
    if (pm && !(pci_read16(b, devfn, *reg) & PM_NO_SOFT_RESET))
        return RESET_PM;
    return RESET_NONE;
}

bool pci_has_reset(const struct pci_bus *b, unsigned devfn) {
    unsigned reg;

    return find_reset(b, devfn, &reg) != RESET_NONE;
}

void pci_begin_reset(const char *name, const struct pci_bus *b, unsigned bus, unsigned devfn) {
    unsigned reg;

    switch (find_reset(b, devfn, &reg)) {
    case RESET_BUS:
        pci_write16(b, devfn, reg, pci_read16(b, devfn, reg) | BRIDGE_CONTROL_RESET);
        break;
    case RESET_FLR:
        pci_write16(b, devfn, reg, DEVICE_CONTROL_FLR);
        break;
    case RESET_PM:
        pci_write16(b, devfn, reg, PM_STATE_D3HOT);
        break;
    case RESET_NONE:
        if (pci_read8(b, devfn, PCI_BASE_CLASS) != PCI_CLASS_BRIDGE)
            printk("%s: %02x:%02x.%x: has no reset, only its bus mastering was turned off\n", name,
                   bus, devfn >> 3, devfn & 7);
        break;
    }
}

/* A function that still resets reads as all ones, and as one with nothing to do. */
void pci_end_reset(const struct pci_bus *b, unsigned devfn) {
    unsigned reg;

    switch (find_reset(b, devfn, &reg)) {
    case RESET_BUS:
        pci_write16(b, devfn, reg, pci_read16(b, devfn, reg) & (uint16_t)~BRIDGE_CONTROL_RESET);
        break;
    case RESET_PM:
        pci_write16(b, devfn, reg, 0);
        break;
    default:
        break;
    }
}

static void silence(void *arg, const struct pci_bus *b, unsigned bus, unsigned devfn) {
    (void)arg;
    (void)bus;
    pci_write16(b, devfn, PCI_COMMAND, 0);
}

int pci_silence(const struct pci_host *h) {
    return pci_walk(h, silence, NULL);
}

/* What is behind a bridge of the first bus is reset with its bus. */
static void begin_on_first_bus(void *arg, const struct pci_bus *b, unsigned bus, unsigned devfn) {
    const struct pci_host *h = arg;

    if (bus == h->first_bus)
        pci_begin_reset(h->name, b, bus, devfn);
}

static void end_on_first_bus(void *arg, const struct pci_bus *b, unsigned bus, unsigned devfn) {
    const struct pci_host *h = arg;

    if (bus == h->first_bus)
        pci_end_reset(b, devfn);
}

int pci_host_reset(struct pci_host *h) {
    int rc = pci_silence(h);

    if (!rc)
        rc = pci_walk(h, begin_on_first_bus, h);
    if (rc)
        return rc;
    pci_wait_half_reset();
    rc = pci_walk(h, end_on_first_bus, h);
    pci_wait_reset();
    return rc;
}
