/* What a CPU says about itself in its identification registers, and what follows from it. */
#include <hv/bits.h>
#include <hv/printk.h>

#include <asm/features.h>
#include <asm/sysreg.h>

bool features_field_is_signed(unsigned idreg, unsigned shift) {
    switch (idreg) {
    case ID_AA64PFR0:
        return shift == 16 || shift == 20; /* FP, AdvSIMD */
    case ID_AA64DFR0:
        return shift == 8 || shift == 36; /* PMUVer, DoubleLock */
    case ID_AA64MMFR0:
        return shift == 24 || shift == 28; /* TGran64, TGran4 */
    default:
        return false;
    }
}

static unsigned pa_bits_of(unsigned parange) {
    static const uint8_t bits[] = {32, 36, 40, 42, 44, 48, 52, 56};

    return parange < sizeof(bits) ? bits[parange] : 48;
}

static unsigned id_field(const struct cpu_features *f, unsigned idreg, unsigned shift) {
    return (unsigned)(f->id[idreg] >> shift) & 0xf;
}

void features_derive(struct cpu_features *f) {
    unsigned pmu = id_field(f, ID_AA64DFR0, 8);

    f->pa_range_bits = pa_bits_of(id_field(f, ID_AA64MMFR0, 0));
    f->vmid16 = id_field(f, ID_AA64MMFR1, 4) == 2;
    f->aarch64_el1 = true;
    f->aarch32_el0 = id_field(f, ID_AA64PFR0, 0) == 2;
    f->aarch32_el1 = id_field(f, ID_AA64PFR0, 4) == 2;
    f->pan = id_field(f, ID_AA64MMFR1, 20) != 0;
    f->ras = id_field(f, ID_AA64PFR0, 28) != 0;
    f->pmu = pmu != 0 && pmu != 0xf;
    f->fgt = (uint8_t)id_field(f, ID_AA64MMFR0, 56);
    f->hcx = id_field(f, ID_AA64MMFR1, 40) != 0;
    f->lor = id_field(f, ID_AA64MMFR1, 16) != 0;
    f->nr_breakpoints = (uint8_t)(id_field(f, ID_AA64DFR0, 12) + 1);
    f->nr_watchpoints = (uint8_t)(id_field(f, ID_AA64DFR0, 20) + 1);
}

/* Reserved encodings of this space read as zero, so all of it can be read (Arm ARM D18.3.1). */
#define READ_ID(crm, op2) id[IDREG(crm, op2)] = read_sysreg(S3_0_C0_C##crm##_##op2)
#define READ_ID_ROW(crm)                                                                           \
    READ_ID(crm, 0);                                                                               \
    READ_ID(crm, 1);                                                                               \
    READ_ID(crm, 2);                                                                               \
    READ_ID(crm, 3);                                                                               \
    READ_ID(crm, 4);                                                                               \
    READ_ID(crm, 5);                                                                               \
    READ_ID(crm, 6);                                                                               \
    READ_ID(crm, 7)

void features_read(uint64_t id[NR_IDREGS]) {
    for (unsigned i = 0; i < NR_IDREGS; i++)
        id[i] = 0;
    READ_ID_ROW(4);
    READ_ID_ROW(5);
    READ_ID_ROW(6);
    READ_ID_ROW(7);
    /* Unknown values without AArch32 (Arm ARM D19.2.63 and on). */
    if ((id[ID_AA64PFR0] & 0xf) != 2)
        return;
    READ_ID_ROW(1);
    READ_ID_ROW(2);
    READ_ID_ROW(3);
}

void features_print(void) {
    const struct cpu_features *f = &cpu_features;

    printk("CPU: %u-bit physical addresses, %u-bit VMIDs, AArch32 at %s, %u breakpoints, %u "
           "watchpoints%s%s%s\n",
           f->pa_range_bits, f->vmid16 ? 16 : 8,
           f->aarch32_el1 ? "EL1 and EL0" : (f->aarch32_el0 ? "EL0" : "no level"),
           f->nr_breakpoints, f->nr_watchpoints, f->pan ? ", PAN" : "", f->ras ? ", RAS" : "",
           f->fgt ? ", FGT" : "");
}
