/*
 * Floor 6: what a CPU says of its speculation, and what is done about it: the choice, which is both
 * architectures', in arch/arm/guest/speculation.c; each one's CPUs in its own guest/speculation.c.
 */
#ifndef ASM_SPECULATION_H
#define ASM_SPECULATION_H

#include <hv/speculation.h>

struct spec_cpu {
    uint32_t midr;
    uint8_t csv2, ssbs, ecbhb, clrbhb;                /* fields of its ID registers */
    bool clears;                                      /* an invalidation clears its prediction */
    int32_t workaround_1, workaround_2, workaround_3; /* SMCCC_ARCH_FEATURES of the firmware */
};

/* What is invalidated at entries, on Armv7: CPUs differ in what clears their prediction. */
enum spec_clear { CLEAR_NOTHING, CLEAR_BRANCHES, CLEAR_INSTRUCTIONS };

/* MIDR's implementer and part, and what each needs. */
#define SPEC_MODEL(implementer, part) ((uint32_t)(implementer) << 24 | (part) << 4)
#define SPEC_MODEL_MASK 0xff00fff0u
#define ARM(part) SPEC_MODEL(0x41, part)
struct spec_model {
    uint32_t model;
    uint8_t loop; /* taken branches that fill the history; 0: no number of them does */
    uint8_t safe; /* from what there is nothing to fear, whatever the ID registers say */
    uint8_t clear;
};
#define SAFE_TARGETS 1
#define SAFE_HISTORY 2
#define SAFE_STORES 4
#define SAFE 7 /* in order, or no prediction to train */

/* At every entry from a guest; vectors.S reads it. Both 0: the firmware and the history are left
 * alone. */
struct at_entry {
    uint32_t function; /* SMC to the firmware, 0: none */
    uint32_t loop;     /* taken branches, then CLRBHB */
};
_Static_assert(sizeof(struct at_entry) == 8, "vectors.S loads both at once");

struct spec_choice {
    struct at_entry at_entry;
    enum spec_clear clear;
    struct speculation state;
};
/* Pure. */
void spec_choose(const struct spec_cpu *cpu, struct spec_choice *out);

/* ---- the architecture's ---- */

extern const struct spec_model spec_models[];
extern const unsigned spec_nr_models;
/* Of this CPU, but for what the firmware says. */
void spec_identify(struct spec_cpu *cpu);
/* The vectors that do it. */
uintptr_t spec_vectors(const struct spec_choice *c);

#endif
