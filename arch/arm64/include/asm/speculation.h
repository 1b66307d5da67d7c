/* Floor 6: what a CPU says of its speculation, and what is done about it (speculation.c). */
#ifndef ASM_SPECULATION_H
#define ASM_SPECULATION_H

#include <hv/speculation.h>

struct spec_cpu {
    uint32_t midr;
    uint8_t csv2, ssbs, ecbhb, clrbhb;                /* fields of its ID registers */
    int64_t workaround_1, workaround_2, workaround_3; /* SMCCC_ARCH_FEATURES of the firmware */
};

/* At every entry from a guest; vectors.S reads it. Both 0: the plain vectors. */
struct at_entry {
    uint32_t function; /* SMC to the firmware, 0: none */
    uint32_t loop;     /* taken branches, then CLRBHB */
};
_Static_assert(sizeof(struct at_entry) == 8, "vectors.S loads both at once");

struct spec_choice {
    struct at_entry at_entry;
    struct speculation state;
};
/* Pure. */
void spec_choose(const struct spec_cpu *cpu, struct spec_choice *out);

#endif
