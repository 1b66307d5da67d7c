/* PSCI calls to the firmware below (DEN0022), by the conduit and with the numbers the device tree gives. */
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/firmware.h>
#include <hv/printk.h>
#include <hv/psci.h>
#include <hv/string.h>

#include <asm/smccc_call.h>

static uint64_t (*conduit)(uint64_t fn, uint64_t a1, uint64_t a2, uint64_t a3);
static uint32_t fn_cpu_on, fn_cpu_off; /* PSCI 0.1 takes its numbers from the node */
static bool has_system_calls;          /* 0.2 and later */

#ifdef __LP64__
#define CPU_ON PSCI_CPU_ON64
#else
#define CPU_ON PSCI_CPU_ON32
#endif

void firmware_init(const void *fdt) {
    int node = fdt_next_compatible(fdt, -1, "arm,psci-0.2");
    const char *method;
    uint64_t version;

    if (node < 0)
        node = fdt_next_compatible(fdt, -1, "arm,psci-1.0");
    has_system_calls = node >= 0;
    if (node < 0)
        node = fdt_next_compatible(fdt, -1, "arm,psci");
    if (node < 0) {
        printk("firmware: no psci node: one CPU, no power control\n");
        return;
    }
    if (fdt_str(fdt, node, "method", &method) ||
        (strcmp(method, "smc") && strcmp(method, "hvc"))) {
        printk("error: /psci: method: expected \"smc\" or \"hvc\"; PSCI not used\n");
        has_system_calls = false;
        return;
    }
    conduit = method[0] == 's' ? smccc_smc : smccc_hvc;
    if (has_system_calls) {
        fn_cpu_on = CPU_ON;
        fn_cpu_off = PSCI_CPU_OFF;
        version = conduit(PSCI_VERSION, 0, 0, 0);
        printk("firmware: PSCI %u.%u by %s\n", (unsigned)(version >> 16) & 0x7fff,
               (unsigned)version & 0xffff, method);
    } else {
        if (fdt_u32(fdt, node, "cpu_on", &fn_cpu_on))
            printk("error: /psci: cpu_on: expected 1 cell; secondary CPUs stay off\n");
        if (fdt_u32(fdt, node, "cpu_off", &fn_cpu_off))
            fn_cpu_off = 0;
        printk("firmware: PSCI 0.1 by %s\n", method);
    }
}

int firmware_cpu_on(uint64_t mpidr, paddr_t entry, uint64_t context) {
    if (!conduit || !fn_cpu_on)
        return -ENODEV;
    switch ((int32_t)conduit(fn_cpu_on, mpidr, entry.pa, context)) {
    case PSCI_SUCCESS:
        return 0;
    case PSCI_ALREADY_ON:
    case PSCI_ON_PENDING:
        return -EBUSY;
    case PSCI_INVALID_PARAMETERS:
    case PSCI_INVALID_ADDRESS:
        return -EINVAL;
    default:
        return -EIO;
    }
}

void firmware_cpu_off(void) {
    if (conduit && fn_cpu_off)
        conduit(fn_cpu_off, 0, 0, 0);
}

void firmware_system_off(void) {
    if (has_system_calls)
        conduit(PSCI_SYSTEM_OFF, 0, 0, 0);
}

void firmware_system_reset(void) {
    if (has_system_calls)
        conduit(PSCI_SYSTEM_RESET, 0, 0, 0);
}
