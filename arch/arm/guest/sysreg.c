/*
 * System registers of the guest that trap, by the encoding of the AArch64 register: one switch.
 * AArch32's coprocessor accesses come here too, under the register they map to (vcp15.c).
 */
#include <hv/domain.h>
#include <hv/vcpu.h>
#include <hv/vgic.h>
#include <hv/vtimer.h>

#include <asm/guest_state.h>
#include <asm/sysreg.h>

#define ACTLR_EL1 SYSREG(3, 0, 1, 0, 1)
#define ACTLR2_AARCH32 SYSREG(3, 0, 1, 0, 3)
#define ICC_DIR_EL1 SYSREG(3, 0, 12, 11, 1)
#define ICC_SGI1R_EL1 SYSREG(3, 0, 12, 11, 5)
#define ICC_ASGI1R_EL1 SYSREG(3, 0, 12, 11, 6)
#define ICC_SGI0R_EL1 SYSREG(3, 0, 12, 11, 7)
#define ICC_SRE_EL1 SYSREG(3, 0, 12, 12, 5)
#define CNTPCT_EL0 SYSREG(3, 3, 14, 0, 1)
#define CNTP_TVAL_EL0 SYSREG(3, 3, 14, 2, 0)
#define CNTP_CTL_EL0 SYSREG(3, 3, 14, 2, 1)
#define CNTP_CVAL_EL0 SYSREG(3, 3, 14, 2, 2)
#define DC_ISW SYSREG(1, 0, 7, 6, 2)
#define DC_CSW SYSREG(1, 0, 7, 10, 2)
#define DC_CISW SYSREG(1, 0, 7, 14, 2)

static enum sysreg_result ptimer(struct vcpu *v, enum ptimer_reg reg, bool write, uint64_t *val) {
    if (write)
        vtimer_phys_write(v, reg, *val);
    else
        *val = vtimer_phys_read(v, reg);
    return SYSREG_DONE;
}

static enum sysreg_result sgi(struct vcpu *v, bool write, uint64_t val, unsigned group) {
    if (!write)
        return SYSREG_UNDEFINED;
    vgic_sgi1r(v, val, group);
    return SYSREG_DONE;
}

/* Registers that are there and do nothing. */
static enum sysreg_result raz_wi(bool write, uint64_t *val) {
    if (!write)
        *val = 0;
    return SYSREG_DONE;
}

static enum sysreg_result set_way(struct vcpu *v, bool write, uint64_t operand) {
    if (!write)
        return SYSREG_UNDEFINED;
    setway_access(v, operand);
    return SYSREG_DONE;
}

/*
 * Registers of features that the identification registers deny: PMU, RAS error records, LORegions,
 * pointer authentication keys, implementation-defined space. A guest that tries them anyway is told
 * so, quietly.
 */
static bool is_denied(uint32_t key) {
    unsigned op0 = SYSREG_OP0(key), op1 = SYSREG_OP1(key), crn = SYSREG_CRN(key),
             crm = SYSREG_CRM(key);

    if (op0 == 1)
        return crn == 11 || crn == 15;
    if (op0 != 3)
        return false;
    switch (crn) {
    case 2:
        return op1 == 0 && (crm >= 1 && crm <= 3);
    case 5:
        return op1 == 0 && (crm >= 3 && crm <= 6);
    case 9:
        return crm >= 9;
    case 10:
        return op1 == 0 && crm == 4;
    case 11:
    case 15:
        return true;
    case 14:
        return op1 == 3 && crm >= 8;
    default:
        return false;
    }
}

static enum sysreg_result rare_register(struct vcpu *v, uint32_t key, bool write, uint64_t *val) {
    switch (key) {
    case ACTLR_EL1:
    case ACTLR2_AARCH32:
        return raz_wi(write, val);
    case ICC_DIR_EL1:
        if (write)
            vgic_dir(v, *val);
        return write ? SYSREG_DONE : SYSREG_UNDEFINED;
    case ICC_SRE_EL1:
        if (vgic_hw->version == 2)
            return SYSREG_UNDEFINED;
        if (!write)
            *val = 7; /* system registers only, no bypass */
        return SYSREG_DONE;
    case CNTPCT_EL0:
        if (write)
            return SYSREG_UNDEFINED;
        *val = read_sysreg(cntpct_el0) - v->domain->vtimer_offset;
        return SYSREG_DONE;
    case DC_ISW:
    case DC_CSW:
    case DC_CISW:
        return set_way(v, write, *val);
    default:
        if (SYSREG_OP0(key) == 2)
            return debug_access(v, key, write, val);
        return is_denied(key) ? SYSREG_UNDEFINED : SYSREG_UNKNOWN;
    }
}

enum sysreg_result sysreg_access(struct vcpu *v, uint32_t key, bool write, uint64_t *val) {
    if (sysreg_is_id(key)) {
        if (write)
            return SYSREG_UNDEFINED;
        *val = guest_idregs[IDREG(SYSREG_CRM(key), SYSREG_OP2(key))];
        return SYSREG_DONE;
    }
    switch (key) {
    case ICC_SGI1R_EL1:
        return sgi(v, write, *val, 1);
    case ICC_SGI0R_EL1:
        return sgi(v, write, *val, 0);
    case ICC_ASGI1R_EL1:
        return sgi(v, write, *val, 0); /* "the other security state's group 1": group 0 here */
    case CNTP_CTL_EL0:
        return ptimer(v, PTIMER_CTL, write, val);
    case CNTP_CVAL_EL0:
        return ptimer(v, PTIMER_CVAL, write, val);
    case CNTP_TVAL_EL0:
        return ptimer(v, PTIMER_TVAL, write, val);
    default:
        return rare_register(v, key, write, val);
    }
}
