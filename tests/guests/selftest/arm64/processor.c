/* arm64: calls of firmware, instructions chosen one by one, exceptions. */
#include "selftest.h"

uint64_t run_at;

unsigned cpu_number(void) {
    return (unsigned)sysreg_read(tpidr_el1);
}

/* ---- firmware ---- */

#define DEFINE_CALL(conduit)                                                                       \
    int64_t conduit(uint64_t function, uint64_t a1, uint64_t a2, uint64_t a3) {                    \
        register uint64_t x0 __asm__("x0") = function;                                             \
        register uint64_t x1 __asm__("x1") = a1;                                                   \
        register uint64_t x2 __asm__("x2") = a2;                                                   \
        register uint64_t x3 __asm__("x3") = a3;                                                   \
                                                                                                   \
        __asm__ volatile(#conduit " #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");       \
        return (int32_t)x0;                                                                        \
    }
DEFINE_CALL(hvc)
DEFINE_CALL(smc)

/* ---- one instruction ---- */

void probe(uint64_t x[4]);
extern uint32_t probe_slot[];

static void patch(uint32_t *slot, uint32_t word) {
    *(volatile uint32_t *)slot = word;
    __asm__ volatile("dc cvau, %0\n\tdsb ish\n\tic ivau, %0\n\tdsb ish\n\tisb" ::"r"(slot)
                     : "memory");
}

void run_word(uint32_t word, uint64_t r[4]) {
    patch(probe_slot, word);
    run_at = (uint64_t)probe_slot;
    probe(r);
}

uint64_t run_word_el0(uint32_t word, uint64_t x0) {
    patch((uint32_t *)(uint64_t)probe_el0, word);
    return el0_call(probe_el0, x0);
}

/* ---- exceptions ---- */

static void resume(struct frame *f, unsigned ec) {
    switch (ec) {
    case EC_SVC: /* of EL0: it ends there */
        f->elr = (uint64_t)el0_done;
        f->spsr = 0x3c5;
        break;
    case EC_FETCH:
    case EC_FETCH_EL0:
        f->elr = f->x[30];
        break;
    case EC_BREAKPOINT_EL0 ... EC_WATCHPOINT:
        f->spsr = (f->spsr | SPSR_D) & ~SPSR_SS;
        break;
    default:
        f->elr += 4;
        break;
    }
}

static void take_sync(struct cpu *c, struct frame *f) {
    uint64_t esr = sysreg_read(esr_el1);
    unsigned ec = (unsigned)FIELD(esr, 31, 26);

    if (ec == EC_SVC) {
        resume(f, ec);
        return;
    }
    if (!c->trying) {
        print("FAIL unexpected exception: cpu %lu esr 0x%lx far 0x%lx elr 0x%lx\n",
              (uint64_t)cpu_number(), esr, sysreg_read(far_el1), f->elr);
        hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
    }
    c->caught =
        (struct caught){c->caught.count + 1, ec, esr, sysreg_read(far_el1), f->elr, f->spsr};
    if (!c->on_exception || !c->on_exception(f, ec))
        resume(f, ec);
}

void exception(struct frame *f, uint64_t vector);
void exception(struct frame *f, uint64_t vector) {
    struct cpu *c = me();

    switch (vector) {
    case 4: /* from EL1 with its own stack pointer, and from EL0 */
    case 8:
        take_sync(c, f);
        break;
    case 5:
    case 9:
        take_irq();
        break;
    default:
        print("FAIL exception by vector %lu: esr 0x%lx elr 0x%lx\n", vector, sysreg_read(esr_el1),
              f->elr);
        hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
    }
}
