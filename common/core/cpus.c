/* The machine's CPUs: found in the device tree, started by the firmware, kicked and stopped by
 * SGIs. */
#include <hv/bits.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/firmware.h>
#include <hv/irq.h>
#include <hv/mm.h>
#include <hv/printk.h>
#include <hv/string.h>
#include <hv/timer.h>

#include <asm/barrier.h>
#include <asm/boot_cpu.h>
#include <asm/cache.h>
#include <asm/cpu_ops.h>

#include <libfdt.h>

#define CPU_START_TIMEOUT_NS 1000000000ULL

unsigned nr_cpus = 1, nr_online = 1;

static uint64_t mpidrs[MAX_CPUS];
/* STARTING -> ONLINE by the CPU itself or -> FAILED by the boot CPU, whoever is first. */
enum cpu_state { CPU_OFF, CPU_STARTING, CPU_ONLINE, CPU_FAILED, CPU_STOPPED };
static enum cpu_state states[MAX_CPUS];
static struct boot_cpu boot_cpus[MAX_CPUS];

bool cpu_is_online(unsigned cpu) {
    return cpu < MAX_CPUS && __atomic_load_n(&states[cpu], __ATOMIC_ACQUIRE) == CPU_ONLINE;
}

uint64_t cpu_mpidr(unsigned cpu) {
    return mpidrs[cpu];
}

int cpu_from_mpidr(uint64_t mpidr) {
    for (unsigned i = 0; i < nr_cpus; i++)
        if (mpidrs[i] == mpidr)
            return (int)i;
    return -1;
}

static void add_cpu(const void *fdt, int node) {
    const char *type;
    char path[FDT_PATH_MAX];
    unsigned ac, sc;
    uint64_t mpidr, none;

    if (fdt_str(fdt, node, "device_type", &type) || strcmp(type, "cpu"))
        return;
    fdt_cells(fdt, fdt_parent_offset(fdt, node), &ac, &sc);
    if (fdt_reg_raw(fdt, node, 0, ac, 0, &mpidr, &none) || (mpidr & ~MPIDR_AFFINITY_MASK)) {
        printk("error: %s: reg: expected an MPIDR affinity in %u cells; CPU not used\n",
               fdt_path(fdt, node, path), ac);
        return;
    }
    if (cpu_from_mpidr(mpidr) >= 0) {
        if (mpidr != mpidrs[0])
            printk("error: %s: reg: this MPIDR stands twice; CPU not used\n",
                   fdt_path(fdt, node, path));
        return;
    }
    if (nr_cpus == MAX_CPUS) {
        printk("error: %s: more than %u CPUs; CPU not used\n", fdt_path(fdt, node, path), MAX_CPUS);
        return;
    }
    mpidrs[nr_cpus++] = mpidr;
}

/* The CPU we run on is number 0, wherever it stands in the tree. */
void cpus_init(const void *fdt) {
    int cpus = fdt_path_offset(fdt, "/cpus"), node;

    mpidrs[0] = cpu_own_mpidr();
    states[0] = CPU_ONLINE;
    if (cpus < 0) {
        printk("error: /cpus: expected a node; only the boot CPU is used\n");
        return;
    }
    fdt_for_each_subnode(node, fdt, cpus) {
        if (fdt_enabled(fdt, node))
            add_cpu(fdt, node);
    }
}

/* True: it was still on its way. */
static bool leave_starting(unsigned cpu, enum cpu_state to) {
    enum cpu_state starting = CPU_STARTING;

    return __atomic_compare_exchange_n(&states[cpu], &starting, to, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

/* True: it came up. */
static bool wait_for_cpu(unsigned cpu) {
    uint64_t start = time_ticks(), limit = ns_to_ticks(CPU_START_TIMEOUT_NS);

    while (!cpu_is_online(cpu)) {
        if (time_ticks() - start > limit)
            return !leave_starting(cpu, CPU_FAILED);
        cpu_relax();
    }
    return true;
}

static bool start_cpu(const void *fdt, unsigned cpu) {
    struct boot_cpu *b = &boot_cpus[cpu];
    vaddr_t stack = stack_alloc();
    int rc;

    if (!stack || percpu_alloc(cpu)) {
        printk("error: CPU %u: no memory for its stack; not started\n", cpu);
        if (stack)
            stack_free(stack);
        return false;
    }
    b->sp = stack + STACK_SIZE;
    b->percpu = percpu_offsets[cpu];
    b->id = cpu;
    states[cpu] = CPU_STARTING;
    dsb(sy);
    rc = firmware_cpu_on(mpidrs[cpu], virt_to_phys(secondary_entry), (uint64_t)(uintptr_t)b);
    if (rc == -ENODEV)
        rc = spin_table_cpu_on(fdt, mpidrs[cpu], b);
    if (rc) {
        printk("error: CPU %u (MPIDR 0x%llx): CPU_ON failed (%d); not started\n", cpu,
               (unsigned long long)mpidrs[cpu], rc);
        states[cpu] = CPU_OFF;
        stack_free(stack);
        return false;
    }
    if (wait_for_cpu(cpu))
        return true;
    /* Its stack and its area stay its own: it may still be on its way. */
    printk("error: CPU %u (MPIDR 0x%llx): did not come up in 1 s; not used\n", cpu,
           (unsigned long long)mpidrs[cpu]);
    return false;
}

void cpus_start(const void *fdt) {
    for (unsigned cpu = 1; cpu < nr_cpus; cpu++)
        if (start_cpu(fdt, cpu))
            nr_online++;
    printk("cpus: %u of %u online\n", nr_online, nr_cpus);
}

void cpu_set_online(void) {
    if (leave_starting(cpu_id(), CPU_ONLINE))
        return;
    firmware_cpu_off();
    cpu_stop_self();
}

void cpu_kick(unsigned cpu) {
    if (cpu != cpu_id())
        irq_chip->send_sgi(cpu, SGI_KICK);
}

void cpus_stop_others(void) {
    if (!irq_chip)
        return;
    for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
        if (cpu != cpu_id() && cpu_is_online(cpu))
            irq_chip->send_sgi(cpu, SGI_STOP);
}

void cpu_stop_self(void) {
    __atomic_store_n(&states[cpu_id()], CPU_STOPPED, __ATOMIC_RELEASE);
    /* Not WFI, which a pending interrupt ends at once although it is masked. */
    for (;;)
        wfe();
}

static void __noreturn stop_machine(const char *what) {
    console_flush();
    printk("firmware: no %s; machine stopped\n", what);
    console_flush();
    for (;;)
        cpu_wait_for_interrupt();
}

void machine_power_off(void) {
    cpus_stop_others();
    console_flush();
    firmware_system_off();
    stop_machine("power off");
}
