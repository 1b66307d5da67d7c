/* In place of spin_table.c where the architecture has no such protocol. */
#include <hv/errno.h>
#include <hv/firmware.h>

bool spin_table_is_used(const void *fdt) {
    (void)fdt;
    return false;
}

int spin_table_cpu_on(const void *fdt, uint64_t mpidr, struct boot_cpu *b) {
    (void)fdt, (void)mpidr, (void)b;
    return -ENODEV;
}
