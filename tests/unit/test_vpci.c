/* The emulated PCI bridge: what a guest sees of its function, and what of its writes goes further.
 */
/* SOURCES: common/virt/vpci.c common/lib/spinlock.c */
#include "captured_log.h"

#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guest_map.h>
#include <hv/mm.h>
#include <hv/pci.h>
#include <hv/vpci.h>

DEFINE_PER_CPU(uint32_t, cpu_number);
uintptr_t percpu_offsets[MAX_CPUS];

#define WINDOW GUEST_VPCI_MEM_ADDR
#define EXPRESS 0x60u

/* ---- one function: BAR 0 of 16 KiB (64 bits), BAR 2 of 256 bytes, the rest absent ---- */

static struct pci_function function = {.bar = {{.cpu = 0x10000000, .size = 0x4000, .flags = 4},
                                               {.size = 0},
                                               {.cpu = 0x10008000, .size = 0x100, .flags = 8}}};
static uint32_t config[64];
static unsigned placed;

uint32_t pci_function_read(const struct pci_function *f, unsigned reg) {
    assert_ptr_equal(f, &function);
    assert_true(reg < sizeof(config) && !(reg & 3));
    return config[reg / 4];
}
static uint16_t written[64];
static unsigned writes;
void pci_function_write(const struct pci_function *f, unsigned reg, uint16_t val) {
    (void)f;
    assert_true(reg == PCI_COMMAND || reg == PCI_STATUS); /* nothing else is ever reached */
    written[reg / 2] = val;
    writes++;
}
unsigned pci_function_capability(const struct pci_function *f, uint8_t id) {
    (void)f;
    return id == PCI_CAP_EXPRESS ? EXPRESS : 0;
}
void pci_function_place(const struct pci_function *f) {
    (void)f;
    placed++;
}

/* ---- the domain below it ---- */

static struct domain d;
static mmio_handler_t handler;
static void *handler_arg;
static struct mapping { uint64_t g, m, nr; } maps[8];
static unsigned nr_maps;
static bool tampered, crashed;

int mmio_register(struct mmio_map *m, ipaddr_t start, uint64_t size, mmio_handler_t h, void *arg,
                  const char *name) {
    (void)m;
    (void)name;
    assert_int_equal(start.ipa, GUEST_VPCI_ECAM_BASE);
    assert_int_equal(size, VPCI_ECAM_SIZE);
    handler = h;
    handler_arg = arg;
    return 0;
}
int p2m_map_mmio(struct p2m *p2m, gfn_t g, mfn_t m, uint64_t nr) {
    assert_ptr_equal(p2m, &d.p2m);
    for (unsigned i = 0; i < nr_maps; i++)
        if (maps[i].g < g.gfn + nr && g.gfn < maps[i].g + maps[i].nr)
            return -EBUSY;
    maps[nr_maps++] = (struct mapping){g.gfn, m.mfn, nr};
    return 0;
}
int p2m_unmap(struct p2m *p2m, gfn_t g, uint64_t nr) {
    (void)p2m;
    for (unsigned i = 0; !tampered && i < nr_maps; i++)
        if (maps[i].g == g.gfn && maps[i].nr == nr) {
            maps[i] = maps[--nr_maps];
            return 0;
        }
    return -ENOENT;
}
static unsigned preempted;
void preempt_point(void) {
    preempted++;
}
void domain_crash(struct domain *dom, const char *fmt, ...) {
    (void)dom;
    (void)fmt;
    crashed = true;
}
void domain_log(struct domain *dom, const char *fmt, ...) {
    va_list ap;

    (void)dom;
    va_start(ap, fmt);
    vprintk(fmt, ap);
    va_end(ap);
}
void *hv_zalloc(size_t size) {
    return calloc(1, size);
}
void hv_free(void *p) {
    free(p);
}

/* ---- what the guest does ---- */

static uint64_t rd(unsigned slot, unsigned reg, unsigned size) {
    struct mmio_access a = {.offset = (slot << 15) + reg, .size = (uint8_t)size};

    assert_true(handler(NULL, handler_arg, &a));
    return a.value;
}
static void wr(unsigned slot, unsigned reg, unsigned size, uint64_t val) {
    struct mmio_access a = {
        .offset = (slot << 15) + reg, .size = (uint8_t)size, .write = true, .value = val};

    assert_true(handler(NULL, handler_arg, &a));
}

static int setup(void **state) {
    (void)state;
    memset(config, 0xa5, sizeof(config)); /* what must not be seen */
    config[PCI_ID / 4] = 0x00101b36;
    config[PCI_CLASS_REVISION / 4] = 0x01080202;
    config[PCI_SUBSYSTEM / 4] = 0x11001af4;
    config[PCI_COMMAND / 4] = 0x00180000;
    config[EXPRESS / 4] = 0x00024010;
    config[EXPRESS / 4 + 1] = 0x10008000;
    nr_maps = placed = writes = 0;
    tampered = crashed = false;
    memset(&d, 0, sizeof(d));
    log_clear();
    return vpci_add(&d, &function, 37, IRQ_LEVEL);
}
static int teardown(void **state) {
    (void)state;
    vpci_destroy(&d);
    assert_null(d.vpci);
    return 0;
}

static void what_is_not_there(void **state) {
    struct mmio_access a = {.offset = 0, .size = 8};

    (void)state;
    assert_int_equal(rd(1, 0, 4), 0xffffffff);
    assert_int_equal(rd(31, 0, 2), 0xffff);
    assert_int_equal(rd(0, 0x1000, 1), 0xff); /* function 1 */
    wr(1, PCI_COMMAND, 2, 6);
    wr(0, 0x1000 + PCI_COMMAND, 2, 6);
    assert_int_equal(writes, 0);
    assert_false(handler(NULL, handler_arg, &a));
}

static void identity(void **state) {
    (void)state;
    assert_int_equal(rd(0, 0, 4), 0x00101b36);
    assert_int_equal(rd(0, 2, 2), 0x0010);
    assert_int_equal(rd(0, PCI_CLASS_REVISION + 3, 1), 0x01);
    assert_int_equal(rd(0, PCI_HEADER_TYPE, 1), 0);
    assert_int_equal(rd(0, PCI_SUBSYSTEM, 4), 0x11001af4);
    assert_int_equal(rd(0, 0x30, 4), 0); /* no ROM */
    wr(0, 0x30, 4, ~0u);
    assert_int_equal(rd(0, 0x30, 4), 0);
    wr(0, PCI_INTERRUPT, 1, 44);
    assert_int_equal(rd(0, PCI_INTERRUPT, 2), 0x012c);
    assert_int_equal(writes, 0);
}

/* The list has one entry, which is read-only and offers no reset; nothing is behind it. */
static void capabilities(void **state) {
    (void)state;
    assert_int_equal(rd(0, PCI_STATUS, 2), 0x18);
    assert_int_equal(rd(0, PCI_CAPABILITIES, 1), EXPRESS);
    assert_int_equal(rd(0, EXPRESS, 4), 0x00920010); /* integrated: no port is above it */
    assert_int_equal(rd(0, EXPRESS + 4, 4), 0x00008000);
    wr(0, EXPRESS + 8, 4, ~0u);
    for (unsigned reg = 0x40; reg < 0x1000; reg += 4)
        if (reg < EXPRESS || reg >= EXPRESS + 0x3c) {
            assert_int_equal(rd(0, reg, 4), 0);
            wr(0, reg, 4, ~0u);
        }
    assert_int_equal(writes, 0);
}

static void command(void **state) {
    (void)state;
    wr(0, PCI_COMMAND, 2, 0xffff);
    assert_int_equal(rd(0, PCI_COMMAND, 2), 0x0546);
    assert_int_equal(written[PCI_COMMAND / 2], 0x0546);
    assert_int_equal(placed, 1);  /* the function may have lost its BARs meanwhile */
    wr(0, PCI_COMMAND + 1, 1, 0); /* a byte: INTx and SERR only */
    assert_int_equal(written[PCI_COMMAND / 2], 0x0046);
    wr(0, PCI_COMMAND, 4, 0xffff0000);
    assert_int_equal(written[PCI_COMMAND / 2], 0);
    assert_int_equal(written[PCI_STATUS / 2], 0xf900);
}

static void sizing(void **state) {
    (void)state;
    for (unsigned reg = PCI_BAR0; reg < PCI_BAR0 + 24; reg += 4)
        wr(0, reg, 4, ~0u);
    assert_int_equal(rd(0, PCI_BAR0, 4), 0xffffc004);
    assert_int_equal(rd(0, PCI_BAR0 + 4, 4), 0xffffffff);
    assert_int_equal(rd(0, PCI_BAR0 + 8, 4), 0xfffff008); /* a page at least */
    for (unsigned reg = PCI_BAR0 + 12; reg < PCI_BAR0 + 24; reg += 4)
        assert_int_equal(rd(0, reg, 4), 0);
    assert_int_equal(nr_maps, 0); /* it does not decode */
}

static const struct mapping *map_of(uint64_t m) {
    for (unsigned i = 0; i < nr_maps; i++)
        if (maps[i].m == m >> PAGE_SHIFT)
            return &maps[i];
    return NULL;
}

static void bars_follow(void **state) {
    (void)state;
    wr(0, PCI_BAR0, 4, WINDOW);
    wr(0, PCI_BAR0 + 8, 4, WINDOW + 0x4000);
    wr(0, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    assert_int_equal(nr_maps, 2);
    assert_int_equal(map_of(0x10000000)->g, WINDOW >> PAGE_SHIFT);
    assert_int_equal(map_of(0x10000000)->nr, 4);
    assert_int_equal(map_of(0x10008000)->g, (WINDOW + 0x4000) >> PAGE_SHIFT);
    assert_int_equal(map_of(0x10008000)->nr, 1);
    /* Moved while it decodes: the first onto the second is refused, then the second makes room. */
    wr(0, PCI_BAR0 + 8, 4, WINDOW + 0x8000);
    assert_int_equal(map_of(0x10008000)->g, (WINDOW + 0x8000) >> PAGE_SHIFT);
    wr(0, PCI_BAR0, 4, WINDOW + 0x8000);
    assert_null(map_of(0x10000000));
    assert_logged("BAR 0 cannot be mapped");
    wr(0, PCI_BAR0 + 8, 4, WINDOW);
    assert_int_equal(map_of(0x10000000)->g, (WINDOW + 0x8000) >> PAGE_SHIFT);
    assert_int_equal(map_of(0x10008000)->g, WINDOW >> PAGE_SHIFT);
    wr(0, PCI_COMMAND, 2, 0);
    assert_int_equal(nr_maps, 0);
    assert_false(crashed);
}

/* Only in the window: neither below, nor across its end, nor far beyond by the upper half. */
static void outside_the_window(void **state) {
    static const uint64_t bad[] = {0,          WINDOW - 0x4000,     WINDOW + GUEST_VPCI_MEM_SIZE,
                                   0x40000000, WINDOW | 1ULL << 32, 0xffffffffffffc000};

    (void)state;
    wr(0, PCI_BAR0 + 8, 4, WINDOW);
    wr(0, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        wr(0, PCI_BAR0, 4, (uint32_t)bad[i]);
        wr(0, PCI_BAR0 + 4, 4, (uint32_t)(bad[i] >> 32));
        assert_null(map_of(0x10000000));
        assert_logged("BAR 0 at");
    }
    wr(0, PCI_BAR0, 4, (uint32_t)(WINDOW + GUEST_VPCI_MEM_SIZE - 0x4000));
    wr(0, PCI_BAR0 + 4, 4, 0);
    assert_non_null(map_of(0x10000000));
}

/* A large one comes and goes in pieces, with looks at interrupts between; wholly or not at all. */
static void pieces(void **state) {
    (void)state;
    function.bar[4] = (struct pci_bar){.cpu = 0x20000000, .size = MB(8)};
    wr(0, PCI_BAR0 + 16, 4, WINDOW + MB(8));
    wr(0, PCI_BAR0, 4, WINDOW + MB(32));
    wr(0, PCI_BAR0 + 8, 4, WINDOW + MB(33));
    preempted = 0;
    wr(0, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    assert_int_equal(nr_maps, 6);
    assert_int_equal(map_of(0x20000000 + MB(6))->g, (WINDOW + MB(14)) >> PAGE_SHIFT);
    assert_int_equal(map_of(0x20000000 + MB(6))->nr, 512);
    wr(0, PCI_BAR0 + 16, 4, WINDOW + MB(32)); /* another is in its last pieces' place */
    assert_logged("BAR 4 cannot be mapped");
    wr(0, PCI_BAR0 + 16, 4, WINDOW + MB(24));
    assert_int_equal(nr_maps, 6);
    wr(0, PCI_BAR0, 4, WINDOW + MB(24) + MB(6));
    assert_int_equal(nr_maps, 5); /* BAR 0 in the way */
    wr(0, PCI_BAR0 + 16, 4, WINDOW + MB(16));
    wr(0, PCI_BAR0 + 16, 4, WINDOW + MB(24)); /* three of four pieces find room */
    assert_int_equal(nr_maps, 2);
    wr(0, PCI_COMMAND, 2, 0);
    assert_int_equal(nr_maps, 0);
    assert_true(preempted >= 4 * 6);
    assert_false(crashed);
    function.bar[4] = (struct pci_bar){.size = MB(512)}; /* larger than the window */
    wr(0, PCI_BAR0 + 16, 4, 0x20000000);
    wr(0, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    assert_logged("BAR 4 at 0x20000000 is outside");
    function.bar[4].size = 0;
}

static void pages_taken_away(void **state) {
    (void)state;
    wr(0, PCI_BAR0, 4, WINDOW);
    wr(0, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    tampered = true;
    wr(0, PCI_COMMAND, 2, 0);
    assert_true(crashed);
}

static void slots(void **state) {
    enum irq_trigger trigger;
    unsigned intid;

    (void)state;
    assert_true(vpci_slot(&d, 0, &intid, &trigger));
    assert_int_equal(intid, 37);
    assert_int_equal(trigger, IRQ_LEVEL);
    assert_false(vpci_slot(&d, 1, &intid, &trigger));
    for (unsigned i = 1; i < VPCI_SLOTS; i++)
        assert_int_equal(vpci_add(&d, &function, 0, IRQ_LEVEL), 0);
    assert_int_equal(vpci_add(&d, &function, 0, IRQ_LEVEL), -ENOSPC);
    assert_int_equal(rd(31, PCI_INTERRUPT, 2), 0); /* no pin */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(identity, setup, teardown),
        cmocka_unit_test_setup_teardown(capabilities, setup, teardown),
        cmocka_unit_test_setup_teardown(command, setup, teardown),
        cmocka_unit_test_setup_teardown(sizing, setup, teardown),
        cmocka_unit_test_setup_teardown(bars_follow, setup, teardown),
        cmocka_unit_test_setup_teardown(outside_the_window, setup, teardown),
        cmocka_unit_test_setup_teardown(pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(pages_taken_away, setup, teardown),
        cmocka_unit_test_setup_teardown(slots, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
