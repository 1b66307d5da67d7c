/* CPUs of 64 bits: what they say of their speculation, and what is known of them. */
#include <hv/bits.h>

#include <asm/features.h>
#include <asm/speculation.h>
#include <asm/sysreg.h>

extern char hv_vectors_hardened[];

const struct spec_model spec_models[] = {
    {ARM(0xd03), .safe = SAFE},            /* Cortex-A53 */
    {ARM(0xd04), .safe = SAFE},            /* A35 */
    {ARM(0xd05), .safe = SAFE},            /* A55 */
    {ARM(0xd46), .safe = SAFE},            /* A510 */
    {ARM(0xd80), .safe = SAFE},            /* A520 */
    {ARM(0xd07), .loop = 8},               /* A57 */
    {ARM(0xd08), .loop = 8},               /* A72 */
    {ARM(0xd0b), .loop = 24},              /* A76 */
    {ARM(0xd0e), .loop = 24},              /* A76AE */
    {ARM(0xd0d), .loop = 24},              /* A77 */
    {ARM(0xd0c), .loop = 24},              /* Neoverse N1 */
    {ARM(0xd41), .loop = 32},              /* A78 */
    {ARM(0xd42), .loop = 32},              /* A78AE */
    {ARM(0xd4b), .loop = 32},              /* A78C */
    {ARM(0xd44), .loop = 32},              /* X1 */
    {ARM(0xd4c), .loop = 32},              /* X1C */
    {ARM(0xd47), .loop = 32},              /* A710 */
    {ARM(0xd48), .loop = 32},              /* X2 */
    {ARM(0xd40), .loop = 32},              /* Neoverse V1 */
    {ARM(0xd49), .loop = 32},              /* Neoverse N2 */
    {ARM(0xd4d), .loop = 38},              /* A715 */
    {ARM(0xd81), .loop = 38},              /* A720 */
    {ARM(0xd4e), .loop = 132},             /* X3 */
    {ARM(0xd4f), .loop = 132},             /* Neoverse V2 */
    {SPEC_MODEL(0x51, 0x804), .loop = 24}, /* Kryo 4xx Gold */
    {SPEC_MODEL(0xc0, 0xac3), .loop = 11}, /* Ampere-1 */
};
const unsigned spec_nr_models = ARRAY_SIZE(spec_models);

void spec_identify(struct spec_cpu *cpu) {
    uint64_t id[NR_IDREGS];

    features_read(id);
    cpu->midr = (uint32_t)read_sysreg(midr_el1);
    cpu->csv2 = bits_get(id[ID_AA64PFR0], 59, 56);
    cpu->ssbs = bits_get(id[ID_AA64PFR1], 7, 4);
    cpu->ecbhb = bits_get(id[ID_AA64MMFR1], 63, 60);
    cpu->clrbhb = bits_get(id[ID_AA64ISAR2], 31, 28);
}

uintptr_t spec_vectors(const struct spec_choice *c) {
    (void)c;
    return (uintptr_t)hv_vectors_hardened;
}
