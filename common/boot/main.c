/* The order in which Holdfast starts: read it from top to bottom. */
#include <hv/bits.h>
#include <hv/cmdline.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/firmware.h>
#include <hv/gic.h>
#include <hv/guest_sched.h>
#include <hv/guests.h>
#include <hv/harden.h>
#include <hv/hypercall.h>
#include <hv/iommu.h>
#include <hv/irq.h>
#include <hv/mm.h>
#include <hv/modules.h>
#include <hv/monitor.h>
#include <hv/p2m.h>
#include <hv/passthrough.h>
#include <hv/pci.h>
#include <hv/printk.h>
#include <hv/softirq.h>
#include <hv/speculation.h>
#include <hv/static_mem.h>
#include <hv/timer.h>
#include <hv/uart.h>
#include <hv/vcpu.h>
#include <hv/vgic.h>
#include <hv/vtimer.h>
#include <hv/watchdog.h>

#include <asm/barrier.h>
#include <asm/features.h>
#include <asm/guest_trap.h>
#include <asm/layout.h>
#include <asm/mmu.h>
#include <asm/trap.h>

#include "secrets.h"

#include <libfdt.h>

extern char _start[], _etext[], _erodata[], _end[];
extern const char _build_id_note[];

static paddr_t table_page(void) {
    return boot_mem_alloc(PAGE_SIZE, PAGE_SIZE);
}

/* Modules are what domains are made from again and again: nobody writes there any more. */
static void map_bank(uint64_t from, uint64_t end) {
    while (from < end) {
        struct boot_module m = module_pages_from(from);
        uint64_t ro = m.size ? MIN(m.start, end) : end, rw = MIN(ro + m.size, end);

        mmu_map_ram(paddr(from), ro - from, true, table_page);
        mmu_map_ram(paddr(ro), rw - ro, false, table_page);
        from = rw;
    }
}

static void map_all_ram(void) {
    paddr_t start;
    uint64_t size;

    for (unsigned i = 0; boot_mem_bank(i, &start, &size); i++)
        map_bank(start.pa, start.pa + size);
}

/* Without a device tree there is no console to say so on. */
static const void *find_fdt(paddr_t pa) {
    const void *fdt = mmu_early_fdt(pa);

    if (!fdt || fdt_validate(fdt, FDT_MAX_SIZE))
        for (;;)
            wfe();
    return fdt;
}

/* The linker's: an ELF note of 16 bytes and a hash of the whole build, of which half is enough. */
static unsigned long long build_id(void) {
    return fdt64_ld((const fdt64_t *)(_build_id_note + 16));
}

static void say_hello(paddr_t fdt_pa, const void *fdt, bool secret) {
    printk("Holdfast " HF_VERSION " (build %016llx) at 0x%llx, device tree at 0x%llx (%u bytes)\n",
           build_id(), (unsigned long long)hv_image_pa, (unsigned long long)fdt_pa.pa,
           (unsigned)fdt_totalsize(fdt));
    printk("command line: %s\n", fdt_bootargs(fdt));
    if (!secret)
        printk(
            "warning: too little in kaslr-seed and rng-seed of /chosen, no random numbers of the "
            "CPU: secrets of this boot come from the time\n");
}

static void memory_init(const void *fdt, paddr_t fdt_pa) {
    boot_mem_from_fdt(fdt, fdt_pa, paddr(hv_image_pa), (uint64_t)(_end - _start));
    static_heap_init(fdt);
    guests_init(fdt); /* claims the modules before anything is allocated */
    p2m_devices_come = guests_want_devices();
    map_all_ram();
    secrets_wipe(fdt, fdt_pa);
    page_alloc_init();
    printk("memory: %llu MiB free\n", (unsigned long long)(heap_free_pages() >> (20 - PAGE_SHIFT)));
}

/* A self-test: no page of our own can be written and executed, and the code is never written. */
static void check_own_table(void) {
    struct hyp_image image = {(vaddr_t)_start, (vaddr_t)_etext, (vaddr_t)_erodata,
                              paddr(hv_image_pa)};
    vaddr_t where;

    if (!hyp_rights_are_sound(&image, &where))
        panic("own table at 0x%lx: writable and executable, or writable code",
              (unsigned long)where);
    printk("own table: %u KiB of code, nothing writable is executable%s\n",
           (unsigned)(_etext - _start) >> 10, harden_name());
}

void hv_main(uint64_t fdt_addr) {
    paddr_t fdt_pa = paddr(fdt_addr);
    const void *fdt = find_fdt(fdt_pa);
    struct entropy entropy;
    bool secret = secrets_gather(fdt, &entropy);

    harden_start(&entropy);

    cmdline_init(fdt_bootargs(fdt));
    uart_early_init(fdt);
    say_hello(fdt_pa, fdt, secret);
    features_init_cpu();

    memory_init(fdt, fdt_pa);
    uart_init(fdt);
    firmware_init(fdt);
    cpus_init(fdt);

    irq_init(gic_probe(fdt));
    timers_init(fdt);
    console_init();

    sched_init();
    sched_init_cpu();
    mm_preempt_hook = preempt_point;
    vgic_init_host();
    vtimer_init_host(fdt);
    vtimer_init_cpu();
    guest_init_cpu();
    cpus_start(fdt);
    features_print();
    speculation_print();
    p2m_global_init(); /* stage 2 is shaped by what every CPU can do */
    guest_features_init();

    pci_init(fdt); /* no device masters the bus when the IOMMUs are taken over */
    iommu_cmdline_init();
    iommu_init(fdt);
    passthrough_init(fdt);

    cpupools_from_fdt(fdt);
    domains_init();
    abi_init();
    monitor_init();
    watchdog_init(monitor_show_cpu);
    cmdline_report_unknown();
    if (HF_DEBUG)
        check_own_table();
    guests_start();
    sched_idle();
}

/* A secondary CPU, on its own stack, with its per-CPU area. */
void secondary_main(unsigned cpu) {
    if (!harden_cpu()) {
        printk("error: CPU %u: pointer authentication unlike the boot CPU's; it stays off\n", cpu);
        firmware_cpu_off();
        for (;;)
            wfe();
    }
    features_init_cpu();
    irq_init_cpu();
    timers_init_cpu();
    sched_init_cpu();
    vtimer_init_cpu();
    guest_init_cpu();
    cpu_set_online();
    sched_idle();
}
