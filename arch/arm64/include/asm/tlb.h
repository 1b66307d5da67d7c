/*
 * Floor 1: forgetting translations, on all CPUs. Each function starts with the barrier that makes
 * earlier descriptor writes visible to the walkers and returns when no CPU uses the old entry
 * any more (Arm ARM D8.17).
 */
#ifndef ASM_TLB_H
#define ASM_TLB_H

#include <hv/types.h>

#include <asm/sysreg.h>

/* New entries where nothing was: no invalidation, but the walkers must see them before anyone
 * relies on them. */
static inline void tlb_sync_new(void) {
    __asm__ volatile("dsb ishst\n\tisb" ::: "memory");
}

/*
 * TLBI by VMID acts on the VMID in VTTBR_EL2. The guest's registers are not in use while EL2 runs,
 * so another domain's VTTBR may be in place for a moment. Several cores walk speculatively even
 * then (errata of Cortex-A55, A57, A72, A76): stage 1 is made to need a walk and its walks are off
 * meanwhile, or one guest's addresses would be remembered under the other's VMID.
 */
struct tlb_context {
    uint64_t vttbr, tcr, sctlr;
};

#define TLB_TCR_EPD (1ULL << 7 | 1ULL << 23) /* TCR_EL1: no walks by TTBR0_EL1, TTBR1_EL1 */
#define TLB_SCTLR_M 1ULL

static inline struct tlb_context tlb_enter_vmid(uint64_t vttbr) {
    struct tlb_context old = {.vttbr = read_sysreg(vttbr_el2)};

    __asm__ volatile("dsb ishst" ::: "memory");
    if (unlikely(old.vttbr != vttbr)) {
        old.tcr = read_sysreg(tcr_el1);
        old.sctlr = read_sysreg(sctlr_el1);
        write_sysreg(old.tcr | TLB_TCR_EPD, tcr_el1);
        __asm__ volatile("isb" ::: "memory");
        write_sysreg(old.sctlr | TLB_SCTLR_M, sctlr_el1);
        __asm__ volatile("isb" ::: "memory");
        write_sysreg(vttbr, vttbr_el2);
        __asm__ volatile("isb" ::: "memory");
    }
    return old;
}
static inline void tlb_leave_vmid(uint64_t vttbr, struct tlb_context old) {
    if (unlikely(old.vttbr != vttbr)) {
        write_sysreg(old.vttbr, vttbr_el2);
        __asm__ volatile("isb" ::: "memory");
        write_sysreg(old.sctlr, sctlr_el1);
        __asm__ volatile("isb" ::: "memory");
        write_sysreg(old.tcr, tcr_el1);
    }
}

/* Everything of one VMID: both stages, tables included. */
static inline void tlb_flush_vmid(uint64_t vttbr) {
    struct tlb_context old = tlb_enter_vmid(vttbr);

    __asm__ volatile("tlbi vmalls12e1is\n\tdsb ish\n\tisb" ::: "memory");
    tlb_leave_vmid(vttbr, old);
}

/*
 * Leaves at `count` intermediate addresses, `stride` bytes apart, with the walks that led to them.
 * What stage 1 and 2 made together is tagged by virtual address only, so all of stage 1 goes as
 * well.
 */
static inline void tlb_flush_ipa(uint64_t vttbr, uint64_t ipa, uint64_t count, uint64_t stride) {
    struct tlb_context old = tlb_enter_vmid(vttbr);

    for (; count; count--, ipa += stride)
        __asm__ volatile("tlbi ipas2e1is, %0" ::"r"(ipa >> PAGE_SHIFT) : "memory");
    __asm__ volatile("dsb ish\n\ttlbi vmalle1is\n\tdsb ish\n\tisb" ::: "memory");
    tlb_leave_vmid(vttbr, old);
}

/* All VMIDs, when VMIDs are taken into use again. */
static inline void tlb_flush_all_guests(void) {
    __asm__ volatile("dsb ishst\n\ttlbi alle1is\n\tdsb ish\n\tisb" ::: "memory");
}

/* The current guest's entries of both stages, on this CPU alone. */
static inline void tlb_flush_guest_local(void) {
    __asm__ volatile("tlbi vmalls12e1\n\tdsb nsh\n\tisb" ::: "memory");
}
/* Those of stage 1, for what follows an isb(). */
static inline void tlb_flush_stage1_local(void) {
    __asm__ volatile("tlbi vmalle1\n\tdsb nsh" ::: "memory");
}
/* All of the hypervisor's own mappings, on this CPU alone. */
static inline void tlb_flush_hyp_local(void) {
    __asm__ volatile("dsb ishst\n\ttlbi alle2\n\tdsb nsh\n\tisb" ::: "memory");
}

/* The hypervisor's own mappings; past this many entries all of them. */
#define TLB_HYP_MAX_VA 64u
static inline void tlb_flush_hyp(vaddr_t va, uint64_t size) {
    uint64_t pages = size >> PAGE_SHIFT;

    __asm__ volatile("dsb ishst" ::: "memory");
    if (pages > TLB_HYP_MAX_VA) {
        __asm__ volatile("tlbi alle2is" ::: "memory");
    } else {
        for (uint64_t n = va >> PAGE_SHIFT; pages; pages--, n++)
            __asm__ volatile("tlbi vae2is, %0" ::"r"(n) : "memory");
    }
    __asm__ volatile("dsb ish\n\tisb" ::: "memory");
}

#endif
