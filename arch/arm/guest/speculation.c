/*
 * What each CPU needs against what a guest trained its branch prediction to do: at every entry from
 * a guest an invalidation, a call of the firmware, a loop that fills the branch history, or
 * nothing. Facts by CPU from Arm's "Speculative Processor Vulnerability" and "Spectre-BHB" papers
 * and DEN0028 (SMCCC), section 7.
 */
#include <hv/firmware.h>
#include <hv/percpu.h>
#include <hv/printk.h>

#include <asm/barrier.h>
#include <asm/speculation.h>
#include <asm/sysreg.h>

DEFINE_PER_CPU(struct at_entry, at_entry);
struct speculation speculation = {SPEC_UNAFFECTED, SPEC_UNAFFECTED, SPEC_UNAFFECTED};

/* Spectre variant 2: foreign branch targets. */
static enum spec_state choose_targets(const struct spec_cpu *cpu, const struct spec_model *model,
                                      struct spec_choice *out) {
    if ((model->safe & SAFE_TARGETS) || cpu->csv2 || cpu->workaround_1 == SMCCC_UNAFFECTED)
        return SPEC_UNAFFECTED;
    if (model->clear && cpu->clears)
        out->clear = model->clear;
    else if (!cpu->workaround_1)
        out->at_entry.function = SMCCC_ARCH_WORKAROUND_1;
    else
        return SPEC_VULNERABLE;
    return SPEC_MITIGATED;
}

/* Spectre-BHB: a history of branches from the guest chooses among our own targets. */
static enum spec_state choose_history(const struct spec_cpu *cpu, const struct spec_model *model,
                                      struct spec_choice *out) {
    if ((model->safe & SAFE_HISTORY) || cpu->ecbhb || cpu->csv2 >= 3 ||
        cpu->workaround_3 == SMCCC_UNAFFECTED)
        return SPEC_UNAFFECTED;
    if (model->clear == CLEAR_BRANCHES && cpu->clears) { /* with the history */
        out->clear = model->clear;
        return SPEC_MITIGATED;
    }
    if (!cpu->workaround_3) {
        out->at_entry.function = SMCCC_ARCH_WORKAROUND_3; /* does what 1 does, too */
        return SPEC_MITIGATED;
    }
    if (!cpu->clrbhb && !model->loop)
        return SPEC_VULNERABLE;
    out->at_entry.loop = cpu->clrbhb ? 1 : model->loop; /* CLRBHB stands behind the loop */
    return SPEC_MITIGATED;
}

static enum spec_state choose_stores(const struct spec_cpu *cpu, const struct spec_model *model) {
    if ((model->safe & SAFE_STORES) || cpu->ssbs || cpu->workaround_2 == SMCCC_UNAFFECTED ||
        cpu->workaround_2 == SMCCC_NOT_REQUIRED)
        return SPEC_UNAFFECTED;
    return cpu->workaround_2 ? SPEC_VULNERABLE : SPEC_MITIGATED;
}

void spec_choose(const struct spec_cpu *cpu, struct spec_choice *out) {
    static const struct spec_model unknown;
    const struct spec_model *model = &unknown;

    *out = (struct spec_choice){0};
    for (unsigned i = 0; i < spec_nr_models; i++)
        if ((cpu->midr & SPEC_MODEL_MASK) == spec_models[i].model)
            model = &spec_models[i];
    out->state.targets = choose_targets(cpu, model, out);
    out->state.history = choose_history(cpu, model, out);
    out->state.stores = choose_stores(cpu, model);
}

static void worst(enum spec_state *all, enum spec_state one) {
    if (one > *all)
        *all = one;
}

/* CPUs start one after the other. */
void speculation_init_cpu(void) {
    struct spec_cpu cpu = {.workaround_1 = firmware_arch_feature(SMCCC_ARCH_WORKAROUND_1),
                           .workaround_2 = firmware_arch_feature(SMCCC_ARCH_WORKAROUND_2),
                           .workaround_3 = firmware_arch_feature(SMCCC_ARCH_WORKAROUND_3)};
    struct spec_choice c;

    spec_identify(&cpu);
    spec_choose(&cpu, &c);
    this_cpu(at_entry) = c.at_entry;
    if (c.state.stores == SPEC_MITIGATED)
        firmware_arch_call(SMCCC_ARCH_WORKAROUND_2, 1); /* for good: nobody turns it off */
    if (c.at_entry.function || c.at_entry.loop || c.clear) {
        write_sysreg(spec_vectors(&c), vbar_el2);
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
