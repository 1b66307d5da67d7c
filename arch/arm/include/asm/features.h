/*
 * Floor 1: what every CPU of this machine can do: the identification registers, each field the
 * least of all CPUs.
 *
 * features_init_cpu() runs on each CPU before it uses anything optional; a value may only shrink
 * afterwards. What guests are told is made from it in arch/arm/guest/idregs.c.
 */
#ifndef ASM_FEATURES_H
#define ASM_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

/* Index of the identification register op0=3 op1=0 CRn=0 CRm op2 (Arm ARM D18.3.1, table D18-2). */
#define IDREG(crm, op2) ((crm)*8u + (op2))
#define NR_IDREGS 64u

#define ID_PFR0 IDREG(1, 0)
#define ID_PFR1 IDREG(1, 1)
#define ID_DFR0 IDREG(1, 2)
#define ID_AFR0 IDREG(1, 3)
#define ID_MMFR0 IDREG(1, 4)
#define ID_MMFR3 IDREG(1, 7)
#define ID_ISAR0 IDREG(2, 0)
#define ID_ISAR5 IDREG(2, 5)
#define ID_MMFR4 IDREG(2, 6)
#define ID_ISAR6 IDREG(2, 7)
#define ID_MVFR0 IDREG(3, 0)
#define ID_MVFR1 IDREG(3, 1)
#define ID_MVFR2 IDREG(3, 2)
#define ID_PFR2 IDREG(3, 4)
#define ID_DFR1 IDREG(3, 5)
#define ID_MMFR5 IDREG(3, 6)
#define ID_AA64PFR0 IDREG(4, 0)
#define ID_AA64PFR1 IDREG(4, 1)
#define ID_AA64ZFR0 IDREG(4, 4)
#define ID_AA64SMFR0 IDREG(4, 5)
#define ID_AA64DFR0 IDREG(5, 0)
#define ID_AA64DFR1 IDREG(5, 1)
#define ID_AA64ISAR0 IDREG(6, 0)
#define ID_AA64ISAR1 IDREG(6, 1)
#define ID_AA64ISAR2 IDREG(6, 2)
#define ID_AA64MMFR0 IDREG(7, 0)
#define ID_AA64MMFR1 IDREG(7, 1)
#define ID_AA64MMFR2 IDREG(7, 2)

struct cpu_features {
    uint64_t id[NR_IDREGS]; /* as read, least of all CPUs; 0 for reserved encodings */
    unsigned pa_range_bits; /* physical address size */
    bool vmid16;
    bool aarch64_el1, aarch32_el1; /* what guests may be */
    bool aarch32_el0;
    bool pan;
    bool ras;
    bool pmu;
    uint8_t fgt; /* fine-grained traps: 0, or the version */
    bool hcx;    /* HCRX_EL2 exists */
    bool lor;
    bool simd32; /* Armv7: 32 double registers, not 16 */
    uint8_t nr_breakpoints, nr_watchpoints;
};

extern struct cpu_features cpu_features;

/* Reads this CPU's registers and keeps the common part. Each CPU, once, boot CPU first. */
void features_init_cpu(void);
/* One line for the log. */
void features_print(void);

/* This CPU's registers: 0 for what it does not have. */
void features_read(uint64_t id[NR_IDREGS]);
/* Fields in which 0xf means "not there" and 0 "the base version": compared as signed numbers. */
bool features_field_is_signed(unsigned idreg, unsigned shift);
/* The smaller feature level of two values of one register, field by field. Pure. */
uint64_t features_combine(unsigned idreg, uint64_t a, uint64_t b);
/* The fields of f derived from f->id[]. Pure. */
void features_derive(struct cpu_features *f);

#endif
