/*
 * Floor 1: forgetting translations, on all CPUs. Each function starts with the barrier that makes
 * earlier descriptor writes visible to the walkers and returns when no CPU uses the old entry
 * any more (Arm ARM ARMv7-A B3.10).
 */
#ifndef ASM_TLB_H
#define ASM_TLB_H

#include <hv/types.h>

#include <asm/sysreg.h>

#define TLBIALLIS 32, "p15, 0, %0, c8, c3, 0"
#define TLBIALL 32, "p15, 0, %0, c8, c7, 0"
#define TLBIALLNSNHIS 32, "p15, 4, %0, c8, c3, 4"
#define TLBIALLHIS 32, "p15, 4, %0, c8, c3, 0"
#define TLBIALLH 32, "p15, 4, %0, c8, c7, 0"
#define TLBIMVAHIS 32, "p15, 4, %0, c8, c3, 1"
#define TLBIMVAH 32, "p15, 4, %0, c8, c7, 1"

/* New entries where nothing was: no invalidation, but the walkers must see them before anyone
 * relies on them. */
static inline void tlb_sync_new(void) {
    __asm__ volatile("dsb ishst\n\tisb" ::: "memory");
}

/*
 * Everything of one VMID: both stages. In Hyp mode these operations act on the VMID in VTTBR; the
 * guest's registers are not in use meanwhile, so another domain's may be in place for a moment.
 */
static inline void tlb_flush_vmid(uint64_t vttbr) {
    uint64_t old = read_sysreg(VTTBR);

    __asm__ volatile("dsb ishst" ::: "memory");
    if (old != vttbr) {
        write_sysreg(vttbr, VTTBR);
        __asm__ volatile("isb" ::: "memory");
    }
    write_sysreg(0, TLBIALLIS);
    __asm__ volatile("dsb ish\n\tisb" ::: "memory");
    if (old != vttbr) {
        write_sysreg(old, VTTBR);
        __asm__ volatile("isb" ::: "memory");
    }
}

/* Armv7 has no invalidation by intermediate address. */
static inline void tlb_flush_ipa(uint64_t vttbr, uint64_t ipa, uint64_t count, uint64_t stride) {
    (void)ipa;
    (void)count;
    (void)stride;
    tlb_flush_vmid(vttbr);
}

/* All VMIDs, when VMIDs are taken into use again. */
static inline void tlb_flush_all_guests(void) {
    __asm__ volatile("dsb ishst" ::: "memory");
    write_sysreg(0, TLBIALLNSNHIS);
    __asm__ volatile("dsb ish\n\tisb" ::: "memory");
}

/* The current guest's entries of both stages, on this CPU alone. */
static inline void tlb_flush_guest_local(void) {
    write_sysreg(0, TLBIALL);
    __asm__ volatile("dsb nsh\n\tisb" ::: "memory");
}
/* Those of stage 1: Armv7 has no such operation. */
static inline void tlb_flush_stage1_local(void) {
    tlb_flush_guest_local();
}
/* All of the hypervisor's own mappings, on this CPU alone. */
static inline void tlb_flush_hyp_local(void) {
    __asm__ volatile("dsb ishst" ::: "memory");
    write_sysreg(0, TLBIALLH);
    __asm__ volatile("dsb nsh\n\tisb" ::: "memory");
}
/* One page of them. */
static inline void tlb_flush_hyp_page_local(vaddr_t va) {
    __asm__ volatile("dsb nshst" ::: "memory");
    write_sysreg(va & ~(PAGE_SIZE - 1), TLBIMVAH);
    __asm__ volatile("dsb nsh\n\tisb" ::: "memory");
}

/* The hypervisor's own mappings; past this many entries all of them. */
#define TLB_HYP_MAX_VA 64u
static inline void tlb_flush_hyp(vaddr_t va, uint64_t size) {
    uint32_t pages = (uint32_t)(size >> PAGE_SHIFT);

    __asm__ volatile("dsb ishst" ::: "memory");
    if (pages > TLB_HYP_MAX_VA) {
        write_sysreg(0, TLBIALLHIS);
    } else {
        for (; pages; pages--, va += PAGE_SIZE)
            write_sysreg(va & ~(PAGE_SIZE - 1), TLBIMVAHIS);
    }
    __asm__ volatile("dsb ish\n\tisb" ::: "memory");
}

#endif
