/* Accesses to nothing: the abort the architecture asks for, from EL1 and EL0, and never a hang. */
#include "selftest.h"

#define ISS_FSC(esr) ((esr)&0x3f)

static void expect_abort(unsigned ec, uint64_t far, uint64_t pc, bool write) {
    const struct caught *c = &me()->caught;

    EQ(c->count, 1);
    EQ(c->ec, ec);
    EQ(ISS_FSC(c->esr), FSC_EXTERNAL);
    EQ(c->esr & ESR_IL, ESR_IL);
    EQ(c->far, far);
    EQ(c->elr, pc);
    EQ(c->esr & ESR_WNR, write ? ESR_WNR : 0);
}

TEST(abort_read) {
    uint64_t r[4] = {1, 2, NOTHING};

    TRY(RUN("ldr w0, [x2]", r));
    expect_abort(EC_DATA, NOTHING, run_at, false);
    EQ(r[0], 1);
    EQ(me()->caught.spsr & 0x3cf, 0x3c5);
}

TEST(abort_write) {
    uint64_t r[4] = {1, 2, NOTHING + 8};

    TRY(RUN("str x0, [x2]", r));
    expect_abort(EC_DATA, NOTHING + 8, run_at, true);
}

TEST(abort_normal_memory) {
    uint64_t r[4] = {1, 2, NOTHING_NORMAL + 4};

    TRY(RUN("ldrb w0, [x2]", r));
    expect_abort(EC_DATA, NOTHING_NORMAL + 4, run_at, false);
    TRY(RUN("stp x0, x1, [x2, #16]!", r));
    expect_abort(EC_DATA, NOTHING_NORMAL + 20, run_at, true);
    EQ(r[2], NOTHING_NORMAL + 4); /* no writeback */
}

TEST(abort_fetch) {
    void (*nowhere)(void) = (void (*)(void))NOTHING_NORMAL;

    TRY(nowhere());
    expect_abort(EC_FETCH, NOTHING_NORMAL, NOTHING_NORMAL, false);
}

static void el0_read(uint64_t at) {
    el0_exit(read32(at));
}

static void el0_fetch(uint64_t at) {
    ((void (*)(void))at)();
    el0_exit(7);
}

TEST(abort_read_el0) {
    uint64_t at = EL0_ALIAS + NOTHING;

    TRY(run_word_el0(0xb9400000 /* ldr w0, [x0] */, at));
    expect_abort(EC_DATA_EL0, at, EL0_PROBE, false);
    EQ(me()->caught.spsr & 0xf, 0);
    TRY(run_word_el0(0xb9000000 /* str w0, [x0] */, at));
    expect_abort(EC_DATA_EL0, at, EL0_PROBE, true);
    /* What is there can be reached from EL0 as well. */
    EQ(el0_call(el0_read, EL0_ALIAS + VPL011 + 0xfe0), 0x11);
}

TEST(abort_fetch_el0) {
    uint64_t at = EL0_ALIAS + NOTHING_NORMAL;

    TRY(EQ(el0_call(el0_fetch, at), 7));
    expect_abort(EC_FETCH_EL0, at, at, false);
}

TEST(abort_page_table_in_nothing) {
    uint64_t r[4] = {1, 2, BAD_TABLE};

    TRY(RUN("ldr w0, [x2]", r));
    EQ(me()->caught.count, 1);
    EQ(me()->caught.ec, EC_DATA);
    EQ(me()->caught.far, BAD_TABLE);
    EQ(me()->caught.elr, run_at);
    /* The walk at level 2 met it: 0x16, or the plain 0x10. */
    TRUE(ISS_FSC(me()->caught.esr) == 0x16 || ISS_FSC(me()->caught.esr) == 0x10);
}

/* Every address of the first GiB that has nothing would do; some at the edges of what is there. */
TEST(abort_between_devices) {
    static const uint64_t holes[] = {
        0,
        0x1000,
        GICD - 4,
        VPL011 - 4,
        VPL011 + 0x1000,
        0x3ffffffc,
        GICR - 0xf000 + 0x10000 * 0x200,
    };

    for (unsigned i = 0; i < COUNT(holes); i++) {
        uint64_t r[4] = {1, 2, holes[i]};

        TRY(RUN("ldr w0, [x2]", r));
        expect_abort(EC_DATA, holes[i], run_at, false);
    }
}

/* Redistributors of CPUs that are not there. */
TEST(abort_redistributor_of_nobody) {
    uint64_t r[4] = {1, 2, GICR + 0x20000 * nr_cpus};

    TRY(RUN("ldr w0, [x2]", r));
    expect_abort(EC_DATA, r[2], run_at, false);
}

/* Instructions that do more than one access, or none. */
TEST(abort_other_instructions) {
    static const uint32_t words[] = {
        0x885f7c40, /* ldxr w0, [x2] */
        0xc8dffc40, /* ldar x0, [x2] */
        0xa9400440, /* ldp x0, x1, [x2] */
        0x3dc00040, /* ldr q0, [x2] */
        0x4c407040, /* ld1 {v0.16b}, [x2] */
    };

    for (unsigned i = 0; i < COUNT(words); i++) {
        uint64_t r[4] = {1, 2, NOTHING_NORMAL};

        TRY(run_word(words[i], r));
        expect_abort(EC_DATA, NOTHING_NORMAL, run_at, false);
    }
}

TEST(abort_prefetch_is_silent) {
    uint64_t r[4] = {1, 2, NOTHING_NORMAL};

    TRY(RUN("prfm pldl1keep, [x2]", r));
    EQ(me()->caught.count, 0);
}

TEST(abort_address_translation) {
    uint64_t r[4] = {0, 0, NOTHING_NORMAL};

    /* Stage 1 only, to the guest's eyes: the translation succeeds though nothing is there. */
    TRY(RUN("at s1e1r, x2\n\tisb\n\tmrs x0, par_el1", r));
    EQ(me()->caught.count, 0);
    EQ(r[0] & 1, 0);
    EQ(r[0] & 0xfffffffff000, NOTHING_NORMAL);
}
