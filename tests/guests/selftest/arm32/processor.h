/* What the tests need of an arm32 processor, under the names that arm64 has for the same. */
#ifndef PROCESSOR_H
#define PROCESSOR_H

#include <stdbool.h>
#include <stdint.h>

#define isb() __asm__ volatile("isb" ::: "memory")
#define dsb() __asm__ volatile("dsb sy" ::: "memory")
#define wfi() __asm__ volatile("dsb sy\n\twfi" ::: "memory")
#define irq_enable() __asm__ volatile("cpsie i\n\tisb" ::: "memory")
#define irq_disable() __asm__ volatile("cpsid i\n\tisb" ::: "memory")
#define flush_tlb()                                                                                \
    __asm__ volatile("mcr p15, 0, %0, c8, c7, 0\n\tdsb nsh\n\tisb" ::"r"(0) : "memory")

#define DEFINE_CP15(name, words)                                                                   \
    static inline uint64_t read_##name(void) {                                                     \
        uint32_t value;                                                                            \
                                                                                                   \
        __asm__ volatile("mrc p15, " words : "=r"(value)::"memory");                               \
        return value;                                                                              \
    }                                                                                              \
    static inline void write_##name(uint64_t value) {                                              \
        __asm__ volatile("mcr p15, " words "\n\tisb" ::"r"((uint32_t)value) : "memory");           \
    }
#define DEFINE_CP15_64(name, opc1, crm)                                                            \
    static inline uint64_t read_##name(void) {                                                     \
        uint64_t value;                                                                            \
                                                                                                   \
        __asm__ volatile("mrrc p15, " #opc1 ", %Q0, %R0, " #crm : "=r"(value)::"memory");          \
        return value;                                                                              \
    }                                                                                              \
    static inline void write_##name(uint64_t value) {                                              \
        __asm__ volatile("mcrr p15, " #opc1 ", %Q0, %R0, " #crm "\n\tisb" ::"r"(value)             \
                         : "memory");                                                              \
    }
DEFINE_CP15(midr_el1, "0, %0, c0, c0, 0")
DEFINE_CP15(mpidr_el1, "0, %0, c0, c0, 5")
DEFINE_CP15(id_pfr1, "0, %0, c0, c1, 1")
DEFINE_CP15(csselr_el1, "2, %0, c0, c0, 0")
DEFINE_CP15(dfsr, "0, %0, c5, c0, 0")
DEFINE_CP15(ifsr, "0, %0, c5, c0, 1")
DEFINE_CP15(dfar, "0, %0, c6, c0, 0")
DEFINE_CP15(ifar, "0, %0, c6, c0, 2")
DEFINE_CP15(vbar_el1, "0, %0, c12, c0, 0")
DEFINE_CP15(isr_el1, "0, %0, c12, c1, 0")
DEFINE_CP15(contextidr, "0, %0, c13, c0, 1")
DEFINE_CP15(tpidrurw, "0, %0, c13, c0, 2")
DEFINE_CP15(tpidruro, "0, %0, c13, c0, 3")
DEFINE_CP15(tpidr_el1, "0, %0, c13, c0, 4")
DEFINE_CP15(cntfrq_el0, "0, %0, c14, c0, 0")
DEFINE_CP15(cntkctl_el1, "0, %0, c14, c1, 0")
DEFINE_CP15(cntp_tval_el0, "0, %0, c14, c2, 0")
DEFINE_CP15(cntp_ctl_el0, "0, %0, c14, c2, 1")
DEFINE_CP15(cntv_tval_el0, "0, %0, c14, c3, 0")
DEFINE_CP15(cntv_ctl_el0, "0, %0, c14, c3, 1")
DEFINE_CP15_64(ttbr0_el1, 0, c2)
DEFINE_CP15_64(par_el1, 0, c7)
DEFINE_CP15_64(cntpct_el0, 0, c14)
DEFINE_CP15_64(cntvct_el0, 1, c14)
DEFINE_CP15_64(cntp_cval_el0, 2, c14)
DEFINE_CP15_64(cntv_cval_el0, 3, c14)
DEFINE_CP15(ICC_PMR_EL1, "0, %0, c4, c6, 0")
DEFINE_CP15(ICC_IAR1_EL1, "0, %0, c12, c12, 0")
DEFINE_CP15(ICC_EOIR1_EL1, "0, %0, c12, c12, 1")
DEFINE_CP15(ICC_HPPIR1_EL1, "0, %0, c12, c12, 2")
DEFINE_CP15(ICC_BPR1_EL1, "0, %0, c12, c12, 3")
DEFINE_CP15(ICC_CTLR_EL1, "0, %0, c12, c12, 4")
DEFINE_CP15(ICC_SRE_EL1, "0, %0, c12, c12, 5")
DEFINE_CP15(ICC_IGRPEN1_EL1, "0, %0, c12, c12, 7")
DEFINE_CP15(ICC_DIR_EL1, "0, %0, c12, c11, 1")
DEFINE_CP15(ICC_RPR_EL1, "0, %0, c12, c11, 3")
DEFINE_CP15_64(ICC_SGI1R_EL1, 0, c12)
DEFINE_CP15_64(ICC_ASGI1R_EL1, 1, c12)
DEFINE_CP15_64(ICC_SGI0R_EL1, 2, c12)
#define sysreg_read(name) read_##name()
#define sysreg_write(name, value) write_##name(value)

/* 128 bytes of vector registers from memory, and there. */
#define SIMD_LOAD(at)                                                                              \
    __asm__ volatile(".fpu vfpv3\n\tvmrs r0, fpexc\n\torr r0, r0, #(1 << 30)\n\t"                   \
                     "vmsr fpexc, r0\n\tvldmia %0, {d0-d15}" ::"r"(at)                             \
                     : "r0", "memory")
#define SIMD_STORE(at)                                                                             \
    __asm__ volatile(".fpu vfpv3\n\tvstmia %0, {d0-d15}" ::"r"(at) : "memory")

/* What a guest may not do: a performance counter's register; and what costs the hypervisor time. */
#define READ_DENIED() __asm__ volatile("mrc p15, 0, r0, c9, c12, 0" ::: "r0")
#define FLUSH_ALL_TLBS() __asm__ volatile("mcr p15, 0, r0, c8, c3, 0\n\tdsb" ::: "memory")
#define WRITE_BREAKPOINT() __asm__ volatile("mcr p14, 0, r0, c0, c0, 4") /* DBGBVR0 */
#define MARK(what) ((void)0) /* nobody counts */
#define CLEAN_BY_SET_AND_WAY()                                                                     \
    __asm__ volatile("mcr p15, 0, %0, c7, c14, 2\n\tdsb sy" ::"r"(0) : "memory")

/* One instruction, with r0 to r3 from r[]. */
void run_word(uint32_t word, uint64_t r[4]);

#define REGISTER_BITS 32
/* PSCI's functions that have a 64-bit and a 32-bit form. */
#define PSCI_CPU_SUSPEND 0x84000001
#define PSCI_CPU_ON 0x84000003
#define PSCI_AFFINITY_INFO 0x84000004

static inline int64_t xen_call(uint64_t nr, uint64_t a, uint64_t b, uint64_t c) {
    register uint32_t r0 __asm__("r0") = (uint32_t)a;
    register uint32_t r1 __asm__("r1") = (uint32_t)b;
    register uint32_t r2 __asm__("r2") = (uint32_t)c;
    register uint32_t r3 __asm__("r3") = 0;
    register uint32_t r4 __asm__("r4") = 0;
    register uint32_t r12 __asm__("r12") = (uint32_t)nr;

    __asm__ volatile(".arch_extension virt\n\thvc #0xea1"
                     : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(r4), "+r"(r12)::"memory");
    return (int32_t)r0;
}

/* The masks, which are in the same places. */
static inline uint64_t read_daif(void) {
    uint32_t value;

    __asm__ volatile("mrs %0, cpsr" : "=r"(value)::"memory");
    return value;
}

/* Whether the identification registers offer the system registers of a GICv3. */
static inline bool gic_registers_offered(void) {
    return sysreg_read(id_pfr1) >> 28;
}

/* As the vectors store it. */
struct frame {
    uint32_t r[13], lr, pc, cpsr;
};

#endif
