/*
 * Floor 4: calls into the firmware below: PSCI by SMC, the only way down from EL2 (an HVC would
 * come to ourselves). Nothing is called unless the tree has a psci node (a board without firmware
 * would hang in the SMC).
 */
#ifndef HV_FIRMWARE_H
#define HV_FIRMWARE_H

#include <hv/types.h>

void firmware_init(const void *fdt);
/* PSCI_CPU_ON; 0, or a negative errno (-ENODEV without PSCI). entry is physical. */
int firmware_cpu_on(uint64_t mpidr, paddr_t entry, uint64_t context) __must_check;
void firmware_cpu_off(void);
/* SMCCC_ARCH_FEATURES of this CPU, -1 also when the firmware does not have it; and a function of
 * it. */
int32_t firmware_arch_feature(uint32_t fn);
void firmware_arch_call(uint32_t fn, uint64_t arg);
/* Without PSCI, on arm64: CPUs of enable-method "spin-table". One at a time: each must have come
 * up, or have been given up, before the next. -ENODEV: this CPU is not such a one. */
struct boot_cpu;
bool spin_table_is_used(const void *fdt);
int spin_table_cpu_on(const void *fdt, uint64_t mpidr, struct boot_cpu *b) __must_check;
void firmware_system_off(void); /* returns only when the firmware cannot */

#endif
