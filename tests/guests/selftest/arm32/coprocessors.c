/* Every encoding of CP14 (debug) and of CP15: nothing of the machine is seen or changed by one. */
#include "selftest.h"

enum { READ = 0xee100010, WRITE = 0xee000010 }; /* MRC and MCR, of and from r0 */

static uint32_t run(uint32_t word, uint32_t r0) {
    uint64_t r[4] = {r0};

    TRY(run_word(word, r));
    return (uint32_t)r[0];
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
#define DBGVCR encoding(14, 0, 0, 7, 0)
#define DBGDSCREXT encoding(14, 0, 0, 2, 2)
#define DBGOSLAR encoding(14, 0, 1, 0, 4)
#define DBGOSLSR encoding(14, 0, 1, 1, 4)
#define DBGBXVR encoding(14, 0, 1, 0, 1)

static bool have_debug; /* on a 64-bit processor: breakpoints, watchpoints and the lock of them */

/* Those are each vCPU's own; they are not switched on here. */
static bool is_own(uint32_t code, unsigned crn) {
    return code == DBGDIDR || code == DBGVCR ||
           (have_debug && ((crn == 0 && code & 0x80 && code < encoding(14, 1, 0, 0, 0)) ||
                           (code & ~15u) == DBGBXVR || code == DBGOSLSR || code == DBGDSCREXT));
}

/* Zero, or not there, also after it was written. */
static void no_debugger(uint32_t code, unsigned crn, unsigned crm) {
    uint32_t value = run(READ | code, 0);

    (void)crm;
    TRUE(me()->caught.count <= 1);
    TRUE(is_own(code, crn) || was_undefined() || !value);
    if (code == DBGDSCREXT)
        return;
    run(WRITE | code, ~0u);
    value = run(READ | code, 0);
    TRUE(is_own(code, crn) || was_undefined() || !value);
}

TEST(coprocessor_14_is_empty) {
    have_debug = run(READ | DBGDIDR, 0);
    each(14, 0xffff, no_debugger);
    for (unsigned slot = 0; slot < 16; slot++)
        for (unsigned register_ = 4; register_ < 8; register_++)
            run(WRITE | encoding(14, 0, 0, slot, register_), 0);
    run(WRITE | DBGOSLAR, 0);
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

#define HYP_MODE_OP1 4

#define CRN_DACR 3 /* QEMU's Armv7 processors have the guest's own at all of its encodings */

static void read_it(uint32_t code, unsigned crn, unsigned crm) {
    (void)crm;
    run(READ | code, 0);
    TRUE(me()->caught.count <= 1);
    if (code >> 21 == HYP_MODE_OP1 && crn != CRN_DACR)
        EQ(was_undefined() ? 0 : code, 0);
}

/* Whatever is read leaves the guest as it was. */
TEST(coprocessor_15_reads) {
    uint64_t ttbr0 = sysreg_read(ttbr0_el1), vbar = sysreg_read(vbar_el1);

    each(15, 0xffff, read_it);
    EQ(sysreg_read(ttbr0_el1), ttbr0);
    EQ(sysreg_read(vbar_el1), vbar);
}

/* Registers of 64 bits, by MRRC and MCRR of r0 and r1: what they are told by opc1 and CRm. */
enum { READ_PAIR = 0xec510000, WRITE_PAIR = 0xec410000 };

static uint64_t run_pair(uint32_t word, uint64_t value) {
    uint64_t r[4] = {(uint32_t)value, value >> 32};

    TRY(run_word(word, r));
    return r[0] | r[1] << 32;
}

TEST(coprocessor_pairs) {
    for (unsigned i = 0; i < 16 * 16 && !failed(); i++) {
        unsigned opc1 = i >> 4, crm = i & 15;
        uint32_t debug = 14 << 8 | opc1 << 4 | crm, system = 15 << 8 | opc1 << 4 | crm;

        run_pair(WRITE_PAIR | debug, ~0ULL);
        TRUE(!run_pair(READ_PAIR | debug, 0) || was_undefined());
        run_pair(READ_PAIR | system, 0);
        /* The hypervisor's, of performance counters, and what a processor has of its own. */
        if (opc1 >= HYP_MODE_OP1 ? crm != 14 || opc1 < 8 : crm == 9 || crm == 11 || crm == 15)
            TRUE(was_undefined());
        TRUE(me()->caught.count <= 1);
    }
}
