/* Stage-2 faults of guests: an emulated device, a retry, or an abort; reading an instruction. */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/mapwin.h>
#include <hv/mmio.h>
#include <hv/p2m.h>
#include <hv/page.h>
#include <hv/timer.h>
#include <hv/vcpu.h>

#include <asm/barrier.h>
#include <asm/guest_regs.h>
#include <asm/guest_state.h>
#include <asm/guest_trap.h>
#include <asm/layout.h>
#include <asm/sysreg.h>
#include <asm/tlb.h>

/* ---- addresses ---- */

/* HPFAR_EL2 holds the IPA but for permission faults outside a stage-1 walk (Arm ARM D19.2.57). */
static bool hpfar_is_valid(uint64_t esr) {
    return (esr & FSC_LEVEL_MASK) != FSC_PERMISSION || (esr & ISS_S1PTW);
}

static uint64_t hpfar_ipa(uint64_t far) {
    return bits_get(read_sysreg(hpfar_el2), 43, 4) << PAGE_SHIFT | (far & ~PAGE_MASK);
}

/* False: the guest changed its stage 1 meanwhile; it takes the fault again, or none. */
static bool fault_ipa(const struct vcpu *v, uint64_t esr, uint64_t far, uint64_t *ipa) {
    if (unlikely(!hpfar_is_valid(esr)))
        return guest_translate_stage1(v, far, ipa);
    *ipa = hpfar_ipa(far);
    return true;
}

/* ---- instructions ---- */

/* A page of the domain's RAM at va, referenced; NULL when there is none. */
static struct page_info *guest_page(struct vcpu *v, vaddr_t va, uint64_t *ipa) {
    enum p2m_type t;

    if (!guest_translate_stage1(v, va, ipa))
        return NULL;
    return p2m_get_page(&v->domain->p2m, ipaddr_to_gfn(ipaddr(*ipa)), &t);
}

/* 2 or 4 bytes of an instruction, as its alignment has them in one page. */
static bool read_code(struct vcpu *v, vaddr_t va, unsigned size, uint32_t *out) {
    uint64_t ipa;
    struct page_info *page = guest_page(v, va, &ipa);
    const char *at;

    if (!page)
        return false;
    at = (const char *)mapwin_map_page(page) + ALIGN_DOWN(ipa & ~PAGE_MASK, (uint64_t)size);
    *out = size == 2 ? READ_ONCE(*(const uint16_t *)at) : READ_ONCE(*(const uint32_t *)at);
    mapwin_unmap(at);
    put_page(page);
    return true;
}

bool guest_read_insn(struct vcpu *v, vaddr_t pc, uint32_t *insn) {
    uint32_t first, second = 0;

    if (!(v->regs->spsr & PSR_AARCH32) || !(v->regs->spsr & PSR32_T))
        return read_code(v, pc, 4, insn);
    if (!read_code(v, pc, 2, &first))
        return false;
    /* 0b11101, 0b11110, 0b11111 begin a 32-bit instruction (Arm ARM F3.1). */
    if (first >> 11 >= 0x1d && !read_code(v, pc + 2, 2, &second))
        return false;
    *insn = first << 16 | second;
    return true;
}

/* ---- aborts ---- */

static void log_fault(struct vcpu *v, const char *what, uint64_t ipa, uint64_t far) {
    uint32_t insn = 0;

    if (log_is_silent(&v->domain->log, time_ns()))
        return;
    if (!guest_read_insn(v, v->regs->pc, &insn))
        insn = 0;
    domain_log(v->domain, "vcpu%u: %s at 0x%llx (va 0x%llx), pc 0x%llx, instruction %08x: abort",
               v->id, what, (unsigned long long)ipa, (unsigned long long)far,
               (unsigned long long)v->regs->pc, insn);
}

/* The table has by now what the access needs: it was being changed when the guest looked (break
 * before make). */
static bool mapped_meanwhile(struct vcpu *v, uint64_t ipa, uint64_t esr, bool exec) {
    enum p2m_type t = P2M_INVALID;
    bool write = !exec && (esr & ISS_WNR) && !(esr & ISS_S1PTW);

    p2m_lookup(&v->domain->p2m, ipaddr_to_gfn(ipaddr(ipa)), &t, NULL);
    switch (t) {
    case P2M_INVALID:
        return false;
    case P2M_MMIO_DIRECT:
        return !exec && !(esr & ISS_S1PTW); /* neither is ever allowed there */
    case P2M_RAM_RW:
    case P2M_XENHEAP_RW:
    case P2M_GRANT_RW:
    case P2M_FOREIGN_RW:
        return !exec || (esr & FSC_LEVEL_MASK) == FSC_TRANSLATION;
    default:
        return !write && (!exec || (esr & FSC_LEVEL_MASK) == FSC_TRANSLATION);
    }
}

static bool is_table_fault(uint64_t esr) {
    uint64_t kind = esr & FSC_LEVEL_MASK;

    return kind == FSC_TRANSLATION || kind == FSC_PERMISSION;
}

/* Two entries for one address in this CPU's TLB: it forgets the lot, and the guest tries again. */
static bool tlb_conflict(uint64_t esr) {
    if ((esr & FSC_MASK) != FSC_TLB_CONFLICT)
        return false;
    tlb_flush_guest_local();
    return true;
}

void guest_data_abort(struct vcpu *v, uint64_t esr, uint64_t far) {
    bool write = esr & ISS_WNR;
    const char *what = write ? "write to nothing" : "read of nothing";
    uint64_t ipa = 0;

    if (tlb_conflict(esr))
        return;
    if (is_table_fault(esr)) {
        if (!fault_ipa(v, esr, far, &ipa) || mapped_meanwhile(v, ipa, esr, false))
            return;
        if (esr & ISS_S1PTW)
            what = "page table in nothing";
        else if ((esr & FSC_LEVEL_MASK) == FSC_PERMISSION)
            what = "access without permission";
        else if (esr & ISS_CM)
            what = "cache operation on nothing";
    } else {
        what = "bus error or unsupported access";
    }
    log_fault(v, what, ipa, far);
    inject_data_abort(v, far, write);
}

void trap_data_abort(struct vcpu *v, struct cpu_regs *regs, uint64_t esr) {
    uint64_t far = read_sysreg(far_data_el2);

    (void)regs;
    if (likely((esr & (FSC_LEVEL_MASK | ISS_S1PTW | ISS_CM)) == FSC_TRANSLATION)) {
        mmio_handle(v, ipaddr(hpfar_ipa(far)), far, esr);
    } else if ((esr & (FSC_LEVEL_MASK | ISS_S1PTW)) == FSC_TRANSLATION &&
               mmio_find(&v->domain->mmio, ipaddr(hpfar_ipa(far)))) {
        vcpu_skip_instruction(v, esr & ESR_IL ? 4 : 2); /* a device has no cached lines */
    } else {
        guest_data_abort(v, esr, far);
    }
}

void trap_insn_abort(struct vcpu *v, struct cpu_regs *regs, uint64_t esr) {
    uint64_t far = read_sysreg(far_insn_el2), ipa = 0;

    (void)regs;
    if (tlb_conflict(esr))
        return;
    if (is_table_fault(esr) &&
        (!fault_ipa(v, esr, far, &ipa) || mapped_meanwhile(v, ipa, esr, true)))
        return;
    log_fault(v, "instruction fetch from nothing", ipa, far);
    inject_insn_abort(v, far);
}
