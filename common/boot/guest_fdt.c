/* A guest's device tree: processors, memory, firmware, timer, interrupt controller, console,
 * command line. */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/guest_fdt.h>
#include <hv/guest_map.h>
#include <hv/partial_tree.h>
#include <hv/printk.h>
#include <hv/static_shm.h>
#include <hv/string.h>

#include <libfdt.h>

/* Out of the way of those a compiler gives to nodes of a partial tree. */
#define PHANDLE_GIC 65000u

/* Interrupt specifiers of a GIC: kind, number within the kind, flags. */
enum { GIC_SPI = 0, GIC_PPI = 1 };
enum {
    IRQ_FLAG_EDGE = 1,
    IRQ_FLAG_LEVEL_HIGH = 4,
    IRQ_FLAG_LEVEL_LOW = 8,
    IRQ_FLAG_ALL_CPUS = 0xf00
};

/* A hole of less is not worth telling, and blocks in it can be mapped whole. */
#define HOLE_MIN MB(64)
#define HOLE_ALIGN MB(2)

/*
 * libfdt's writer is given one call after the other; the first error is kept here and the rest are
 * skipped, so that the tree below reads as a tree.
 */
struct writer {
    void *fdt;
    int rc;
};

static void begin(struct writer *w, const char *name) {
    if (!w->rc)
        w->rc = fdt_begin_node(w->fdt, name);
}
static void begin_at(struct writer *w, const char *name, uint64_t unit) {
    char full[40];

    hv_snprintf(full, sizeof(full), "%s@%llx", name, (unsigned long long)unit);
    begin(w, full);
}
static void end(struct writer *w) {
    if (!w->rc)
        w->rc = fdt_end_node(w->fdt);
}
static void bytes(struct writer *w, const char *name, const void *value, size_t len) {
    if (!w->rc)
        w->rc = fdt_property(w->fdt, name, value, (int)len);
}
static void flag(struct writer *w, const char *name) {
    bytes(w, name, NULL, 0);
}
static void string(struct writer *w, const char *name, const char *value) {
    bytes(w, name, value, strlen(value) + 1);
}
static void cells(struct writer *w, const char *name, const uint32_t *value, unsigned n) {
    fdt32_t be[12];

    for (unsigned i = 0; i < n; i++)
        be[i] = cpu_to_fdt32(value[i]);
    bytes(w, name, be, n * sizeof(be[0]));
}
static void cell(struct writer *w, const char *name, uint32_t value) {
    cells(w, name, &value, 1);
}
static void quads(struct writer *w, const char *name, const uint64_t *value, unsigned n) {
    fdt64_t be[2 * (1 + GUEST_BANKS)];

    for (unsigned i = 0; i < n; i++)
        be[i] = cpu_to_fdt64(value[i]);
    bytes(w, name, be, n * sizeof(be[0]));
}

/* A string list is the strings one after the other, each with its NUL: a literal with \0 between
 * them. */
#define STRINGS(w, name, literal) bytes((w), (name), (literal), sizeof(literal))

static void write_chosen(struct writer *w, const struct guest_fdt_info *g) {
    const struct guest_range *initrd = &g->layout->initrd;
    uint64_t start = initrd->start, stop = initrd->start + initrd->size;

    begin(w, "chosen");
    if (g->bootargs[0])
        string(w, "bootargs", g->bootargs);
    if (initrd->size) {
        quads(w, "linux,initrd-start", &start, 1);
        quads(w, "linux,initrd-end", &stop, 1);
    }
    if (g->vpl011) {
        char path[40];

        hv_snprintf(path, sizeof(path), "/sbsa-uart@%llx", (unsigned long long)GUEST_PL011_BASE);
        string(w, "stdout-path", path);
    }
    end(w);
}

static void write_cpus(struct writer *w, const struct guest_fdt_info *g) {
    begin(w, "cpus");
    cell(w, "#address-cells", 1);
    cell(w, "#size-cells", 0);
    for (unsigned i = 0; i < g->vcpus; i++) {
        begin_at(w, "cpu", vcpu_affinity(i));
        string(w, "device_type", "cpu");
        string(w, "compatible", "arm,armv8");
        string(w, "enable-method", "psci");
        cell(w, "reg", vcpu_affinity(i));
        end(w);
    }
    end(w);
}

static void write_memory(struct writer *w, const struct guest_layout *l) {
    uint64_t reg[2 * GUEST_BANKS];
    unsigned n = 0;

    for (unsigned i = 0; i < GUEST_BANKS; i++) {
        if (l->bank[i].size) {
            reg[n++] = l->bank[i].start;
            reg[n++] = l->bank[i].size;
        }
    }
    begin_at(w, "memory", l->bank[0].start);
    string(w, "device_type", "memory");
    quads(w, "reg", reg, n);
    end(w);
}

/* Memory that others see as well is nothing to allocate from. */
static void write_shared_memory(struct writer *w, const struct guest_fdt_info *g) {
    static const uint64_t offset = 0;

    begin(w, "reserved-memory");
    cell(w, "#address-cells", 2);
    cell(w, "#size-cells", 2);
    flag(w, "ranges");
    for (unsigned i = 0; i < g->nr_shm; i++) {
        uint64_t reg[] = {g->shm[i].guest, g->shm[i].region->size};

        begin_at(w, "xen-shmem", reg[0]);
        string(w, "compatible", "xen,shared-memory-v1");
        quads(w, "reg", reg, ARRAY_SIZE(reg));
        string(w, "xen,id", g->shm[i].region->id);
        quads(w, "xen,offset", &offset, 1);
        end(w);
    }
    end(w);
}

static void write_psci(struct writer *w) {
    begin(w, "psci");
    STRINGS(w, "compatible", "arm,psci-1.0\0arm,psci-0.2");
    string(w, "method", "hvc");
    end(w);
}

static void write_timer(struct writer *w, bool aarch32) {
    /* Secure physical, physical, virtual; a guest has no hypervisor timer. */
    static const uint32_t irqs[] = {
        GIC_PPI, GUEST_TIMER_PHYS_S_PPI - 16,  IRQ_FLAG_LEVEL_HIGH,
        GIC_PPI, GUEST_TIMER_PHYS_NS_PPI - 16, IRQ_FLAG_LEVEL_HIGH,
        GIC_PPI, GUEST_TIMER_VIRT_PPI - 16,    IRQ_FLAG_LEVEL_HIGH,
    };

    begin(w, "timer");
    if (aarch32)
        string(w, "compatible", "arm,armv7-timer");
    else
        STRINGS(w, "compatible", "arm,armv8-timer\0arm,armv7-timer");
    cells(w, "interrupts", irqs, ARRAY_SIZE(irqs));
    /* The counter runs whatever sleeps. */
    flag(w, "always-on");
    end(w);
}

static void write_gic(struct writer *w, unsigned version, uint32_t phandle) {
    static const uint64_t v2[] = {GUEST_GICD_BASE, GUEST_GICD_SIZE, GUEST_GICC_BASE,
                                  GUEST_GICC_SIZE};
    static const uint64_t v3[] = {GUEST_GICV3_GICD_BASE, GUEST_GICV3_GICD_SIZE,
                                  GUEST_GICV3_GICR0_BASE, GUEST_GICV3_GICR0_SIZE};

    begin_at(w, "interrupt-controller", version == 2 ? GUEST_GICD_BASE : GUEST_GICV3_GICD_BASE);
    string(w, "compatible", version == 2 ? "arm,cortex-a15-gic" : "arm,gic-v3");
    cell(w, "#interrupt-cells", 3);
    cell(w, "#address-cells", 0);
    flag(w, "interrupt-controller");
    if (version == 3)
        cell(w, "#redistributor-regions", GUEST_GICV3_RDIST_REGIONS);
    quads(w, "reg", version == 2 ? v2 : v3, ARRAY_SIZE(v3));
    cell(w, "phandle", phandle);
    end(w);
}

static void write_uart(struct writer *w, unsigned intid) {
    static const uint64_t reg[] = {GUEST_PL011_BASE, GUEST_PL011_SIZE};
    uint32_t irq[] = {GIC_SPI, intid - 32, IRQ_FLAG_LEVEL_HIGH};

    begin_at(w, "sbsa-uart", GUEST_PL011_BASE);
    string(w, "compatible", "arm,sbsa-uart");
    quads(w, "reg", reg, ARRAY_SIZE(reg));
    cells(w, "interrupts", irq, ARRAY_SIZE(irq));
    cell(w, "current-speed", 115200); /* the binding wants one */
    end(w);
}

/*
 * What the layout keeps for RAM and this guest has no RAM in: never anything else's. Where memory
 * is elsewhere, or there are real devices, these may be anywhere; and a 32-bit guest is told of no
 * holes, as on Xen.
 */
static unsigned add_holes(const struct guest_fdt_info *g, uint64_t *reg) {
    static const uint64_t base[] = GUEST_RAM_BANK_BASES, size[] = GUEST_RAM_BANK_SIZES;
    unsigned n = 0;

    if (g->aarch32 || g->devices || g->nr_shm || g->layout->bank[ARRAY_SIZE(base)].size)
        return 0;
    for (unsigned i = 0; i < ARRAY_SIZE(base); i++) {
        const struct guest_range *bank = &g->layout->bank[i];
        uint64_t start = ALIGN_UP(base[i] + bank->size, HOLE_ALIGN);
        uint64_t stop = MIN(base[i] + size[i], g->ipa_limit);

        if (bank->size && bank->start != base[i])
            return 0;
        if (start < stop && stop - start >= HOLE_MIN) {
            reg[n++] = start;
            reg[n++] = stop - start;
        }
    }
    return n;
}

/* First the grant table's place, then holes in which other domains' pages can be mapped. */
static void write_hypervisor(struct writer *w, const struct guest_fdt_info *g) {
    static const uint32_t irq[] = {GIC_PPI, GUEST_EVTCHN_PPI - 16,
                                   IRQ_FLAG_ALL_CPUS | IRQ_FLAG_LEVEL_LOW};
    uint64_t reg[2 * (1 + GUEST_BANKS)] = {GUEST_GNTTAB_BASE, GUEST_GNTTAB_SIZE};

    begin(w, "hypervisor");
    STRINGS(w, "compatible", "xen,xen-4.17\0xen,xen");
    quads(w, "reg", reg, 2 + add_holes(g, reg + 2));
    cells(w, "interrupts", irq, ARRAY_SIZE(irq));
    end(w);
}

/* The interrupt map: child address (3 cells) and pin, the controller, its specifier. */
static void write_pci_lines(struct writer *w, const struct guest_fdt_pci *pci, uint32_t gic) {
    static const uint32_t mask[] = {0xf800, 0, 0, 7};
    unsigned n = 0;
    void *value;

    for (unsigned i = 0; i < pci->count; i++)
        n += pci->slot[i].intid != 0;
    if (!n || w->rc)
        return;
    cell(w, "#interrupt-cells", 1);
    cells(w, "interrupt-map-mask", mask, ARRAY_SIZE(mask));
    if (!w->rc)
        w->rc = fdt_property_placeholder(w->fdt, "interrupt-map", (int)(n * 32), &value);
    for (unsigned i = 0; !w->rc && i < pci->count; i++) {
        unsigned flags = pci->slot[i].trigger == IRQ_EDGE ? IRQ_FLAG_EDGE : IRQ_FLAG_LEVEL_HIGH;
        uint32_t entry[] = {i << 11, 0, 0, 1, gic, GIC_SPI, pci->slot[i].intid - 32, flags};

        if (!pci->slot[i].intid)
            continue;
        for (unsigned c = 0; c < ARRAY_SIZE(entry); c++)
            fdt32_st((fdt32_t *)value + c, entry[c]);
        value = (fdt32_t *)value + ARRAY_SIZE(entry);
    }
}

static void write_pci(struct writer *w, const struct guest_fdt_pci *pci, uint32_t gic) {
    static const uint64_t reg[] = {GUEST_VPCI_ECAM_BASE, VPCI_ECAM_SIZE};
    static const uint32_t window[] = {GUEST_VPCI_ADDR_TYPE_MEM, 0, GUEST_VPCI_MEM_ADDR, 0,
                                      GUEST_VPCI_MEM_ADDR,      0, GUEST_VPCI_MEM_SIZE};
    static const uint32_t buses[] = {0, 0};

    begin_at(w, "pcie", GUEST_VPCI_ECAM_BASE);
    string(w, "compatible", "pci-host-ecam-generic");
    string(w, "device_type", "pci");
    cell(w, "#address-cells", 3);
    cell(w, "#size-cells", 2);
    cells(w, "bus-range", buses, ARRAY_SIZE(buses));
    quads(w, "reg", reg, ARRAY_SIZE(reg));
    cells(w, "ranges", window, ARRAY_SIZE(window));
    flag(w, "dma-coherent");
    write_pci_lines(w, pci, gic);
    end(w);
}

int guest_fdt_make(const struct guest_fdt_info *g, void *buf, size_t size) {
    uint32_t gic = g->devices ? partial_tree_gic_phandle(g->devices, PHANDLE_GIC) : PHANDLE_GIC;
    struct writer w = {.fdt = buf};

    w.rc = fdt_create(buf, (int)size);
    if (!w.rc)
        w.rc = fdt_finish_reservemap(buf);
    begin(&w, "");
    cell(&w, "#address-cells", 2);
    cell(&w, "#size-cells", 2);
    cell(&w, "interrupt-parent", gic);
    string(&w, "model", "Holdfast guest");
    STRINGS(&w, "compatible", "xen,xenvm-4.17\0xen,xenvm");
    write_chosen(&w, g);
    write_cpus(&w, g);
    write_memory(&w, g->layout);
    if (g->nr_shm)
        write_shared_memory(&w, g);
    write_psci(&w);
    write_timer(&w, g->aarch32);
    write_gic(&w, g->gic_version, gic);
    if (g->vpl011)
        write_uart(&w, g->vpl011_intid);
    if (g->hypervisor)
        write_hypervisor(&w, g);
    if (g->pci && g->pci->count)
        write_pci(&w, g->pci, gic);
    if (g->devices && !w.rc)
        w.rc = partial_tree_copy(g->devices, buf);
    end(&w);
    if (!w.rc)
        w.rc = fdt_finish(buf);
    if (w.rc) /* the writer has no other way to fail when its calls are in order */
        return -ENOSPC;
    return (int)fdt_totalsize(buf);
}
