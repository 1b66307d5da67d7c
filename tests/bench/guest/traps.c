/* Calls and trapped accesses that change nothing. */
#include "bench.h"

#include <xen/features.h>
#include <xen/version.h>

#define NR_UNKNOWN 60
#define SMCCC_VERSION 0x80000000
#define GICD_TYPER (GICD + 4)
#define UART_FR (VPL011 + 0x18)
#define SPI 40

/* 200,000 instructions must read as so many ticks, or nothing below means anything. */
ROW(counter_is_exact) {
    uint64_t cost, n = 100000;

    cost = MEASURE(__asm__ volatile("1: subs %0, %0, #1\n\tb.ne 1b" : "+r"(n)::"cc"));
    TRUE(cost >= 200000 && cost <= 200004);
    sample("counter_200000", cost);
}

ROW(null_hypercall) {
    for (unsigned i = 0; i < RUNS; i++) {
        int64_t version;
        uint64_t cost = MEASURE(version = xen_call(__HYPERVISOR_xen_version, XENVER_version, 0, 0));

        EQ(version >> 16, 4);
        sample("null_hypercall", cost);
    }
}

ROW(unknown_hypercall) {
    for (unsigned i = 0; i < RUNS; i++) {
        int64_t rc;
        uint64_t cost = MEASURE(rc = xen_call(NR_UNKNOWN, 0, 0, 0));

        EQ(rc, -XEN_ENOSYS);
        sample("unknown_hypercall", cost);
    }
}

ROW(get_features) {
    for (unsigned i = 0; i < RUNS; i++) {
        struct xen_feature_info info = {.submap_idx = 0};
        int64_t rc;
        uint64_t cost = MEASURE(
            rc = xen_call(__HYPERVISOR_xen_version, XENVER_get_features, (uint64_t)&info, 0));

        EQ(rc, 0);
        TRUE(info.submap & BIT(XENFEAT_auto_translated_physmap));
        sample("get_features", cost);
    }
}

ROW(firmware_calls) {
    for (unsigned i = 0; i < RUNS; i++) {
        int64_t version;
        uint64_t cost = MEASURE(version = hvc(PSCI_VERSION, 0, 0, 0));

        EQ(version >> 16, 1);
        sample("psci_version", cost);
        cost = MEASURE(version = hvc(SMCCC_VERSION, 0, 0, 0));
        EQ(version >> 16, 1);
        sample("smccc_version", cost);
    }
}

ROW(multicall) {
    static multicall_entry_t calls[32];

    for (unsigned i = 0; i < RUNS; i++) {
        int64_t rc;
        uint64_t cost;

        for (unsigned k = 0; k < COUNT(calls); k++)
            calls[k] = (multicall_entry_t){
                .op = __HYPERVISOR_xen_version, .result = 7, .args = {XENVER_version}};
        cost = MEASURE(rc = xen_call(__HYPERVISOR_multicall, (uint64_t)calls, COUNT(calls), 0));
        EQ(rc, 0);
        for (unsigned k = 0; k < COUNT(calls); k++)
            EQ(calls[k].result >> 16, 4);
        sample("multicall_32", cost / COUNT(calls));
    }
}

ROW(device_registers) {
    for (unsigned i = 0; i < RUNS; i++) {
        uint32_t value;
        uint64_t cost = MEASURE(value = (uint32_t)read32(GICD_TYPER));

        TRUE(value & 31);
        sample("gicd_typer", cost);
        cost = MEASURE(value = (uint32_t)read32(UART_FR));
        TRUE(value & BIT(4)); /* nothing was typed */
        sample("vpl011_fr", cost);
    }
}

ROW(gicd_isenabler) {
    uint64_t reg = GICD + ISENABLER + SPI / 32 * 4;

    for (unsigned i = 0; i < RUNS; i++) {
        uint64_t cost;

        gic_disable(SPI);
        EQ(read32(reg) >> SPI % 32 & 1, 0);
        cost = MEASURE(write32(reg, 1u << SPI % 32));
        EQ(read32(reg) >> SPI % 32 & 1, 1);
        sample("gicd_isenabler", cost);
    }
}

ROW(id_register) {
    for (unsigned i = 0; i < RUNS; i++) {
        uint64_t value, cost = MEASURE(value = sysreg_read(id_aa64pfr0_el1));

        TRUE((value & 15) == 1 || (value & 15) == 2); /* AArch64 at EL0, perhaps AArch32 */
        sample("id_register", cost);
    }
}

/* Many times: the first ones are logged. */
ROW(abort_of_nothing) {
    for (unsigned i = 0; i < 40 * RUNS; i++) {
        uint64_t cost;

        TRY(cost = MEASURE_TO_HANDLER(read32(NOTHING)));
        EQ(me()->caught.ec, EC_DATA);
        sample("abort", cost);
    }
}
