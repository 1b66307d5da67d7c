/* What the tests need of an arm64 processor: its registers, exceptions, and instructions chosen one by one. */
#ifndef PROCESSOR_H
#define PROCESSOR_H

#include <stdbool.h>
#include <stdint.h>

#define sysreg_read(name)                                                                          \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("mrs %0, " #name : "=r"(value_)::"memory");                               \
        value_;                                                                                    \
    })
#define sysreg_write(name, value)                                                                  \
    __asm__ volatile("msr " #name ", %0\n\tisb" ::"r"((uint64_t)(value)) : "memory")

#define isb() __asm__ volatile("isb" ::: "memory")
#define dsb() __asm__ volatile("dsb sy" ::: "memory")
#define wfi() __asm__ volatile("dsb sy\n\twfi" ::: "memory")
#define irq_enable() __asm__ volatile("msr daifclr, #2\n\tisb" ::: "memory")
#define irq_disable() __asm__ volatile("msr daifset, #2\n\tisb" ::: "memory")
#define flush_tlb() __asm__ volatile("tlbi vmalle1\n\tdsb nsh\n\tisb" ::: "memory")

#define ICC_PMR_EL1 S3_0_C4_C6_0
#define ICC_IAR1_EL1 S3_0_C12_C12_0
#define ICC_EOIR1_EL1 S3_0_C12_C12_1
#define ICC_HPPIR1_EL1 S3_0_C12_C12_2
#define ICC_BPR1_EL1 S3_0_C12_C12_3
#define ICC_CTLR_EL1 S3_0_C12_C12_4
#define ICC_SRE_EL1 S3_0_C12_C12_5
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7
#define ICC_DIR_EL1 S3_0_C12_C11_1
#define ICC_RPR_EL1 S3_0_C12_C11_3
#define ICC_SGI1R_EL1 S3_0_C12_C11_5
#define ICC_ASGI1R_EL1 S3_0_C12_C11_6
#define ICC_SGI0R_EL1 S3_0_C12_C11_7

/* 128 bytes of vector registers from memory, and there. */
#define SIMD_PAIRS(insn, at)                                                                       \
    __asm__ volatile(".arch_extension simd\n\t" insn " q0, q1, [%0]\n\t" insn                        \
                     " q2, q3, [%0, #32]\n\t" insn " q4, q5, [%0, #64]\n\t" insn                     \
                     " q6, q7, [%0, #96]" ::"r"(at)                                                \
                     : "memory")
#define SIMD_LOAD(at) SIMD_PAIRS("ldp", at)
#define SIMD_STORE(at) SIMD_PAIRS("stp", at)

/* What a guest may not do: a performance counter's register; and what costs the hypervisor time. */
#define READ_DENIED() __asm__ volatile("mrs x0, pmcr_el0" ::: "x0")
#define FLUSH_ALL_TLBS() __asm__ volatile("tlbi vmalle1is\n\tdsb ish" ::: "memory")
#define WRITE_BREAKPOINT() sysreg_write(dbgbvr0_el1, 0)
/* For tests/bench/count.c. */
#define MARK(what) __asm__ volatile("movz xzr, #%0" ::"i"(what))
#define MARK_FIRST 0xb000
#define MARK_BEGIN 0xb001
#define MARK_END 0xb002
#define MARK_DONE 0xb003
#define CLEAN_BY_SET_AND_WAY() __asm__ volatile("dc cisw, %0\n\tdsb sy" ::"r"(0UL) : "memory")

#define REGISTER_BITS 64
/* PSCI's functions that have a 64-bit and a 32-bit form. */
#define PSCI_CPU_SUSPEND 0xc4000001
#define PSCI_CPU_ON 0xc4000003
#define PSCI_AFFINITY_INFO 0xc4000004

static inline int64_t xen_call(uint64_t nr, uint64_t a, uint64_t b, uint64_t c) {
    register uint64_t x0 __asm__("x0") = a;
    register uint64_t x1 __asm__("x1") = b;
    register uint64_t x2 __asm__("x2") = c;
    register uint64_t x3 __asm__("x3") = 0;
    register uint64_t x4 __asm__("x4") = 0;
    register uint64_t x16 __asm__("x16") = nr;

    __asm__ volatile("hvc #0xea1"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x16)::"memory");
    return (int64_t)x0;
}

/* Whether the identification registers offer the system registers of a GICv3. */
static inline bool gic_registers_offered(void) {
    return sysreg_read(id_aa64pfr0_el1) >> 24 & 15;
}

/* As the vectors store it. */
struct frame {
    uint64_t x[31], elr, spsr, unused;
};

/* One instruction, named by its encoding or as text, with x0 to x3 from r[]; where it stood is in
 * run_at. */
void run_word(uint32_t word, uint64_t r[4]);
extern uint64_t run_at;
/* One instruction at EL0, with x0; returns x0. It stands at EL0_PROBE. */
uint64_t run_word_el0(uint32_t word, uint64_t x0);
void probe_el0(uint64_t x0);
#define EL0_PROBE ((uint64_t)probe_el0 + EL0_ALIAS)
#define RUN(text, r)                                                                               \
    do {                                                                                           \
        register uint64_t x0 __asm__("x0") = (r)[0];                                               \
        register uint64_t x1 __asm__("x1") = (r)[1];                                               \
        register uint64_t x2 __asm__("x2") = (r)[2];                                               \
        register uint64_t x3 __asm__("x3") = (r)[3];                                               \
        uint64_t at_;                                                                              \
                                                                                                   \
        __asm__ volatile("adr %4, 1f\n1:\t" text                                                   \
                         : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "=&r"(at_)::"memory", "cc");    \
        (r)[0] = x0, (r)[1] = x1, (r)[2] = x2, (r)[3] = x3;                                        \
        run_at = at_;                                                                              \
    } while (0)

/* Runs a function at EL0, which ends with el0_exit(); returns the value given there. */
uint64_t el0_call(void (*function)(uint64_t argument), uint64_t argument);
void el0_done(void);
static inline void __attribute__((noreturn)) el0_exit(uint64_t value) {
    register uint64_t x0 __asm__("x0") = value;

    __asm__ volatile("svc #0" ::"r"(x0) : "memory");
    __builtin_unreachable();
}

#endif
