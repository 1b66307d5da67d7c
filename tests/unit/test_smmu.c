/* The SMMUv3 driver against a model of the device: taking over, encodings, entries at every step,
 * commands that are refused or never completed, events. */
/* SOURCES: drivers/smmu/smmu.c drivers/smmu/cmdq.c drivers/smmu/strtab.c drivers/smmu/evtq.c common/lib/fdt.c common/lib/spinlock.c */
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

void *xenheap_alloc(unsigned order) {
    uint64_t size = PAGE_SIZE << order, start = ALIGN_UP(ram_used, size);

    if (start + size > RAM_SIZE)
        return NULL;
    ram_used = start + size;
    return fake_ram + start;
}
/* The driver keeps what it has for ever. */
static void *objects[256];
void *hv_zalloc(size_t size) {
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
static bool raise_event(uint8_t type, uint32_t stream, uint64_t w1, uint64_t address) {
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
static void run_timer(void) {
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
static void interrupt(unsigned irq) {
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
    refuse_at = refused = nr_done = nr_registered = faults_told = 0;
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

/* ---- taking over ---- */

static void takes_over(void **state) {
    struct smmu *s;

    (void)state;
    *at(SMMU_CR0) = *at(SMMU_CR0ACK) = CR0_SMMUEN | CR0_CMDQEN; /* as firmware left it */
    *at(SMMU_GERROR) = GERROR_CMDQ;
    iommu_init(fdt);
    assert_true(abort_was_set);
    assert_int_equal(nr_registered, 1);
    s = smmu_of(registered);
    assert_true(registered->stage2 && registered->coherent && registered->live_split);
    assert_int_equal(registered->oas_bits, 44);
    assert_int_equal(registered->stream_end, 0x10000);
    assert_int_equal(registered->phandle, 7);
    assert_int_equal(*at(SMMU_CR0), CR0_SMMUEN | CR0_CMDQEN | CR0_EVENTQEN);
    assert_int_equal(*at(SMMU_CR1), 0xd75);
    assert_int_equal(*at(SMMU_STRTAB_BASE_CFG), 16 | 8 << 6 | 1 << 16);
    assert_int_equal(*at(SMMU_GERROR) ^ *at(SMMU_GERRORN), 0);
    assert_int_equal(*at(SMMU_IRQ_CTRL), IRQ_CTRL_EVENTQ | IRQ_CTRL_GERROR);
    assert_true(s->cmdq.bits <= 12 && s->evtq.bits <= 12);
    /* What it remembered is gone, before it was switched on again. */
    assert_int_equal(nr_done, 3);
    assert_int_equal(done[0].word[0], CMD_CFGI_ALL);
    assert_int_equal(done[1].word[0], CMD_TLBI_NSNH_ALL);
    assert_int_equal(done[2].word[0] & 0xff, CMD_SYNC);
    for (unsigned i = 0; i < s->nr_chunks; i++)
        assert_int_equal(s->l1[i], 0); /* no stream has an entry */
}

static void refused_with(const char *why) {
    nr_registered = 0;
    iommu_init(fdt);
    assert_int_equal(nr_registered, 1);
    assert_false(registered->stage2);
    assert_logged(why);
    /* and nothing passes through it */
    if (!deaf) {
        assert_true(*at(SMMU_GBPA) & GBPA_ABORT);
        assert_int_equal(*at(SMMU_CR0ACK), 0);
    }
}

static void useless(void **state) {
    (void)state;
    idr0 = IDR0_ALL & ~(uint32_t)IDR0_S2P;
    refused_with("no stage-2 translation");
    idr0 = IDR0_ALL;
    idr5 = 4;
    refused_with("no 4 KiB pages");
    idr5 = IDR5_GRAN4K | 4;
    idr1 |= 1u << 29;
    refused_with("tables and queues at fixed addresses");
}

static void no_ram_beyond(void **state) {
    (void)state;
    fake_ram_base = 0xff000000;
    idr5 = IDR5_GRAN4K | 0;
    refused_with("it cannot reach all RAM");
    idr5 = IDR5_GRAN4K | 1;
    nr_registered = 0;
    (void)start();
    assert_int_equal(registered->oas_bits, 36);
}

static void does_not_answer(void **state) {
    (void)state;
    deaf = true;
    refused_with("it does not obey");
    deaf = false;
    make_tree(0x1000);
    refused_with("expected its registers, 128 KiB");
}

static void small_ones(void **state) {
    struct smmu *s;

    (void)state;
    idr0 &= ~(uint32_t)(IDR0_ST_2LEVEL | IDR0_COHACC);
    idr1 = IDR1_OF(4, 2, 1); /* 16 streams, 4 events, 2 commands */
    idr3 = 0;
    s = start();
    assert_false(registered->coherent || registered->live_split || s->two_level);
    assert_int_equal(*at(SMMU_STRTAB_BASE_CFG), 4);
    assert_int_equal(*at(SMMU_CR1), 0);
    assert_int_equal(registered->stream_end, 16);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(s->chunks[0].ste[i][0], STE0_ABORT);
    assert_int_equal(smmu_flush(registered, 5, 0x1000, 8 * PAGE_SIZE), 0);
    assert_int_equal(s->cmdq.tlb_commands, 8);
    assert_non_null(smmu_fault_counter(s, 15));
    assert_null(smmu_fault_counter(s, 16));
}

/* ---- encodings, as the specification's tables have them ---- */

#define assert_cmd(c, w0, w1)                                                                      \
    do {                                                                                           \
        struct smmu_cmd c_ = (c);                                                                  \
        assert_int_equal(c_.word[0], (w0));                                                        \
        assert_int_equal(c_.word[1], (w1));                                                        \
    } while (0)

static void encodings(void **state) {
    const struct iommu_table table = {
        .root = {0x123456789000}, .vmid = 0xab, .start_level = 0, .ipa_bits = 44};
    struct iommu_table other = {
        .root = {0x40001000}, .vmid = 1, .start_level = 1, .ipa_bits = 39, .fwb = true};
    uint64_t ste[STE_WORDS];

    (void)state;
    assert_cmd(smmu_cmd_cfgi_ste(0x89abcdef), 0x89abcdef00000003, 0);
    assert_cmd(smmu_cmd_cfgi_all(), 0x04, 0x1f);
    assert_cmd(smmu_cmd_tlbi_all(CMD_TLBI_NSNH_ALL), 0x30, 0);
    assert_cmd(smmu_cmd_tlbi_all(CMD_TLBI_EL2_ALL), 0x20, 0);
    assert_cmd(smmu_cmd_tlbi_vmid(0xab), 0x000000ab00000028, 0);
    assert_cmd(smmu_cmd_tlbi_ipa(0xab, 0x8000001000), 0x000000ab0000002a, 0x8000001000);
    assert_cmd(smmu_cmd_tlbi_range(0xab, 0x200000, 31, 4), 0x000000ab0041f02a, 0x200400);
    assert_cmd(smmu_cmd_sync(), 0x46, 0);

    smmu_ste_make(ste, &table, 44);
    assert_int_equal(ste[0], 0x0d);               /* V, stage 2 */
    assert_int_equal(ste[1], 0x0000100000000000); /* SHCFG = incoming */
    /* R, AA64, PS 44 bits, inner shareable, write-back, SL0 2, T0SZ 20 */
    assert_int_equal(ste[2], 0x040c3594000000ab);
    assert_int_equal(ste[3], 0x123456789000);
    for (unsigned i = 4; i < STE_WORDS; i++)
        assert_int_equal(ste[i], 0);
    smmu_ste_make(ste, &other, 40);
    assert_int_equal(ste[1], 0x0000100002000000);
    assert_int_equal(ste[2], 0x040a355900000001); /* PS 40 bits, SL0 1, T0SZ 25 */
}

/* ---- entries ---- */

enum meaning { MEANS_ABORT, MEANS_A, MEANS_B, MEANS_NOTHING };

static uint64_t ste_a[STE_WORDS], ste_b[STE_WORDS], ste_abort[STE_WORDS] = {STE0_ABORT};

static enum meaning meaning_of(const uint64_t ste[STE_WORDS]) {
    if (ste[0] == STE0_ABORT)
        return MEANS_ABORT; /* whatever else it says */
    if (!memcmp(ste, ste_a, sizeof(ste_a)))
        return MEANS_A;
    if (!memcmp(ste, ste_b, sizeof(ste_b)))
        return MEANS_B;
    return MEANS_NOTHING;
}

/*
 * Between two invalidations the device may have any mixture of the words before and after. None may
 * mean anything but abort, what was and what is to be.
 */
static void transition(const uint64_t *from, const uint64_t *to, unsigned expected_steps) {
    uint64_t live[STE_WORDS];
    unsigned steps = 0;
    bool more = true;

    memcpy(live, from, sizeof(live));
    while (more) {
        uint64_t before[STE_WORDS];

        memcpy(before, live, sizeof(before));
        more = smmu_ste_step(live, to);
        steps++;
        for (unsigned mix = 0; mix < 1u << STE_WORDS; mix++) {
            uint64_t seen[STE_WORDS];
            enum meaning m;

            for (unsigned i = 0; i < STE_WORDS; i++)
                seen[i] = mix & 1u << i ? live[i] : before[i];
            m = meaning_of(seen);
            assert_true(m == MEANS_ABORT || m == meaning_of(from) || m == meaning_of(to));
        }
    }
    assert_int_equal(meaning_of(live), meaning_of(to));
    assert_int_equal(steps, expected_steps);
}

static void entry_steps(void **state) {
    const struct iommu_table a = {
        .root = {0x41000000}, .vmid = 3, .start_level = 0, .ipa_bits = 44};
    const struct iommu_table b = {
        .root = {0x42000000}, .vmid = 4, .start_level = 1, .ipa_bits = 39};
    uint64_t stale[STE_WORDS];

    (void)state;
    smmu_ste_make(ste_a, &a, 44);
    smmu_ste_make(ste_b, &b, 44);
    transition(ste_abort, ste_abort, 1);
    transition(ste_abort, ste_a, 2);
    transition(ste_a, ste_abort, 1);
    transition(ste_a, ste_a, 1); /* hitless: never anything else */
    transition(ste_a, ste_b, 3);
    /* blocked, with the words of its former owner behind it */
    memcpy(stale, ste_b, sizeof(stale));
    stale[0] = STE0_ABORT;
    transition(stale, ste_a, 2);
    transition(stale, ste_abort, 1);
}

static const struct iommu_table some_table = {
    .root = {0x41000000}, .vmid = 9, .start_level = 0, .ipa_bits = 44};

/* All commands since the last look ended in a CMD_SYNC; how many of that kind there were. */
static unsigned count_done(uint8_t opcode) {
    unsigned n = 0;

    assert_false(unsynced);
    for (unsigned i = 0; i < nr_done; i++)
        n += (done[i].word[0] & 0xff) == opcode;
    nr_done = 0;
    return n;
}

static void streams(void **state) {
    struct smmu *s = start();
    uint64_t wanted[STE_WORDS];
    uint64_t *l1 = s->l1;

    (void)state;
    smmu_ste_make(wanted, &some_table, 44);
    /* across the border of two second-level tables */
    assert_int_equal(smmu_translate(registered, 0xfe, 4, &some_table), 0);
    assert_int_equal(count_done(CMD_CFGI_STE), 8);
    for (unsigned n = 0; n < s->nr_chunks; n++) {
        assert_int_equal(!l1[n], n > 1);
        for (unsigned i = 0; l1[n] && i < SMMU_CHUNK; i++) {
            const uint64_t *ste = phys_to_virt(paddr((l1[n] & ~0x3fULL) + i * 64));
            uint32_t stream = n * SMMU_CHUNK + i;

            assert_int_equal(l1[n] & 0x1f, 9);
            assert_memory_equal(ste, stream >= 0xfe && stream <= 0x101 ? wanted : ste_abort,
                                stream >= 0xfe && stream <= 0x101 ? 64 : 8);
        }
    }
    assert_int_equal(smmu_block(registered, 0xfe, 4), 0);
    assert_int_equal(count_done(CMD_CFGI_STE), 4);
    assert_int_equal(s->chunks[0].ste[0xfe][0], STE0_ABORT);
    assert_int_equal(s->chunks[1].ste[1][0], STE0_ABORT);
    /* streams that never had an entry are blocked as they are */
    assert_int_equal(smmu_block(registered, 0x8000, 2), 0);
    assert_int_equal(l1[0x80], 0);
    /* many at once: one command */
    assert_int_equal(smmu_translate(registered, 0x200, 0x400, &some_table), 0);
    assert_int_equal(count_done(CMD_CFGI_ALL), 2);
}

static void no_memory_for_streams(void **state) {
    struct smmu *s = start();

    (void)state;
    while (xenheap_alloc(0))
        ;
    assert_int_equal(smmu_translate(registered, 0x10, 1, &some_table), -ENOMEM);
    assert_int_equal(s->l1[0], 0);
    assert_int_equal(nr_done, 0);
}

/* ---- flushes ---- */

static uint64_t rng = 1;
static uint64_t rnd(uint64_t n) {
    rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
    return (rng >> 33) % n;
}

/* The pages the commands name are [ipa, +pages), each once; or all of the VMID. */
static void check_flush(uint64_t ipa, uint64_t pages, bool all_is_fine) {
    uint64_t at_ipa = ipa;

    for (unsigned i = 0; i < nr_done; i++) {
        uint64_t w0 = done[i].word[0], w1 = done[i].word[1];
        bool range = w1 & 0xc00;
        unsigned num = (unsigned)bits_get(w0, 16, 12), scale = (unsigned)bits_get(w0, 24, 20);

        if ((w0 & 0xff) == CMD_SYNC)
            continue;
        assert_int_equal(bits_get(w0, 47, 32), 9);
        if ((w0 & 0xff) == CMD_TLBI_S12_VMALL) {
            assert_true(all_is_fine);
            at_ipa = ipa + (pages << PAGE_SHIFT);
            continue;
        }
        assert_int_equal(w0 & 0xff, CMD_TLBI_S2_IPA);
        assert_int_equal(w1 & GENMASK(51, 12), at_ipa);
        assert_int_equal(w1 & 0x301, 0);     /* no level hint, not only leaves */
        assert_true(!range || num || scale); /* reserved */
        assert_true(range || (num == 0 && scale == 0));
        at_ipa += (uint64_t)(num + 1) << scale << PAGE_SHIFT;
    }
    assert_int_equal(at_ipa, ipa + (pages << PAGE_SHIFT));
    assert_false(unsynced);
    nr_done = 0;
}

static void flushes(void **state) {
    (void)state;
    struct smmu *s = start();

    for (unsigned ril = 0; ril < 2; ril++) {
        s->range_commands = ril;
        for (unsigned i = 0; i < 2000; i++) {
            uint64_t pages = 1 + rnd(1ULL << rnd(20)), ipa = rnd(1ULL << 31) << PAGE_SHIFT;

            assert_int_equal(smmu_flush(registered, 9, ipa, pages << PAGE_SHIFT), 0);
            assert_true(nr_done <= 33);
            check_flush(ipa, pages, pages > (ril ? 1u << 18 : 32u));
        }
    }
    assert_int_equal(smmu_flush(registered, 9, 0, 0), 0);
    assert_int_equal(done[0].word[0] & 0xff, CMD_TLBI_S12_VMALL);
    /* the queue went round several times */
    assert_true(s->cmdq.commands > 4u << s->cmdq.bits);
}

/* ---- commands that go wrong ---- */

static void refused_command(void **state) {
    struct smmu *s = start();

    (void)state;
    s->range_commands = false;
    refuse_at = 3;
    assert_int_equal(smmu_flush(registered, 9, 0x1000, 7 * PAGE_SIZE), -EIO);
    assert_int_equal(refused, 1);
    assert_int_equal(*at(SMMU_GERROR) ^ *at(SMMU_GERRORN), 0);
    assert_int_equal(s->cmdq.errors, 1);
    assert_false(unsynced); /* what stood behind it was done */
    assert_int_equal(smmu_flush(registered, 9, 0x1000, PAGE_SIZE), 0);
    /* an entry that could not be made sure of */
    refuse_at = 1;
    assert_int_equal(smmu_translate(registered, 0x10, 1, &some_table), -EIO);
    assert_int_equal(s->chunks[0].ste[0x10][0], STE0_ABORT); /* never got that far */
    assert_int_equal(smmu_block(registered, 0x10, 1), 0);
    /* the interrupt comes after it was seen to: nothing left to do */
    interrupt(IRQ_GERROR);
    assert_int_equal(s->cmdq.errors, 2);
}

static void never_completed(void **state) {
    struct smmu *s = start();
    uint64_t before;

    (void)state;
    deaf = true;
    before = now;
    assert_int_equal(smmu_flush(registered, 9, 0x1000, PAGE_SIZE), -EIO);
    assert_true(now - before >= 1000000000 && now - before < 2000000000);
    assert_int_equal(s->cmdq.timeouts, 1);
    /* nothing more is put behind it, nobody waits again */
    before = now;
    assert_int_equal(smmu_flush(registered, 9, 0x2000, PAGE_SIZE), -EIO);
    assert_true(now - before < 100000000);
    assert_int_equal(s->cmdq.timeouts, 1);
    deaf = false;
    do_commands();
    assert_int_equal(smmu_flush(registered, 9, 0x3000, PAGE_SIZE), 0);
}

/* Batches that are larger than the queue. */
static void tiny_queue(void **state) {
    struct smmu *s;

    (void)state;
    idr1 = IDR1_OF(16, 19, 2);
    s = start();
    assert_int_equal(s->cmdq.bits, 2);
    s->range_commands = false;
    for (unsigned i = 1; i <= 32; i++) {
        assert_int_equal(smmu_flush(registered, 9, 0x1000, i * PAGE_SIZE), 0);
        check_flush(0x1000, i, false);
    }
    /* refused in the first of several rounds: the whole has failed */
    refuse_at = 2;
    assert_int_equal(smmu_flush(registered, 9, 0x1000, 32 * PAGE_SIZE), -EIO);
}

/* ---- events ---- */

static void texts(void **state) {
    static const struct {
        uint64_t event[EVENT_WORDS];
        const char *text;
    } cases[] = {
        {{0x1000000010, EVT1_S2, 0x40001234, 0x40001000},
         "F_TRANSLATION, write of 0x40001234, stage 2, ipa page 0x40001000"},
        {{0x1000000013, EVT1_S2 | EVT1_READ, 0x8000000000, 0x8000000000},
         "F_PERMISSION, read of 0x8000000000, stage 2, ipa page 0x8000000000"},
        {{0x1000000002, 0, 0, 0}, "C_BAD_STREAMID"},
        {{0x1000000004, 0, 0, 0}, "C_BAD_STE"},
        {{0x10000000fe, 1, 2, 3}, "event 0xfe: 0x10000000fe 0x1 0x2 0x3"},
    };
    char text[SMMU_EVENT_TEXT];

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        smmu_event_text(cases[i].event, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void event_lines(void **state) {
    struct smmu *s = start();

    (void)state;
    assert_int_equal(smmu_translate(registered, 0x10, 1, &some_table), 0);
    raise_event(0x10, 0x10, EVT1_S2, 0x5000);
    interrupt(IRQ_EVENTQ);
    assert_logged("smmu@9050000: stream 0x10 of d3: F_TRANSLATION, write of "
                  "0x5000, stage 2, ipa page 0x5000\n");
    assert_int_equal(*smmu_fault_counter(s, 0x10), 1);
    /* one the table has no entry for, and one that no table could */
    raise_event(0x02, 0x7000, 0, 0);
    raise_event(0x02, 0x12345678, 0, 0);
    interrupt(IRQ_EVENTQ);
    assert_logged("smmu@9050000: stream 0x12345678 of nobody: C_BAD_STREAMID\n");
    assert_int_equal(s->evtq.strays, 2);
    assert_int_equal(s->evtq.events, 3);
    registered->ops->show(registered);
    assert_logged("iommu: smmu@9050000: stream 0x10: 1 faults\n");
}

/* More than anybody can read: the interrupt rests, every event that found room is counted. */
static void storm(void **state) {
    struct smmu *s = start();
    unsigned raised = 0, rounds = 0;

    (void)state;
    may_print = false;
    assert_int_equal(smmu_translate(registered, 0x10, 1, &some_table), 0);
    while (rounds < 50) {
        while (raise_event(0x10, 0x10, EVT1_S2, 0x5000))
            raised++;
        assert_true((*at(SMMU_GERROR) ^ *at(SMMU_GERRORN)) & GERROR_EVENTQ_ABT);
        interrupt(IRQ_EVENTQ);
        interrupt(IRQ_GERROR);
        assert_true(timer_waits);
        assert_false(irqs[IRQ_EVENTQ].on);
        run_timer();
        rounds++;
    }
    while (timer_waits)
        run_timer();
    assert_true(irqs[IRQ_EVENTQ].on);
    assert_int_equal(s->evtq.events, raised);
    assert_int_equal(*smmu_fault_counter(s, 0x10), raised);
    assert_int_equal(faults_told, raised);
    assert_true(s->evtq.lost > 0);
    assert_int_equal(*at(SMMU_GERROR) ^ *at(SMMU_GERRORN), 0);
    /* and then one by one again */
    raise_event(0x10, 0x10, EVT1_S2, 0x5000);
    interrupt(IRQ_EVENTQ);
    assert_int_equal(s->evtq.events, raised + 1);
}

static void other_errors(void **state) {
    (void)start();
    (void)state;
    *at(SMMU_GERROR) ^= BIT(8);
    interrupt(IRQ_GERROR);
    assert_logged("error: smmu@9050000: global error 0x100; acknowledged\n");
    assert_int_equal(*at(SMMU_GERROR) ^ *at(SMMU_GERRORN), 0);
}

int main(void) {
    int failed;

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(takes_over),      T(useless),         T(no_ram_beyond),
        T(does_not_answer), T(small_ones),      T(encodings),
        T(entry_steps),     T(streams),         T(no_memory_for_streams),
        T(flushes),         T(refused_command), T(never_completed),
        T(tiny_queue),      T(texts),           T(event_lines),
        T(storm),           T(other_errors),
    };

    fake_ram = aligned_alloc(MB(2), RAM_SIZE);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(fake_ram);
    return failed;
}
