/*
 * Floor 6: firmware calls of guests: SMCCC 1.2 (Arm DEN0028) with PSCI 1.1 (DEN0022) and the
 * hypervisor's vendor service, by HVC and by SMC alike.
 */
#ifndef HV_VPSCI_H
#define HV_VPSCI_H

#include <hv/types.h>

#include <asm/regs.h>

struct vcpu;

#define SMCCC_VERSION 0x80000000u
#define SMCCC_ARCH_FEATURES 0x80000001u
#define SMCCC_VENDOR_CALL_COUNT 0x8600ff00u
#define SMCCC_VENDOR_UID 0x8600ff01u
#define SMCCC_VENDOR_REVISION 0x8600ff03u
#define SMCCC_NOT_SUPPORTED (-1)

/*
 * One call of the current vCPU, from x0..x7 of its frame into x0..x3; nothing else of the frame
 * changes, and pc is not looked at (the hypercall's fast path keeps it in hardware). May block; may
 * not come back (CPU_OFF).
 */
void smccc_call(struct vcpu *v, struct cpu_regs *regs);

/* True when fn is in the PSCI range, with the result in *ret. The width of fn fits the caller. */
bool vpsci_call(struct vcpu *v, const struct cpu_regs *regs, uint32_t fn, int64_t *ret);

#endif
