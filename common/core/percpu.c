/* Per-CPU areas: areas of the shape of section percpu_data, found through an offset in the CPU's
 * thread register. */
#include <hv/errno.h>
#include <hv/mm.h>
#include <hv/percpu.h>
#include <hv/string.h>

extern char _percpu_start[], _percpu_end[];

uintptr_t percpu_offsets[MAX_CPUS];
DEFINE_PER_CPU(uint32_t, cpu_number);

/* Zeroed, not copied: CPU 0 lives in the prototype, and its state is nobody else's. */
int percpu_alloc(unsigned cpu) {
    size_t size = (size_t)(_percpu_end - _percpu_start);
    char *area;

    if (cpu == 0)
        return 0;
    area = xenheap_alloc(order_of_size(size));
    if (!area)
        return -ENOMEM;
    memset(area, 0, size);
    percpu_offsets[cpu] = (uintptr_t)area - (uintptr_t)_percpu_start;
    per_cpu(cpu_number, cpu) = cpu;
    return 0;
}
