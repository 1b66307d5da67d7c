/* PSCI calls to the firmware below (DEN0022), with the numbers the device tree gives. */
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/firmware.h>
#include <hv/printk.h>
#include <hv/psci.h>
#include <hv/string.h>

#include <asm/smccc_call.h>

/* SMCCC 1.1 and later: the firmware can be asked what it mitigates. */
static bool answers_features;

#define SMCCC_VERSION 0x80000000u
#define SMCCC_ARCH_FEATURES 0x80000001u
#define SMCCC_1_1 0x10001

/* 0: cannot be called. PSCI 0.1 takes its numbers from the node. */
static uint32_t fn_cpu_on, fn_cpu_off, fn_system_off;

#ifdef __LP64__
#define CPU_ON PSCI_CPU_ON64
#else
#define CPU_ON PSCI_CPU_ON32
#endif

static void use_psci_0_2(void) {
    uint64_t version = smccc_smc(PSCI_VERSION, 0, 0, 0);

    fn_cpu_on = CPU_ON;
    fn_cpu_off = PSCI_CPU_OFF;
    fn_system_off = PSCI_SYSTEM_OFF;
    if ((int32_t)version >= PSCI_1_0 && (int32_t)smccc_smc(PSCI_FEATURES, SMCCC_VERSION, 0, 0) >= 0)
        answers_features = (int32_t)smccc_smc(SMCCC_VERSION, 0, 0, 0) >= SMCCC_1_1;
    printk("firmware: PSCI %u.%u\n", (unsigned)(version >> 16) & 0x7fff,
           (unsigned)version & 0xffff);
}

static void use_psci_0_1(const void *fdt, int node, const char *path) {
    if (fdt_u32(fdt, node, "cpu_on", &fn_cpu_on))
        printk("error: %s: cpu_on: expected 1 cell; secondary CPUs stay off\n", path);
    if (fdt_u32(fdt, node, "cpu_off", &fn_cpu_off))
        fn_cpu_off = 0;
    printk("firmware: PSCI 0.1\n");
}

void firmware_init(const void *fdt) {
    int node = fdt_next_compatible(fdt, -1, "arm,psci-0.2");
    char path[FDT_PATH_MAX];
    const char *method;
    bool old;

    fn_cpu_on = fn_cpu_off = fn_system_off = 0;
    answers_features = false;
    if (node < 0)
        node = fdt_next_compatible(fdt, -1, "arm,psci-1.0");
    old = node < 0;
    if (old)
        node = fdt_next_compatible(fdt, -1, "arm,psci");
    if (node < 0) {
        printk("firmware: no psci node: %s, no power control\n",
               spin_table_is_used(fdt) ? "CPUs by spin-table" : "one CPU");
        return;
    }
    fdt_path(fdt, node, path);
    if (fdt_str(fdt, node, "method", &method) || strcmp(method, "smc"))
        printk("error: %s: method: expected \"smc\", as nothing else leads from EL2 to firmware; "
               "PSCI not used\n",
               path);
    else if (old)
        use_psci_0_1(fdt, node, path);
    else
        use_psci_0_2();
}

int firmware_cpu_on(uint64_t mpidr, paddr_t entry, uint64_t context) {
    if (!fn_cpu_on)
        return -ENODEV;
    switch ((int32_t)smccc_smc(fn_cpu_on, mpidr, entry.pa, context)) {
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

int32_t firmware_arch_feature(uint32_t fn) {
    return answers_features ? (int32_t)smccc_smc(SMCCC_ARCH_FEATURES, fn, 0, 0)
                            : PSCI_NOT_SUPPORTED;
}

void firmware_arch_call(uint32_t fn, uint64_t arg) {
    smccc_smc(fn, arg, 0, 0);
}

void firmware_cpu_off(void) {
    if (fn_cpu_off)
        smccc_smc(fn_cpu_off, 0, 0, 0);
}

void firmware_system_off(void) {
    if (fn_system_off)
        smccc_smc(fn_system_off, 0, 0, 0);
}
