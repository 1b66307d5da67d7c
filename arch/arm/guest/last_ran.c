/* Which vCPU of a VMID last ran on this CPU, so that none meets another's translations. */
#include <hv/domain.h>
#include <hv/percpu.h>

#include <asm/guest_state.h>
#include <asm/tlb.h>

/*
 * Two vCPUs of one domain may have different stage-1 translations under one ASID, so the CPU's TLB
 * must not carry one's over to the other (Arm ARM D8.14: entries are tagged by VMID, not by vCPU).
 * Direct-mapped by VMID: a slot taken by another VMID only costs an invalidation too many.
 */
#define LAST_RAN_SLOTS 16u
struct last_ran {
    const struct vcpu *vcpu;
    uint64_t vttbr;
};
static DEFINE_PER_CPU(struct last_ran, last_ran[LAST_RAN_SLOTS]);

void tlb_forget_other_vcpu(const struct vcpu *v, uint64_t vttbr) {
    struct last_ran *slot = &this_cpu(last_ran)[v->domain->p2m.vmid % LAST_RAN_SLOTS];

    if (slot->vcpu == v && slot->vttbr == vttbr)
        return;
    slot->vcpu = v;
    slot->vttbr = vttbr;
    tlb_flush_stage1_local();
}
