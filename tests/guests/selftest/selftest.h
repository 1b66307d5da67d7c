/*
 * What a test of the guest may use. A test is TEST(name) { ... } in any file; it runs alone on CPU
 * 0 with interrupts masked, and fails when an EQ() or WAIT() of it does, or when an exception comes
 * outside TRY().
 */
#ifndef SELFTEST_H
#define SELFTEST_H

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"
#include "processor.h"

struct test {
    const char *name;
    void (*run)(void);
    unsigned cpus; /* that it needs */
};

#define TEST_ON(n, function)                                                                       \
    static void function(void);                                                                    \
    static const struct test function##_test                                                       \
        __attribute__((used, section("tests"))) = {#function, function, n};                        \
    static void function(void)
#define TEST(function) TEST_ON(1, function)
/* With another CPU. */
#define TEST_SMP(function) TEST_ON(2, function)

/* ---- verdicts ---- */

/* The first one that differs is told with its source text and `line`. */
void check_equal(const char *what, unsigned line, uint64_t got, uint64_t expected);
void skip(const char *why);
bool failed(void);
/* Prints what failed, if something did, behind `label` and `name`. False then. The next begins. */
bool verdict_end(const char *label, const char *name);
#define EQ(got, expected)                                                                          \
    check_equal(#got " == " #expected, __LINE__, (uint64_t)(got), (uint64_t)(expected))
#define TRUE(condition) check_equal(#condition, __LINE__, !!(condition), 1)

/* Until the condition holds, for at most `us`. False if it never did. */
#define WAIT_FOR(us, condition, pass_time)                                                         \
    ({                                                                                             \
        uint64_t end_ = counter() + ticks_us(us);                                                  \
        bool met_;                                                                                 \
        while (!(met_ = (condition)) && counter() < end_)                                          \
            pass_time;                                                                             \
        check_equal(#condition, __LINE__, met_, true);                                             \
        met_;                                                                                      \
    })
/* For at most 20 s: the host may run this CPU and not the other. Not at all when the test has failed
 * already. */
#define PATIENCE_US 20000000
#define WAIT_BY(condition, pass_time) WAIT_FOR(failed() ? 0 : PATIENCE_US, condition, pass_time)
#define WAIT(condition) WAIT_BY(condition, __asm__ volatile("yield" ::: "memory"))
/* Gives the CPU away meanwhile; interrupts are masked, the virtual timer is used. */
#define WAIT_ASLEEP(condition) WAIT_BY(condition, nap())
void nap(void);

/* printf() with %s %u %x (64 bits each but %s). */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- the processor: asm of it is in processor.h, of either architecture ---- */

#define PARAMETER(n) (((volatile uint64_t *)(RAM + PARAMETERS_AT))[n])
#define FIELD(value, high, low) (((value) >> (low)) & ((2ULL << ((high) - (low))) - 1))
#define BIT(n) (1ULL << (n))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline uint64_t counter(void) {
    isb();
    return sysreg_read(cntvct_el0);
}

static inline uint64_t ticks_us(uint64_t us) {
    return us * sysreg_read(cntfrq_el0) / 1000000;
}

static inline void delay_us(uint64_t us) {
    uint64_t end = counter() + ticks_us(us);

    while (counter() < end)
        ;
}

#define DEFINE_ACCESS(bits)                                                                        \
    static inline uint##bits##_t read##bits(uint64_t at) {                                         \
        return *(volatile uint##bits##_t *)at;                                                     \
    }                                                                                              \
    static inline void write##bits(uint64_t at, uint64_t value) {                                  \
        *(volatile uint##bits##_t *)at = (uint##bits##_t)value;                                    \
    }
DEFINE_ACCESS(8)
DEFINE_ACCESS(16)
DEFINE_ACCESS(32)
DEFINE_ACCESS(64)

/* ---- exceptions ---- */

enum ec {
    EC_UNKNOWN = 0x00,
    EC_SVC = 0x15,
    EC_FETCH_EL0 = 0x20,
    EC_FETCH = 0x21,
    EC_DATA_EL0 = 0x24,
    EC_DATA = 0x25,
    EC_BREAKPOINT_EL0 = 0x30,
    EC_BREAKPOINT = 0x31,
    EC_STEP = 0x33,
    EC_WATCHPOINT = 0x35,
    EC_BRK = 0x3c,
};
#define FSC_EXTERNAL 0x10
#define FSC_ALIGNMENT 0x21
#define ESR_WNR BIT(6)
#define ESR_IL BIT(25)

#define SPSR_I BIT(7)
#define SPSR_D BIT(9)
#define SPSR_SS BIT(21)

/* The last synchronous exception. */
struct caught {
    unsigned count; /* since the TRY() began */
    unsigned ec;
    uint64_t esr, far, elr, spsr;
};

#define MAX_INTID 128

struct cpu {
    void (*run)(void);
    bool done, trying;
    struct caught caught;
    /* arm64: sees an exception before the usual resumption; true: it has set the frame. */
    bool (*on_exception)(struct frame *f, unsigned ec);
    /* Between acknowledging and ending an interrupt; without it timers and console are silenced. */
    void (*on_irq)(unsigned intid);
    bool keep_active; /* EOImode 1: the test deactivates */
    unsigned irqs, spurious;
    uint16_t order[64]; /* the interrupts taken */
    uint16_t taken[MAX_INTID];
};
extern struct cpu cpus[MAX_CPUS];
extern unsigned nr_cpus;

unsigned cpu_number(void);
#define me() (&cpus[cpu_number()])

/*
 * Runs the statement; exceptions during it are resumed behind the instruction (a fetch: at the
 * return address; a debug exception: with debug masked), and me()->caught tells.
 */
#define TRY(statement)                                                                             \
    do {                                                                                           \
        me()->caught = (struct caught){0};                                                         \
        me()->trying = true;                                                                       \
        __asm__ volatile("" ::: "memory");                                                         \
        statement;                                                                                 \
        __asm__ volatile("isb" ::: "memory");                                                      \
        me()->trying = false;                                                                      \
    } while (0)

/* ---- interrupts ---- */

#define SPI_CONSOLE 32
#define PPI_VTIMER 27
#define PPI_PTIMER 30
#define IRQ_NONE 1023

/* Distributor registers with a bit, two bits or a byte for each interrupt. */
#define ISENABLER 0x100
#define ICENABLER 0x180
#define ISPENDR 0x200
#define ICPENDR 0x280
#define ISACTIVER 0x300
#define ICACTIVER 0x380
#define IPRIORITYR 0x400
#define ICFGR 0xc00
#define IROUTER 0x6000

/* The machine, and so the guest, has a GICv2; the CPU interface is memory then. */
extern bool gic_v2;
#define GICC 0x03002000
#define V2_ICC_PMR_EL1 0x04
#define V2_ICC_BPR1_EL1 0x08
#define V2_ICC_IAR1_EL1 0x0c
#define V2_ICC_EOIR1_EL1 0x10
#define V2_ICC_RPR_EL1 0x14
#define V2_ICC_HPPIR1_EL1 0x18
#define V2_ICC_DIR_EL1 0x1000
#define icc_read(name) (gic_v2 ? read32(GICC + V2_##name) : sysreg_read(name))
#define icc_write(name, value)                                                                     \
    do {                                                                                           \
        if (gic_v2)                                                                                \
            write32(GICC + V2_##name, value);                                                      \
        else                                                                                       \
            sysreg_write(name, value);                                                             \
    } while (0)
/* Of what IAR says: with an SGI a GICv2 also tells the sender. */
static inline unsigned iar_intid(uint64_t iar) {
    return (unsigned)(gic_v2 ? iar & 0x3ff : iar);
}
/* For what one version has and the other has not. */
#define ONLY_GICV(version)                                                                         \
    do {                                                                                           \
        if ((version) != (gic_v2 ? 2 : 3)) {                                                       \
            skip("GICv" #version);                                                                 \
            return;                                                                                \
        }                                                                                          \
    } while (0)
/* Priority drop apart from deactivation; interrupts on or off at the CPU interface. */
void gic_set_eoi_mode(unsigned mode);
unsigned gic_eoi_mode(void);
void gic_set_on(bool on);
/* An SPI goes to that CPU; NOBODY: to none. */
#define NOBODY 99u
void gic_route(unsigned intid, unsigned cpu);
void gic_send_sgi(unsigned sgi, unsigned cpu);
/* To every other CPU, and to all by a list that has more than there are. */
void gic_send_sgi_to_others(unsigned sgi);
void gic_send_sgi_to_list(unsigned sgi, unsigned list);
/* The number of CPUs; sets gic_v2. Once, before gic_init_cpu(). */
unsigned gic_probe(void);

/* Frame that has a register of this interrupt, seen from CPU `cpu`. A GICv2's private ones are those
 * of the CPU that looks. */
static inline uint64_t gic_frame(unsigned cpu, unsigned intid) {
    return intid < 32 && !gic_v2 ? GICR + 0x20000 * cpu + 0x10000 : GICD;
}
/* One bit of an interrupt, of this CPU if it is private. */
bool gic_bit(unsigned reg, unsigned intid);
void gic_set(unsigned reg, unsigned intid);
/* Priority, route to this CPU, edge if it is an SPI, enabled. */
void gic_enable(unsigned intid, unsigned priority);
void gic_disable(unsigned intid);
/* Distributor and this CPU's interface as every test finds them. */
void gic_init_cpu(void);
void gic_reset(void);
/* The interrupt that the CPU was told of: counted, answered, ended. */
void take_irq(void);
/* Forgets what was counted. */
void irq_forget(void);
static inline unsigned irq_taken(unsigned intid) {
    return *(volatile uint16_t *)&me()->taken[intid];
}

/* ---- firmware and CPUs ---- */

#define PSCI_VERSION 0x84000000
#define PSCI_CPU_OFF 0x84000002
#define PSCI_SYSTEM_OFF 0x84000008
#define PSCI_FEATURES 0x8400000a
#define PSCI_ALREADY_ON (-4)

/* The answer, sign-extended from 32 bits. */
int64_t hvc(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3);
int64_t smc(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3);
void secondary(void);
uint64_t cpu_affinity(unsigned cpu);
/* CPU `cpu` runs a function, then turns itself off; cpu_join() waits for that, and masks
 * interrupts. */
void cpu_start(unsigned cpu, void (*run)(void));
void cpu_join(unsigned cpu);
/* All CPUs run a function at once. */
void everywhere(void (*run)(void));
#define KEEP_US 40000 /* several time slices, when two vCPUs share a CPU */

#endif
