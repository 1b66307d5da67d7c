/* Every encoding of CP14 (debug) and of CP15: nothing of the machine is seen or changed by one. */
#include "selftest.h"

enum { READ = 0xee100010, WRITE = 0xee000010 }; /* MRC and MCR, of and from r0 */

/* The instruction at the slot, with r0 in and out. */
uint32_t coprocessor_probe(uint32_t r0);
extern uint32_t coprocessor_slot[];
__asm__(".text\n.balign 4\ncoprocessor_probe:\ncoprocessor_slot:\n\tnop\n\tbx lr\n");

static uint32_t run(uint32_t word, uint32_t r0) {
    *(volatile uint32_t *)coprocessor_slot = word;
    __asm__ volatile("mcr p15, 0, %0, c7, c11, 1\n\tdsb\n\t" /* DCCMVAU */
                     "mcr p15, 0, %0, c7, c5, 1\n\tmcr p15, 0, %0, c7, c5, 6\n\tdsb\n\tisb" /* ICIMVAU, BPIALL */
                     ::"r"(coprocessor_slot)
                     : "memory");
    TRY(r0 = coprocessor_probe(r0));
    return r0;
}

static uint32_t encoding(unsigned cp, unsigned opc1, unsigned crn, unsigned crm, unsigned opc2) {
    return cp << 8 | opc1 << 21 | crn << 16 | opc2 << 5 | crm;
}

/* Calls a function for each of a coprocessor's registers with these CRn, whose bits are in a mask. */
static void each(unsigned cp, unsigned crns, void (*look)(uint32_t code, unsigned crn, unsigned crm)) {
    for (unsigned i = 0; i < 16 * 16 * 64 && !failed(); i++) {
        unsigned crn = i >> 10, crm = i >> 6 & 15;

        if (crns >> crn & 1)
            look(encoding(cp, i >> 3 & 7, crn, crm, i & 7), crn, crm);
    }
}

static bool was_undefined(void) {
    return me()->caught.count == 1 && me()->caught.ec == EC_UNKNOWN;
}

#define DBGDIDR encoding(14, 0, 0, 0, 0)
#define DBGVCR encoding(14, 0, 0, 7, 0) /* is remembered, nothing else */

/* Zero, or not there, also after it was written. */
static void no_debugger(uint32_t code, unsigned crn, unsigned crm) {
    uint32_t value = run(READ | code, 0);

    (void)crn;
    (void)crm;
    if (code == DBGDIDR || code == DBGVCR)
        return;
    TRUE(was_undefined() || !value);
    run(WRITE | code, ~0u);
    value = run(READ | code, 0);
    TRUE(was_undefined() || !value);
}

TEST(coprocessor_14_is_empty) {
    each(14, 0xffff, no_debugger);
}

static void denied(uint32_t code, unsigned crn, unsigned crm) {
    if (crn == 9 && crm < 9)
        return;
    run(READ | code, 0);
    TRUE(was_undefined());
    run(WRITE | code, ~0u);
    TRUE(was_undefined());
}

/* Performance counters, and what a processor has of its own. */
TEST(coprocessor_15_denied) {
    each(15, 1u << 9 | 1u << 11 | 1u << 15, denied);
}

static void read_it(uint32_t code, unsigned crn, unsigned crm) {
    (void)crn;
    (void)crm;
    run(READ | code, 0);
    TRUE(me()->caught.count <= 1);
}

/* Whatever is read leaves the guest as it was. */
TEST(coprocessor_15_reads) {
    uint64_t ttbr0 = sysreg_read(ttbr0_el1), vbar = sysreg_read(vbar_el1);

    each(15, 0xffff, read_it);
    EQ(sysreg_read(ttbr0_el1), ttbr0);
    EQ(sysreg_read(vbar_el1), vbar);
}
