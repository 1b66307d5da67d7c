/* One grant against a granter that rewrites its entry meanwhile, and what the model test seldom
 * meets. */
/* clang-format off */
/* SOURCES: common/mm/boot_mem.c common/mm/heap.c common/mm/fresh.c common/mm/xenheap.c common/mm/page_owner.c common/mm/page_ref.c common/mm/static_mem.c common/mm/pt.c common/mm/pt_page.c common/mm/pt_read.c common/mm/p2m.c common/mm/p2m_global.c common/mm/p2m_map.c common/mm/p2m_unmap.c common/mm/p2m_pool.c common/mm/p2m_populate.c common/mm/p2m_audit.c common/abi/grant_entry.c common/abi/grant_map.c common/abi/grant_copy.c common/abi/grant_op.c common/abi/grant_frames.c common/abi/maptrack.c tests/fake/mm_world.c */
/* clang-format on */
#include "grant_world.h"

#include <pthread.h>
#include <sched.h>

#define RACES 4000000u /* that the user wins */

/* Now and then, so that one CPU is enough. */
static void breathe(void) {
    static __thread unsigned n;

    if (++n % 64 == 0)
        sched_yield();
}
#define WORD(flags, domid) ((uint32_t)(flags) | (uint32_t)(domid) << 16)

/* ---- races: a second thread is the granter ---- */

static uint32_t word;
static uint16_t status;
static bool stop, granted; /* granted: not taken back, as the granter sees it */

/* Grants to domain 2 and takes it back as a guest does: only while no mark is set. */
static void *revoke_v1(void *arg) {
    (void)arg;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        uint32_t old;

        __atomic_store_n(&granted, true, __ATOMIC_SEQ_CST);
        __atomic_store_n(&word, WORD(GTF_permit_access, 2), __ATOMIC_SEQ_CST);
        do { /* it fails for as long as the grant is marked */
            breathe();
            old = WORD(GTF_permit_access, 2);
        } while (!__atomic_compare_exchange_n(&word, &old, 0, false, __ATOMIC_SEQ_CST,
                                              __ATOMIC_RELAXED) &&
                 !__atomic_load_n(&stop, __ATOMIC_RELAXED));
        __atomic_store_n(&granted, false, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static void marking_races_revoking_v1(void **state) {
    unsigned taken = 0;
    pthread_t granter;
    uint16_t flags;

    (void)state;
    stop = false;
    word = 0;
    assert_int_equal(pthread_create(&granter, NULL, revoke_v1, NULL), 0);
    while (taken < RACES) {
        if (grant_mark_v1(&word, 2, 0, &flags)) {
            breathe();
            continue;
        }
        taken++;
        assert_int_equal(flags & GTF_type_mask, GTF_permit_access);
        /* It stays granted and marked until we are done. */
        assert_true(__atomic_load_n(&granted, __ATOMIC_SEQ_CST));
        for (unsigned k = 0; k < 3; k++)
            assert_int_equal(__atomic_load_n(&word, __ATOMIC_ACQUIRE),
                             WORD(GTF_permit_access | GTF_reading | GTF_writing, 2));
        __atomic_fetch_and(&word, ~(uint32_t)(GTF_reading | GTF_writing), __ATOMIC_RELEASE);
    }
    stop = true;
    pthread_join(granter, NULL);
}

/* Version 2: invalid first, then a look at the marks; only then it is taken back. */
static void *revoke_v2(void *arg) {
    (void)arg;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        __atomic_store_n(&granted, true, __ATOMIC_SEQ_CST);
        __atomic_store_n(&word, WORD(GTF_permit_access, 2), __ATOMIC_SEQ_CST);
        breathe();
        __atomic_store_n(&word, 0, __ATOMIC_SEQ_CST);
        if (!(__atomic_load_n(&status, __ATOMIC_SEQ_CST) & (GTF_reading | GTF_writing)))
            __atomic_store_n(&granted, false, __ATOMIC_SEQ_CST);
        else
            while (__atomic_load_n(&status, __ATOMIC_SEQ_CST) &&
                   !__atomic_load_n(&stop, __ATOMIC_RELAXED))
                ;
    }
    return NULL;
}

static void marking_races_revoking_v2(void **state) {
    unsigned taken = 0;
    pthread_t granter;
    uint16_t flags;

    (void)state;
    stop = false;
    word = status = 0;
    assert_int_equal(pthread_create(&granter, NULL, revoke_v2, NULL), 0);
    while (taken < RACES) {
        if (grant_mark_v2(&word, &status, 2, 0, &flags)) {
            breathe();
            assert_int_equal(__atomic_load_n(&status, __ATOMIC_SEQ_CST), 0);
            continue;
        }
        taken++;
        for (unsigned k = 0; k < 3; k++)
            assert_true(__atomic_load_n(&granted, __ATOMIC_SEQ_CST));
        __atomic_store_n(&status, 0, __ATOMIC_SEQ_CST);
    }
    stop = true;
    pthread_join(granter, NULL);
}

/* ---- one at a time ---- */

static void what_a_word_permits(void **state) {
    static const struct {
        uint16_t flags, domid;
        unsigned how;
        int v1, v2;
    } table[] = {
        {GTF_permit_access, 2, 0, 0, 0},
        {GTF_permit_access, 3, 0, -1, -1},
        {GTF_permit_access | GTF_readonly, 2, 0, -1, -1},
        {GTF_permit_access | GTF_readonly, 2, GRANT_READONLY, 0, 0},
        {GTF_permit_access | GTF_sub_page, 2, 0, 0, 0},
        {GTF_permit_access | GTF_sub_page, 2, GRANT_MAP, -1, -1},
        {GTF_transitive, 2, 0, -1, 0},
        {GTF_transitive, 2, GRANT_MAP, -1, -1},
        {GTF_accept_transfer, 2, GRANT_READONLY, -1, -1},
        {GTF_invalid, 2, GRANT_READONLY, -1, -1},
    };
    uint16_t flags;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        uint16_t bits = table[i].how & GRANT_READONLY ? GTF_reading : GTF_reading | GTF_writing;
        uint32_t before = WORD(table[i].flags, table[i].domid);

        word = before;
        assert_int_equal(grant_mark_v1(&word, 2, table[i].how, &flags), table[i].v1);
        assert_int_equal(word, table[i].v1 ? before : before | bits);
        word = before;
        status = 0;
        assert_int_equal(grant_mark_v2(&word, &status, 2, table[i].how, &flags), table[i].v2);
        assert_int_equal(word, before);
        assert_int_equal(status, table[i].v2 ? 0 : bits);
    }
}

/* ---- domains ---- */

static union grant_entry_v2 *entry(unsigned d, unsigned ref) {
    return (union grant_entry_v2 *)dom[d]->abi->grant.frame[0] + ref;
}

static int take(unsigned granter, unsigned ref, unsigned user, unsigned how) {
    struct grant_use use;
    int rc;

    domain_hold(dom[granter]);
    rc = grant_take(dom[granter], ref, dom[user], how, &use);
    if (!rc)
        grant_drop(&use);
    else
        domain_put(dom[granter]);
    for (unsigned d = 0; d < NR_DOMS; d++) {
        assert_int_equal(dom[d]->abi->grant.uses, 0);
        assert_int_equal(dom[d]->refs, 1);
        for (unsigned r = 0; r < 16; r++)
            assert_int_equal(((uint16_t *)dom[d]->abi->grant.status[0])[r], 0);
    }
    world_check_locks();
    return rc;
}

static void setup_domains(void) {
    for (unsigned d = 0; d < NR_DOMS; d++) {
        struct gnttab_set_version op = {.version = 2};

        assert_non_null(world_domain(d, 60));
        assert_int_equal(p2m_populate(&dom[d]->p2m, gfn(0x40000), 8), 0);
        assert_int_equal(grant_op(dom[d], GNTTABOP_set_version, &op, 1), 0);
    }
}

static void transitive(void **state) {
    (void)state;
    setup_domains();
    entry(0, 1)->full_page.frame = 0x40003;
    entry(0, 1)->hdr = (grant_entry_header_t){GTF_permit_access | GTF_readonly, 2};
    entry(1, 2)->transitive.trans_domid = 1;
    entry(1, 2)->transitive.gref = 1;
    entry(1, 2)->hdr = (grant_entry_header_t){GTF_transitive, 3};
    assert_int_equal(take(1, 2, 2, GRANT_READONLY), GNTST_okay);
    assert_int_equal(take(1, 2, 2, 0), GNTST_general_error); /* read-only */
    assert_int_equal(take(1, 2, 2, GRANT_READONLY | GRANT_MAP), GNTST_general_error); /* no map */
    assert_int_equal(take(1, 2, 0, GRANT_READONLY), GNTST_general_error); /* to another */
    strangers[0][2] = true;
    assert_int_equal(take(1, 2, 2, GRANT_READONLY), GNTST_general_error);
    strangers[0][2] = false;
    strangers[0][1] = true;
    assert_int_equal(take(1, 2, 2, GRANT_READONLY), GNTST_general_error);
    strangers[0][1] = false;
    /* Behind it there is another transitive one, a domain that is none, itself. */
    entry(0, 1)->hdr.flags = GTF_transitive;
    assert_int_equal(take(1, 2, 2, GRANT_READONLY), GNTST_general_error);
    entry(1, 2)->transitive.trans_domid = 77;
    assert_int_equal(take(1, 2, 2, GRANT_READONLY), GNTST_general_error);
    entry(1, 3)->full_page.frame = 0x40000;
    entry(1, 3)->hdr = (grant_entry_header_t){GTF_permit_access, 2};
    entry(1, 2)->transitive.trans_domid = 2;
    entry(1, 2)->transitive.gref = 3;
    assert_int_equal(take(1, 2, 2, GRANT_READONLY), GNTST_general_error);
}

static void pages_that_cannot_be_granted(void **state) {
    struct page_info *page = heap_alloc(0);

    (void)state;
    entry(0, 5)->hdr = (grant_entry_header_t){GTF_permit_access, 2};
    entry(0, 5)->full_page.frame = 0x40000;
    assert_int_equal(take(0, 5, 1, 0), GNTST_okay);
    entry(0, 5)->full_page.frame = 0x50000; /* a hole */
    assert_int_equal(take(0, 5, 1, 0), GNTST_bad_page);
    entry(0, 5)->full_page.frame = ~0ULL;
    assert_int_equal(take(0, 5, 1, 0), GNTST_bad_page);
    /* The hypervisor's page in the domain. */
    assert_int_equal(p2m_map(&dom[0]->p2m, gfn(0x60000),
                             page_to_mfn(virt_to_page(dom[0]->abi->grant.frame[0])), 0,
                             P2M_XENHEAP_RW),
                     0);
    entry(0, 5)->full_page.frame = 0x60000;
    assert_int_equal(take(0, 5, 1, GRANT_READONLY), GNTST_bad_page);
    /* RAM that the granter itself may only read. */
    assert_int_equal(domain_assign_pages(&dom[0]->pages, page, 0), 0);
    assert_int_equal(p2m_map(&dom[0]->p2m, gfn(0x60001), page_to_mfn(page), 0, P2M_RAM_RO), 0);
    entry(0, 5)->full_page.frame = 0x60001;
    assert_int_equal(take(0, 5, 1, 0), GNTST_bad_page);
    assert_int_equal(take(0, 5, 1, GRANT_READONLY), GNTST_okay);
}

/* Each allocation in turn fails, and nothing is lost; handles run out and come back. */
static void handles(void **state) {
    static struct gnttab_map_grant_ref m[300];
    static struct gnttab_unmap_grant_ref u[300];
    uint64_t free_before = heap_free_pages();

    (void)state;
    entry(0, 6)->hdr = (grant_entry_header_t){GTF_permit_access, 2};
    entry(0, 6)->full_page.frame = 0x40000;
    m[0] = (struct gnttab_map_grant_ref){
        .host_addr = 0x70000000, .flags = GNTMAP_host_map | GNTMAP_readonly, .ref = 6, .dom = 1};
    fail_zalloc = 1;
    assert_int_equal(grant_op(dom[1], GNTTABOP_map_grant_ref, m, 1), 0);
    assert_int_equal(m[0].status, GNTST_no_space);
    for (unsigned i = 0; i < 300; i++) {
        m[i] = m[0];
        m[i].host_addr = 0x70000000 + i * PAGE_SIZE;
    }
    assert_int_equal(grant_op(dom[1], GNTTABOP_map_grant_ref, m, 300), 0);
    for (unsigned i = 0; i < 300; i++) { /* one frame of handles by Xen's count */
        assert_int_equal(m[i].status, i < 256 ? GNTST_okay : GNTST_no_space);
        u[i] = (struct gnttab_unmap_grant_ref){.host_addr = m[i].host_addr, .handle = m[i].handle};
    }
    assert_int_equal(grant_audit(dom[1]), 0);
    /* The other vCPU takes what this one gives back. */
    assert_int_equal(grant_op(dom[1], GNTTABOP_unmap_grant_ref, u, 1), 0);
    {
        uint64_t args[5] = {GNTTABOP_map_grant_ref, (uint64_t)(uintptr_t)m, 1};

        assert_int_equal(do_grant_table_op(dom[1]->vcpus[1], args), 0);
        assert_int_equal(m[0].status, GNTST_okay);
        assert_int_equal(m[0].handle, u[0].handle);
    }
    assert_int_equal(grant_op(dom[1], GNTTABOP_unmap_grant_ref, u, 256), 0);
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(u[i].status, GNTST_okay);
    assert_int_equal(dom[0]->abi->grant.uses, 0);
    assert_int_equal(heap_free_pages(), free_before - 2); /* the handles */
    for (unsigned d = 0; d < NR_DOMS; d++)
        world_kill(d);
    assert_int_equal(shells, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marking_races_revoking_v1),    cmocka_unit_test(marking_races_revoking_v2),
        cmocka_unit_test(what_a_word_permits),          cmocka_unit_test(transitive),
        cmocka_unit_test(pages_that_cannot_be_granted), cmocka_unit_test(handles),
    };

    world_boot(BASE, RAM_SIZE);
    p2m_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
