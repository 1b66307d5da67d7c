/* Instruction words of a guest, in each instruction set: what is decoded can be emulated. */
/* SOURCES: common/virt/mmio_decode_a64.c common/virt/mmio_decode_a32.c */
#include "fuzz.h"

#include <hv/mmio.h>

static void check(const struct mmio_insn *i, unsigned regs) {
    HOLDS(i->size == 1 || i->size == 2 || i->size == 4 || i->size == 8);
    HOLDS(i->nr_regs == 1 || i->nr_regs == 2);
    HOLDS(i->reg[0] < regs && i->reg[1] < regs && i->base < regs && i->wb_reg < regs);
    HOLDS(i->insn_bytes == 4 || i->insn_bytes == 2);
    HOLDS(i->writeback <= WB_REGISTER);
    /* A loaded register is never the base that is written back. */
    HOLDS(i->writeback == WB_NONE || i->write || i->base == 31 ||
          (i->reg[0] != i->base && (i->nr_regs == 1 || i->reg[1] != i->base)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mmio_insn i;

    input_is(data, size);
    while (input_left) {
        uint32_t insn = (uint32_t)eat(4);

        memset(&i, 0, sizeof(i));
        if (mmio_decode_a64(insn, &i))
            check(&i, 32);
        memset(&i, 0, sizeof(i));
        if (mmio_decode_a32(insn, &i))
            check(&i, 16);
        for (unsigned wide = 0; wide < 2; wide++) {
            memset(&i, 0, sizeof(i));
            if (mmio_decode_t32(insn, wide, &i))
                check(&i, 16);
        }
    }
    return 0;
}
