/* PCI host bridges: finding them, reaching configuration space, and going through all functions. */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/mm.h>
#include <hv/printk.h>
#include <hv/string.h>

#include <asm/io.h>

#include <libfdt.h>

#include "pci_internal.h"

static struct pci_host hosts[PCI_HOSTS_MAX];
static unsigned nr_hosts;

/* ---- configuration space (PCIe 7.2.2: bus << 20 | devfn << 12 | register) ---- */

bool pci_bus_open(const struct pci_host *h, unsigned bus, struct pci_bus *b) {
    if (bus < h->first_bus || bus > h->last_bus)
        return false;
    b->base = ioremap(paddr(h->ecam + bus * PCI_BUS_SIZE), PCI_BUS_SIZE);
    return b->base;
}

void pci_bus_close(struct pci_bus *b) {
    iounmap(b->base, PCI_BUS_SIZE);
    b->base = NULL;
}

static volatile uint8_t *at(const struct pci_bus *b, unsigned devfn, unsigned reg) {
    return b->base + (devfn << 12 | reg);
}
uint32_t pci_read32(const struct pci_bus *b, unsigned devfn, unsigned reg) {
    return readl(at(b, devfn, reg));
}
uint16_t pci_read16(const struct pci_bus *b, unsigned devfn, unsigned reg) {
    return readw(at(b, devfn, reg));
}
uint8_t pci_read8(const struct pci_bus *b, unsigned devfn, unsigned reg) {
    return readb(at(b, devfn, reg));
}
void pci_write32(const struct pci_bus *b, unsigned devfn, unsigned reg, uint32_t val) {
    writel(val, at(b, devfn, reg));
}
void pci_write16(const struct pci_bus *b, unsigned devfn, unsigned reg, uint16_t val) {
    writew(val, at(b, devfn, reg));
}

unsigned pci_find_capability(const struct pci_bus *b, unsigned devfn, uint8_t id) {
    unsigned reg;

    if (!(pci_read16(b, devfn, PCI_STATUS) & PCI_STATUS_CAPABILITIES))
        return 0;
    reg = pci_read8(b, devfn, PCI_CAPABILITIES) & ~3u;
    for (unsigned n = 0; reg >= 0x40 && n < 48; n++) {
        if (pci_read8(b, devfn, reg) == id)
            return reg;
        reg = pci_read8(b, devfn, reg + 1) & ~3u;
    }
    return 0;
}

/* ---- all functions ---- */

/* A bus is looked at once, however its bridges have been programmed. */
struct walk {
    pci_visit_fn fn;
    void *arg;
    uint32_t todo[256 / 32];
};

static void visit(void *arg, const struct pci_bus *b, unsigned bus, unsigned devfn) {
    struct walk *w = arg;
    unsigned below;

    w->fn(w->arg, b, bus, devfn);
    if ((pci_read8(b, devfn, PCI_HEADER_TYPE) & ~PCI_HEADER_MULTIFUNCTION) != PCI_HEADER_BRIDGE)
        return;
    below = pci_read32(b, devfn, PCI_BUS_NUMBERS) >> 8 & 0xff;
    if (below > bus)
        w->todo[below / 32] |= 1u << below % 32;
}

void pci_walk_bus(const struct pci_bus *b, unsigned bus, pci_visit_fn fn, void *arg) {
    for (unsigned dev = 0; dev < 256; dev += 8) {
        unsigned functions;

        if (pci_read32(b, dev, PCI_ID) == ~0u)
            continue;
        functions = pci_read8(b, dev, PCI_HEADER_TYPE) & PCI_HEADER_MULTIFUNCTION ? 8 : 1;
        for (unsigned i = 0; i < functions; i++)
            if (!i || pci_read32(b, dev + i, PCI_ID) != ~0u)
                fn(arg, b, bus, dev + i);
    }
}

int pci_walk(const struct pci_host *h, pci_visit_fn fn, void *arg) {
    struct walk w = {.fn = fn, .arg = arg};
    int rc = 0;

    w.todo[h->first_bus / 32] = 1u << h->first_bus % 32;
    for (unsigned bus = h->first_bus; bus <= h->last_bus; bus++) {
        struct pci_bus b;

        if (!(w.todo[bus / 32] >> bus % 32 & 1))
            continue;
        if (!pci_bus_open(h, bus, &b)) {
            rc = -ENOMEM;
            continue;
        }
        pci_walk_bus(&b, bus, visit, &w);
        pci_bus_close(&b);
        mm_preempt_point();
    }
    return rc;
}

/* ---- the bridges of the machine ---- */

static void master_off(void *arg, const struct pci_bus *b, unsigned bus, unsigned devfn) {
    uint16_t command = pci_read16(b, devfn, PCI_COMMAND);

    (void)arg;
    (void)bus;
    if (command & PCI_COMMAND_MASTER)
        pci_write16(b, devfn, PCI_COMMAND, command & (uint16_t)~PCI_COMMAND_MASTER);
}

static int read_bus_range(const void *fdt, int node, uint64_t size, struct pci_host *h) {
    uint64_t range, buses = size / PCI_BUS_SIZE;
    int rc = fdt_u64(fdt, node, "bus-range", &range);

    if (rc && rc != -ENOENT)
        return rc;
    if (rc)
        range = MIN(buses, 256u) - 1;
    h->first_bus = (uint8_t)(range >> 32);
    h->last_bus = (uint8_t)range;
    return !buses || range >> 32 > 255 || (uint32_t)range > 255 || h->last_bus < h->first_bus ||
                   (unsigned)(h->last_bus - h->first_bus) >= buses
               ? -EINVAL
               : 0;
}

/*
 * `ranges` (IEEE 1275 PCI binding): child address of three cells, the first of which tells its
 * kind, CPU address, size. Only a bridge whose parent's addresses are the CPU's is looked at.
 */
static void read_window(const void *fdt, int node, struct pci_host *h) {
    int len, parent = fdt_parent_offset(fdt, node), parent_len = 0;
    const fdt32_t *r = fdt_getprop(fdt, node, "ranges", &len);
    unsigned ac, sc, pac, psc;

    fdt_cells(fdt, node, &ac, &sc);
    fdt_cells(fdt, parent, &pac, &psc);
    if (!r || ac != 3 || sc != 2 || pac < 1 || pac > 2 ||
        (parent > 0 && (!fdt_getprop(fdt, parent, "ranges", &parent_len) || parent_len)))
        return;
    for (unsigned left = (unsigned)len / 4; left >= 5 + pac; left -= 5 + pac, r += 5 + pac) {
        uint64_t cpu = fdt32_ld(&r[3]), size = fdt32_ld(&r[4 + pac]);

        if (pac == 2)
            cpu = cpu << 32 | fdt32_ld(&r[4]);
        if ((fdt32_ld(&r[0]) >> 24 & 3) != 2 || fdt32_ld(&r[1]) || fdt32_ld(&r[3 + pac]))
            continue;
        h->window_pci = fdt32_ld(&r[2]);
        h->window_cpu = cpu;
        h->window_size = (uint32_t)MIN(size, (1ULL << 32) - h->window_pci - 1);
        return;
    }
}

static void add_host(const void *fdt, int node) {
    struct pci_host *h = &hosts[nr_hosts];
    char path[FDT_PATH_MAX];
    uint64_t base, size;

    fdt_path(fdt, node, path);
    if (nr_hosts == PCI_HOSTS_MAX) {
        printk("warning: %s: more than %u PCI host bridges, not used\n", path, PCI_HOSTS_MAX);
        return;
    }
    if (fdt_reg(fdt, node, 0, &base, &size) || read_bus_range(fdt, node, size, h)) {
        printk("warning: %s: expected reg and bus-range of a PCI host bridge, not used\n", path);
        return;
    }
    h->node = node;
    h->ecam = base - h->first_bus * PCI_BUS_SIZE;
    hv_strlcpy(h->name, fdt_get_name(fdt, node, NULL), sizeof(h->name));
    if (fdt_u32(fdt, node, "linux,pci-domain", &h->segment))
        h->segment = nr_hosts;
    read_window(fdt, node, h);
    nr_hosts++;
    if (pci_walk(h, master_off, NULL))
        panic("%s: no memory to turn its DMA off", path);
}

void pci_init(const void *fdt) {
    int node = -1;

    while ((node = fdt_next_compatible(fdt, node, "pci-host-ecam-generic")) >= 0)
        add_host(fdt, node);
}

struct pci_host *pci_host_of_node(int node) {
    for (unsigned i = 0; i < nr_hosts; i++)
        if (hosts[i].node == node)
            return &hosts[i];
    return NULL;
}

struct pci_host *pci_host_of_segment(uint32_t segment) {
    for (unsigned i = 0; i < nr_hosts; i++)
        if (hosts[i].segment == segment)
            return &hosts[i];
    return NULL;
}

int pci_host_node(const struct pci_host *h) {
    return h->node;
}

void pci_host_rids(const struct pci_host *h, uint32_t *first, uint32_t *count) {
    *first = (uint32_t)h->first_bus << 8;
    *count = (h->last_bus - h->first_bus + 1u) << 8;
}
