/*
 * Cache maintenance by set and way. A guest cannot do it for real: it sees one CPU's caches, other
 * CPUs and caches further down keep lines of its memory. What it means to say is "all I wrote is in
 * memory now", and that is done for it by address, over all its RAM.
 *
 * Guests walk all sets and ways in a tight loop; one pass over RAM answers the whole loop. An
 * operation starts a new loop when it repeats the first operand of the loop before, or comes long
 * after the last one (then the guest had time to write something that it now wants cleaned).
 */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/mapwin.h>
#include <hv/timer.h>
#include <hv/vcpu.h>

#include <asm/cache.h>
#include <asm/guest_state.h>

#define LOOP_GAP_NS 1000000u
#define STEP_PAGES 64u /* between preemption points: 256 KiB, 4096 lines */

/* RAM of any kind; device memory is not cached. */
static bool is_cached(enum p2m_type t) {
    return t != P2M_INVALID && t != P2M_MMIO_DIRECT;
}

/*
 * Frames may come and go meanwhile. One that left is cleaned for nothing, which harms nobody:
 * cleaning changes no contents and all RAM can be mapped.
 */
static void clean_all_ram(struct vcpu *v) {
    struct p2m *p2m = &v->domain->p2m;
    uint64_t end = READ_ONCE(p2m->max_mapped_gfn) + 1;
    uint64_t g = 0;

    while (g < end && !(READ_ONCE(v->work) & VCPU_WORK_STOP)) {
        enum p2m_type t = P2M_INVALID;
        unsigned order = 0;
        mfn_t m = p2m_lookup(p2m, gfn(g), &t, &order);
        uint64_t block_end = ALIGN_DOWN(g, 1ULL << order) + (1ULL << order);

        if (!is_cached(t)) {
            g = block_end;
        } else {
            uint64_t pages = MIN(block_end - g, (uint64_t)STEP_PAGES);
            uint64_t n = mapwin_reach(mfn_to_paddr(m), pages << PAGE_SHIFT);
            void *at = mapwin_map(mfn_to_paddr(m));

            dcache_clean_inval_poc(at, n);
            mapwin_unmap(at);
            g += n >> PAGE_SHIFT;
        }
        preempt_point();
    }
}

void setway_access(struct vcpu *v, uint64_t operand) {
    struct setway_state *s = &v->arch.setway;
    uint64_t now = time_ticks();
    bool new_loop =
        !s->seen || operand == s->first_operand || now - s->last_ticks > ns_to_ticks(LOOP_GAP_NS);

    if (new_loop) {
        s->seen = true;
        s->first_operand = operand;
        clean_all_ram(v);
    }
    s->last_ticks = time_ticks();
}
