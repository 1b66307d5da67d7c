/* Ranges of emulated registers, and carrying out what trapped: registers, pairs, writeback,
 * refusals. */
/* SOURCES: common/virt/mmio.c common/virt/mmio_decode_a64.c common/virt/mmio_decode_a32.c */
#include "captured_log.h"

#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/mmio.h>

#include <asm/guest_trap.h>

#define BASE 0x10000000ULL
#define SIZE 0x2000ULL
#define VA 0x0000ffff80000000ULL
#define A32 0x10u
#define T32 0x30u

/* ---- the guest ---- */

static struct domain dom;
static struct cpu_regs regs;
static struct vcpu vc = {.domain = &dom, .regs = &regs};
static uint64_t sp;
static uint32_t insn_at_pc;
static bool insn_readable;

bool guest_read_insn(struct vcpu *v, vaddr_t pc, uint32_t *insn) {
    assert_ptr_equal(v, &vc);
    assert_int_equal(pc, regs.pc);
    *insn = insn_at_pc;
    return insn_readable;
}
uint64_t vcpu_get_sp(const struct vcpu *v) {
    (void)v;
    return sp;
}
void vcpu_set_sp(struct vcpu *v, uint64_t val) {
    (void)v;
    sp = val;
}
uint64_t vcpu_get_reg(const struct vcpu *v, unsigned n) {
    return n < ARRAY_SIZE(v->regs->x) ? v->regs->x[n] : 0;
}
void vcpu_set_reg(struct vcpu *v, unsigned n, uint64_t val) {
    if (n < ARRAY_SIZE(v->regs->x))
        v->regs->x[n] = v->regs->spsr & A32 ? (uint32_t)val : val;
}
void vcpu_skip_instruction(struct vcpu *v, unsigned bytes) {
    v->regs->pc += bytes;
}

/* ---- a device: remembers writes, reads give a pattern; the register at `refused` is not there
 * ---- */

static struct mmio_access seen[16];
static unsigned nr_seen;
static uint64_t refused;

static uint64_t pattern(uint64_t offset) {
    return 0xf1e2d3c4b5a69788ULL ^ offset;
}

static bool device(struct vcpu *v, void *arg, struct mmio_access *a) {
    assert_ptr_equal(v, &vc);
    assert_ptr_equal(arg, &dom);
    assert_true(nr_seen < ARRAY_SIZE(seen));
    assert_true(a->offset + a->size <= SIZE);
    assert_int_equal(a->offset % a->size, 0);
    seen[nr_seen++] = *a;
    if (a->offset == refused)
        return false;
    if (!a->write)
        a->value = pattern(a->offset); /* more than was asked for is cut off */
    return true;
}

static int start(void **state) {
    (void)state;
    memset(&dom, 0, sizeof(dom));
    memset(&regs, 0, sizeof(regs));
    assert_int_equal(mmio_register(&dom.mmio, ipaddr(BASE), SIZE, device, &dom, "device"), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(regs.x); i++)
        regs.x[i] = 0x1111111111111111ULL * (i % 15 + 1);
    regs.pc = 0x1000;
    insn_readable = true;
    refused = ~0ULL;
    nr_seen = 0;
    sp = 0;
    return 0;
}

static unsigned aborts;

void guest_data_abort(struct vcpu *v, uint64_t esr, uint64_t far) {
    assert_ptr_equal(v, &vc);
    (void)esr;
    (void)far;
    aborts++;
}

static bool emulated(struct vcpu *v, ipaddr_t ipa, vaddr_t gva, uint64_t esr) {
    unsigned before = aborts;

    mmio_handle(v, ipa, gva, esr);
    return aborts == before;
}

/* A data abort with a syndrome: size is its logarithm. */
static bool trap(uint64_t offset, unsigned size, unsigned reg, uint64_t more) {
    return emulated(&vc, ipaddr(BASE + offset), VA + offset,
                    BIT(24) | BIT(25) | (uint64_t)size << 22 | (uint64_t)reg << 16 | more);
}

/* One without: the word is at pc. */
static bool trap_insn(uint32_t word, uint64_t offset) {
    insn_at_pc = word;
    return emulated(&vc, ipaddr(BASE + offset), (regs.spsr & A32 ? 0x80000000 : VA) + offset,
                    BIT(25));
}

#define SSE BIT(21)
#define SF BIT(15)
#define WNR BIT(6)

static void by_syndrome(void **state) {
    (void)state;
    assert_true(trap(0x100, 2, 3, 0));
    assert_int_equal(regs.x[3], (uint32_t)pattern(0x100));
    assert_int_equal(regs.pc, 0x1004);
    assert_true(trap(0x108, 3, 3, SF));
    assert_int_equal(regs.x[3], pattern(0x108));
    assert_true(trap(0x100, 0, 3, SSE)); /* 0x88, to 32 bits */
    assert_int_equal(regs.x[3], 0xffffff88);
    assert_true(trap(0x100, 0, 3, SSE | SF));
    assert_int_equal(regs.x[3], 0xffffffffffffff88ULL);
    assert_true(trap(0x104, 1, 3, 0));
    assert_int_equal(regs.x[3], pattern(0x104) & 0xffff);
    nr_seen = 0;
    assert_true(trap(0x104, 1, 4, WNR));
    assert_int_equal(seen[0].value, 0x5555);
    assert_true(seen[0].write && seen[0].size == 2 && seen[0].offset == 0x104);
    assert_true(trap(0x104, 3 - 1, 31, WNR));
    assert_int_equal(seen[1].value, 0);
    assert_true(trap(0x104, 2, 31, 0));
    regs.pc = 0x2000;
    regs.spsr |= A32;
    assert_true(emulated(&vc, ipaddr(BASE), VA, BIT(24))); /* a 16-bit instruction */
    assert_int_equal(regs.pc, 0x2002);
}

static void refusals(void **state) {
    (void)state;
    assert_false(emulated(&vc, ipaddr(BASE - 4), 0, BIT(24)));
    assert_false(emulated(&vc, ipaddr(BASE + SIZE), 0, BIT(24)));
    assert_false(trap(0x102, 2, 3, 0)); /* not aligned */
    assert_int_equal(nr_seen, 0);
    refused = 0x200;
    assert_false(trap(0x200, 2, 3, 0));
    insn_readable = false;
    assert_false(trap_insn(0xb8404441, 0x100));
    assert_int_equal(regs.pc, 0x1000);
    assert_int_equal(regs.x[3], 0x4444444444444444ULL);
}

static void writeback(void **state) {
    (void)state;
    regs.x[2] = VA + 0x100;
    assert_true(trap_insn(0xb8404441, 0x100)); /* ldr w1, [x2], #4 */
    assert_int_equal(regs.x[1], (uint32_t)pattern(0x100));
    assert_int_equal(regs.x[2], VA + 0x104);
    assert_true(trap_insn(0xb85fcc41, 0x100)); /* ldr w1, [x2, #-4]! */
    assert_int_equal(regs.x[2], VA + 0x100);
    assert_int_equal(regs.pc, 0x1008);
    sp = VA + 0x110;
    nr_seen = 0;
    assert_true(trap_insn(0xf81f0fe1, 0x100)); /* str x1, [sp, #-16]! */
    assert_int_equal(sp, VA + 0x100);
    assert_int_equal(seen[0].size, 8);
    /* refused by the device: nothing has changed */
    refused = 0x100;
    assert_false(trap_insn(0xb8404441, 0x100));
    assert_int_equal(regs.x[2], VA + 0x100);
    assert_int_equal(regs.pc, 0x100c);
}

static void pairs(void **state) {
    (void)state;
    regs.x[3] = VA + 0x100;
    assert_true(trap_insn(0x29400861, 0x100)); /* ldp w1, w2, [x3] */
    assert_int_equal(regs.x[1], (uint32_t)pattern(0x100));
    assert_int_equal(regs.x[2], (uint32_t)pattern(0x104));
    assert_true(trap_insn(0x69410861, 0x108)); /* ldpsw x1, x2, [x3, #8] */
    assert_int_equal(regs.x[1], (int64_t)(int32_t)pattern(0x108));
    assert_int_equal(regs.x[2], (int64_t)(int32_t)pattern(0x10c));
    nr_seen = 0;
    regs.x[1] = 0x1122334455667788ULL;
    assert_true(trap_insn(0x28810861, 0x100)); /* stp w1, w2, [x3], #8 */
    assert_int_equal(nr_seen, 2);
    assert_int_equal(seen[0].value, 0x55667788);
    assert_int_equal(seen[1].offset, 0x104);
    assert_int_equal(regs.x[3], VA + 0x108);
    /* the second half refused: neither register changes */
    regs.x[3] = VA + 0x100;
    regs.x[1] = regs.x[2] = 5;
    refused = 0x104;
    assert_false(trap_insn(0x29400861, 0x100));
    assert_int_equal(regs.x[1], 5);
}

/* Halves of a pair in two pages: the second one's place is not known. */
static void crossing(void **state) {
    (void)state;
    regs.x[3] = VA + 0xff8;
    assert_false(trap_insn(0xa9400861, 0xff8)); /* ldp x1, x2, [x3] over 0x1000 */
    assert_int_equal(nr_seen, 0);
    /* the fault is at the second half, on the page's first byte */
    assert_false(trap_insn(0xa9400861, 0x1000));
    assert_int_equal(nr_seen, 0);
    regs.x[3] = VA + 0x1000;
    assert_true(trap_insn(0xa9400861, 0x1000));
    /* the end of the range */
    regs.x[3] = VA + 0x1ff8;
    assert_false(trap_insn(0xa9400861, 0x1ff8));
    assert_int_equal(mmio_register(&dom.mmio, ipaddr(BASE + 0x3000), 16, device, &dom, "odd"), 0);
    nr_seen = 0;
    regs.x[3] = VA + 0x3008;
    assert_false(trap_insn(0xa9400861, 0x3008)); /* ldp x1, x2, [x3] */
    assert_int_equal(nr_seen, 0);
    /* a tagged pointer */
    regs.x[3] = (VA + 0x1000) | 0x5aULL << 56;
    assert_true(trap_insn(0xa9400861, 0x1000));
}

static void aarch32(void **state) {
    (void)state;
    regs.spsr = A32;
    regs.x[2] = 0x80000100;
    regs.x[3] = 8;
    assert_true(trap_insn(0xe6921003, 0x100)); /* ldr r1, [r2], r3 */
    assert_int_equal(regs.x[1], (uint32_t)pattern(0x100));
    assert_int_equal(regs.x[2], 0x80000108);
    assert_true(trap_insn(0xe6121223, 0x108)); /* ldr r1, [r2], -r3, lsr #4 */
    assert_int_equal(regs.x[2], 0x80000108);
    regs.x[3] = 0x45;
    assert_true(trap_insn(0xe6121223, 0x108));
    assert_int_equal(regs.x[2], 0x80000104);
    assert_true(trap_insn(0xe7a21103, 0x218)); /* str r1, [r2, r3, lsl #2]! */
    assert_int_equal(regs.x[2], 0x80000218);
    regs.x[4] = 0x80000300;
    assert_true(trap_insn(0xe0c420d8, 0x300)); /* ldrd r2, r3, [r4], #8 */
    assert_int_equal(regs.x[2], (uint32_t)pattern(0x300));
    assert_int_equal(regs.x[3], (uint32_t)pattern(0x304));
    assert_int_equal(regs.x[4], 0x80000308);
    /* the address wraps at 32 bits */
    regs.x[4] = 4;
    insn_at_pc = 0xe16420f8; /* strd r2, r3, [r4, #-8]! */
    assert_false(emulated(&vc, ipaddr(BASE + 0xffc), 0xfffffffc, BIT(25)));
    regs.x[4] = 0;
    assert_true(emulated(&vc, ipaddr(BASE + 0xff8), 0xfffffff8, BIT(25)));
    assert_int_equal(regs.x[4], 0xfffffff8);
}

static void thumb(void **state) {
    (void)state;
    regs.spsr = T32;
    regs.x[2] = 0x80000100;
    assert_true(trap_insn(0xf8521b04, 0x100)); /* ldr r1, [r2], #4 */
    assert_int_equal(regs.x[2], 0x80000104);
    assert_int_equal(regs.pc, 0x1004);
    assert_true(trap_insn(0x60110000, 0x104)); /* str r1, [r2] */
    assert_int_equal(regs.pc, 0x1006);
}

/* Against a walk over all ranges. */
static void ranges(void **state) {
    static struct mmio_map m;
    static struct { uint64_t start, end; } model[MMIO_MAX_RANGES];
    unsigned n = 0;

    (void)state;
    srand(3);
    for (unsigned i = 0; i < 3000; i++) {
        uint64_t start = (uint64_t)rand() % 400 * 8, end = start + 8 + (uint64_t)rand() % 6 * 8;
        const struct mmio_range *r;
        bool overlaps = false;
        unsigned hit = ~0u;

        for (unsigned j = 0; j < n; j++)
            overlaps |= start < model[j].end && model[j].start < end;
        if (n < MMIO_MAX_RANGES) {
            assert_int_equal(mmio_register(&m, ipaddr(start), end - start, device, NULL, "r"),
                             overlaps ? -EEXIST : 0);
            if (!overlaps) {
                model[n].start = start;
                model[n++].end = end;
            }
        } else {
            assert_int_equal(mmio_register(&m, ipaddr(start), end - start, device, NULL, "r"),
                             -ENOSPC);
        }
        for (unsigned j = 0; j < n; j++)
            if (start >= model[j].start && start < model[j].end)
                hit = j;
        r = mmio_find(&m, ipaddr(start));
        assert_true(hit == ~0u ? !r
                               : r && r->start == model[hit].start && r->end == model[hit].end);
    }
    assert_int_equal(m.count, MMIO_MAX_RANGES);
    assert_int_equal(mmio_register(&m, ipaddr(8), 0, device, NULL, "empty"), -EINVAL);
    assert_int_equal(mmio_register(&m, ipaddr(0x1008), 12, device, NULL, "odd"), -EINVAL);
    assert_int_equal(mmio_register(&m, ipaddr(0x1004), 8, device, NULL, "odd"), -EINVAL);
    assert_int_equal(mmio_register(&m, ipaddr(~0ULL - 7), 16, device, NULL, "wraps"), -EINVAL);
}

int main(void) {
#define T(f) cmocka_unit_test_setup(f, start)
    const struct CMUnitTest tests[] = {T(aarch32), T(thumb), T(ranges)};
    const struct CMUnitTest a64[] = {
        T(by_syndrome), T(refusals), T(writeback), T(pairs), T(crossing),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    if (sizeof(regs.x[0]) == 8)
        failed += cmocka_run_group_tests(a64, NULL, NULL);
    return failed;
}
