/* A32 and T32 loads and stores that trapped without a syndrome (Arm ARM F4.1 and F3.1). */
#include <hv/bits.h>
#include <hv/mmio.h>

#define PC 15u
#define SP 13u

static uint32_t field(uint32_t insn, unsigned hi, unsigned lo) {
    return (uint32_t)bits_get(insn, hi, lo);
}

/* P, U, W as in most A32 and T32 forms. */
struct index {
    bool pre, add, writeback;
};

static bool base_ok(const struct mmio_insn *out, bool writeback) {
    if (out->base == PC)
        return false; /* literal */
    for (unsigned i = 0; i < out->nr_regs; i++)
        if (out->reg[i] == PC || (writeback && out->reg[i] == out->base))
            return false;
    return !(out->nr_regs == 2 && !out->write && out->reg[0] == out->reg[1]);
}

static bool by_immediate(struct index ix, uint32_t imm, struct mmio_insn *out) {
    int32_t offset = ix.add ? (int32_t)imm : -(int32_t)imm;

    out->ea_known = true;
    out->ea_offset = ix.pre ? offset : 0;
    out->writeback = ix.writeback ? WB_IMMEDIATE : WB_NONE;
    out->wb_offset = ix.writeback ? offset : 0;
    return base_ok(out, ix.writeback);
}

static bool by_register(struct index ix, unsigned rm, unsigned shift, struct mmio_insn *out) {
    if (rm == PC)
        return false;
    if (ix.writeback) {
        out->writeback = ix.pre ? WB_ADDRESS : WB_REGISTER;
        out->wb_reg = (uint8_t)rm;
        out->wb_shift = (uint8_t)shift;
        out->wb_subtract = !ix.add;
        if (!ix.pre && shift == 3 << 5) /* RRX: the carry would be needed */
            return false;
    }
    return base_ok(out, ix.writeback);
}

static struct index a32_index(uint32_t insn) {
    return (struct index){
        .pre = insn & BIT(24),
        .add = insn & BIT(23),
        .writeback = !(insn & BIT(24)) || (insn & BIT(21)),
    };
}

/* LDR, STR, LDRB, STRB and their unprivileged forms. */
static bool a32_word_byte(uint32_t insn, struct mmio_insn *out) {
    out->size = insn & BIT(22) ? 1 : 4;
    out->write = !(insn & BIT(20));
    if (!(insn & BIT(25)))
        return by_immediate(a32_index(insn), field(insn, 11, 0), out);
    if (insn & BIT(4)) /* media instructions */
        return false;
    return by_register(a32_index(insn), field(insn, 3, 0),
                       field(insn, 6, 5) << 5 | field(insn, 11, 7), out);
}

/* LDRH, STRH, LDRSB, LDRSH, LDRD, STRD and the unprivileged halfword forms. */
static bool a32_extra(uint32_t insn, struct mmio_insn *out) {
    unsigned op = field(insn, 6, 5);
    bool load = insn & BIT(20);

    if (!load && op != 1) { /* LDRD (2), STRD (3) */
        if ((out->reg[0] & 1) || out->reg[0] == 14 || (!(insn & BIT(24)) && (insn & BIT(21))))
            return false;
        out->nr_regs = 2;
        out->reg[1] = (uint8_t)(out->reg[0] + 1);
        out->size = 4;
        out->write = op == 3;
    } else {
        out->size = op == 2 ? 1 : 2;
        out->write = !load;
        out->sign_extend = load && op != 1;
    }
    if (insn & BIT(22))
        return by_immediate(a32_index(insn), field(insn, 11, 8) << 4 | field(insn, 3, 0), out);
    if (field(insn, 11, 8))
        return false;
    if (out->nr_regs == 2 && !out->write &&
        (field(insn, 3, 0) == out->reg[0] || field(insn, 3, 0) == out->reg[1]))
        return false;
    return by_register(a32_index(insn), field(insn, 3, 0), 0, out);
}

bool mmio_decode_a32(uint32_t insn, struct mmio_insn *out) {
    *out = (struct mmio_insn){
        .reg = {(uint8_t)field(insn, 15, 12)},
        .base = (uint8_t)field(insn, 19, 16),
        .nr_regs = 1,
        .insn_bytes = 4,
    };
    if (field(insn, 31, 28) == 15)
        return false;
    if (field(insn, 27, 26) == 1)
        return a32_word_byte(insn, out);
    if (field(insn, 27, 25) == 0 && (insn & BIT(7)) && (insn & BIT(4)) && field(insn, 6, 5))
        return a32_extra(insn, out);
    return false;
}

/* size: log2 of the bytes. */
static void t32_access(struct mmio_insn *out, unsigned size, bool load, bool sign) {
    out->size = (uint8_t)(1u << size);
    out->write = !load;
    out->sign_extend = sign;
}

/* 0101: two low registers as address; the operation in bits 11:9. */
static bool t16_register(uint32_t h, struct mmio_insn *out) {
    static const struct {
        uint8_t size;
        bool load, sign;
    } ops[8] = {{2, false, false}, {1, false, false}, {0, false, false}, {0, true, true},
                {2, true, false},  {1, true, false},  {0, true, false},  {1, true, true}};
    unsigned op = field(h, 11, 9);

    t32_access(out, ops[op].size, ops[op].load, ops[op].sign);
    return true;
}

static bool t16(uint32_t h, struct mmio_insn *out) {
    static const struct index plain = {true, true, false};
    unsigned imm5 = field(h, 10, 6), load = field(h, 11, 11);

    out->insn_bytes = 2;
    out->reg[0] = (uint8_t)field(h, 2, 0);
    out->base = (uint8_t)field(h, 5, 3);
    switch (field(h, 15, 12)) {
    case 5:
        return t16_register(h, out);
    case 6:
        t32_access(out, 2, load, false);
        return by_immediate(plain, imm5 * 4, out);
    case 7:
        t32_access(out, 0, load, false);
        return by_immediate(plain, imm5, out);
    case 8:
        t32_access(out, 1, load, false);
        return by_immediate(plain, imm5 * 2, out);
    case 9:
        out->reg[0] = (uint8_t)field(h, 10, 8);
        out->base = SP;
        t32_access(out, 2, load, false);
        return by_immediate(plain, field(h, 7, 0) * 4, out);
    default:
        return false;
    }
}

/* 1111100: one register. */
static bool t32_single(uint32_t insn, struct mmio_insn *out) {
    unsigned size = field(insn, 22, 21);
    bool sign = insn & BIT(24), load = insn & BIT(20);
    struct index ix = {.pre = insn & BIT(10), .add = insn & BIT(9), .writeback = insn & BIT(8)};

    if (size == 3 || (sign && (!load || size == 2)))
        return false;
    t32_access(out, size, load, sign);
    if (insn & BIT(23))
        return by_immediate((struct index){true, true, false}, field(insn, 11, 0), out);
    if (insn & BIT(11)) {
        if (!ix.pre && !ix.writeback)
            return false;
        return by_immediate(ix, field(insn, 7, 0), out);
    }
    return field(insn, 10, 6) == 0 &&
           by_register((struct index){true, true, false}, field(insn, 3, 0), 0, out);
}

/* 1110100 with P or W: LDRD, STRD. */
static bool t32_dual(uint32_t insn, struct mmio_insn *out) {
    struct index ix = {.pre = insn & BIT(24), .add = insn & BIT(23), .writeback = insn & BIT(21)};

    if (!ix.pre && !ix.writeback)
        return false; /* exclusives and table branches */
    out->nr_regs = 2;
    out->reg[1] = (uint8_t)field(insn, 11, 8);
    if (out->reg[0] == SP || out->reg[1] == SP)
        return false;
    t32_access(out, 2, insn & BIT(20), false);
    return by_immediate(ix, field(insn, 7, 0) * 4, out);
}

bool mmio_decode_t32(uint32_t insn, bool wide, struct mmio_insn *out) {
    *out = (struct mmio_insn){
        .reg = {(uint8_t)field(insn, 15, 12)},
        .base = (uint8_t)field(insn, 19, 16),
        .nr_regs = 1,
        .insn_bytes = 4,
    };
    if (!wide)
        return t16(insn >> 16, out);
    if (field(insn, 31, 25) == 0x7c)
        return t32_single(insn, out);
    if (field(insn, 31, 25) == 0x74 && (insn & BIT(22)))
        return t32_dual(insn, out);
    return false;
}
