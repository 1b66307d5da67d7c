/* Trapped accesses to system registers, and of AArch32 to coprocessors: any encoding, from EL0 and
 * EL1, with any value. Each is done, or undefined and has done nothing. */
/* clang-format off */
/* SOURCES: arch/arm64/cpu/features.c arch/arm/cpu/features.c arch/arm/guest/idregs.c arch/arm64/guest/vsysreg.c arch/arm/guest/sysreg.c arch/arm64/guest/vdebug.c arch/arm/guest/vcp15.c arch/arm64/guest/registers.c arch/arm/guest/aarch32.c */
/* clang-format on */
#include "fuzz.h"

#include "../unit/test_vsysreg.c"

/* The first: debug registers are the guest's from their first use on. */
static const char *const controls[] = {"mdcr_el2",    "hcr_el2",  "cptr_el2", "hstr_el2",
                                       "cnthctl_el2", "vtcr_el2", "vttbr_el2"};

static void run(bool a32) {
    static const uint8_t ecs[] = {0x03, 0x04, 0x05, 0x06, 0x08, 0x0c};
    uint64_t iss = eat(4) & 0x1ffffff, held[ARRAY_SIZE(controls)];
    struct cpu_regs before;
    unsigned changed = 0;
    bool read = iss & 1;

    for (unsigned i = 0; i < ARRAY_SIZE(controls); i++)
        held[i] = *fake_sysreg(controls[i]);
    regs.x[eat(1) % 31] = eat(8);
    regs.spsr = a32 ? (eat(1) & 1 ? PSR32_SVC : PSR32_USR) : (eat(1) & 1 ? PSR_MODE_EL1H : 0);
    regs.pc = 0x1000;
    before = regs;
    seen.undefined = 0;
    if (a32)
        trap_cp(&vc, &regs, (uint64_t)ecs[eat(1) % sizeof(ecs)] << 26 | ESR_IL | iss);
    else
        trap_sysreg(&vc, &regs, 0x18ULL << 26 | ESR_IL | iss);
    for (unsigned i = 0; i < 31; i++)
        changed += regs.x[i] != before.x[i];
    HOLDS(seen.undefined <= 1);
    HOLDS(seen.undefined ? regs.pc == before.pc && !changed : regs.pc == before.pc + 4);
    HOLDS(changed <= (read ? 2u : 0u));
    for (unsigned i = 0; i < ARRAY_SIZE(controls); i++)
        HOLDS(!((*fake_sysreg(controls[i]) ^ held[i]) & ~(i ? 0 : MDCR_TDA)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    bool a32;

    input_is(data, size);
    a32 = eat(1) & 1;
    a32 ? setup32(NULL) : setup(NULL);
    while (input_left)
        run(a32);
    return 0;
}
