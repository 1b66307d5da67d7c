/*
 * What each CPU needs against what a guest trained its branch prediction to do: at every entry from
 * a guest a call of the firmware, a loop that fills the branch history, or nothing. Facts by CPU
 * from Arm's "Speculative Processor Vulnerability" and "Spectre-BHB" papers and DEN0028 (SMCCC),
 * section 7.
 */
#include <hv/bits.h>
#include <hv/firmware.h>
#include <hv/percpu.h>
#include <hv/printk.h>
#include <hv/speculation.h>

#include <asm/barrier.h>
#include <asm/features.h>
#include <asm/speculation.h>
#include <asm/sysreg.h>

extern char hv_vectors_hardened[];

DEFINE_PER_CPU(struct at_entry, at_entry);
struct speculation speculation = {SPEC_UNAFFECTED, SPEC_UNAFFECTED, SPEC_UNAFFECTED};

/* MIDR_EL1's implementer and part: what each needs. Loops by length, 0: the firmware must. */
#define ARM(part) (0x41000000u | (part) << 4)
#define MIDR_MODEL 0xff00fff0u
static const struct {
    uint32_t model;
    uint8_t loop;
    bool safe; /* no prediction to train: in order, or tagged */
} models[] = {
    {ARM(0xd03), 0, true},    /* Cortex-A53 */
    {ARM(0xd04), 0, true},    /* A35 */
    {ARM(0xd05), 0, true},    /* A55 */
    {ARM(0xd46), 0, true},    /* A510 */
    {ARM(0xd80), 0, true},    /* A520 */
    {ARM(0xd07), 8, false},   /* A57 */
    {ARM(0xd08), 8, false},   /* A72 */
    {ARM(0xd09), 0, false},   /* A73 */
    {ARM(0xd0a), 0, false},   /* A75 */
    {ARM(0xd0b), 24, false},  /* A76 */
    {ARM(0xd0e), 24, false},  /* A76AE */
    {ARM(0xd0d), 24, false},  /* A77 */
    {ARM(0xd0c), 24, false},  /* Neoverse N1 */
    {ARM(0xd41), 32, false},  /* A78 */
    {ARM(0xd42), 32, false},  /* A78AE */
    {ARM(0xd4b), 32, false},  /* A78C */
    {ARM(0xd44), 32, false},  /* X1 */
    {ARM(0xd4c), 32, false},  /* X1C */
    {ARM(0xd47), 32, false},  /* A710 */
    {ARM(0xd48), 32, false},  /* X2 */
    {ARM(0xd40), 32, false},  /* Neoverse V1 */
    {ARM(0xd49), 32, false},  /* Neoverse N2 */
    {ARM(0xd4d), 38, false},  /* A715 */
    {ARM(0xd81), 38, false},  /* A720 */
    {ARM(0xd4e), 132, false}, /* X3 */
    {ARM(0xd4f), 132, false}, /* Neoverse V2 */
};

/* Spectre variant 2: foreign branch targets. */
static enum spec_state choose_targets(const struct spec_cpu *cpu, bool safe, struct at_entry *do_) {
    if (safe || cpu->csv2 || cpu->workaround_1 == SMCCC_UNAFFECTED)
        return SPEC_UNAFFECTED;
    if (cpu->workaround_1)
        return SPEC_VULNERABLE;
    do_->function = SMCCC_ARCH_WORKAROUND_1;
    return SPEC_MITIGATED;
}

/* Spectre-BHB: a history of branches from the guest chooses among our own targets. */
static enum spec_state choose_history(const struct spec_cpu *cpu, bool safe, uint8_t loop,
                                      struct at_entry *do_) {
    if (safe || cpu->ecbhb || cpu->csv2 >= 3 || cpu->workaround_3 == SMCCC_UNAFFECTED)
        return SPEC_UNAFFECTED;
    if (!cpu->workaround_3) {
        do_->function = SMCCC_ARCH_WORKAROUND_3; /* does what 1 does, too */
        return SPEC_MITIGATED;
    }
    if (!cpu->clrbhb && !loop)
        return SPEC_VULNERABLE;
    do_->loop = cpu->clrbhb ? 1 : loop; /* CLRBHB stands behind the loop */
    return SPEC_MITIGATED;
}

void spec_choose(const struct spec_cpu *cpu, struct spec_choice *out) {
    bool safe = false;
    uint8_t loop = 0;

    *out = (struct spec_choice){0};
    for (unsigned i = 0; i < ARRAY_SIZE(models); i++)
        if ((cpu->midr & MIDR_MODEL) == models[i].model) {
            safe = models[i].safe;
            loop = models[i].loop;
        }
    out->state.targets = choose_targets(cpu, safe, &out->at_entry);
    out->state.history = choose_history(cpu, safe, loop, &out->at_entry);
    if (cpu->workaround_2 == SMCCC_UNAFFECTED || cpu->workaround_2 == SMCCC_NOT_REQUIRED ||
        cpu->ssbs || safe)
        out->state.stores = SPEC_UNAFFECTED;
    else
        out->state.stores = cpu->workaround_2 ? SPEC_VULNERABLE : SPEC_MITIGATED;
}

static void worst(enum spec_state *all, enum spec_state one) {
    if (one > *all)
        *all = one;
}

/* CPUs start one after the other. */
void speculation_init_cpu(void) {
    uint64_t id[NR_IDREGS];
    struct spec_choice c;

    features_read(id);
    spec_choose(&(struct spec_cpu){.midr = (uint32_t)read_sysreg(midr_el1),
                                   .csv2 = bits_get(id[ID_AA64PFR0], 59, 56),
                                   .ssbs = bits_get(id[ID_AA64PFR1], 7, 4),
                                   .ecbhb = bits_get(id[ID_AA64MMFR1], 63, 60),
                                   .clrbhb = bits_get(id[ID_AA64ISAR2], 31, 28),
                                   .workaround_1 = firmware_arch_feature(SMCCC_ARCH_WORKAROUND_1),
                                   .workaround_2 = firmware_arch_feature(SMCCC_ARCH_WORKAROUND_2),
                                   .workaround_3 = firmware_arch_feature(SMCCC_ARCH_WORKAROUND_3)},
                &c);
    this_cpu(at_entry) = c.at_entry;
    if (c.state.stores == SPEC_MITIGATED)
        firmware_arch_call(SMCCC_ARCH_WORKAROUND_2, 1); /* for good: nobody turns it off */
    if (c.at_entry.function || c.at_entry.loop) {
        write_sysreg((uintptr_t)hv_vectors_hardened, vbar_el2);
        isb();
    }
    worst(&speculation.targets, c.state.targets);
    worst(&speculation.history, c.state.history);
    worst(&speculation.stores, c.state.stores);
}

void speculation_print(void) {
    static const char *const names[] = {"not affected", "mitigated", "vulnerable"};

    printk("speculation: branch targets %s, branch history %s, stores %s\n",
           names[speculation.targets], names[speculation.history], names[speculation.stores]);
}
