/* Emulated devices reached by every load and store there is, and by those that must not reach them.
 */
#include "selftest.h"

/* Registers of vpl011 that remember: 16, 6 and 8 bits. */
#define IBRD (VPL011 + 0x24)
#define FBRD (VPL011 + 0x28)
/* Eight priority bytes of SPIs, of which the upper five bits remember. */
#define PRIORITIES (GICD + IPRIORITYR + 40)
#define BYTES 0xf8b0a89028201810ULL

/* Runs a load or store with x0, x1, the base x2 and x3; what is in x0 to x3 and memory afterwards.
 */
#define ACCESS(text, a, b, base, index)                                                            \
    uint64_t r[4] = {a, b, base, index};                                                           \
    TRY(RUN(text, r));                                                                             \
    check_equal(text " went through", __LINE__, me()->caught.count, 0)

#define LOADS(text, base, index, e0, e1, e2)                                                       \
    do {                                                                                           \
        ACCESS(text, 0xaaaaaaaaaaaaaaaa, 0xbbbbbbbbbbbbbbbb, base, index);                         \
        check_equal(text ": x0", __LINE__, r[0], e0);                                              \
        check_equal(text ": x1", __LINE__, r[1], e1);                                              \
        check_equal(text ": base", __LINE__, r[2], e2);                                            \
    } while (0)
#define LOAD(text, expected) LOADS(text, PRIORITIES, 0, expected, 0xbbbbbbbbbbbbbbbb, PRIORITIES)

#define STORES(text, a, b, base, index, e64, e2)                                                   \
    do {                                                                                           \
        write64(PRIORITIES, 0);                                                                    \
        ACCESS(text, a, b, base, index);                                                           \
        check_equal(text ": stored", __LINE__, read64(PRIORITIES), e64);                           \
        check_equal(text ": base", __LINE__, r[2], e2);                                            \
    } while (0)
#define STORE(text, expected) STORES(text, BYTES, 0, PRIORITIES, 0, expected, PRIORITIES)

TEST(mmio_vpl011_registers) {
    write32(IBRD, 0x12345678);
    EQ(read32(IBRD), 0x5678);
    write32(FBRD, 0xff);
    EQ(read32(FBRD), 0x3f);
    EQ(read8(IBRD), 0x78);
    EQ(read16(IBRD), 0x5678);
    EQ(read32(VPL011 + 0xfe0), 0x11);
    EQ(read32(VPL011 + 0xff0), 0x0d);
    EQ(read32(VPL011 + 0x18) & 0xb0, 0x90); /* transmit FIFO empty, receive FIFO empty, not full */
    write32(VPL011 + 0x18, ~0u);            /* read-only */
    EQ(read32(VPL011 + 0x18) & 0xb0, 0x90);
}

TEST(mmio_sizes_and_signs) {
    write64(PRIORITIES, BYTES);
    LOAD("ldrb w0, [x2]", 0x10);
    LOAD("ldrb w0, [x2, #7]", 0xf8);
    LOAD("ldrsb w0, [x2, #7]", 0xfffffff8);
    LOAD("ldrsb x0, [x2, #7]", 0xfffffffffffffff8);
    LOAD("ldrsb x0, [x2, #1]", 0x18);
    LOAD("ldrh w0, [x2, #6]", 0xf8b0);
    LOAD("ldrsh w0, [x2, #6]", 0xfffff8b0);
    LOAD("ldrsh x0, [x2, #6]", 0xfffffffffffff8b0);
    LOAD("ldrsh x0, [x2]", 0x1810);
    LOAD("ldr w0, [x2, #4]", 0xf8b0a890);
    LOAD("ldrsw x0, [x2, #4]", 0xfffffffff8b0a890);
    LOAD("ldrsw x0, [x2]", 0x28201810);
    LOAD("ldr x0, [x2]", BYTES);
    LOAD("ldr wzr, [x2]", 0xaaaaaaaaaaaaaaaa);
    LOAD("ldr xzr, [x2]", 0xaaaaaaaaaaaaaaaa);
}

TEST(mmio_addressing_of_loads) {
    write64(PRIORITIES, BYTES);
    LOADS("ldr w0, [x2, x3]", PRIORITIES - 8, 12, 0xf8b0a890, 0xbbbbbbbbbbbbbbbb, PRIORITIES - 8);
    LOADS("ldr w0, [x2, x3, lsl #2]", PRIORITIES, 1, 0xf8b0a890, 0xbbbbbbbbbbbbbbbb, PRIORITIES);
    LOADS("ldr w0, [x2, w3, sxtw]", PRIORITIES + 8, 0xfffffffc, 0xf8b0a890, 0xbbbbbbbbbbbbbbbb,
          PRIORITIES + 8);
    LOADS("ldr x0, [x2, w3, uxtw #3]", PRIORITIES - 16, 2, BYTES, 0xbbbbbbbbbbbbbbbb,
          PRIORITIES - 16);
    LOADS("ldur w0, [x2, #-4]", PRIORITIES + 8, 0, 0xf8b0a890, 0xbbbbbbbbbbbbbbbb, PRIORITIES + 8);
    LOADS("ldurb w0, [x2, #-1]", PRIORITIES + 8, 0, 0xf8, 0xbbbbbbbbbbbbbbbb, PRIORITIES + 8);
    LOADS("ldursh x0, [x2, #-2]", PRIORITIES + 8, 0, 0xfffffffffffff8b0, 0xbbbbbbbbbbbbbbbb,
          PRIORITIES + 8);
    LOADS("ldursw x0, [x2, #4]", PRIORITIES, 0, 0xfffffffff8b0a890, 0xbbbbbbbbbbbbbbbb, PRIORITIES);
    LOADS("ldr w0, [x2, #4]!", PRIORITIES, 0, 0xf8b0a890, 0xbbbbbbbbbbbbbbbb, PRIORITIES + 4);
    LOADS("ldr w0, [x2], #-4", PRIORITIES, 0, 0x28201810, 0xbbbbbbbbbbbbbbbb, PRIORITIES - 4);
    LOADS("ldrb w0, [x2], #1", PRIORITIES, 0, 0x10, 0xbbbbbbbbbbbbbbbb, PRIORITIES + 1);
    LOADS("ldrsb x0, [x2, #7]!", PRIORITIES, 0, 0xfffffffffffffff8, 0xbbbbbbbbbbbbbbbb,
          PRIORITIES + 7);
    LOADS("ldrsb w0, [x2], #7", PRIORITIES + 7, 0, 0xfffffff8, 0xbbbbbbbbbbbbbbbb, PRIORITIES + 14);
    LOADS("ldrsh x0, [x2, #6]!", PRIORITIES, 0, 0xfffffffffffff8b0, 0xbbbbbbbbbbbbbbbb,
          PRIORITIES + 6);
    LOADS("ldrsw x0, [x2], #4", PRIORITIES + 4, 0, 0xfffffffff8b0a890, 0xbbbbbbbbbbbbbbbb,
          PRIORITIES + 8);
    LOADS("ldr x0, [x2, #-8]!", PRIORITIES + 8, 0, BYTES, 0xbbbbbbbbbbbbbbbb, PRIORITIES);
}

TEST(mmio_pairs) {
    write64(PRIORITIES, BYTES);
    write64(PRIORITIES + 8, ~BYTES & 0xf8f8f8f8f8f8f8f8);
    LOADS("ldp w0, w1, [x2]", PRIORITIES, 0, 0x28201810, 0xf8b0a890, PRIORITIES);
    LOADS("ldp x0, x1, [x2]", PRIORITIES, 0, BYTES, ~BYTES & 0xf8f8f8f8f8f8f8f8, PRIORITIES);
    LOADS("ldpsw x0, x1, [x2]", PRIORITIES, 0, 0x28201810, 0xfffffffff8b0a890, PRIORITIES);
    LOADS("ldp w0, w1, [x2, #8]!", PRIORITIES - 8, 0, 0x28201810, 0xf8b0a890, PRIORITIES);
    LOADS("ldp w0, w1, [x2], #-8", PRIORITIES, 0, 0x28201810, 0xf8b0a890, PRIORITIES - 8);
    LOADS("ldnp w0, w1, [x2, #-4]", PRIORITIES + 4, 0, 0x28201810, 0xf8b0a890, PRIORITIES + 4);
    LOADS("ldp xzr, x1, [x2]", PRIORITIES, 0, 0xaaaaaaaaaaaaaaaa, ~BYTES & 0xf8f8f8f8f8f8f8f8,
          PRIORITIES);
    STORES("stp w0, w1, [x2]", 0x28201810, 0xf8b0a890, PRIORITIES, 0, BYTES, PRIORITIES);
    STORES("stp w0, w1, [x2, #-8]!", 0x28201810, 0xf8b0a890, PRIORITIES + 8, 0, BYTES, PRIORITIES);
    STORES("stp w0, wzr, [x2], #16", 0x28201810, 0, PRIORITIES, 0, 0x28201810, PRIORITIES + 16);
    STORES("stp wzr, w1, [x2]", 0x28201810, 0xf8b0a890, PRIORITIES, 0, BYTES >> 32 << 32,
           PRIORITIES);
    STORES("stnp w0, w1, [x2]", 0x28201810, 0xf8b0a890, PRIORITIES, 0, BYTES, PRIORITIES);
    STORES("stp x0, x1, [x2, #-8]", 0, BYTES, PRIORITIES, 0, BYTES, PRIORITIES);
    {
        ACCESS("stp w0, w1, [x2]", 0x1234, 0x15, IBRD, 0);
        EQ(read32(IBRD), 0x1234);
        EQ(read32(FBRD), 0x15);
    }
}

TEST(mmio_stores) {
    STORE("strb w0, [x2, #1]", 0x1000);
    STORE("strh w0, [x2, #2]", 0x18100000);
    STORE("str w0, [x2, #4]", 0x2820181000000000);
    STORE("str x0, [x2]", BYTES);
    STORE("str wzr, [x2]", 0);
    STORE("sturb w0, [x2, #3]", 0x10000000);
    STORE("stur w0, [x2, #4]", 0x2820181000000000);
    STORES("strb w0, [x2], #1", BYTES, 0, PRIORITIES, 0, 0x10, PRIORITIES + 1);
    STORES("strh w0, [x2, #2]!", BYTES, 0, PRIORITIES, 0, 0x18100000, PRIORITIES + 2);
    STORES("str w0, [x2, #-4]!", BYTES, 0, PRIORITIES + 8, 0, 0x2820181000000000, PRIORITIES + 4);
    STORES("str x0, [x2], #-256", BYTES, 0, PRIORITIES, 0, BYTES, PRIORITIES - 256);
    STORES("str xzr, [x2], #8", BYTES, 0, PRIORITIES, 0, 0, PRIORITIES + 8);
    STORES("str w0, [x2, x3]", BYTES, 0, PRIORITIES - 4, 4, 0x28201810, PRIORITIES - 4);
    STORES("strh w0, [x2, w3, uxtw #1]", BYTES, 0, PRIORITIES, 2, 0x181000000000, PRIORITIES);
    STORE("stlr w0, [x2]", 0x28201810);
    STORE("stlrb w0, [x2]", 0x10);
    STORE("stlrh w0, [x2]", 0x1810);
    STORE("stlr x0, [x2]", BYTES);
    STORES("sttr w0, [x2, #4]", BYTES, 0, EL0_ALIAS + PRIORITIES, 0, 0x2820181000000000,
           EL0_ALIAS + PRIORITIES);
}

TEST(mmio_acquire) {
    write64(PRIORITIES, BYTES);
    LOAD("ldar w0, [x2]", 0x28201810);
    LOAD("ldarb w0, [x2]", 0x10);
    LOAD("ldarh w0, [x2]", 0x1810);
    LOAD("ldar x0, [x2]", BYTES);
    LOADS("ldtr w0, [x2, #4]", EL0_ALIAS + PRIORITIES, 0, 0xf8b0a890, 0xbbbbbbbbbbbbbbbb,
          EL0_ALIAS + PRIORITIES);
}

/* LDAPR and LDAPUR, where the processor has them. */
TEST(mmio_newer_loads) {
    uint64_t level = FIELD(sysreg_read(id_aa64isar1_el1), 23, 20);

    if (level < 2) {
        skip("no LDAPR, LDAPUR");
        return;
    }
    write64(PRIORITIES, BYTES);
    LOAD(".arch_extension rcpc\n\tldapr w0, [x2]", 0x28201810);
    LOAD("ldapr x0, [x2]", BYTES);
    LOAD("ldaprb w0, [x2]", 0x10);
    LOADS(".inst 0x995fc040 /* ldapur w0, [x2, #-4] */", PRIORITIES + 8, 0, 0xf8b0a890,
          0xbbbbbbbbbbbbbbbb, PRIORITIES + 8);
    STORE(".inst 0x99004040 /* stlur w0, [x2, #4] */", 0x2820181000000000);
}

TEST(mmio_base_is_sp) {
    write64(PRIORITIES, BYTES);
    LOADS("mov x3, sp\n\tmov sp, x2\n\tldr w0, [sp], #16\n\tmov x2, sp\n\tmov sp, x3",
          PRIORITIES - 8, 0, 0, 0xbbbbbbbbbbbbbbbb, PRIORITIES + 8);
    LOADS("mov x3, sp\n\tmov sp, x2\n\tldp w0, w1, [sp, #8]!\n\tmov x2, sp\n\tmov sp, x3",
          PRIORITIES - 8, 0, 0x28201810, 0xf8b0a890, PRIORITIES);
}

/* The stack pointer is EL0's own there. */
TEST(mmio_at_el0) {
    uint64_t at = EL0_ALIAS + PRIORITIES;

    write64(PRIORITIES, BYTES);
    TRY(EQ(run_word_el0(0xb9400400 /* ldr w0, [x0, #4] */, at), 0xf8b0a890));
    EQ(me()->caught.count, 0);
    TRY(EQ(run_word_el0(0xb8404401 /* ldr w1, [x0], #4 */, at), at + 4));
    EQ(me()->caught.count, 0);
    TRY(EQ(run_word_el0(0x29400400 /* ldp w0, w1, [x0] */, at), 0x28201810));
    EQ(me()->caught.count, 0);
}

/* Flags and the other registers stay; the next instruction is the next one. */
TEST(mmio_disturbs_nothing) {
    uint64_t r[4] = {0, 0, PRIORITIES, 5};

    write64(PRIORITIES, BYTES);
    TRY(RUN("cmp x3, #5\n\tldr w0, [x2], #4\n\tcset x1, eq\n\tadd x3, x3, #1", r));
    EQ(r[0], 0x28201810);
    EQ(r[1], 1);
    EQ(r[2], PRIORITIES + 4);
    EQ(r[3], 6);
}

/* ---- what must abort ---- */

static void refused(uint32_t word, uint64_t base) {
    uint64_t r[4] = {0x11, 0x22, base, 0};

    TRY(run_word(word, r));
    EQ(me()->caught.count, 1);
    EQ(me()->caught.ec, EC_DATA);
    EQ(me()->caught.elr, run_at);
    EQ(me()->caught.far >> 12, base >> 12);
    EQ(r[0], 0x11);
    EQ(r[2], base);
}

TEST(mmio_refused_sizes) {
    refused(0xf9400040 /* ldr x0, [x2] */, VPL011);
    refused(0xf9000040 /* str x0, [x2] */, VPL011);
    refused(0xa9400440 /* ldp x0, x1, [x2] */, VPL011);
    refused(0xf8408440 /* ldr x0, [x2], #8 */, VPL011);
}

/* By a Normal mapping the processor lets unaligned accesses through to stage 2. */
TEST(mmio_refused_unaligned) {
    uint64_t uart = NON_CACHEABLE + VPL011, gicd = NON_CACHEABLE + GICD;

    refused(0xb9400040 /* ldr w0, [x2] */, uart + 0x26);
    refused(0xb9000040 /* str w0, [x2] */, uart + 0x25);
    refused(0x79400040 /* ldrh w0, [x2] */, gicd + IPRIORITYR + 41);
    refused(0xb8404440 /* ldr w0, [x2], #4 */, gicd + IPRIORITYR + 42);
    refused(0x29400440 /* ldp w0, w1, [x2] */, gicd + IPRIORITYR + 42);
    refused(0xb9400040 /* ldr w0, [x2] */, uart + 0x1);
    EQ(read32(uart + 0x24), read32(IBRD));
}

TEST(mmio_refused_across_pages) {
    uint64_t uart = NON_CACHEABLE + VPL011;

    refused(0xb9400040 /* ldr w0, [x2] */, uart + 0xffe);
    refused(0xf9400040 /* ldr x0, [x2] */, uart + 0xffc);
    refused(0x29400440 /* ldp w0, w1, [x2] */, uart + 0xffc);
    refused(0xf9000040 /* str x0, [x2] */, uart + 0xffc);
    refused(0xb9000040 /* str w0, [x2] */, uart + 0xffd);
}

/* What no device register is for. */
TEST(mmio_refused_instructions) {
    uint64_t uart = NON_CACHEABLE + VPL011 + 0x20;

    refused(0x885f7c40 /* ldxr w0, [x2] */, uart);
    refused(0x3dc00040 /* ldr q0, [x2] */, uart);
    refused(0xbd400040 /* ldr s0, [x2] */, uart);
    refused(0x0d408040 /* ld1 {v0.s}[0], [x2] */, uart);
    refused(0xad400440 /* ldp q0, q1, [x2] */, uart);
    refused(0xd50b7422 /* dc zva, x2 */, NON_CACHEABLE + VPL011);
}

/* By a Device mapping too; whether stage 1 or stage 2 says so first is the processor's matter. */
TEST(mmio_unaligned_device) {
    uint64_t r[4] = {1, 2, VPL011 + 0x26};

    TRY(RUN("ldr w0, [x2]", r));
    EQ(me()->caught.ec, EC_DATA);
    TRUE((me()->caught.esr & 0x3f) == FSC_ALIGNMENT || (me()->caught.esr & 0x3f) == FSC_EXTERNAL);
    EQ(me()->caught.far, VPL011 + 0x26);
}

TEST(mmio_fetch_is_refused) {
    void (*device)(void) = (void (*)(void))(NON_CACHEABLE + GICD);

    TRY(device());
    EQ(me()->caught.count, 1);
    EQ(me()->caught.ec, EC_FETCH);
    EQ(me()->caught.far, NON_CACHEABLE + GICD);
}

TEST(mmio_cache_operations_do_nothing) {
    static const uint32_t words[] = {
        0xd50b7a22, /* dc cvac, x2 */
        0xd50b7b22, /* dc cvau, x2 */
        0xd50b7e22, /* dc civac, x2 */
        0xd5087622, /* dc ivac, x2 */
        0xf9800040, /* prfm pldl1keep, [x2] */
    };

    for (unsigned i = 0; i < COUNT(words); i++) {
        uint64_t r[4] = {1, 2, NON_CACHEABLE + VPL011 + 0x20};

        TRY(run_word(words[i], r));
        EQ(me()->caught.count, 0);
    }
}
