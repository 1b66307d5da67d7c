/* A small machine for tests of common/mm: RAM, frame table, a TLB, locks that check ranks, a panic
 * that can be caught. */
#ifndef FAKE_MM_WORLD_H
#define FAKE_MM_WORLD_H

#include <setjmp.h>

#include <hv/p2m.h>
#include <hv/page.h>

#ifndef HV_DOMAIN_H /* a test of the upper floors brings the real one */
struct domain {
    struct domain_pages pages;
    struct p2m p2m;
};
#endif

/* RAM of `size` bytes from `base`, all contents and page_infos garbage; no bank added yet. */
void world_create(uint64_t base, uint64_t size);
/* With one bank over all of it and the page allocator running. */
void world_boot(uint64_t base, uint64_t size);
void world_destroy(void);

/* No lock is held, no table of locks in disorder. */
void world_check_locks(void);

/* So many times spin_trylock() finds the lock taken. */
extern unsigned fake_trylock_fails;

/* ---- TLB ---- */
/* The guest touches gfn: what the table says now is remembered. */
void tlb_touch(struct p2m *p2m, uint64_t gfn);
/* Entries that no longer say what the table says. */
unsigned tlb_count_stale(struct p2m *p2m);
/* Entries of this VMID that lead to the frame. */
unsigned tlb_count_to(uint64_t mfn);
void tlb_forget_all(void);
extern unsigned tlb_flushes_vmid, tlb_flushes_ipa, tlb_flushes_hyp;
extern void (*tlb_flush_hook)(void); /* before a flush of a guest's entries; NULL: nothing */

/* ---- messages and panics ---- */
extern char last_message[512];
extern unsigned messages;
extern jmp_buf panic_jmp;
extern int panic_expected;
#define EXPECT_PANIC(statement)                                                                    \
    do {                                                                                           \
        panic_expected = 1;                                                                        \
        if (!setjmp(panic_jmp)) {                                                                  \
            statement;                                                                             \
            panic_expected = 0;                                                                    \
            fail_msg("no panic: %s", #statement);                                                  \
        }                                                                                          \
        panic_expected = 0;                                                                        \
        world_reset_locks();                                                                       \
    } while (0)
void world_reset_locks(void);

#endif
