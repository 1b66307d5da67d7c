/* What a CPU says about itself in its identification registers, and what follows from it. */
#include <hv/printk.h>

#include <asm/features.h>
#include <asm/sysreg.h>

bool features_field_is_signed(unsigned idreg, unsigned shift) {
    return idreg == ID_DFR0 && shift == 24; /* the performance monitors */
}

/* Armv7-A with the virtualization extensions has long descriptors, and so 40 bits. */
void features_derive(struct cpu_features *f) {
    f->pa_range_bits = 40;
    f->aarch32_el1 = f->aarch32_el0 = true;
    f->simd32 = (f->id[ID_MVFR0] & 0xf) == 2;
}

#define READ_ID(crm, op2) id[IDREG(crm, op2)] = read_sysreg(ID_REGISTER(crm, op2))

/* Guests are given no debug registers: ID_DFR0 is left 0. */
void features_read(uint64_t id[NR_IDREGS]) {
    uint32_t val;

    for (unsigned i = 0; i < NR_IDREGS; i++)
        id[i] = 0;
    READ_ID(1, 0);
    READ_ID(1, 1);
    READ_ID(1, 4);
    READ_ID(1, 5);
    READ_ID(1, 6);
    READ_ID(1, 7);
    READ_ID(2, 0);
    READ_ID(2, 1);
    READ_ID(2, 2);
    READ_ID(2, 3);
    READ_ID(2, 4);
    READ_ID(2, 5);
    __asm__(".fpu neon\n\tvmrs %0, mvfr0" : "=r"(val));
    id[ID_MVFR0] = val;
    __asm__(".fpu neon\n\tvmrs %0, mvfr1" : "=r"(val));
    id[ID_MVFR1] = val;
}

void features_print(void) {
    printk("CPU: Armv7-A, %u-bit physical addresses, %u floating-point registers\n",
           cpu_features.pa_range_bits, cpu_features.simd32 ? 32 : 16);
}
