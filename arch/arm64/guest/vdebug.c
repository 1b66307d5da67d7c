/*
 * Self-hosted debug of guests (Arm ARM D2): breakpoints, watchpoints, single step.
 *
 * The registers are many and hardly ever used, so they are switched lazily: while a vCPU has
 * nothing enabled in MDSCR_EL1 every access to debug registers traps (MDCR_EL2.TDA) and works on
 * struct debug_state. When the guest enables something the state goes into hardware and the traps
 * off, until a switch finds it all disabled again. The OS lock and the external debug interface
 * always trap.
 */
#include <hv/vcpu.h>

#include <asm/barrier.h>
#include <asm/features.h>
#include <asm/guest_regs.h>
#include <asm/guest_state.h>
#include <asm/sysreg.h>

#define MDCR_ALWAYS (MDCR_TPM | MDCR_TPMCR | MDCR_TDOSA | MDCR_TDRA | MDCR_TPMS | MDCR_TTRF)

/* Control fields that exist; the rest reads as zero. */
#define DBGBCR_FIELDS 0x00ffe1e7ULL
#define DBGWCR_FIELDS 0x1f1fffffULL
#define MDSCR_FIELDS (MDSCR_SS | MDSCR_MDE | BIT(12) /* TDCC */ | BIT(13) /* KDE */)

#define OSLSR_OSLK BIT(1)
#define OSLSR_OSLM BIT(3) /* the lock is implemented */

/* Per CPU: HPMN must be the number of counters there are, or the guest's (trapped) counters behave
 * as EL2's. */
static DEFINE_PER_CPU(uint64_t, mdcr_base);

static bool wants_hardware(const struct debug_state *s) {
    return !s->os_lock && (s->mdscr & (MDSCR_SS | MDSCR_MDE));
}

/* ---- the numbered registers: an instruction names one of them, so each number is a case ---- */

#define FOR_16(X)                                                                                  \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

#define LOAD_BREAKPOINT(n)                                                                         \
    case n:                                                                                        \
        write_sysreg(s->bvr[n], dbgbvr##n##_el1);                                                  \
        write_sysreg(s->bcr[n], dbgbcr##n##_el1);                                                  \
        break;
#define SAVE_BREAKPOINT(n)                                                                         \
    case n:                                                                                        \
        s->bvr[n] = read_sysreg(dbgbvr##n##_el1);                                                  \
        s->bcr[n] = read_sysreg(dbgbcr##n##_el1);                                                  \
        break;
#define LOAD_WATCHPOINT(n)                                                                         \
    case n:                                                                                        \
        write_sysreg(s->wvr[n], dbgwvr##n##_el1);                                                  \
        write_sysreg(s->wcr[n], dbgwcr##n##_el1);                                                  \
        break;
#define SAVE_WATCHPOINT(n)                                                                         \
    case n:                                                                                        \
        s->wvr[n] = read_sysreg(dbgwvr##n##_el1);                                                  \
        s->wcr[n] = read_sysreg(dbgwcr##n##_el1);                                                  \
        break;

static void load_hardware(const struct vcpu *v) {
    const struct debug_state *s = &v->arch.debug;

    for (unsigned i = 0; i < cpu_features.nr_breakpoints; i++)
        switch (i) { FOR_16(LOAD_BREAKPOINT) }
    for (unsigned i = 0; i < cpu_features.nr_watchpoints; i++)
        switch (i) { FOR_16(LOAD_WATCHPOINT) }
    if (cpu_features.aarch32_el1)
        write_sysreg(s->vcr, dbgvcr32_el2);
    write_sysreg(s->mdscr, mdscr_el1);
    write_sysreg(this_cpu(mdcr_base), mdcr_el2);
}

/* Leaves the hardware with nothing enabled and the traps on. */
static void save_hardware(struct vcpu *v) {
    struct debug_state *s = &v->arch.debug;

    s->mdscr = read_sysreg(mdscr_el1) & MDSCR_FIELDS;
    write_sysreg(0, mdscr_el1);
    for (unsigned i = 0; i < cpu_features.nr_breakpoints; i++)
        switch (i) { FOR_16(SAVE_BREAKPOINT) }
    for (unsigned i = 0; i < cpu_features.nr_watchpoints; i++)
        switch (i) { FOR_16(SAVE_WATCHPOINT) }
    if (cpu_features.aarch32_el1)
        s->vcr = (uint32_t)read_sysreg(dbgvcr32_el2);
    write_sysreg(this_cpu(mdcr_base) | MDCR_TDA, mdcr_el2);
}

static void set_live(struct vcpu *v, bool live) {
    if (v->arch.debug.live == live)
        return;
    v->arch.debug.live = live;
    if (live)
        load_hardware(v);
    else
        save_hardware(v);
    isb();
}

void debug_save(struct vcpu *v) {
    struct debug_state *s = &v->arch.debug;

    if (likely(!s->live))
        return;
    save_hardware(v);
    s->live = wants_hardware(s);
}

void debug_load(struct vcpu *v) {
    if (unlikely(v->arch.debug.live))
        load_hardware(v);
}

void debug_init_cpu(void) {
    uint64_t hpmn = cpu_features.pmu ? (read_sysreg(pmcr_el0) >> 11) & 31 : 0;

    this_cpu(mdcr_base) = MDCR_ALWAYS | hpmn;
    /* Firmware may leave the OS lock on, which would silence all debug exceptions. */
    write_sysreg(0, oslar_el1);
    write_sysreg(0, mdscr_el1);
    write_sysreg(this_cpu(mdcr_base) | MDCR_TDA, mdcr_el2);
}

/* ---- trapped accesses ---- */

static enum sysreg_result field(uint64_t *reg, uint64_t fields, bool write, uint64_t *val) {
    if (write)
        *reg = *val & fields;
    else
        *val = *reg;
    return SYSREG_DONE;
}

static enum sysreg_result read_only(uint64_t value, bool write, uint64_t *val) {
    if (write)
        return SYSREG_UNDEFINED;
    *val = value;
    return SYSREG_DONE;
}

static enum sysreg_result raz_wi(bool write, uint64_t *val) {
    if (!write)
        *val = 0;
    return SYSREG_DONE;
}

/* CRn = 0, CRm = n, op2 = 4..7: value and control registers of slot n. */
static enum sysreg_result slot_access(struct debug_state *s, uint32_t key, bool write,
                                      uint64_t *val) {
    unsigned n = SYSREG_CRM(key);
    bool watch = SYSREG_OP2(key) >= 6;

    if (n >= (watch ? cpu_features.nr_watchpoints : cpu_features.nr_breakpoints))
        return SYSREG_UNDEFINED;
    switch (SYSREG_OP2(key)) {
    case 4:
        return field(&s->bvr[n], ~0ULL, write, val);
    case 5:
        return field(&s->bcr[n], DBGBCR_FIELDS, write, val);
    case 6:
        return field(&s->wvr[n], ~3ULL, write, val);
    default:
        return field(&s->wcr[n], DBGWCR_FIELDS, write, val);
    }
}

#define OSDTRRX_EL1 SYSREG(2, 0, 0, 0, 2)
#define MDCCINT_EL1 SYSREG(2, 0, 0, 2, 0)
#define MDSCR_EL1 SYSREG(2, 0, 0, 2, 2)
#define OSDTRTX_EL1 SYSREG(2, 0, 0, 3, 2)
#define OSECCR_EL1 SYSREG(2, 0, 0, 6, 2)
#define MDRAR_EL1 SYSREG(2, 0, 1, 0, 0)
#define OSLAR_EL1 SYSREG(2, 0, 1, 0, 4)
#define OSLSR_EL1 SYSREG(2, 0, 1, 1, 4)
#define OSDLR_EL1 SYSREG(2, 0, 1, 3, 4)
#define DBGPRCR_EL1 SYSREG(2, 0, 1, 4, 4)
#define DBGCLAIMSET_EL1 SYSREG(2, 0, 7, 8, 6)
#define DBGCLAIMCLR_EL1 SYSREG(2, 0, 7, 9, 6)
#define DBGAUTHSTATUS_EL1 SYSREG(2, 0, 7, 14, 6)
#define MDCCSR_EL0 SYSREG(2, 3, 0, 1, 0)
#define DBGDTR_EL0 SYSREG(2, 3, 0, 4, 0)
#define DBGDTRRX_EL0 SYSREG(2, 3, 0, 5, 0)

/* No debugger is ever attached to the debug communication channel. */
static enum sysreg_result channel_access(uint32_t key, bool write, uint64_t *val) {
    switch (key) {
    case OSDTRRX_EL1:
    case OSDTRTX_EL1:
    case OSECCR_EL1:
    case MDCCINT_EL1:
    case DBGDTR_EL0:
    case DBGDTRRX_EL0:
    case DBGPRCR_EL1:
    case OSDLR_EL1:
    case DBGCLAIMSET_EL1:
    case DBGCLAIMCLR_EL1:
        return raz_wi(write, val);
    case MDRAR_EL1:
    case MDCCSR_EL0:
    case DBGAUTHSTATUS_EL1:
        return read_only(0, write, val);
    default:
        return SYSREG_UNKNOWN;
    }
}

enum sysreg_result debug_access(struct vcpu *v, uint32_t key, bool write, uint64_t *val) {
    struct debug_state *s = &v->arch.debug;
    enum sysreg_result result;

    switch (key) {
    case MDSCR_EL1:
        result = field(&s->mdscr, MDSCR_FIELDS, write, val);
        set_live(v, wants_hardware(s));
        return result;
    case OSLAR_EL1:
        if (!write)
            return SYSREG_UNDEFINED;
        if (s->live)
            set_live(v, false);
        s->os_lock = *val & 1;
        set_live(v, wants_hardware(s));
        return SYSREG_DONE;
    case OSLSR_EL1:
        return read_only(OSLSR_OSLM | (s->os_lock ? OSLSR_OSLK : 0), write, val);
    default:
        if (SYSREG_OP1(key) == 0 && SYSREG_CRN(key) == 0 && SYSREG_OP2(key) >= 4)
            return slot_access(s, key, write, val);
        return channel_access(key, write, val);
    }
}
