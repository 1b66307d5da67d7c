/*
 * Grant-table hypercalls of three domains over the real memory core, with arguments of any
 * contents, while the guests write their tables at any time. Now and then the memory core is
 * audited; after the domains' end all their memory is free.
 */
/* clang-format off */
/* SOURCES: common/mm/boot_mem.c common/mm/heap.c common/mm/fresh.c common/mm/xenheap.c common/mm/page_owner.c common/mm/page_ref.c common/mm/static_mem.c common/mm/pt.c common/mm/pt_page.c common/mm/pt_read.c common/mm/p2m.c common/mm/p2m_global.c common/mm/p2m_map.c common/mm/p2m_unmap.c common/mm/p2m_pool.c common/mm/p2m_populate.c common/mm/p2m_audit.c common/abi/grant_entry.c common/abi/grant_map.c common/abi/grant_copy.c common/abi/grant_op.c common/abi/grant_frames.c common/abi/maptrack.c tests/fake/mm_world.c */
/* clang-format on */
#include "fuzz.h"

#include "../unit/grant_world.h"

#define NR_RAM 8u
#define FIRST_GFN 0x40000ULL

static uint64_t results[16]; /* where a call may write lists */

static uint64_t address(void) {
    return eat(1) % 16 ? (FIRST_GFN + eat(1) % 24) << PAGE_SHIFT : eat(8);
}
static uint32_t small(void) {
    return eat(1) % 16 ? (uint32_t)eat(1) % 24 : (uint32_t)eat(4);
}
static domid_t whom(void) {
    return (domid_t)(eat(1) % 8 ? 1 + eat(1) % NR_DOMS : eat(2));
}

static void fill_copy_end(struct gnttab_copy *c, bool source) {
    bool by_gfn = eat(1) & 1;
    uint64_t frame = FIRST_GFN + eat(1) % 24;
    uint32_t ref = small();

    if (source) {
        c->source.domid = by_gfn ? DOMID_SELF : whom();
        by_gfn ? (void)(c->source.u.gmfn = frame) : (void)(c->source.u.ref = ref);
        c->source.offset = (uint16_t)eat(2);
        c->flags |= by_gfn ? 0 : GNTCOPY_source_gref;
    } else {
        c->dest.domid = by_gfn ? DOMID_SELF : whom();
        by_gfn ? (void)(c->dest.u.gmfn = frame) : (void)(c->dest.u.ref = ref);
        c->dest.offset = (uint16_t)eat(2);
        c->flags |= by_gfn ? 0 : GNTCOPY_dest_gref;
    }
}

static void call(struct domain *d) {
    union {
        struct gnttab_map_grant_ref map;
        struct gnttab_unmap_grant_ref unmap;
        struct gnttab_setup_table setup;
        struct gnttab_copy copy;
        struct gnttab_query_size query;
        struct gnttab_set_version version;
        struct gnttab_get_status_frames status;
        struct gnttab_swap_grant_ref swap;
        struct gnttab_cache_flush flush;
        uint8_t bytes[64];
    } op[2];
    unsigned cmd = (unsigned)eat(1) % 16, count = 1 + (unsigned)eat(1) % 2;

    for (unsigned i = 0; i < count; i++) {
        eat_into(&op[i], 4);
        memset(op[i].bytes + 4, 0, sizeof(op[i]) - 4);
        switch (cmd) {
        case GNTTABOP_map_grant_ref:
            op[i].map = (struct gnttab_map_grant_ref){
                .host_addr = address(), .flags = (uint32_t)eat(1), .ref = small(), .dom = whom()};
            break;
        case GNTTABOP_unmap_grant_ref:
            op[i].unmap =
                (struct gnttab_unmap_grant_ref){.host_addr = address(), .handle = small()};
            break;
        case GNTTABOP_setup_table:
            op[i].setup.dom = DOMID_SELF;
            op[i].setup.nr_frames = (uint32_t)eat(1) % 5;
            op[i].setup.frame_list.p = (void *)results;
            break;
        case GNTTABOP_get_status_frames:
            op[i].status.dom = DOMID_SELF;
            op[i].status.nr_frames = (uint32_t)eat(1) % 5;
            op[i].status.frame_list.p = results;
            break;
        case GNTTABOP_copy:
            op[i].copy.flags = (uint16_t)eat(1) & ~(GNTCOPY_source_gref | GNTCOPY_dest_gref);
            fill_copy_end(&op[i].copy, true);
            fill_copy_end(&op[i].copy, false);
            op[i].copy.len = (uint16_t)eat(2);
            break;
        case GNTTABOP_set_version:
            op[i].version.version = (uint32_t)eat(1) % 4;
            break;
        case GNTTABOP_swap_grant_ref:
            op[i].swap.ref_a = small();
            op[i].swap.ref_b = small();
            break;
        case GNTTABOP_cache_flush:
            continue; /* by address: nothing here stands for a cache */
        default:
            op[i].query.dom = whom();
            break;
        }
    }
    if (cmd != GNTTABOP_cache_flush)
        (void)grant_op(d, cmd, op, count);
}

/* An entry of either version, most often one that somebody could use. */
static void write_table(struct domain *d) {
    uint8_t *frame = d->abi->grant.frame[0];
    unsigned ref = (unsigned)eat(1) % 24;

    if (!frame)
        return;
    if (eat(1) & 1) {
        struct grant_entry_v1 *e = (void *)(frame + ref * sizeof(*e));

        e->domid = whom();
        e->frame = (uint32_t)(FIRST_GFN + eat(1) % 24);
        e->flags = (uint16_t)eat(1);
    } else {
        eat_into(frame + ref * sizeof(union grant_entry_v2), sizeof(union grant_entry_v2));
    }
}

static void check(void) {
    world_check_locks();
    for (unsigned n = 0; n < NR_DOMS; n++) {
        HOLDS(!p2m_audit(&dom[n]->p2m));
        HOLDS(!grant_audit(dom[n]));
        HOLDS(!tlb_count_stale(&dom[n]->p2m));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool booted;
    uint64_t free_before;
    unsigned steps = 0;

    if (!booted) {
        world_boot(BASE, RAM_SIZE);
        p2m_global_init();
        booted = true;
    }
    free_before = heap_free_pages();
    input_is(data, size);
    for (unsigned n = 0; n < NR_DOMS; n++) {
        HOLDS(world_domain(n, 60));
        HOLDS(!p2m_populate(&dom[n]->p2m, gfn(FIRST_GFN), NR_RAM));
    }
    while (input_left) {
        struct domain *d = dom[eat(1) % NR_DOMS];

        switch (eat(1) % 4) {
        case 0:
            write_table(d);
            break;
        case 1:
            (void)p2m_unmap(&d->p2m, gfn(FIRST_GFN + eat(1) % 24), 1);
            break;
        default:
            call(d);
            break;
        }
        world_check_locks();
        if (!(++steps % 16))
            check();
    }
    check();
    for (unsigned n = 0; n < NR_DOMS; n++)
        world_kill(n);
    HOLDS(!shells && heap_free_pages() == free_before);
    return 0;
}
