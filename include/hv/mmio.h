/*
 * Floor 6: emulated device registers: which handler an intermediate physical address belongs to,
 * and what the trapped instruction wants. Ranges are fixed before the domain runs; lookups take no
 * lock, and a vCPU remembers the last one.
 */
#ifndef HV_MMIO_H
#define HV_MMIO_H

#include <hv/types.h>

struct vcpu;

/* One access of one register: size is 1, 2, 4 or 8 bytes, naturally aligned (the decoder splits or
 * refuses). */
struct mmio_access {
    uint64_t offset; /* from the start of the handler's range */
    uint8_t size;
    bool write;
    uint64_t value; /* written, or to be filled by a read (upper bytes 0) */
};

/* false: no register there or a size it does not take; the guest gets an external abort. */
typedef bool (*mmio_handler_t)(struct vcpu *v, void *arg, struct mmio_access *a);

#define MMIO_MAX_RANGES 32
struct mmio_range {
    uint64_t start, end; /* [start, end) */
    mmio_handler_t handler;
    void *arg;
    const char *name;
};
struct mmio_map {
    unsigned count; /* sorted by start */
    struct mmio_range range[MMIO_MAX_RANGES];
};

/* Start and size are multiples of 8, else -EINVAL. -EEXIST when it overlaps another, -ENOSPC when
 * full. */
int mmio_register(struct mmio_map *m, ipaddr_t start, uint64_t size, mmio_handler_t h, void *arg,
                  const char *name) __must_check;
const struct mmio_range *mmio_find(const struct mmio_map *m, ipaddr_t at);

/* What a load or store does, as the instruction itself says. */
struct mmio_insn {
    uint8_t size; /* bytes of each register's access: 1, 2, 4, 8 */
    bool write, sign_extend, sixty_four;
    uint8_t nr_regs; /* 1 or 2 (pairs) */
    uint8_t reg[2];
    uint8_t insn_bytes; /* 4, or 2 for a 16-bit Thumb instruction */
    uint8_t base;       /* A64: 31 = sp */
    /* The first byte lies at base + ea_offset; not set for register offsets. */
    bool ea_known;
    int32_t ea_offset;
    /* Pre- or post-index: what becomes of the base after the access. */
    enum mmio_wb {
        WB_NONE,
        WB_IMMEDIATE, /* base += wb_offset */
        WB_ADDRESS,   /* base = the address accessed (pre-index by a register) */
        WB_REGISTER,  /* base += or -= wb_reg shifted by wb_shift (post-index by a register) */
    } writeback;
    int32_t wb_offset;
    uint8_t wb_reg;
    uint8_t wb_shift; /* A32's type << 5 | amount, as imm5 and type of the instruction give it */
    bool wb_subtract;
};

/*
 * A64 / A32 / T32 instruction words. False: not a load or store that can be emulated: literal
 * loads, exclusives, atomics, SIMD, multiples, and whatever the architecture leaves unpredictable.
 * For T32, insn holds both halves, first in 31:16 (`wide`), or the one in 31:16.
 */
bool mmio_decode_a64(uint32_t insn, struct mmio_insn *out);
bool mmio_decode_a32(uint32_t insn, struct mmio_insn *out);
bool mmio_decode_t32(uint32_t insn, bool wide, struct mmio_insn *out);

/*
 * The data-abort path of the current vCPU: finds the handler of `ipa`, decodes, performs, writes
 * registers back and moves pc on. When nothing is there it ends in guest_data_abort().
 */
void mmio_handle(struct vcpu *v, ipaddr_t ipa, vaddr_t gva, uint64_t esr);

#endif
