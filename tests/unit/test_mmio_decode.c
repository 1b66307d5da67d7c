/* Decoding loads and stores of A64, A32 and T32. The words come from an assembler; the text is what
 * it was given. */
/* SOURCES: common/virt/mmio_decode_a64.c common/virt/mmio_decode_a32.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <hv/bits.h>
#include <hv/mmio.h>

struct good {
    uint32_t insn;
    const char *text;
    struct mmio_insn want;
};
struct bad {
    uint32_t insn;
    const char *text;
};

/* Size, register or registers, base; the rest only where it is not 0. */
#define ONE(s, r, b) .size = (s), .nr_regs = 1, .reg = {(r)}, .base = (b)
#define TWO(s, r, r2, b) .size = (s), .nr_regs = 2, .reg = {(r), (r2)}, .base = (b)
#define SHORT .insn_bytes = 2
#define STORE .write = true
#define SIGNED .sign_extend = true
#define X .sixty_four = true
#define AT(off) .ea_known = true, .ea_offset = (off)
#define THEN(off) .writeback = WB_IMMEDIATE, .wb_offset = (off)
#define THEN_BY(how, r, s, sub)                                                                    \
    .writeback = WB_##how, .wb_reg = (r), .wb_shift = (s), .wb_subtract = (sub)

static const struct good a64_good[] = {
    {0xb9400041, "ldr w1, [x2]", {ONE(4, 1, 2), AT(0)}},
    {0xf94007e1, "ldr x1, [sp, #8]", {ONE(8, 1, 31), X, AT(8)}},
    {0x39401483, "ldrb w3, [x4, #5]", {ONE(1, 3, 4), AT(5)}},
    {0x79400c83, "ldrh w3, [x4, #6]", {ONE(2, 3, 4), AT(6)}},
    {0x39c00083, "ldrsb w3, [x4]", {ONE(1, 3, 4), SIGNED, AT(0)}},
    {0x39800083, "ldrsb x3, [x4]", {ONE(1, 3, 4), SIGNED, X, AT(0)}},
    {0x79c00083, "ldrsh w3, [x4]", {ONE(2, 3, 4), SIGNED, AT(0)}},
    {0x79800483, "ldrsh x3, [x4, #2]", {ONE(2, 3, 4), SIGNED, X, AT(2)}},
    {0xb9800483, "ldrsw x3, [x4, #4]", {ONE(4, 3, 4), SIGNED, X, AT(4)}},
    {0xb9000441, "str w1, [x2, #4]", {ONE(4, 1, 2), STORE, AT(4)}},
    {0xf900005f, "str xzr, [x2]", {ONE(8, 31, 2), STORE, X, AT(0)}},
    {0x39000041, "strb w1, [x2]", {ONE(1, 1, 2), STORE, AT(0)}},
    {0x79000041, "strh w1, [x2]", {ONE(2, 1, 2), STORE, AT(0)}},
    {0xb8404441, "ldr w1, [x2], #4", {ONE(4, 1, 2), AT(0), THEN(4)}},
    {0xb85fcc41, "ldr w1, [x2, #-4]!", {ONE(4, 1, 2), AT(-4), THEN(-4)}},
    {0xf81f0fe1, "str x1, [sp, #-16]!", {ONE(8, 1, 31), STORE, X, AT(-16), THEN(-16)}},
    {0x38001441, "strb w1, [x2], #1", {ONE(1, 1, 2), STORE, AT(0), THEN(1)}},
    {0xb85fd041, "ldur w1, [x2, #-3]", {ONE(4, 1, 2), AT(-3)}},
    {0xf80ff041, "stur x1, [x2, #255]", {ONE(8, 1, 2), STORE, X, AT(255)}},
    {0xb8408841, "ldtr w1, [x2, #8]", {ONE(4, 1, 2), AT(8)}},
    {0x38000841, "sttrb w1, [x2]", {ONE(1, 1, 2), STORE, AT(0)}},
    {0xb8636841, "ldr w1, [x2, x3]", {ONE(4, 1, 2)}},
    {0xf8637841, "ldr x1, [x2, x3, lsl #3]", {ONE(8, 1, 2), X}},
    {0xb8635841, "ldr w1, [x2, w3, uxtw #2]", {ONE(4, 1, 2)}},
    {0x7823c841, "strh w1, [x2, w3, sxtw]", {ONE(2, 1, 2), STORE}},
    {0x29400861, "ldp w1, w2, [x3]", {TWO(4, 1, 2, 3), AT(0)}},
    {0xa9410861, "ldp x1, x2, [x3, #16]", {TWO(8, 1, 2, 3), X, AT(16)}},
    {0xa9be0be1, "stp x1, x2, [sp, #-32]!", {TWO(8, 1, 2, 31), STORE, X, AT(-32), THEN(-32)}},
    {0x28810861, "stp w1, w2, [x3], #8", {TWO(4, 1, 2, 3), STORE, AT(0), THEN(8)}},
    {0xa8ff0861, "ldp x1, x2, [x3], #-16", {TWO(8, 1, 2, 3), X, AT(0), THEN(-16)}},
    {0x69410861, "ldpsw x1, x2, [x3, #8]", {TWO(4, 1, 2, 3), SIGNED, X, AT(8)}},
    {0xa8400861, "ldnp x1, x2, [x3]", {TWO(8, 1, 2, 3), X, AT(0)}},
    {0x28010861, "stnp w1, w2, [x3, #8]", {TWO(4, 1, 2, 3), STORE, AT(8)}},
    {0x88dffc41, "ldar w1, [x2]", {ONE(4, 1, 2), AT(0)}},
    {0xc89ffc41, "stlr x1, [x2]", {ONE(8, 1, 2), STORE, X, AT(0)}},
    {0x08dffc41, "ldarb w1, [x2]", {ONE(1, 1, 2), AT(0)}},
    {0xb8bfc041, "ldapr w1, [x2]", {ONE(4, 1, 2), AT(0)}},
    {0xd9408041, "ldapur x1, [x2, #8]", {ONE(8, 1, 2), X, AT(8)}},
    {0x191ff041, "stlurb w1, [x2, #-1]", {ONE(1, 1, 2), STORE, AT(-1)}},
    {0x88df7c41, "ldlar w1, [x2]", {ONE(4, 1, 2), AT(0)}},
};

static const struct bad a64_bad[] = {
    {0xffffffff, ".word 0xffffffff"},
    {0x18000001, "ldr w1, a4 <.text+0xa4>"},
    {0x98000001, "ldrsw x1, a8 <.text+0xa8>"},
    {0x885f7c41, "ldxr w1, [x2]"},
    {0x88037c41, "stxr w3, w1, [x2]"},
    {0xc85ffc41, "ldaxr x1, [x2]"},
    {0xc87f0861, "ldxp x1, x2, [x3]"},
    {0xb8210062, "ldadd w1, w2, [x3]"},
    {0xf8218062, "swp x1, x2, [x3]"},
    {0x88a17c62, "cas w1, w2, [x3]"},
    {0x48207c82, "casp x0, x1, x2, x3, [x4]"},
    {0x3dc00020, "ldr q0, [x1]"},
    {0xbc404420, "ldr s0, [x1], #4"},
    {0x6d000440, "stp d0, d1, [x2]"},
    {0x4c407820, "ld1 {v0.4s}, [x1]"},
    {0xf9800020, "prfm pldl1keep, [x1]"},
    {0xf8800020, "prfum pldl1keep, [x1]"},
    {0xd50b7e20, "dc civac, x0"},
    {0x8b020020, "add x0, x1, x2"},
    {0xd503201f, "nop"},
    {0xb8632841, "ldr w1, [x2, x3] with option 001"},
    {0xf8c00041, "size 11, opc 11"},
};

static const struct good a32_good[] = {
    {0xe5921000, "ldr r1, [r2]", {ONE(4, 1, 2), AT(0)}},
    {0xe5921004, "ldr r1, [r2, #4]", {ONE(4, 1, 2), AT(4)}},
    {0xe5121004, "ldr r1, [r2, #-4]", {ONE(4, 1, 2), AT(-4)}},
    {0xe5b21004, "ldr r1, [r2, #4]!", {ONE(4, 1, 2), AT(4), THEN(4)}},
    {0xe4121004, "ldr r1, [r2], #-4", {ONE(4, 1, 2), AT(0), THEN(-4)}},
    {0xe4b21004, "ldrt r1, [r2], #4", {ONE(4, 1, 2), AT(0), THEN(4)}},
    {0xe5dd1001, "ldrb r1, [sp, #1]", {ONE(1, 1, 13), AT(1)}},
    {0xe4c21001, "strb r1, [r2], #1", {ONE(1, 1, 2), STORE, AT(0), THEN(1)}},
    {0xe7821003, "str r1, [r2, r3]", {ONE(4, 1, 2), STORE}},
    {0xe7021103, "str r1, [r2, -r3, lsl #2]", {ONE(4, 1, 2), STORE}},
    {0xe7a21103, "str r1, [r2, r3, lsl #2]!", {ONE(4, 1, 2), STORE, THEN_BY(ADDRESS, 3, 2, 0)}},
    {0xe6921003, "ldr r1, [r2], r3", {ONE(4, 1, 2), THEN_BY(REGISTER, 3, 0, 0)}},
    {0xe6121223, "ldr r1, [r2], -r3, lsr #4", {ONE(4, 1, 2), THEN_BY(REGISTER, 3, 36, 1)}},
    {0xe1d210b6, "ldrh r1, [r2, #6]", {ONE(2, 1, 2), AT(6)}},
    {0xe0c210b2, "strh r1, [r2], #2", {ONE(2, 1, 2), STORE, AT(0), THEN(2)}},
    {0xe15210d1, "ldrsb r1, [r2, #-1]", {ONE(1, 1, 2), SIGNED, AT(-1)}},
    {0xe19210f3, "ldrsh r1, [r2, r3]", {ONE(2, 1, 2), SIGNED}},
    {0xe1b210f3, "ldrsh r1, [r2, r3]!", {ONE(2, 1, 2), SIGNED, THEN_BY(ADDRESS, 3, 0, 0)}},
    {0xe1c420d0, "ldrd r2, r3, [r4]", {TWO(4, 2, 3, 4), AT(0)}},
    {0xe16420f8, "strd r2, r3, [r4, #-8]!", {TWO(4, 2, 3, 4), STORE, AT(-8), THEN(-8)}},
    {0xe0c420d8, "ldrd r2, r3, [r4], #8", {TWO(4, 2, 3, 4), AT(0), THEN(8)}},
    {0xe18420f6, "strd r2, r3, [r4, r6]", {TWO(4, 2, 3, 4), STORE}},
};

static const struct bad a32_bad[] = {
    {0xe59f1004, "ldr r1, [pc, #4]"},      {0xe592f000, "ldr pc, [r2]"},
    {0xe6921063, "ldr r1, [r2], r3, rrx"}, {0xe892000a, "ldm r2, {r1, r3}"},
    {0xe92d000a, "push {r1, r3}"},         {0xe1921f9f, "ldrex r1, [r2]"},
    {0xe1821f93, "strex r1, r3, [r2]"},    {0xf5d1f000, "pld [r1]"},
    {0xe0010392, "mul r1, r2, r3"},        {0xe3b01001, "movs r1, #1"},
    {0xe1cf20d8, "ldrd r2, r3, [pc, #8]"}, {0xe6ef1072, "uxtb r1, r2"},
};

static const struct good t32_good[] = {
    {0x68510000, "ldr r1, [r2, #4]", {ONE(4, 1, 2), SHORT, AT(4)}},
    {0x60110000, "str r1, [r2]", {ONE(4, 1, 2), SHORT, STORE, AT(0)}},
    {0x78d10000, "ldrb r1, [r2, #3]", {ONE(1, 1, 2), SHORT, AT(3)}},
    {0x80510000, "strh r1, [r2, #2]", {ONE(2, 1, 2), SHORT, STORE, AT(2)}},
    {0x99020000, "ldr r1, [sp, #8]", {ONE(4, 1, 13), SHORT, AT(8)}},
    {0x5ed10000, "ldrsh r1, [r2, r3]", {ONE(2, 1, 2), SHORT, SIGNED}},
    {0x54d10000, "strb r1, [r2, r3]", {ONE(1, 1, 2), SHORT, STORE}},
    {0xf8d21004, "ldr.w r1, [r2, #4]", {ONE(4, 1, 2), AT(4)}},
    {0xf8529c04, "ldr r9, [r2, #-4]", {ONE(4, 9, 2), AT(-4)}},
    {0xf8521b04, "ldr r1, [r2], #4", {ONE(4, 1, 2), AT(0), THEN(4)}},
    {0xf8421d04, "str r1, [r2, #-4]!", {ONE(4, 1, 2), STORE, AT(-4), THEN(-4)}},
    {0xf8521e04, "ldrt r1, [r2, #4]", {ONE(4, 1, 2), AT(4)}},
    {0xf8921123, "ldrb.w r1, [r2, #291]", {ONE(1, 1, 2), AT(291)}},
    {0xf9921001, "ldrsb.w r1, [r2, #1]", {ONE(1, 1, 2), SIGNED, AT(1)}},
    {0xf9321902, "ldrsh r1, [r2], #-2", {ONE(2, 1, 2), SIGNED, AT(0), THEN(-2)}},
    {0xf8321013, "ldrh.w r1, [r2, r3, lsl #1]", {ONE(2, 1, 2)}},
    {0xf8021003, "strb.w r1, [r2, r3]", {ONE(1, 1, 2), STORE}},
    {0xe9d31200, "ldrd r1, r2, [r3]", {TWO(4, 1, 2, 3), AT(0)}},
    {0xe9631202, "strd r1, r2, [r3, #-8]!", {TWO(4, 1, 2, 3), STORE, AT(-8), THEN(-8)}},
    {0xe8f31204, "ldrd r1, r2, [r3], #16", {TWO(4, 1, 2, 3), AT(0), THEN(16)}},
};

static const struct bad t32_bad[] = {
    {0xbe000000, "bkpt #0"},
    {0x49010000, "ldr r1, [pc, #4]"},
    {0xf8df1004, "ldr.w r1, [pc, #4]"},
    {0xf8d2f000, "ldr.w pc, [r2]"},
    {0xf8522b04, "ldr r2, [r2], #4"},
    {0xe8521f00, "ldrex r1, [r2]"},
    {0xe8d1f002, "tbb [r1, r2]"},
    {0xf892f004, "pld [r2, #4]"},
    {0xe8b1000c, "ldm.w r1!, {r2, r3}"},
    {0xb4060000, "push {r1, r2}"},
    {0xf8521a04, "ldr with neither index nor writeback"},
    {0xf9021004, "store with sign"},
    {0xf9521004, "word with sign"},
    {0xf8701004, "size 11"},
    {0xe9df1202, "ldrd r1, r2, [pc, #8]"},
};

/* sixty_four says how a result is extended: of no meaning for a store. */
static void check(const struct good *g, bool ok, const struct mmio_insn *got) {
    const struct mmio_insn *w = &g->want;

    if (!ok)
        fail_msg("%s: refused", g->text);
#define SAME(f)                                                                                    \
    if (got->f != w->f)                                                                            \
    fail_msg("%s: " #f " is %d, expected %d", g->text, (int)got->f, (int)w->f)
    SAME(size);
    SAME(write);
    SAME(sign_extend);
    if (!w->write)
        SAME(sixty_four);
    SAME(nr_regs);
    SAME(reg[0]);
    SAME(reg[1]);
    if (got->insn_bytes != (w->insn_bytes ? w->insn_bytes : 4))
        fail_msg("%s: %u bytes", g->text, got->insn_bytes);
    SAME(base);
    SAME(ea_known);
    SAME(ea_offset);
    SAME(writeback);
    SAME(wb_offset);
    SAME(wb_reg);
    SAME(wb_shift);
    SAME(wb_subtract);
#undef SAME
}

static bool t32(uint32_t insn, struct mmio_insn *out) {
    return mmio_decode_t32(insn, insn >> 27 >= 0x1d, out);
}

static void run(const struct good *good, size_t n, const struct bad *bad, size_t m,
                bool (*decode)(uint32_t, struct mmio_insn *)) {
    struct mmio_insn out;

    for (size_t i = 0; i < n; i++) {
        bool ok = decode(good[i].insn, &out);

        check(&good[i], ok, &out);
    }
    for (size_t i = 0; i < m; i++)
        if (decode(bad[i].insn, &out))
            fail_msg("%s: accepted", bad[i].text);
}

static void a64(void **state) {
    (void)state;
    run(a64_good, ARRAY_SIZE(a64_good), a64_bad, ARRAY_SIZE(a64_bad), mmio_decode_a64);
}

static void a32(void **state) {
    (void)state;
    run(a32_good, ARRAY_SIZE(a32_good), a32_bad, ARRAY_SIZE(a32_bad), mmio_decode_a32);
}

static void thumb(void **state) {
    (void)state;
    run(t32_good, ARRAY_SIZE(t32_good), t32_bad, ARRAY_SIZE(t32_bad), t32);
}

/* Writeback into a register that is also transferred, and a pair into one register: unpredictable,
 * refused. */
static void unpredictable(void **state) {
    struct mmio_insn out;

    (void)state;
    assert_false(mmio_decode_a64(0xb8404442, &out)); /* ldr w2, [x2], #4 */
    assert_false(mmio_decode_a64(0xa9400461, &out)); /* ldp x1, x1, [x3] */
    assert_false(mmio_decode_a64(0x29400421, &out)); /* ldp w1, w1, [x1] */
    assert_false(mmio_decode_a64(0xa8c10442, &out)); /* ldp x2, x1, [x2], #16 */
    assert_false(mmio_decode_a32(0xe1c430d0, &out)); /* ldrd r3, r4, [r4] */
    assert_true(mmio_decode_a64(0xf81f0fff, &out));  /* str xzr, [sp, #-16]!: 31 is two registers */
}

/* Whatever the word, what is accepted is a sensible access. */
static void any_word(void **state) {
    uint32_t seed = 12345;
    struct mmio_insn out;

    (void)state;
    for (unsigned i = 0; i < 2000000; i++) {
        seed = seed * 1664525 + 1013904223;
        for (unsigned kind = 0; kind < 3; kind++) {
            uint32_t insn = seed ^ seed >> 15;
            bool ok = kind == 0   ? mmio_decode_a64(insn, &out)
                      : kind == 1 ? mmio_decode_a32(insn, &out)
                                  : t32(insn, &out);

            if (!ok)
                continue;
            assert_true(out.size == 1 || out.size == 2 || out.size == 4 || out.size == 8);
            assert_in_range(out.nr_regs, 1, 2);
            assert_true(kind == 0 || (out.size <= 4 && out.base < 15 && out.reg[0] < 15));
            assert_true(out.insn_bytes == 4 || (kind == 2 && out.insn_bytes == 2));
            assert_true(kind != 0 || out.writeback <= WB_IMMEDIATE);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a64),           cmocka_unit_test(a32),      cmocka_unit_test(thumb),
        cmocka_unit_test(unpredictable), cmocka_unit_test(any_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
