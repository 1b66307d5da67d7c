/* arm32: calls of firmware, exceptions. */
#include "selftest.h"

unsigned cpu_number(void) {
    return (unsigned)sysreg_read(tpidr_el1);
}

#define DEFINE_CALL(conduit)                                                                       \
    int64_t conduit(uint64_t function, uint64_t a1, uint64_t a2, uint64_t a3) {                    \
        register uint32_t r0 __asm__("r0") = (uint32_t)function;                                   \
        register uint32_t r1 __asm__("r1") = (uint32_t)a1;                                         \
        register uint32_t r2 __asm__("r2") = (uint32_t)a2;                                         \
        register uint32_t r3 __asm__("r3") = (uint32_t)a3;                                         \
                                                                                                   \
        __asm__ volatile(".arch_extension virt\n\t.arch_extension sec\n\t" #conduit " #0"          \
                         : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)::"memory");                      \
        return (int32_t)r0;                                                                        \
    }
DEFINE_CALL(hvc)
DEFINE_CALL(smc)

/* ---- one instruction ---- */

void probe(uint32_t r[4]);
extern uint32_t probe_slot[];
__asm__(".text\n.balign 4\nprobe:\n\tpush {r0, lr}\n\tldm r0, {r0-r3}\nprobe_slot:\n\tnop\n\t"
        "ldr r12, [sp]\n\tstm r12, {r0-r3}\n\tpop {r0, pc}\n");

void run_word(uint32_t word, uint64_t r[4]) {
    uint32_t now[4] = {(uint32_t)r[0], (uint32_t)r[1], (uint32_t)r[2], (uint32_t)r[3]};

    *(volatile uint32_t *)probe_slot = word;
    __asm__ volatile("mcr p15, 0, %0, c7, c11, 1\n\tdsb\n\t" /* DCCMVAU */
                     "mcr p15, 0, %0, c7, c5, 1\n\tmcr p15, 0, %0, c7, c5, 6\n\tdsb\n\tisb" /* ICIMVAU, BPIALL */
                     ::"r"(probe_slot)
                     : "memory");
    probe(now);
    for (unsigned i = 0; i < 4; i++)
        r[i] = now[i];
}

/* ---- exceptions ---- */

#define SUPERVISOR 0x13
#define SUPERVISOR_MASKED 0x1d3
enum vector { UNDEFINED = 1, PREFETCH_ABORT = 3, DATA_ABORT = 4, IRQ = 6 };

/* As an arm64 syndrome has it: class, length, direction, and the fault status that LPAE shares with it. */
static struct caught what_came(const struct frame *f, unsigned vector) {
    struct caught c = {.elr = f->pc, .spsr = f->cpsr};

    if (vector == DATA_ABORT) {
        uint64_t dfsr = sysreg_read(dfsr);

        c.ec = EC_DATA;
        c.far = sysreg_read(dfar);
        c.esr = (dfsr & 0x3f) | (dfsr & BIT(11) ? ESR_WNR : 0);
    } else if (vector == PREFETCH_ABORT) {
        c.ec = EC_FETCH;
        c.far = sysreg_read(ifar);
        c.esr = sysreg_read(ifsr) & 0x3f;
    } else {
        c.ec = EC_UNKNOWN;
    }
    c.esr |= (uint64_t)c.ec << 26 | ESR_IL;
    return c;
}

void exception(struct frame *f, unsigned vector);
void exception(struct frame *f, unsigned vector) {
    struct cpu *c = me();
    struct caught now;

    /* QEMU 10's 64-bit processors lose the SPSR that a hypervisor gives with an exception. All runs in this mode. */
    if ((f->cpsr & 0x1f) != SUPERVISOR)
        f->cpsr = SUPERVISOR_MASKED;
    if (vector == IRQ) {
        take_irq();
        return;
    }
    now = what_came(f, vector);
    if (!c->trying || (vector != UNDEFINED && vector != PREFETCH_ABORT && vector != DATA_ABORT)) {
        print("FAIL unexpected exception: cpu %lu vector %lu esr 0x%lx far 0x%lx pc 0x%lx\n",
              (uint64_t)cpu_number(), (uint64_t)vector, now.esr, now.far, now.elr);
        hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
    }
    now.count = c->caught.count + 1;
    c->caught = now;
    f->pc = vector == PREFETCH_ABORT ? f->lr : f->pc + 4;
}
