/* Which access a data abort was: from the syndrome, or from an A64 load or store (Arm ARM C4.1.94).
 */
#include <hv/bits.h>
#include <hv/mmio.h>

static uint32_t field(uint32_t insn, unsigned hi, unsigned lo) {
    return (uint32_t)bits_get(insn, hi, lo);
}

static int32_t sign_extend(uint32_t val, unsigned bits) {
    return (int32_t)(val << (32 - bits)) >> (32 - bits);
}

/* size and opc of the single-register classes; prefetches (11:10) and unallocated ones are refused.
 */
static bool size_and_opc(uint32_t insn, struct mmio_insn *out) {
    unsigned size = field(insn, 31, 30), opc = field(insn, 23, 22);

    out->size = (uint8_t)(1u << size);
    out->write = opc == 0;
    out->sign_extend = opc & 2;
    out->sixty_four = opc == 2 || (opc == 1 && size == 3);
    return !(out->sign_extend && (size == 3 || (size == 2 && opc == 3)));
}

static void immediate(struct mmio_insn *out, int32_t offset) {
    out->ea_known = true;
    out->ea_offset = offset;
}

static bool indexed(bool pre, int32_t offset, struct mmio_insn *out) {
    immediate(out, pre ? offset : 0);
    out->writeback = WB_IMMEDIATE;
    out->wb_offset = offset;
    for (unsigned i = 0; i < out->nr_regs; i++)
        if (out->reg[i] == out->base && out->base != 31)
            return false;
    return true;
}

/* bits 29:27 = 111 without SIMD: one register with an immediate or a register as offset. */
static bool decode_register(uint32_t insn, struct mmio_insn *out) {
    int32_t imm9 = sign_extend(field(insn, 20, 12), 9);

    if (!size_and_opc(insn, out))
        return false;
    if (insn & BIT(24)) {
        immediate(out, (int32_t)(field(insn, 21, 10) * out->size));
        return true;
    }
    if (insn & BIT(21)) /* register offset needs option x1x; the rest here are atomics */
        return field(insn, 11, 10) == 2 && (insn & BIT(14));
    switch (field(insn, 11, 10)) {
    case 1:
        return indexed(false, imm9, out);
    case 3:
        return indexed(true, imm9, out);
    default: /* unscaled; unprivileged, which the guest's own tables have judged already */
        immediate(out, imm9);
        return true;
    }
}

/* bits 29:27 = 101 without SIMD: LDP, STP, LDNP, STNP, LDPSW. */
static bool decode_pair(uint32_t insn, struct mmio_insn *out) {
    unsigned opc = field(insn, 31, 30), mode = field(insn, 24, 23);
    int32_t offset;

    out->write = !(insn & BIT(22));
    out->nr_regs = 2;
    out->reg[1] = (uint8_t)field(insn, 14, 10);
    out->size = opc == 2 ? 8 : 4;
    out->sixty_four = opc != 0;
    out->sign_extend = opc == 1;
    if (opc == 3 || (opc == 1 && (out->write || mode == 0)))
        return false;
    if (!out->write && out->reg[0] == out->reg[1])
        return false;
    offset = sign_extend(field(insn, 21, 15), 7) * out->size;
    if (mode & 1)
        return indexed(mode == 3, offset, out);
    immediate(out, offset);
    return true;
}

/* LDAR, STLR, LDLAR, STLLR: an emulated access is in order with everything. Exclusives and CAS are
 * refused. */
static bool decode_ordered(uint32_t insn, struct mmio_insn *out) {
    if (!(insn & BIT(23)) || (insn & BIT(21)))
        return false;
    out->write = !(insn & BIT(22));
    out->size = (uint8_t)(1u << field(insn, 31, 30));
    out->sixty_four = out->size == 8;
    immediate(out, 0);
    return true;
}

bool mmio_decode_a64(uint32_t insn, struct mmio_insn *out) {
    *out = (struct mmio_insn){
        .reg = {(uint8_t)field(insn, 4, 0)},
        .base = (uint8_t)field(insn, 9, 5),
        .nr_regs = 1,
        .insn_bytes = 4,
    };
    if ((insn & 0x3ffffc00) == 0x38bfc000) { /* LDAPR */
        out->size = (uint8_t)(1u << field(insn, 31, 30));
        out->sixty_four = out->size == 8;
        immediate(out, 0);
        return true;
    }
    if ((insn & 0x3f200c00) == 0x19000000) { /* LDAPUR, STLUR */
        immediate(out, sign_extend(field(insn, 20, 12), 9));
        return size_and_opc(insn, out);
    }
    if ((insn & 0x3e000000) == 0x38000000)
        return decode_register(insn, out);
    if ((insn & 0x3e000000) == 0x28000000)
        return decode_pair(insn, out);
    if ((insn & 0x3f000000) == 0x08000000)
        return decode_ordered(insn, out);
    return false;
}
