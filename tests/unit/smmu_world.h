/* A model of an SMMUv3 and of what its driver calls, for the driver's tests. */
#ifndef SMMU_WORLD_H
#define SMMU_WORLD_H

#include "captured_log.h"

#include <hv/cmdline.h>
#include <hv/errno.h>
#include <hv/irq.h>
#include <hv/percpu.h>

#include <libfdt.h>

#include "../../drivers/smmu/smmu.h"

uintptr_t percpu_offsets[MAX_CPUS];
DEFINE_PER_CPU(uint32_t, cpu_number);

/* ---- memory: given out once, from one end ---- */

#define RAM_SIZE MB(64)
uint8_t *fake_ram, *fake_frame_table, *fake_frame_table_end;
uint64_t fake_ram_base, fake_ram_size = RAM_SIZE;
static uint64_t ram_used;

static unsigned fail_alloc; /* so many from now: the one that fails; 0: none */
void *xenheap_alloc(unsigned order) {
    uint64_t size = PAGE_SIZE << order, start = ALIGN_UP(ram_used, size);

    if ((fail_alloc && !--fail_alloc) || start + size > RAM_SIZE)
        return NULL;
    ram_used = start + size;
    return fake_ram + start;
}
/* The driver keeps what it has for ever. */
static void *objects[256];
void *hv_zalloc(size_t size) {
    if (fail_alloc && !--fail_alloc)
        return NULL;
    for (unsigned i = 0; i < ARRAY_SIZE(objects); i++)
        if (!objects[i])
            return objects[i] = calloc(1, size);
    return NULL;
}
void hv_free(void *p) {
    for (unsigned i = 0; p && i < ARRAY_SIZE(objects); i++)
        if (objects[i] == p)
            objects[i] = NULL;
    free(p);
}
bool boot_mem_bank(unsigned i, paddr_t *start, uint64_t *size) {
    *start = paddr(fake_ram_base);
    *size = RAM_SIZE;
    return !i;
}

/* ---- the device ---- */

#define IDR0_ALL (IDR0_S2P | IDR0_S1P | IDR0_TTF_AA64 | IDR0_COHACC | IDR0_VMID16 | IDR0_ST_2LEVEL)
#define IDR1_OF(sid, evt, cmd) ((uint32_t)((sid) | (evt) << 16 | (cmd) << 21))

static uint32_t reg[SMMU_REGS_SIZE / 4];
static uint32_t idr0, idr1, idr3, idr5;
static bool deaf;          /* takes no commands and answers nothing */
static unsigned refuse_at; /* this many commands from now one is refused */
static unsigned refused;
static bool abort_was_set; /* before it was switched off */

#define MAX_DONE 70000u
static struct smmu_cmd done[MAX_DONE];
static unsigned nr_done;
static bool unsynced; /* a command stands without a CMD_SYNC behind it */

static uint32_t *at(unsigned offset) {
    return &reg[offset / 4];
}

static uint64_t base_of(unsigned offset) {
    return (*at(offset) | (uint64_t)*at(offset + 4) << 32) & GENMASK(51, 5);
}

static void do_command(const uint64_t *cmd) {
    assert_true(nr_done < MAX_DONE);
    memcpy(done[nr_done++].word, cmd, sizeof(done[0]));
    unsynced = (cmd[0] & 0xff) != CMD_SYNC;
}

static void do_commands(void) {
    unsigned bits = *at(SMMU_CMDQ_BASE) & 31;
    uint32_t mask = (2u << bits) - 1, cons = *at(SMMU_CMDQ_CONS) & mask;

    while (!deaf && (*at(SMMU_CR0) & CR0_CMDQEN) && cons != *at(SMMU_CMDQ_PROD) &&
           !((*at(SMMU_GERROR) ^ *at(SMMU_GERRORN)) & GERROR_CMDQ)) {
        const uint64_t *cmd =
            phys_to_virt(paddr(base_of(SMMU_CMDQ_BASE) + (cons & (mask >> 1)) * 16ULL));

        if (refuse_at && !--refuse_at) {
            refused++;
            *at(SMMU_CMDQ_CONS) = cons | 1u << 24;
            *at(SMMU_GERROR) ^= GERROR_CMDQ;
            return;
        }
        do_command(cmd);
        cons = (cons + 1) & mask;
        *at(SMMU_CMDQ_CONS) = cons;
    }
}

static uint8_t window[SMMU_REGS_SIZE];

uint64_t fake_mmio_read(const volatile void *p, unsigned size) {
    unsigned offset = (unsigned)((const volatile uint8_t *)p - window);

    assert_int_equal(size, 4);
    switch (offset) {
    case SMMU_IDR0:
        return idr0;
    case SMMU_IDR1:
        return idr1;
    case SMMU_IDR3:
        return idr3;
    case SMMU_IDR5:
        return idr5;
    }
    return *at(offset);
}

void fake_mmio_write(volatile void *p, uint64_t val, unsigned size) {
    unsigned offset = (unsigned)((volatile uint8_t *)p - window);
    bool on = *at(SMMU_CR0ACK) & CR0_SMMUEN;

    assert_true(offset + size <= SMMU_REGS_SIZE);
    *at(offset) = (uint32_t)val;
    if (size == 8)
        *at(offset + 4) = (uint32_t)(val >> 32);
    if (deaf)
        return;
    switch (offset) {
    case SMMU_GBPA:
        assert_true(val & GBPA_UPDATE);
        *at(SMMU_GBPA) &= ~(uint32_t)GBPA_UPDATE;
        break;
    case SMMU_CR0:
        if (!(val & CR0_SMMUEN)) {
            assert_true(*at(SMMU_GBPA) & GBPA_ABORT); /* nothing passes meanwhile */
            abort_was_set |= on;
        }
        *at(SMMU_CR0ACK) = (uint32_t)val;
        do_commands();
        break;
    case SMMU_IRQ_CTRL:
        *at(SMMU_IRQ_CTRLACK) = (uint32_t)val;
        break;
    case SMMU_STRTAB_BASE:
    case SMMU_STRTAB_BASE_CFG:
    case SMMU_CR1:
        assert_false(on);
        break;
    case SMMU_CMDQ_PROD:
    case SMMU_GERRORN:
        do_commands();
        break;
    }
}

/* An event in its queue; false when there is no room. */
static inline bool raise_event(uint8_t type, uint32_t stream, uint64_t w1, uint64_t address) {
    unsigned bits = *at(SMMU_EVENTQ_BASE) & 31;
    uint32_t prod = *at(SMMU_EVENTQ_PROD), mask = (2u << bits) - 1;
    uint64_t *e = phys_to_virt(paddr(base_of(SMMU_EVENTQ_BASE) + (prod & (mask >> 1)) * 32ULL));

    if ((prod ^ (*at(SMMU_EVENTQ_CONS) & mask)) == 1u << bits) {
        if (!((*at(SMMU_GERROR) ^ *at(SMMU_GERRORN)) & GERROR_EVENTQ_ABT))
            *at(SMMU_GERROR) ^= GERROR_EVENTQ_ABT;
        return false;
    }
    e[0] = type | (uint64_t)stream << 32;
    e[1] = w1;
    e[2] = address;
    e[3] = address & ~0xfffULL;
    *at(SMMU_EVENTQ_PROD) = (prod + 1) & mask;
    return true;
}

/* ---- what the driver calls ---- */

static struct iommu *registered;
static unsigned nr_registered, faults_told;
static bool may_print;

int iommu_register(struct iommu *iommu) {
    registered = iommu;
    nr_registered++;
    return 0;
}
bool iommu_fault(struct iommu *iommu, uint32_t stream, uint16_t *domid) {
    (void)iommu;
    faults_told++;
    *domid = stream == 0x10 ? 3 : IOMMU_NOBODY;
    return may_print;
}

static uint64_t now;
uint64_t time_ns(void) {
    return now += 1000000;
}
uint64_t time_ticks(void) {
    return now;
}
uint64_t ns_to_ticks(uint64_t ns) {
    return ns;
}
static struct timer *timer;
static bool timer_waits;
void timer_init(struct timer *t, void (*fn)(void *), void *arg) {
    timer = t;
    t->fn = fn;
    t->arg = arg;
}
void timer_set(struct timer *t, uint64_t expires) {
    assert_ptr_equal(t, timer);
    assert_true(expires > now);
    timer_waits = true;
}
static inline void run_timer(void) {
    assert_true(timer_waits);
    timer_waits = false;
    timer->fn(timer->arg);
}

static struct {
    irq_handler_t fn;
    void *arg;
    bool on;
} irqs[8];
int irq_request(unsigned irq, enum irq_trigger trigger, irq_handler_t fn, void *arg,
                const char *name) {
    (void)name;
    assert_int_equal(trigger, IRQ_EDGE);
    irqs[irq].fn = fn;
    irqs[irq].arg = arg;
    irqs[irq].on = true;
    return 0;
}
int irq_from_fdt(const void *fdt, int node, unsigned index, unsigned *irq,
                 enum irq_trigger *trigger) {
    (void)fdt;
    (void)node;
    *irq = index + 1;
    *trigger = IRQ_EDGE;
    return 0;
}
static void chip_enable(uint32_t irq) {
    irqs[irq].on = true;
}
static void chip_disable(uint32_t irq) {
    irqs[irq].on = false;
}
static const struct irq_chip chip = {.enable = chip_enable, .disable = chip_disable};
const struct irq_chip *irq_chip = &chip;
#define IRQ_EVENTQ 1 /* by its place in interrupt-names */
#define IRQ_GERROR 4
static inline void interrupt(unsigned irq) {
    if (irqs[irq].on)
        assert_int_equal(irqs[irq].fn(irq, irqs[irq].arg), IRQ_DONE);
}

bool cmdline_bool(const char *name, bool def) {
    (void)name;
    return def;
}
bool log_ratelimit(struct ratelimit *rl, uint64_t at_ns) {
    (void)rl;
    (void)at_ns;
    return true;
}
volatile void *ioremap(paddr_t pa, uint64_t size) {
    assert_int_equal(pa.pa, 0x9050000);
    assert_true(size >= SMMU_REGS_SIZE);
    return window;
}

/* ---- a machine with one of them ---- */

static char fdt[4096];

static void make_tree(uint32_t reg_size) {
    static const char names[] = "eventq\0priq\0cmdq-sync\0gerror";
    const uint32_t cells[] = {0, cpu_to_fdt32(0x9050000), 0, cpu_to_fdt32(reg_size)};
    int node;

    assert_int_equal(fdt_create_empty_tree(fdt, sizeof(fdt)), 0);
    fdt_setprop_u32(fdt, 0, "#address-cells", 2);
    fdt_setprop_u32(fdt, 0, "#size-cells", 2);
    node = fdt_add_subnode(fdt, 0, "smmuv3@9050000");
    fdt_setprop_string(fdt, node, "compatible", "arm,smmu-v3");
    fdt_setprop(fdt, node, "reg", cells, sizeof(cells));
    fdt_setprop(fdt, node, "interrupt-names", names, sizeof(names));
    fdt_setprop_u32(fdt, node, "phandle", 7);
}

static int setup(void **state) {
    (void)state;
    fake_ram_base = 0x40000000;
    ram_used = 0;
    memset(fake_ram, 0xa5, RAM_SIZE);
    log_clear();
    memset(reg, 0, sizeof(reg));
    *at(SMMU_CR0) = *at(SMMU_CR0ACK) = 0;
    idr0 = IDR0_ALL;
    idr1 = IDR1_OF(16, 19, 19);
    idr3 = IDR3_RIL | 2 << 11;
    idr5 = IDR5_GRAN4K | 4;
    deaf = abort_was_set = unsynced = timer_waits = false;
    may_print = true;
    refuse_at = refused = nr_done = nr_registered = faults_told = fail_alloc = 0;
    memset(irqs, 0, sizeof(irqs));
    make_tree(0x20000);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    assert_false(unsynced);
    assert_int_equal(locks_held(), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(objects); i++)
        hv_free(objects[i]);
    return 0;
}

static struct smmu *start(void) {
    iommu_init(fdt);
    assert_int_equal(nr_registered, 1);
    assert_true(registered->stage2);
    nr_done = 0;
    return smmu_of(registered);
}

static const struct iommu_table some_table = {
    .root = {0x41000000}, .vmid = 9, .start_level = 0, .ipa_bits = 44};

/* All commands since the last look ended in a CMD_SYNC; how many of that kind there were. */
static inline unsigned count_done(uint8_t opcode) {
    unsigned n = 0;

    assert_false(unsynced);
    for (unsigned i = 0; i < nr_done; i++)
        n += (done[i].word[0] & 0xff) == opcode;
    nr_done = 0;
    return n;
}

/* All tests of a file, each with a machine of its own. */
static inline int run_with_smmu(const struct CMUnitTest *tests, size_t nr) {
    int failed;

    fake_ram = aligned_alloc(MB(2), RAM_SIZE);
    failed = _cmocka_run_group_tests("tests", tests, nr, NULL, NULL);
    free(fake_ram);
    return failed;
}
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
