/* CPUs of 32 bits, and of 64 bits in AArch32: what is known of them. */
#include <hv/bits.h>

#include <asm/features.h>
#include <asm/speculation.h>
#include <asm/sysreg.h>

extern char hv_vectors_clear_branches[], hv_vectors_clear_instructions[];

#define CORTEX_A15 ARM(0xc0f)
#define BRAHMA_B15 SPEC_MODEL(0x42, 0x00f)
#define ACTLR_IBE BIT(0) /* of these two: invalidations clear the branch predictor */

const struct spec_model spec_models[] = {
    {ARM(0xc07), .safe = SAFE},                                                /* Cortex-A7 */
    {ARM(0xd01), .safe = SAFE},                                                /* A32 */
    {ARM(0xd03), .safe = SAFE},                                                /* A53 */
    {ARM(0xd04), .safe = SAFE},                                                /* A35 */
    {ARM(0xd05), .safe = SAFE},                                                /* A55 */
    {ARM(0xc0d), .safe = SAFE_HISTORY | SAFE_STORES, .clear = CLEAR_BRANCHES}, /* A12 */
    {ARM(0xc0e), .safe = SAFE_HISTORY | SAFE_STORES, .clear = CLEAR_BRANCHES}, /* A17 */
    {CORTEX_A15, .loop = 8, .safe = SAFE_STORES, .clear = CLEAR_INSTRUCTIONS},
    {BRAHMA_B15, .loop = 8, .safe = SAFE_STORES, .clear = CLEAR_INSTRUCTIONS},
    {ARM(0xd07), .loop = 8},               /* A57: the firmware does it, or nobody */
    {ARM(0xd08), .loop = 8},               /* A72 */
    {ARM(0xd09), .clear = CLEAR_BRANCHES}, /* A73 */
    {ARM(0xd0a), .clear = CLEAR_BRANCHES}, /* A75 */
};
const unsigned spec_nr_models = ARRAY_SIZE(spec_models);

/* The bit is the secure side's to set. */
void spec_identify(struct spec_cpu *cpu) {
    uint32_t model;

    cpu->midr = (uint32_t)read_sysreg(midr_el1);
    cpu->csv2 = bits_get(read_sysreg(ID_REGISTER(1, 0)), 19, 16); /* ID_PFR0; Armv7 reads as 0 */
    cpu->ssbs = bits_get(read_sysreg(ID_REGISTER(3, 4)), 7, 4);   /* ID_PFR2, likewise */
    model = cpu->midr & SPEC_MODEL_MASK;
    cpu->clears = (model != CORTEX_A15 && model != BRAHMA_B15) || (read_sysreg(ACTLR) & ACTLR_IBE);
}

uintptr_t spec_vectors(const struct spec_choice *c) {
    return (uintptr_t)(c->clear == CLEAR_INSTRUCTIONS ? hv_vectors_clear_instructions
                                                      : hv_vectors_clear_branches);
}
