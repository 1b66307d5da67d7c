/*
 * Counts what a machine under QEMU executes: a plugin of its TCG, for runs with one thread
 * (-icount).
 *
 *   -plugin FILE,out=PATH,guest=START-END[,trace=on][,own=on]
 *
 * The bench guest brackets what it measures with marks, which are moves into the zero register.
 * Each pair makes one line in PATH, "sample N insns tlbi dsb cache", of everything that ran
 * meanwhile on any CPU outside the guest's addresses. "first N" says how many instructions there
 * were until the guest's first; "stretch N FROM TO" is the longest way the hypervisor went without
 * a look at its interrupts, and between which addresses, in all samples. With trace=on each sample
 * is followed by the addresses of its instructions: "trace N ADDRESS..." (not of one that is too
 * long). With own=on only what the CPU of the marks ran is counted, and the longest stretch is that
 * of all CPUs from the first mark to the last one.
 *
 * The interface is declared here, as documented for plugins of version 3: Debian ships no header.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*translated_fn)(plugin_id id, struct qemu_plugin_tb *tb);
typedef void (*executed_fn)(unsigned cpu, void *data);
typedef void (*started_fn)(plugin_id id, unsigned cpu);
/* GArray and GByteArray of glib, as far as anybody may look. */
struct array {
    char *data;
    unsigned len;
};
struct reg_descriptor {
    void *handle;
    const char *name, *feature;
};

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, translated_fn fn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, executed_fn fn,
                                            int flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to, size_t size);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, executed_fn fn, int flags,
                                          void *data);
void qemu_plugin_register_vcpu_init_cb(plugin_id id, started_fn fn);
struct array *qemu_plugin_get_registers(void);
int qemu_plugin_read_register(void *handle, struct array *to);
struct array *g_byte_array_new(void);
struct array *g_byte_array_set_size(struct array *array, unsigned size);
#define READS_REGISTERS 1

EXPORT int qemu_plugin_version = 3;
EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);

#define MAX_CPUS 16

/* movz xzr, #imm */
#define MARK(imm) (0xd280001fu | (uint32_t)(imm) << 5)
enum { MARK_FIRST = 0xb000, MARK_BEGIN, MARK_END, MARK_DONE };

enum kind { OTHER, TLBI, DSB, CACHE, LOOK, GUEST, NR_COUNTED = CACHE + 1 };

static FILE *out;
static uint64_t guest_start, guest_end;
static uint64_t total;
static bool started, sampling, own;
static unsigned running, owner;
static uint64_t counts[NR_COUNTED], samples;
static struct { uint64_t length, from; } stretch[MAX_CPUS], longest;
static uint64_t longest_to;

#define TRACE_MAX 20000
static bool tracing;
static uint64_t trace[TRACE_MAX];

/* SYS instructions (Arm ARM C5.3): op1, CRn, CRm, op2 in bits 18:5. */
static enum kind kind_of_sys(uint32_t word) {
    unsigned crn = word >> 12 & 15, crm = word >> 8 & 15;

    if (crn == 8 || crn == 9)
        return TLBI;
    /* AT has CRm 8 and 9, DC ZVA has 4: neither is maintenance. */
    return crn == 7 && crm != 8 && crm != 9 && crm != 4 ? CACHE : OTHER;
}

/* LOOK: interrupts are taken here, or asked for: ERET, WFI, ISR_EL1, ICC_IAR1_EL1, ICC_HPPIR1_EL1.
 */
static enum kind kind_of(uint32_t word) {
    if ((word & 0xfff80000) == 0xd5080000)
        return kind_of_sys(word);
    if ((word & 0xfffff0ff) == 0xd503309f)
        return DSB;
    switch (word & ~31u) {
    case 0xd538c100:
    case 0xd538cc00:
    case 0xd538cc40:
        return LOOK;
    default:
        return word == 0xd69f03e0 || word == 0xd503207f ? LOOK : OTHER;
    }
}

static void end_stretch(unsigned cpu, uint64_t to) {
    if (stretch[cpu].length > longest.length) {
        longest.length = stretch[cpu].length;
        longest.from = stretch[cpu].from;
        longest_to = to;
    }
    stretch[cpu].length = 0;
}

static void executed(uint64_t at, enum kind kind, unsigned cpu) {
    total++;
    if (!(own ? started : sampling))
        return;
    if (kind == GUEST) {
        stretch[cpu].length = 0;
        return;
    }
    if (!stretch[cpu].length++)
        stretch[cpu].from = at;
    if (kind == LOOK)
        end_stretch(cpu, at);
    if (!sampling || (own && cpu != owner))
        return;
    if (tracing && counts[OTHER] < TRACE_MAX)
        trace[counts[OTHER]] = at;
    counts[OTHER]++;
    if (kind == TLBI || kind == DSB || kind == CACHE)
        counts[kind]++;
}

/* The address and what stands there, in one word: no address of ours has its top bits in use. */
static void *pack(uint64_t at, enum kind kind) {
    return (void *)(uintptr_t)(at << 4 | kind);
}

static void on_insn(unsigned cpu, void *data) {
    executed((uintptr_t)data >> 4, (uintptr_t)data & 15, own ? running : cpu % MAX_CPUS);
}

/*
 * Which CPU runs, with own=on. What QEMU gives to callbacks is, under -icount, the CPU that the
 * code was translated for first; a register that is another one's on each CPU tells it: the
 * hypervisor keeps where its variables are in TPIDR_EL2.
 */
static void *tpidr_el2;
static struct array *bytes;
static uint64_t of_cpu[MAX_CPUS];

static void find_register(plugin_id id, unsigned cpu) {
    struct array *registers = qemu_plugin_get_registers();
    const struct reg_descriptor *r = (const void *)registers->data;

    (void)id;
    (void)cpu;
    for (unsigned i = 0; i < registers->len; i++)
        if (!strcmp(r[i].name, "TPIDR_EL2"))
            tpidr_el2 = r[i].handle;
    if (!bytes)
        bytes = g_byte_array_new();
}

static void on_block(unsigned cpu, void *data) {
    uint64_t now;

    (void)cpu;
    (void)data;
    if (!started)
        return;
    g_byte_array_set_size(bytes, 0);
    if (qemu_plugin_read_register(tpidr_el2, bytes) != sizeof(now))
        abort();
    memcpy(&now, bytes->data, sizeof(now));
    for (running = 0; of_cpu[running] != now; running++) /* 0: the boot CPU's */
        if (running + 1 < MAX_CPUS && !of_cpu[running + 1])
            of_cpu[running + 1] = now;
}

static void begin(unsigned cpu) {
    memset(counts, 0, sizeof(counts));
    if (!own)
        memset(stretch, 0, sizeof(stretch));
    owner = cpu;
    sampling = true;
}

static void end(void) {
    sampling = false;
    fprintf(out, "sample %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", samples,
            counts[OTHER], counts[TLBI], counts[DSB], counts[CACHE]);
    if (tracing && counts[OTHER] < TRACE_MAX) {
        fprintf(out, "trace %" PRIu64, samples);
        for (uint64_t i = 0; i < counts[OTHER]; i++)
            fprintf(out, " %" PRIx64, trace[i]);
        fputc('\n', out);
    }
    samples++;
}

static void on_mark(unsigned cpu, void *data) {
    switch ((uintptr_t)data) {
    case MARK_FIRST:
        if (!started)
            fprintf(out, "first %" PRIu64 "\n", total);
        started = true;
        break;
    case MARK_BEGIN:
        begin(own ? running : cpu % MAX_CPUS);
        break;
    case MARK_END:
        end();
        break;
    default:
        fprintf(out, "stretch %" PRIu64 " %#" PRIx64 " %#" PRIx64 "\n", longest.length,
                longest.from, longest_to);
        started = false;
    }
    fflush(out);
}

static void on_translation(plugin_id id, struct qemu_plugin_tb *tb) {
    (void)id;
    if (own)
        qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, READS_REGISTERS, NULL);
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t at = qemu_plugin_insn_vaddr(insn);
        bool guest = at >= guest_start && at < guest_end;
        uint32_t word = 0;

        qemu_plugin_insn_data(insn, &word, sizeof(word));
        for (unsigned mark = MARK_FIRST; mark <= MARK_DONE; mark++)
            if (word == MARK(mark))
                qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, 0, (void *)(uintptr_t)mark);
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_insn, 0,
                                               pack(at, guest ? GUEST : kind_of(word)));
    }
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "out=", 4))
            out = fopen(argv[i] + 4, "w");
        else if (!strcmp(argv[i], "trace=on"))
            tracing = true;
        else if (!strcmp(argv[i], "own=on"))
            own = true;
        else if (sscanf(argv[i], "guest=%" SCNx64 "-%" SCNx64, &guest_start, &guest_end) != 2)
            return -1;
    }
    if (!out || !guest_end)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    if (own)
        qemu_plugin_register_vcpu_init_cb(id, find_register);
    return 0;
}
