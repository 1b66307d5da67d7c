/* What firmware's and the hypervisor's calls keep, what a CPU that starts finds, and that CPUs keep their own. */
#include "selftest.h"

/* ---- calls ---- */

/* r4 to r14 belong to the caller; so do r1 to r3 where PSCI returns r0 only. */
#define DEFINE_KEEPS(conduit)                                                                      \
    static void keeps_##conduit(uint32_t r[15]) {                                                  \
        register uint32_t *at __asm__("r12") = r;                                                  \
                                                                                                   \
        __asm__ volatile(".arch_extension virt\n\t.arch_extension sec\n\t"                         \
                         "push {r11, r12}\n\tldm r12, {r0-r12, lr}\n\t" #conduit " #0\n\t"         \
                         "push {lr}\n\tldr lr, [sp, #8]\n\tstm lr, {r0-r12}\n\t"                   \
                         "pop {r0}\n\tstr r0, [lr, #52]\n\tpop {r11, r12}"                        \
                         : "+r"(at)::"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9",   \
                           "r10", "lr", "memory");                                                 \
    }
DEFINE_KEEPS(hvc)
DEFINE_KEEPS(smc)

TEST(smccc_registers_are_kept) {
    static void (*const conduits[])(uint32_t r[15]) = {keeps_hvc, keeps_smc};
    static const uint32_t functions[] = {PSCI_VERSION, 0x80000000, 0x82001234, PSCI_AFFINITY_INFO};
    uint32_t r[15];

    for (unsigned i = 0; i < 2 * COUNT(functions); i++) {
        r[0] = functions[i / 2];
        for (unsigned n = 1; n < 14; n++)
            r[n] = 0x11111111 * n + 5;
        conduits[i % 2](r);
        for (unsigned n = 1; n < 14; n++)
            EQ(r[n], 0x11111111 * n + 5);
    }
}

/* ---- a CPU that starts: MMU and caches off, all masked, Supervisor mode, the context (DEN0022, 6.4) ---- */

static volatile uint32_t found[4] __attribute__((used));
__asm__(".text\n.arch_extension virt\n"
        "raw_entry:\n\t"
        "ldr r4, =found\n\tmrc p15, 0, r1, c1, c0, 0\n\tmrs r2, cpsr\n\tmov r3, sp\n\t"
        "stm r4, {r0-r2}\n\tdsb\n\t"
        "ldr r0, =0x84000002\n\thvc #0\n\tb .\n.ltorg\n");
void raw_entry(void);

static void clean_found(void) {
    __asm__ volatile("mcr p15, 0, %0, c7, c14, 1\n\tdsb" ::"r"(found) : "memory"); /* DCCIMVAC */
}

TEST_SMP(smp_state_at_entry) {
    clean_found();
    EQ(hvc(PSCI_CPU_ON, cpu_affinity(1), (uint64_t)raw_entry, 0x9abcdef0), 0);
    WAIT(hvc(PSCI_AFFINITY_INFO, cpu_affinity(1), 0, 0) == 1);
    clean_found();
    EQ(found[0], 0x9abcdef0);
    EQ(found[1] & (BIT(0) | BIT(2) | BIT(12)), 0);
    EQ(found[2] & 0x1ff, 0x1d3); /* A, I, F, A32, Supervisor */
}

/* In Thumb state, where loads of a device are emulated in an IT block: the first is done, the second not. */
__asm__(".text\n.syntax unified\n.thumb\n.thumb_func\n.type thumb_entry, %function\n"
        "thumb_entry:\n\t"
        "ldr r4, =found\n\tldr r5, =0x22000018\n\tmovs r1, #0\n\tmovs r2, #0\n\tcmp r0, r0\n\t"
        "ite eq\n\tldreq r1, [r5]\n\tldrne r2, [r5]\n\t"
        "stm r4, {r0-r2}\n\tdsb\n\t"
        "ldr r0, =0x84000002\n\thvc #0\n\tb .\n.ltorg\n.arm\n");
void thumb_entry(void);

TEST_SMP(smp_thumb_entry) {
    clean_found();
    EQ(hvc(PSCI_CPU_ON, cpu_affinity(1), (uint64_t)thumb_entry | 1, 0x9abcdef0), 0);
    WAIT(hvc(PSCI_AFFINITY_INFO, cpu_affinity(1), 0, 0) == 1);
    clean_found();
    EQ(found[0], 0x9abcdef0);
    EQ(found[1] & BIT(4), BIT(4)); /* of the console: nothing was typed */
    EQ(found[2], 0);
}

/* ---- state that is each CPU's own ---- */

#define EACH_PAIR(op) op " %0!, {d0-d15}\n\t" op " %0, {d16-d31}"

static void keep_vectors(void) {
    uint64_t pattern[32], now[32], end = counter() + ticks_us(KEEP_US), *at = pattern;
    uint32_t fpscr = (uint32_t)(cpu_number() & 3) << 22 | 0xf, now_fpscr; /* rounding, flags */

    for (unsigned i = 0; i < 32; i++)
        pattern[i] = 0x0101010101010101 * (i + 1) + 0x8000 * (cpu_number() + 1);
    __asm__ volatile(".fpu vfpv3\n\tvmrs r0, fpexc\n\torr r0, r0, #(1 << 30)\n\tvmsr fpexc, r0\n\t"
                     "vmsr fpscr, %1\n\t" EACH_PAIR("vldmia")
                     : "+r"(at)
                     : "r"(fpscr)
                     : "r0", "memory");
    while (counter() < end && !failed()) {
        at = now;
        __asm__ volatile(EACH_PAIR("vstmia") "\n\tvmrs %1, fpscr"
                         : "+r"(at), "=r"(now_fpscr)::"memory");
        EQ(now_fpscr, fpscr);
        for (unsigned i = 0; i < COUNT(pattern); i++)
            EQ(now[i], pattern[i]);
    }
}

TEST_SMP(smp_vectors_are_kept) {
    everywhere(keep_vectors);
}

/* Registers of the modes that nothing here uses: stack pointers, links, saved program states. */
#define EACH_BANKED(X)                                                                             \
    X(sp_usr) X(lr_usr) X(sp_und) X(lr_und) X(SPSR_und) X(sp_abt) X(lr_abt) X(SPSR_abt) X(sp_irq)  \
        X(lr_irq) X(SPSR_irq) X(r8_fiq) X(r9_fiq) X(r10_fiq) X(r11_fiq) X(r12_fiq) X(sp_fiq)       \
            X(lr_fiq) X(SPSR_fiq)
#define DEFINE_BANKED(name)                                                                        \
    static uint32_t banked_##name(void) {                                                          \
        uint32_t value;                                                                            \
                                                                                                   \
        __asm__ volatile(".arch_extension virt\n\tmrs %0, " #name : "=r"(value)::"memory");        \
        return value;                                                                              \
    }                                                                                              \
    static void set_##name(uint32_t value) {                                                       \
        __asm__ volatile(".arch_extension virt\n\tmsr " #name ", %0" ::"r"(value) : "memory");     \
    }
EACH_BANKED(DEFINE_BANKED)

/* CP15 registers that change nothing the test runs on. */
#define EACH_REGISTER(X)                                                                           \
    X(contextidr) X(tpidrurw) X(tpidruro) X(dfsr) X(ifsr) X(dfar) X(ifar) X(par_el1)

static void keep_registers(void) {
    uint64_t end = counter() + ticks_us(KEEP_US);
    uint32_t value = 0x1010 * (cpu_number() + 1);

#define SET(name) sysreg_write(name, value);
#define BEFORE(name) uint32_t before_##name = (uint32_t)sysreg_read(name);
#define STILL(name) EQ((uint32_t)sysreg_read(name), before_##name);
#define SET_BANKED(name) set_##name(value = value * 5 + 16);
#define BEFORE_BANKED(name) uint32_t before_##name = banked_##name();
#define STILL_BANKED(name) EQ(banked_##name(), before_##name);
    EACH_REGISTER(SET)
    EACH_BANKED(SET_BANKED)
    sysreg_write(csselr_el1, cpu_number() & 1);
    sysreg_write(cntkctl_el1, cpu_number() & 3);
    {
        EACH_REGISTER(BEFORE)
        EACH_BANKED(BEFORE_BANKED)
        EQ(before_tpidrurw, 0x1010 * (cpu_number() + 1));
        EQ(before_SPSR_fiq & 0xff, value & 0xff);
        while (counter() < end && !failed()) {
            EACH_REGISTER(STILL)
            EACH_BANKED(STILL_BANKED)
            EQ(sysreg_read(csselr_el1), cpu_number() & 1);
            EQ(sysreg_read(cntkctl_el1), cpu_number() & 3);
        }
    }
    sysreg_write(cntkctl_el1, 0);
    sysreg_write(csselr_el1, 0);
}

TEST_SMP(smp_system_registers_are_kept) {
    everywhere(keep_registers);
}
