/* SOURCES: common/virt/vpsci.c common/virt/smccc.c */
/* Firmware calls of guests: every PSCI and SMCCC function, both widths, good and bad arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hv/domain.h>
#include <hv/guest_map.h>
#include <hv/psci.h>
#include <hv/speculation.h>
#include <hv/vcpu.h>
#include <hv/vpsci.h>

#define NR 34
/* A 32-bit hypervisor has 32-bit guests, which make the calls of that width. */
#define WIDE (sizeof(regs.x[0]) == 8)
#define FN(name) (WIDE ? name##64 : name##32)
#define RAM 0x40000000ULL
#define DEVICE 0x50000000ULL

struct speculation speculation;
static struct domain dom;
static struct vcpu vcpu[NR];
static struct vcpu *vcpus[NR];
static struct cpu_regs regs;

static struct {
    int inits, gic_resets, onlines, blocks, stops, shutdowns;
    struct vcpu *v;
    uint64_t pc, x0;
    bool aarch32;
    enum shutdown_reason reason;
} seen;

/* ---- what the code under test calls ---- */

mfn_t p2m_lookup(struct p2m *p2m, gfn_t g, enum p2m_type *t, unsigned *order) {
    assert_ptr_equal(p2m, &dom.p2m);
    (void)order;
    *t = P2M_INVALID;
    if (g.gfn == RAM >> PAGE_SHIFT)
        *t = P2M_RAM_RW;
    if (g.gfn == DEVICE >> PAGE_SHIFT)
        *t = P2M_MMIO_DIRECT;
    return *t == P2M_INVALID ? INVALID_MFN : mfn(1);
}

bool vcpu_claim(struct vcpu *v) {
    if (v->state != VCPU_OFFLINE)
        return false;
    v->state = VCPU_STARTING;
    return true;
}

void vcpu_arch_init(struct vcpu *v) {
    assert_int_equal(v->state, VCPU_STARTING);
    seen.inits++;
}

void vgic_reset_cpu_interface(struct vcpu *v) {
    assert_int_equal(v->state, VCPU_STARTING);
    seen.gic_resets++;
}

void vcpu_set_entry(struct vcpu *v, uint64_t pc, uint64_t x0, bool aarch32) {
    assert_int_equal(seen.inits, 1); /* a reset first, then the entry */
    assert_int_equal(seen.gic_resets, 1);
    seen.v = v;
    seen.pc = pc;
    seen.x0 = x0;
    seen.aarch32 = aarch32;
}

void vcpu_online(struct vcpu *v) {
    assert_ptr_equal(v, seen.v);
    v->state = VCPU_RUNNABLE;
    seen.onlines++;
}

void vcpu_block(void) {
    seen.blocks++;
}

void vcpu_stop_self(enum vcpu_state to) {
    assert_int_equal(to, VCPU_OFFLINE);
    seen.stops++;
}

void domain_shutdown(struct domain *d, enum shutdown_reason reason) {
    assert_ptr_equal(d, &dom);
    seen.shutdowns++;
    seen.reason = reason;
}

/* ---- helpers ---- */

static int setup(void **state) {
    (void)state;
    memset(&dom, 0, sizeof(dom));
    memset(vcpu, 0, sizeof(vcpu));
    memset(&seen, 0, sizeof(seen));
    dom.max_vcpus = NR;
    dom.aarch32 = !WIDE;
    dom.vcpus = vcpus;
    for (unsigned i = 0; i < NR; i++) {
        vcpus[i] = &vcpu[i];
        vcpu[i].id = i;
        vcpu[i].domain = &dom;
        vcpu[i].state = i ? VCPU_OFFLINE : VCPU_RUNNABLE;
    }
    return 0;
}

/* Calls, checks that nothing but x0..x3 changed, gives x0. */
static int64_t call(uint64_t fn, uint64_t a, uint64_t b, uint64_t c) {
    struct cpu_regs before;

    for (unsigned i = 0; i < ARRAY_SIZE(regs.x); i++)
        regs.x[i] = 0x1111111111111111ULL * (i % 15 + 1);
    regs.x[0] = fn;
    regs.x[1] = a;
    regs.x[2] = b;
    regs.x[3] = c;
    before = regs;
    smccc_call(&vcpu[0], &regs);
    assert_memory_equal(&before.x[4], &regs.x[4], sizeof(regs) - 4 * sizeof(regs.x[0]));
    return WIDE ? (int64_t)regs.x[0] : (int32_t)regs.x[0];
}

/* ---- tests ---- */

static void versions(void **state) {
    (void)state;
    assert_int_equal(call(PSCI_VERSION, 0, 0, 0), 0x10001);
    assert_int_equal(call(0xabcdef0000000000ULL | PSCI_VERSION, 0, 0, 0), 0x10001); /* W0 counts */
    assert_int_equal(call(SMCCC_VERSION, 0, 0, 0), 0x10002);
    assert_int_equal(call(SMCCC_ARCH_FEATURES, SMCCC_VERSION, 0, 0), 0);
    assert_int_equal(call(SMCCC_ARCH_FEATURES, SMCCC_ARCH_FEATURES, 0, 0), 0);
    assert_int_equal(call(SMCCC_ARCH_FEATURES, 0x8000ffff, 0, 0), -1);
}

/* A call does what every entry does; what is not done is not offered. */
static void workarounds(void **state) {
    static const int64_t want[3][3] = {{1, -2, 1}, {0, -2, 0}, {-1, -1, -1}};
    static const uint32_t fn[3] = {0x80008000, 0x80007fff, 0x80003fff};

    (void)state;
    for (unsigned is = SPEC_UNAFFECTED; is <= SPEC_VULNERABLE; is++)
        for (unsigned i = 0; i < 3; i++) {
            speculation = (struct speculation){is, is, is};
            assert_int_equal(call(SMCCC_ARCH_FEATURES, fn[i], 0, 0), want[is][i]);
            assert_int_equal(call(fn[i], 1, 0, 0), is == SPEC_VULNERABLE || i == 1 ? -1 : 0);
        }
}

static void vendor_service(void **state) {
    static const uint8_t uid[16] = {0xa7, 0x18, 0x12, 0xdc, 0xc6, 0x98, 0x43, 0x69,
                                    0x9a, 0xcf, 0x79, 0xd1, 0x8d, 0xde, 0xe6, 0x67};

    (void)state;
    call(SMCCC_VENDOR_UID, 0, 0, 0);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal((regs.x[i / 4] >> (8 * (i % 4))) & 0xff, uid[i]);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal((uint64_t)regs.x[i] >> 32, 0);
    assert_int_equal(call(SMCCC_VENDOR_CALL_COUNT, 0, 0, 0), 3);
    assert_int_equal(call(SMCCC_VENDOR_REVISION, 0, 0, 0), 0);
    assert_int_equal(regs.x[1], 1);
}

static void unknown_calls(void **state) {
    static const uint32_t fns[] = {0,          0x84000005, 0x8400000b, 0x8400000e,
                                   0x8400001f, 0x84000020, 0xc4000000, 0xc4000002,
                                   0xc4000008, 0x8600ff02, 0x8600ff04, 0x80000002,
                                   0x04000000, 0xbf00ff01, 0xffffffff, 0xc400000a};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(fns); i++)
        assert_int_equal(call(fns[i], 1, 2, 3), -1);
    assert_int_equal(seen.shutdowns + seen.stops + seen.blocks + seen.onlines, 0);
}

static void cpu_on_starts(void **state) {
    (void)state;
    assert_int_equal(call(FN(PSCI_CPU_ON), 1, RAM + 0x80, 0x123456789abcULL), 0);
    assert_ptr_equal(seen.v, &vcpu[1]);
    assert_int_equal(seen.pc, RAM + 0x80);
    assert_int_equal(seen.x0, WIDE ? 0x123456789abcULL : 0x56789abc);
    assert_int_equal(seen.aarch32, !WIDE);
    assert_int_equal(seen.onlines, 1);
    assert_int_equal(call(FN(PSCI_CPU_ON), 1, RAM, 0), PSCI_ALREADY_ON);
    assert_int_equal(call(FN(PSCI_CPU_ON), 0, RAM, 0), PSCI_ALREADY_ON); /* oneself */
    vcpu[2].state = VCPU_BLOCKED;
    assert_int_equal(call(FN(PSCI_CPU_ON), 2, RAM, 0), PSCI_ALREADY_ON);
    vcpu[3].state = VCPU_STARTING;
    assert_int_equal(call(FN(PSCI_CPU_ON), 3, RAM, 0), PSCI_ON_PENDING);
    assert_int_equal(seen.onlines, 1);
}

static void cpu_on_second_cluster(void **state) {
    (void)state;
    assert_int_equal(call(FN(PSCI_CPU_ON), 0x201, RAM, 7), 0);
    assert_ptr_equal(seen.v, &vcpu[33]);
}

static void cpu_on_32_masks_arguments(void **state) {
    (void)state;
    assert_int_equal(
        call(PSCI_CPU_ON32, 0xdead00000001ULL, 0xdead00000000ULL | RAM, 0xdead00000005ULL), 0);
    assert_int_equal(seen.pc, RAM);
    assert_int_equal(seen.x0, 5);
}

static void cpu_on_bad_target(void **state) {
    static const uint64_t bad[] = {16,
                                   34,
                                   0x202,
                                   0x210,
                                   0x10000,
                                   0x1000000,
                                   0x100000001,
                                   0x80000001,
                                   0x8000000000000001ULL,
                                   ~0ULL,
                                   0xff00ffffffULL,
                                   0x300};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
        if (WIDE || bad[i] <= UINT32_MAX)
            assert_int_equal(call(FN(PSCI_CPU_ON), bad[i], RAM, 0), PSCI_INVALID_PARAMETERS);
    assert_int_equal(seen.inits + seen.onlines, 0);
}

static void cpu_on_bad_entry(void **state) {
    static const uint64_t bad[] = {0,       RAM - 4, RAM + 0x1000, RAM + 2,
                                   RAM + 1, DEVICE,  ~0ULL,        ~3ULL};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
        if (WIDE || bad[i] != RAM + 1) /* there it is Thumb */
            assert_int_equal(call(FN(PSCI_CPU_ON), 1, bad[i], 0), PSCI_INVALID_ADDRESS);
    assert_int_equal(vcpu[1].state, VCPU_OFFLINE);
    assert_int_equal(seen.inits, 0);
}

static void cpu_on_aarch32(void **state) {
    (void)state;
    dom.aarch32 = true;
    assert_int_equal(call(PSCI_CPU_ON64, 1, RAM, 0), PSCI_NOT_SUPPORTED);
    assert_int_equal(call(PSCI_CPU_ON32, 1, RAM + 2, 0), PSCI_INVALID_ADDRESS);
    assert_int_equal(call(PSCI_CPU_ON32, 1, RAM + 3, 9), 0); /* Thumb at RAM + 2 */
    assert_true(seen.aarch32);
    assert_int_equal(seen.pc, RAM + 3);
}

static void affinity(void **state) {
    (void)state;
    assert_int_equal(call(FN(PSCI_AFFINITY_INFO), 0, 0, 0), 0);
    assert_int_equal(call(FN(PSCI_AFFINITY_INFO), 1, 0, 0), 1);
    vcpu[1].state = VCPU_STARTING;
    assert_int_equal(call(PSCI_AFFINITY_INFO32, 1, 0, 0), 2);
    vcpu[1].state = VCPU_BLOCKED;
    assert_int_equal(call(FN(PSCI_AFFINITY_INFO), 1, 0, 0), 0);
    /* clusters: 0 has a running CPU, 1 has none, 2 none until one is pending */
    assert_int_equal(call(FN(PSCI_AFFINITY_INFO), 5, 1, 0), 0);
    assert_int_equal(call(FN(PSCI_AFFINITY_INFO), 0x100, 1, 0), 1);
    vcpu[33].state = VCPU_STARTING;
    assert_int_equal(call(FN(PSCI_AFFINITY_INFO), 0x200, 1, 0), 2);
    assert_int_equal(call(FN(PSCI_AFFINITY_INFO), 0, 3, 0), 0);
    /* bad */
    assert_int_equal(call(FN(PSCI_AFFINITY_INFO), 0x202, 0, 0), PSCI_INVALID_PARAMETERS);
    assert_int_equal(call(FN(PSCI_AFFINITY_INFO), 0x300, 1, 0), PSCI_INVALID_PARAMETERS);
    assert_int_equal(call(FN(PSCI_AFFINITY_INFO), 0, 4, 0), PSCI_INVALID_PARAMETERS);
    assert_int_equal(call(FN(PSCI_AFFINITY_INFO), 0x80000000, 0, 0), PSCI_INVALID_PARAMETERS);
    assert_int_equal(call(FN(PSCI_AFFINITY_INFO), 0, ~0ULL, 0), PSCI_INVALID_PARAMETERS);
}

static void power(void **state) {
    (void)state;
    call(PSCI_CPU_OFF, 0, 0, 0);
    assert_int_equal(seen.stops, 1);
    assert_int_equal(call(PSCI_CPU_SUSPEND32, 0, 0, 0), 0);
    assert_int_equal(call(FN(PSCI_CPU_SUSPEND), 0x10000, 0, 0), 0);
    assert_int_equal(seen.blocks, 2);
    assert_int_equal(call(PSCI_MIGRATE_INFO_TYPE, 0, 0, 0), 2);
    call(PSCI_SYSTEM_OFF, 0, 0, 0);
    assert_int_equal(seen.reason, SHUT_POWEROFF);
    call(PSCI_SYSTEM_RESET, 0, 0, 0);
    assert_int_equal(seen.reason, SHUT_REBOOT);
    assert_int_equal(seen.shutdowns, 2);
    assert_int_equal(call(FN(PSCI_SYSTEM_RESET2_), 1, 0, 0), PSCI_INVALID_PARAMETERS);
    assert_int_equal(call(PSCI_SYSTEM_RESET2_32, 0x80000000, 0, 0), PSCI_INVALID_PARAMETERS);
    assert_int_equal(seen.shutdowns, 2);
    call(FN(PSCI_SYSTEM_RESET2_), 0, 0, 0);
    assert_int_equal(seen.shutdowns, 3);
}

static void psci_features(void **state) {
    static const uint32_t have[] = {0x84000000, 0x84000001, 0xc4000001, 0x84000002, 0x84000003,
                                    0xc4000003, 0x84000004, 0xc4000004, 0x84000006, 0x84000008,
                                    0x84000009, 0x8400000a, 0x84000012, 0xc4000012, 0x80000000};
    static const uint32_t lack[] = {0x84000005, 0x84000007, 0x8400000e, 0xc4000002,
                                    0xc4000000, 0x80000001, 0};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(have); i++)
        assert_int_equal(call(PSCI_FEATURES, have[i], 0, 0), !WIDE && have[i] >> 30 == 3 ? -1 : 0);
    for (unsigned i = 0; i < ARRAY_SIZE(lack); i++)
        assert_int_equal(call(PSCI_FEATURES, lack[i], 0, 0), -1);
    dom.aarch32 = true;
    assert_int_equal(call(PSCI_FEATURES, PSCI_CPU_ON32, 0, 0), 0);
    assert_int_equal(call(PSCI_FEATURES, PSCI_CPU_ON64, 0, 0), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(versions, setup),
        cmocka_unit_test(workarounds),
        cmocka_unit_test_setup(vendor_service, setup),
        cmocka_unit_test_setup(unknown_calls, setup),
        cmocka_unit_test_setup(cpu_on_starts, setup),
        cmocka_unit_test_setup(cpu_on_second_cluster, setup),
        cmocka_unit_test_setup(cpu_on_32_masks_arguments, setup),
        cmocka_unit_test_setup(cpu_on_bad_target, setup),
        cmocka_unit_test_setup(cpu_on_bad_entry, setup),
        cmocka_unit_test_setup(cpu_on_aarch32, setup),
        cmocka_unit_test_setup(affinity, setup),
        cmocka_unit_test_setup(power, setup),
        cmocka_unit_test_setup(psci_features, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
