/* PCI host bridges against a model of their configuration space. */
/* SOURCES: drivers/pci/pci.c drivers/pci/pci_fdt.c drivers/pci/pci_function.c drivers/pci/pci_reset.c drivers/pci/pci_split.c common/core/irq.c common/lib/fdt.c common/lib/spinlock.c */
#include "captured_log.h"

#include <hv/bits.h>
#include <hv/cpu.h>
#include <hv/errno.h>
#include <hv/mm.h>
#include <hv/pci.h>
#include <hv/timer.h>

#include <libfdt.h>

#include "../../drivers/pci/pci_internal.h"

uintptr_t percpu_offsets[MAX_CPUS];
DEFINE_PER_CPU(uint32_t, cpu_number);
void (*mm_preempt_hook)(void);

void cpu_stop_self(void) {
    abort();
}
static uint64_t now;
uint64_t time_ns(void) {
    return now += 1000000;
}
static unsigned fail_at; /* this many allocations from now one finds no memory */
void *hv_zalloc(size_t size) {
    return fail_at && !--fail_at ? NULL : calloc(1, size);
}
void hv_free(void *p) {
    free(p);
}

/* ---- buses 0 to 2: functions of 4 KiB each, all ones where there is none ---- */

#define ECAM 0x4010000000ULL
#define NVME 0x10u /* 00:02.0: 64-bit BAR of 16 KiB, function-level reset */
#define NIC                                                                                        \
    0x18u /* 00:03.0: 32-bit BARs of 128 KiB and twice 256 bytes, I/O, reset by power state */
#define PLAIN 0x21u  /* 00:04.1: no reset */
#define BRIDGE 0x28u /* 00:05.0 */
#define BEHIND 0x100u
#define PORT 0x30u  /* 00:06.0, a root port without a number, and with access control */
#define HUGE 0x38u  /* 00:07.0: a BAR of 4 MiB */
#define DEEP 0x200u /* 02:00.0: a BAR of 8 KiB, no reset */

#define BUSES 3u
static uint8_t space[BUSES][PCI_BUS_SIZE];
static unsigned mapped;
static unsigned resets[0x300];

volatile void *ioremap(paddr_t pa, uint64_t size) {
    assert_int_equal(size, PCI_BUS_SIZE);
    assert_true(pa.pa >= ECAM && pa.pa < ECAM + BUSES * PCI_BUS_SIZE);
    mapped++;
    return space[(pa.pa - ECAM) / PCI_BUS_SIZE];
}
void iounmap(volatile void *va, uint64_t size) {
    (void)va;
    (void)size;
    mapped--;
}

static uint32_t *reg32(unsigned rid, unsigned reg) {
    return (uint32_t *)&space[rid >> 8][(rid & 0xff) << 12 | reg];
}
static uint16_t command_of(unsigned rid) {
    return (uint16_t)*reg32(rid, PCI_COMMAND);
}

uint64_t fake_mmio_read(const volatile void *at, unsigned size) {
    uint64_t val = 0;

    memcpy(&val, (const void *)(uintptr_t)at, size);
    return val;
}

/* Which bits of a BAR can be written. */
static uint32_t bar_mask(unsigned rid, unsigned reg) {
    if (rid == NVME)
        return reg == PCI_BAR0 ? 0xffffc000 : reg == PCI_BAR0 + 4 ? ~0u : 0;
    if (rid == NIC)
        return reg == PCI_BAR0        ? 0xfffe0000
               : reg == PCI_BAR0 + 4  ? 0xffffff00
               : reg == PCI_BAR0 + 8  ? 0xffffffe0
               : reg == PCI_BAR0 + 12 ? 0xffffff00
                                      : 0;
    if (rid == HUGE)
        return reg == PCI_BAR0 ? 0xffc00000 : 0;
    if (rid == DEEP)
        return reg == PCI_BAR0 ? 0xffffe000 : 0;
    return 0;
}

void fake_mmio_write(volatile void *at, uint64_t val, unsigned size) {
    size_t offset = (size_t)((const volatile uint8_t *)at - &space[0][0]);
    unsigned rid = (unsigned)(offset >> 12), reg = offset & 0xfff;
    uint32_t mask;

    if (reg >= PCI_BAR0 && reg < PCI_BAR0 + (*reg32(rid, 0x0c) & 0x10000 ? 8 : 24) && size == 4) {
        mask = bar_mask(rid, reg);
        *reg32(rid, reg) = (*reg32(rid, reg) & ~mask) | ((uint32_t)val & mask);
        return;
    }
    if (reg == 0x68 && val & 0x8000) { /* FLR */
        resets[rid]++;
        *reg32(rid, PCI_COMMAND) &= 0xffff0000;
        *reg32(rid, PCI_BAR0) &= 0xf;
        return;
    }
    if (reg == 0x44 && (*reg32(rid, reg) & 3) == 3 && !(val & 3))
        resets[rid]++;
    if (reg == PCI_BRIDGE_CONTROL && (val & 0x40) && rid == BRIDGE)
        resets[BEHIND]++;
    if (reg == PCI_BRIDGE_CONTROL && (val & 0x40) && rid == PORT) {
        resets[DEEP]++;
        *reg32(DEEP, PCI_BAR0) = 0;
    }
    memcpy((void *)(uintptr_t)at, &val, size);
}

static void add(unsigned rid, uint32_t id, unsigned header) {
    memset(reg32(rid, 0), 0, 4096);
    *reg32(rid, PCI_ID) = id;
    *reg32(rid, PCI_COMMAND) = 0x0007;
    *reg32(rid, 0x0c) = header << 16;
}
static void add_capability(unsigned rid, uint32_t first) {
    *reg32(rid, PCI_COMMAND) |= PCI_STATUS_CAPABILITIES << 16;
    *reg32(rid, PCI_CAPABILITIES) = first >= 0x10000000 ? 0x60 : 0x40;
    *reg32(rid, *reg32(rid, PCI_CAPABILITIES)) = first & 0xffff;
}

static uint64_t tree_space[512];
static void *const tree = tree_space;

static void put_cells(const char *name, unsigned n, const uint32_t *cells) {
    fdt32_t be[64];

    for (unsigned i = 0; i < n; i++)
        be[i] = cpu_to_fdt32(cells[i]);
    assert_int_equal(fdt_property(tree, name, be, (int)(4 * n)), 0);
}
static void cell(const char *name, uint32_t value) {
    put_cells(name, 1, &value);
}

static const uint32_t good_map[] = {0x1000, 0, 0, 1, 1, 0, 5, 4, 0x1800, 0, 0, 1, 1, 0, 6, 4};
static const uint32_t good_mask[] = {0x1800, 0, 0, 7};

static int make_tree(unsigned map_cells, const uint32_t *map, unsigned mask_cells) {
    static const uint32_t reg[] = {0x40, 0x10000000, 0, BUSES * PCI_BUS_SIZE},
                          buses[] = {0, BUSES - 1};
    static const uint32_t ranges[] = {0x01000000, 0, 0,          0,    0x3eff0000, 0, 0x10000,
                                      0x02000000, 0, 0x10000000, 0x50, 0x10000000, 0, 0x200000};

    assert_int_equal(fdt_create(tree, sizeof(tree_space)), 0);
    assert_int_equal(fdt_finish_reservemap(tree), 0);
    assert_int_equal(fdt_begin_node(tree, ""), 0);
    cell("#address-cells", 2);
    cell("#size-cells", 2);
    assert_int_equal(fdt_begin_node(tree, "gic"), 0);
    cell("phandle", 1);
    cell("#interrupt-cells", 3);
    assert_int_equal(fdt_end_node(tree), 0);
    assert_int_equal(fdt_begin_node(tree, "pcie"), 0);
    assert_int_equal(fdt_property_string(tree, "compatible", "pci-host-ecam-generic"), 0);
    cell("#address-cells", 3);
    cell("#size-cells", 2);
    put_cells("reg", 4, reg);
    put_cells("bus-range", 2, buses);
    put_cells("ranges", 14, ranges);
    put_cells("interrupt-map", map_cells, map);
    put_cells("interrupt-map-mask", mask_cells, good_mask);
    assert_int_equal(fdt_end_node(tree), 0);
    assert_int_equal(fdt_end_node(tree), 0);
    assert_int_equal(fdt_finish(tree), 0);
    return fdt_path_offset(tree, "/pcie");
}

static struct pci_host *h;

/* Once: what is found stays, as on a machine. */
static int boot(void **state) {
    (void)state;
    memset(space, 0xff, sizeof(space));
    add(NVME, 0x00101b36, 0);
    *reg32(NVME, PCI_BAR0) = 4;
    add_capability(NVME, 0x10000010);
    *reg32(NVME, 0x64) = 1u << 28;
    add(NIC, 0x10d38086, 0);
    *reg32(NIC, PCI_BAR0 + 8) = 1;
    add_capability(NIC, 0x0001);
    add(PLAIN - 1, 0x11111111, 0x80);
    add(PLAIN, 0x22222222, 0);
    add(BRIDGE, 0x000c1b36, 1);
    *reg32(BRIDGE, PCI_BUS_NUMBERS) = 0x00010100;
    add(BEHIND, 0x33333333, 0);
    add(PORT, 0x000c1b36, 1);
    add_capability(PORT, 0x10000010);
    *reg32(PORT, 0x60) = 0x00420010;
    *reg32(PORT, 0x68) = 0x2830; /* packets of 256 bytes */
    *reg32(PORT, 0x100) = 0x14010001;
    *reg32(PORT, 0x140) = 0x1001000d; /* and round again */
    add(HUGE, 0x44444444, 0);
    add(DEEP, 0x55555555, 0);
    *reg32(DEEP, PCI_INTERRUPT) = 0x100;
    make_tree(16, good_map, 4);
    pci_init(tree);
    h = pci_host_of_node(fdt_path_offset(tree, "/pcie"));
    return h == NULL;
}

/* Everywhere, also behind the bridge; nothing else changes. */
static void no_bus_master_after_boot(void **state) {
    static const unsigned all[] = {NVME, NIC, PLAIN - 1, PLAIN, BRIDGE, BEHIND, PORT, HUGE};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
        assert_int_equal(command_of(all[i]), 3);
    assert_int_equal(mapped, 0);
    assert_null(pci_host_of_node(0));
    assert_ptr_equal(pci_host_of_segment(0), h);
    assert_null(pci_host_of_segment(1));
}

static void whole_reset(void **state) {
    (void)state;
    *reg32(BEHIND, PCI_COMMAND) |= 4;
    log_clear();
    assert_int_equal(pci_host_reset(h), 0);
    assert_int_equal(command_of(NIC), 0);
    assert_int_equal(command_of(BEHIND), 0);
    assert_int_equal(resets[NVME], 1);
    assert_int_equal(resets[NIC], 1);
    assert_int_equal(resets[BEHIND], 1);
    assert_int_equal(*reg32(BRIDGE, PCI_BRIDGE_CONTROL & ~3u) >> 16 & 0x40, 0);
    assert_logged("00:04.1: has no reset");
    assert_logged("00:04.0: has no reset");
    assert_logged("00:07.0: has no reset");
    assert_int_equal(log_lines(), 3);
    assert_int_equal(mapped, 0);
}

/* Bridges that point at each other, and at buses that are not there, are an end as well. */
static void hostile_bridge_numbers(void **state) {
    (void)state;
    add(BEHIND, 0x000c1b36, 1);
    for (unsigned below = 0; below < 256; below += 85) {
        *reg32(BEHIND, PCI_BUS_NUMBERS) = below << 8;
        *reg32(BRIDGE, PCI_BUS_NUMBERS) = below << 8 | 0x10000;
        assert_int_equal(pci_host_reset(h), 0);
    }
    add(BEHIND, 0x33333333, 0);
    *reg32(BRIDGE, PCI_BUS_NUMBERS) = 0x00010100;
}

/* The bus is closed again when its first function, or itself, finds no memory. */
static void no_memory_for_functions(void **state) {
    struct pci_function *f;

    (void)state;
    for (unsigned n = 1; n <= 2; n++) {
        fail_at = n;
        assert_int_equal(pci_function_open(h, NVME, &f), -ENOMEM);
        assert_int_equal(fail_at, 0);
        assert_int_equal(mapped, 0);
        h->split = false; /* once more */
    }
}

static void functions(void **state) {
    struct pci_function *nvme, *nic, *again;

    (void)state;
    *reg32(PLAIN, PCI_COMMAND) |= 7;
    assert_int_equal(pci_function_open(h, NVME, &nvme), 0);
    assert_int_equal(command_of(PLAIN), PCI_COMMAND_INTX_OFF); /* it has neighbours from now on */
    assert_int_equal(nvme->bar[0].size, 0x4000);
    assert_int_equal(nvme->bar[0].flags, PCI_BAR_64);
    assert_true(nvme->bar[0].cpu == 0x5010000000);
    for (unsigned i = 1; i < PCI_BARS; i++)
        assert_int_equal(nvme->bar[i].size, 0);
    assert_int_equal(pci_function_open(h, NIC, &nic), 0);
    assert_int_equal(nic->bar[0].size, 0x20000);
    assert_true(nic->bar[0].cpu == 0x5010020000); /* aligned to its size */
    assert_int_equal(nic->bar[1].size, 0x100);
    assert_true(nic->bar[1].cpu == 0x5010040000); /* with a page for itself */
    assert_int_equal(nic->bar[2].size, 0);        /* I/O */
    assert_int_equal(nic->bar[3].size, 0x100);
    assert_true(nic->bar[3].cpu == 0x5010041000); /* and never in the same page */
    assert_int_equal(pci_function_open(h, NVME, &again), 0);
    assert_ptr_equal(again, nvme);
    pci_function_reset(nvme);
    assert_int_equal(resets[NVME] > 1, 1);
    assert_int_equal(*reg32(NVME, PCI_BAR0), 0x10000004);
    assert_int_equal(*reg32(NVME, PCI_BAR0 + 4), 0);
    assert_int_equal(command_of(NVME), PCI_COMMAND_INTX_OFF);
    assert_int_equal(pci_function_open(h, 0x40, &again), -ENODEV);
    assert_int_equal(pci_function_open(h, NVME + 1, &again), -ENODEV);
    assert_int_equal(pci_function_open(h, BRIDGE, &again), -EINVAL);
    assert_int_equal(pci_function_open(h, BEHIND, &again), -EXDEV); /* it speaks as its bridge */
    assert_int_equal(pci_function_open(h, HUGE, &again), -ENOSPC);
}

/* A root port that firmware left alone: its number, its window, its pins, its reset. */
static void behind_a_port(void **state) {
    struct pci_function *deep;
    unsigned pin = 1, before = resets[DEEP];

    (void)state;
    assert_int_equal(pci_function_open(h, DEEP, &deep), 0);
    assert_int_equal(*reg32(BRIDGE, PCI_BUS_NUMBERS), 0x00010100); /* as it was */
    assert_int_equal(*reg32(BRIDGE, 0x20), 0xfff0);                /* nothing there to see */
    assert_int_equal(*reg32(PORT, PCI_BUS_NUMBERS), 0x00020200);
    assert_true(deep->bar[0].cpu == 0x5010100000);
    assert_int_equal(deep->bar[0].size, 0x2000);
    assert_int_equal(*reg32(DEEP, PCI_BAR0), 0x10100000);
    assert_int_equal(*reg32(PORT, 0x20), 0x10101010); /* exactly this MiB */
    assert_int_equal(*reg32(PORT, 0x24), 0xfff0);
    assert_int_equal(command_of(PORT),
                     PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
    assert_int_equal(command_of(DEEP), PCI_COMMAND_INTX_OFF);
    assert_int_equal(*reg32(PORT, 0x68), 0x2810);      /* as the functions have it after a reset */
    assert_int_equal(*reg32(PORT, 0x144) >> 16, 0x1d); /* nobody meets another before the IOMMU */
    assert_int_equal(pci_function_pin(deep, &pin), PORT);
    assert_int_equal(pin, 1);
    deep->devfn = 3 << 3 | 1; /* were it another device */
    pin = 2;
    assert_int_equal(pci_function_pin(deep, &pin), PORT);
    assert_int_equal(pin, 1);
    deep->devfn = 0;
    log_clear();
    pci_function_reset(deep);
    assert_int_equal(resets[DEEP], before + 1);
    assert_int_equal(log_lines(), 0);
    assert_int_equal(*reg32(DEEP, PCI_BAR0), 0x10100000);
    assert_int_equal(*reg32(PORT, PCI_BRIDGE_CONTROL & ~3u) >> 16 & 0x40, 0);
}

static void interrupt_map(void **state) {
    static const uint32_t bad_pin[] = {0x1000, 0, 0, 5, 1, 0, 5, 4};
    static const uint32_t lost[] = {0x1000, 0, 0, 1, 9, 0, 5, 4};
    static const uint32_t ppi_17[] = {0x1000, 0, 0, 1, 1, 1, 17, 4};
    struct pci_intx line;
    int node = make_tree(16, good_map, 4);

    (void)state;
    assert_int_equal(pci_intx_from_fdt(tree, node, 1, &line), 0);
    assert_int_equal(line.irq, 38);
    assert_int_equal(line.trigger, IRQ_LEVEL);
    assert_int_equal(pci_intx_from_fdt(tree, node, 2, &line), -ENOENT);
    assert_int_equal(pci_intx_of_function(tree, node, NVME, 1, &line), 0);
    assert_int_equal(line.irq, 37);
    assert_int_equal(pci_intx_of_function(tree, node, 0x38, 1, &line),
                     0); /* 00:07.0, by the mask */
    assert_int_equal(line.irq, 38);
    assert_int_equal(pci_intx_of_function(tree, node, NVME, 2, &line), -ENOENT);
    for (unsigned cut = 1; cut < 8; cut++)
        assert_int_equal(pci_intx_from_fdt(tree, make_tree(8 + cut, good_map, 4), 1, &line),
                         -EINVAL);
    assert_int_equal(pci_intx_from_fdt(tree, make_tree(16, good_map, 3), 0, &line), -EINVAL);
    assert_int_equal(pci_intx_from_fdt(tree, make_tree(8, bad_pin, 4), 0, &line), -EINVAL);
    assert_int_equal(pci_intx_from_fdt(tree, make_tree(8, lost, 4), 0, &line), -EINVAL);
    assert_int_equal(pci_intx_from_fdt(tree, make_tree(8, ppi_17, 4), 0, &line), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_bus_master_after_boot),
        cmocka_unit_test(whole_reset),
        cmocka_unit_test(hostile_bridge_numbers),
        cmocka_unit_test(no_memory_for_functions),
        cmocka_unit_test(functions),
        cmocka_unit_test(behind_a_port),
        cmocka_unit_test(interrupt_map),
    };

    return cmocka_run_group_tests(tests, boot, NULL);
}
