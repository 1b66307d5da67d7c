/* Floor 6: what the files of the guest directories below arch/ share with each other and with
 * nobody else. */
#ifndef ASM_GUEST_STATE_H
#define ASM_GUEST_STATE_H

#include <hv/types.h>

#include <asm/features.h>
#include <asm/vcpu.h>

struct vcpu;

/* ---- fpsimd.S ---- */
void fpsimd_save(struct fpsimd_state *s);
void fpsimd_load(const struct fpsimd_state *s);

/* ---- idregs.c ---- */
/* What a guest reads, by IDREG(). Constant after guest_features_init(). */
extern uint64_t guest_idregs[NR_IDREGS];
/* The part of a machine's value that guests are offered. Pure. */
uint64_t idreg_for_guest(unsigned idreg, uint64_t machine);

/* ---- sysreg.c: one register, named by its encoding ---- */
/* As in a trapped MSR/MRS syndrome (Arm ARM D19.2.37, ISS for EC 0x18), without Rt and direction.
 */
#define SYSREG(op0, op1, crn, crm, op2)                                                            \
    ((uint32_t)(op0) << 20 | (uint32_t)(op2) << 17 | (uint32_t)(op1) << 14 |                       \
     (uint32_t)(crn) << 10 | (uint32_t)(crm) << 1)
#define SYSREG_MASK SYSREG(3, 7, 15, 15, 7)
#define SYSREG_OP0(key) ((key) >> 20 & 3)
#define SYSREG_OP1(key) ((key) >> 14 & 7)
#define SYSREG_CRN(key) ((key) >> 10 & 15)
#define SYSREG_CRM(key) ((key) >> 1 & 15)
#define SYSREG_OP2(key) ((key) >> 17 & 7)

/* op0=3 op1=0 CRn=0: the identification registers that TID3 traps have CRm 1..7. */
static inline bool sysreg_is_id(uint32_t key) {
    return (key & SYSREG(3, 7, 15, 8, 0)) == SYSREG(3, 0, 0, 0, 0);
}

enum sysreg_result {
    SYSREG_DONE,
    SYSREG_UNDEFINED, /* a register guests are knowingly not given: undefined, silently */
    SYSREG_UNKNOWN,   /* nobody thought of it: undefined, with a line */
};
/* Reads into or writes from *val. */
enum sysreg_result sysreg_access(struct vcpu *v, uint32_t key, bool write, uint64_t *val);

/* ---- vdebug.c: encodings with op0 = 2 ---- */
enum sysreg_result debug_access(struct vcpu *v, uint32_t key, bool write, uint64_t *val);
void debug_save(struct vcpu *v);
void debug_load(struct vcpu *v);
void debug_init_cpu(void);

/* ---- setway.c ---- */
/* A cache operation by set and way of the current vCPU; operand as the guest gave it. Preemptible.
 */
void setway_access(struct vcpu *v, uint64_t operand);

/* ---- aarch32.c ---- */
/* The CPSR after an instruction in a T32 IT block, or outside of one. Pure. */
uint64_t aarch32_advance_it(uint64_t spsr);
/* True when the condition of the trapped AArch32 instruction holds. esr with CV/COND. */
bool aarch32_condition_holds(uint64_t spsr, uint64_t esr);

/* ---- last_ran.c ---- */
/* v is about to run with the stage-2 context vttbr, which is in place and synchronised: its CPU
 * forgets what another vCPU of the domain left in the TLB. For what follows an isb(). */
void tlb_forget_other_vcpu(const struct vcpu *v, uint64_t vttbr);

#endif
