/* The domain that maps and copies: every operation on another domain's grants, and its errors. */
#include "grants.h"

bool is_domain(unsigned domid);

#define MAILBOX_GFN HOLE_GFN(8)
#define MAILBOX ((struct mailbox *)page_at(MAILBOX_GFN))
#define AT HOLE_GFN(16) /* where grants are mapped, from here on */
#define NO_GFN (1ULL << 50)

/* Only one's own table tells its size. */
bool is_domain(unsigned domid) {
    struct gnttab_query_size op = {.dom = (domid_t)domid};

    return !grant_table_op(GNTTABOP_query_size, &op, 1) && op.status == GNTST_okay;
}

/* ---- in short ---- */

static struct gnttab_map_grant_ref last;

static int map_of(unsigned dom, unsigned ref, unsigned flags, uint64_t gfn) {
    last = (struct gnttab_map_grant_ref){
        .host_addr = gfn << 12, .flags = flags, .ref = ref, .dom = (domid_t)dom, .status = 99};
    EQ(grant_table_op(GNTTABOP_map_grant_ref, &last, 1), 0);
    return last.status;
}
static int map(unsigned ref, unsigned flags, uint64_t gfn) {
    return map_of(SERVER, ref, GNTMAP_host_map | flags, gfn);
}
static int unmap_by(unsigned cmd, unsigned handle, uint64_t gfn, uint64_t other) {
    struct gnttab_unmap_grant_ref op = {
        .host_addr = gfn << 12, .dev_bus_addr = other, .handle = handle, .status = 99};

    EQ(grant_table_op(cmd, &op, 1), 0);
    return op.status;
}
static int unmap(unsigned handle, uint64_t gfn) {
    return unmap_by(GNTTABOP_unmap_grant_ref, handle, gfn, 0);
}

static int64_t ask(enum command command, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                   uint64_t f) {
    struct mailbox *m = MAILBOX;
    const uint64_t arg[] = {a, b, c, d, e, f};

    if (failed())
        return -1;
    m->command = command;
    for (unsigned i = 0; i < COUNT(arg); i++)
        m->arg[i] = arg[i];
    dsb();
    m->asked++;
    if (!WAIT_ASLEEP(m->answered == m->asked))
        return -1;
    dsb();
    return (int64_t)m->result;
}
#define ASK1(c, a) ask(c, a, 0, 0, 0, 0, 0)
#define ASK2(c, a, b) ask(c, a, b, 0, 0, 0, 0)
#define ASK3(c, a, b, d) ask(c, a, b, d, 0, 0, 0)

static void grant(unsigned ref, unsigned flags, unsigned page) {
    EQ(ask(CMD_GRANT, ref, flags, CLIENT, page, 0, 0), 0);
}

static void expect_hole(uint64_t gfn) {
    TRY(read64(gfn << 12));
    EQ(me()->caught.ec, EC_DATA);
}

static bool meet(void) {
    uint64_t end = counter() + ticks_us(20000000);

    if (!is_domain(CLIENT)) {
        skip("another domain's");
        return false;
    }
    if (last.ref) /* not the first test of this life */
        return true;
    /* Both others must be there: they are built after, or beside, this one. */
    while (map_of(STRANGER, 0, GNTMAP_host_map, AT) == GNTST_bad_domain && counter() < end)
        nap();
    while (map(REF_MAILBOX, 0, MAILBOX_GFN) != GNTST_okay && counter() < end)
        nap();
    return true;
}

#define GRANTS_TEST(name)                                                                          \
    static void name##_body(void);                                                                 \
    TEST(name) {                                                                                   \
        if (meet())                                                                                \
            name##_body();                                                                         \
    }                                                                                              \
    static void name##_body(void)

/* ---- tests ---- */

GRANTS_TEST(grants_map_and_unmap) {
    grant(REF_FIRST, GTF_permit_access, 0);
    EQ(ASK3(CMD_WRITE, 0, 8, 0x1122334455667788), 0);
    EQ(map(REF_FIRST, 0, AT), GNTST_okay);
    EQ(read64((AT << 12) + 8), 0x1122334455667788);
    write64((AT << 12) + 16, 77);
    EQ(ASK2(CMD_READ, 0, 16), 77);
    EQ(ASK1(CMD_MARKS, REF_FIRST), GTF_reading | GTF_writing);
    EQ(unmap(last.handle, AT), GNTST_okay);
    EQ(ASK1(CMD_MARKS, REF_FIRST), 0);
    expect_hole(AT);
}

GRANTS_TEST(grants_map_readonly) {
    uint32_t writable;

    grant(REF_FIRST, GTF_permit_access | GTF_readonly, 0);
    EQ(map(REF_FIRST, 0, AT), GNTST_general_error);
    EQ(ASK1(CMD_MARKS, REF_FIRST), 0);
    EQ(map(REF_FIRST, GNTMAP_readonly, AT), GNTST_okay);
    EQ(ASK1(CMD_MARKS, REF_FIRST), GTF_reading);
    EQ(ASK3(CMD_WRITE, 0, 0, 5), 0);
    TRY(write64(AT << 12, 6));
    EQ(me()->caught.ec, EC_DATA);
    EQ(read64(AT << 12), 5);
    EQ(unmap(last.handle, AT), GNTST_okay);
    /* Two mappings of one grant: each has marks of its own. */
    grant(REF_FIRST, GTF_permit_access, 0);
    EQ(map(REF_FIRST, 0, AT), GNTST_okay);
    writable = last.handle;
    EQ(map(REF_FIRST, GNTMAP_readonly, AT + 1), GNTST_okay);
    EQ(unmap(writable, AT), GNTST_okay);
    EQ(ASK1(CMD_MARKS, REF_FIRST), GTF_reading);
    EQ(read64((AT + 1) << 12), 5);
    EQ(unmap(last.handle, AT + 1), GNTST_okay);
    EQ(ASK1(CMD_MARKS, REF_FIRST), 0);
}

GRANTS_TEST(grants_map_errors) {
    uint32_t handle;

    grant(REF_FIRST, GTF_permit_access, 0);
    EQ(map_of(SERVER, REF_FIRST, 0, AT), GNTST_bad_gntref);
    EQ(map_of(SERVER, REF_FIRST, GNTMAP_device_map, AT), GNTST_general_error);
    EQ(map(REF_FIRST, GNTMAP_application_map, AT), GNTST_general_error);
    EQ(map(REF_FIRST, GNTMAP_contains_pte, AT), GNTST_general_error);
    EQ(map(REF_FIRST, 0, NO_GFN), GNTST_general_error);
    EQ(map(512, 0, AT), GNTST_bad_gntref);
    EQ(map(~0u, 0, AT), GNTST_bad_gntref);
    EQ(map_of(77, REF_FIRST, GNTMAP_host_map, AT), GNTST_bad_domain);
    EQ(map_of(DOMID_SELF, REF_FIRST, GNTMAP_host_map, AT), GNTST_bad_domain);
    EQ(map_of(STRANGER, REF_FIRST, GNTMAP_host_map, AT), GNTST_permission_denied);
    EQ(ASK1(CMD_REVOKE, REF_FIRST + 1), 0);
    EQ(map(REF_FIRST + 1, 0, AT), GNTST_general_error);
    EQ(ask(CMD_GRANT, REF_FIRST + 1, GTF_permit_access, STRANGER, 0, 0, 0), 0);
    EQ(map(REF_FIRST + 1, 0, AT), GNTST_general_error);
    grant(REF_FIRST + 1, GTF_accept_transfer, 0);
    EQ(map(REF_FIRST + 1, 0, AT), GNTST_general_error);
    EQ(ASK1(CMD_MARKS, REF_FIRST), 0);
    expect_hole(AT);
    /* A mapping is in nobody's way but its own. */
    EQ(map(REF_FIRST, 0, AT), GNTST_okay);
    handle = last.handle;
    EQ(map_of(SERVER, REF_FIRST, GNTMAP_host_map, AT), GNTST_general_error);
    EQ(take(AT), -XEN_EILSEQ);
    EQ(add(XENMAPSPACE_shared_info, 0, AT), -XEN_EBUSY);
    EQ(unmap(handle, AT), GNTST_okay);
}

GRANTS_TEST(grants_unmap_errors) {
    uint32_t handle;

    grant(REF_FIRST, GTF_permit_access, 0);
    EQ(map(REF_FIRST, 0, AT), GNTST_okay);
    handle = last.handle;
    EQ(unmap(handle, AT + 1), GNTST_general_error);
    EQ(unmap(handle, 0), GNTST_general_error);
    EQ(unmap(handle + 1000, AT), GNTST_bad_handle);
    EQ(unmap(~0u, AT), GNTST_bad_handle);
    EQ(ASK1(CMD_MARKS, REF_FIRST), GTF_reading | GTF_writing);
    EQ(unmap_by(GNTTABOP_unmap_and_replace, handle, AT, 0x1000), GNTST_general_error);
    EQ(unmap_by(GNTTABOP_unmap_and_replace, handle, AT, 0), GNTST_okay);
    expect_hole(AT);
    EQ(grant_table_op(GNTTABOP_map_grant_ref, (void *)NOTHING_NORMAL, 1), -XEN_EFAULT);
    EQ(grant_table_op(GNTTABOP_unmap_grant_ref, (void *)NOTHING_NORMAL, 1), -XEN_EFAULT);
    EQ(grant_table_op(GNTTABOP_map_grant_ref, 0, 0), 0);
    EQ(grant_table_op(GNTTABOP_map_grant_ref, 0, ~0u), -XEN_EINVAL);
}

GRANTS_TEST(grants_batches) {
    static struct gnttab_map_grant_ref m[40];
    static struct gnttab_unmap_grant_ref u[40];

    grant(REF_FIRST, GTF_permit_access, 1);
    EQ(ASK3(CMD_WRITE, 1, 0, 9), 0);
    for (unsigned i = 0; i < 40; i++)
        m[i] = (struct gnttab_map_grant_ref){.host_addr = (AT + i) << 12,
                                             .flags = GNTMAP_host_map | GNTMAP_readonly,
                                             .ref = i % 10 == 7 ? ~0u : REF_FIRST,
                                             .dom = SERVER};
    EQ(grant_table_op(GNTTABOP_map_grant_ref, m, 40), 0);
    for (unsigned i = 0; i < 40; i++) {
        EQ(m[i].status, i % 10 == 7 ? GNTST_bad_gntref : GNTST_okay);
        if (i % 10 != 7)
            EQ(read64((AT + i) << 12), 9);
        u[i] = (struct gnttab_unmap_grant_ref){
            .host_addr = (AT + i) << 12, .handle = i % 10 == 7 ? m[i - 1].handle : m[i].handle};
    }
    EQ(grant_table_op(GNTTABOP_unmap_grant_ref, u, 40), 0);
    for (unsigned i = 0; i < 40; i++) {
        EQ(u[i].status, i % 10 == 7 ? GNTST_bad_handle : GNTST_okay);
        expect_hole(AT + i);
    }
    EQ(ASK1(CMD_MARKS, REF_FIRST), 0);
}

/* A 32-bit hypervisor has two bits to count a page's writable uses. */
GRANTS_TEST(grants_writable_uses) {
    unsigned uses = REGISTER_BITS == 32 ? 3 : 8, handles[8];

    grant(REF_FIRST, GTF_permit_access, 1);
    for (unsigned i = 0; i < uses; i++) {
        EQ(map(REF_FIRST, 0, AT + i), GNTST_okay);
        handles[i] = last.handle;
    }
    if (REGISTER_BITS == 32)
        EQ(map(REF_FIRST, 0, AT + uses), GNTST_bad_page);
    EQ(map(REF_FIRST, GNTMAP_readonly, AT + uses), GNTST_okay);
    EQ(unmap(last.handle, AT + uses), GNTST_okay);
    for (unsigned i = 0; i < uses; i++)
        EQ(unmap(handles[i], AT + i), GNTST_okay);
    EQ(ASK1(CMD_MARKS, REF_FIRST), 0);
}

/* ---- copies ---- */

static uint8_t own[2][4096] __attribute__((aligned(4096)));
#define OWN_GFN(n) ((uint64_t)own[n] >> 12)

static int copy(unsigned flags, unsigned from, uint64_t source, unsigned from_offset, unsigned to,
                uint64_t dest, unsigned to_offset, unsigned len) {
    struct gnttab_copy op = {.flags = (uint16_t)flags, .len = (uint16_t)len, .status = 99};

    op.source.domid = (domid_t)from;
    op.source.offset = (uint16_t)from_offset;
    op.dest.domid = (domid_t)to;
    op.dest.offset = (uint16_t)to_offset;
    if (flags & GNTCOPY_source_gref)
        op.source.u.ref = (grant_ref_t)source;
    else
        op.source.u.gmfn = source;
    if (flags & GNTCOPY_dest_gref)
        op.dest.u.ref = (grant_ref_t)dest;
    else
        op.dest.u.gmfn = dest;
    EQ(grant_table_op(GNTTABOP_copy, &op, 1), 0);
    return op.status;
}
#define FROM GNTCOPY_source_gref
#define TO GNTCOPY_dest_gref

GRANTS_TEST(grants_copy) {
    grant(REF_FIRST, GTF_permit_access, 0);
    grant(REF_FIRST + 1, GTF_permit_access, 1);
    EQ(ASK3(CMD_WRITE, 0, 4088, 0x0102030405060708), 0);
    EQ(copy(FROM, SERVER, REF_FIRST, 0, DOMID_SELF, OWN_GFN(0), 0, 4096), GNTST_okay);
    EQ(read64((uint64_t)&own[0][4088]), 0x0102030405060708);
    write64((uint64_t)&own[1][0], 0x1111111111111111);
    EQ(copy(TO, DOMID_SELF, OWN_GFN(1), 0, SERVER, REF_FIRST, 3, 4), GNTST_okay);
    EQ((uint64_t)ASK2(CMD_READ, 0, 0) >> 24 & 0xffffffff, 0x11111111);
    EQ(copy(FROM | TO, SERVER, REF_FIRST, 3, SERVER, REF_FIRST + 1, 4092, 4), GNTST_okay);
    EQ((uint64_t)ASK2(CMD_READ, 1, 4088) >> 32, 0x11111111);
    EQ(copy(0, DOMID_SELF, OWN_GFN(1), 0, DOMID_SELF, OWN_GFN(0), 8, 8), GNTST_okay);
    EQ(read64((uint64_t)&own[0][8]), 0x1111111111111111);
    EQ(ASK1(CMD_MARKS, REF_FIRST), 0);
    EQ(copy(FROM, SERVER, REF_FIRST, 0, DOMID_SELF, OWN_GFN(0), 0, 0), GNTST_okay);
}

/* Whatever moves a whole page leaves the registers of who asks for it alone. */
GRANTS_TEST(grants_copy_keeps_simd_registers) {
    static uint64_t before[16], after[16];

    for (unsigned i = 0; i < 16; i++)
        before[i] = 0x123456789abcdef * (i + 1);
    grant(REF_FIRST, GTF_permit_access, 0);
    for (unsigned i = 0; i < 4096; i += 8)
        EQ(ASK3(CMD_WRITE, 0, i, i ^ 0x5a5a), 0);
    SIMD_LOAD(before);
    EQ(copy(FROM, SERVER, REF_FIRST, 0, DOMID_SELF, OWN_GFN(0), 0, 4096), GNTST_okay);
    SIMD_STORE(after);
    for (unsigned i = 0; i < 16; i++)
        EQ(after[i], before[i]);
    for (unsigned i = 0; i < 4096; i += 8)
        EQ(read64((uint64_t)&own[0][i]), i ^ 0x5a5a);
}

GRANTS_TEST(grants_copy_errors) {
    uint64_t g = OWN_GFN(0);

    grant(REF_FIRST, GTF_permit_access, 0);
    EQ(copy(FROM, SERVER, REF_FIRST, 1, DOMID_SELF, g, 0, 4096), GNTST_bad_copy_arg);
    EQ(copy(FROM, SERVER, REF_FIRST, 0, DOMID_SELF, g, 4095, 2), GNTST_bad_copy_arg);
    EQ(copy(FROM, SERVER, 512, 0, DOMID_SELF, g, 0, 8), GNTST_bad_gntref);
    EQ(copy(FROM, SERVER, REF_FIRST + 9, 0, DOMID_SELF, g, 0, 8), GNTST_general_error);
    EQ(copy(FROM, 77, REF_FIRST, 0, DOMID_SELF, g, 0, 8), GNTST_bad_domain);
    EQ(copy(FROM, STRANGER, REF_FIRST, 0, DOMID_SELF, g, 0, 8), GNTST_permission_denied);
    EQ(copy(0, SERVER, REF_FIRST, 0, DOMID_SELF, g, 0, 8), GNTST_permission_denied);
    EQ(copy(FROM, SERVER, REF_FIRST, 0, DOMID_SELF, AT, 0, 8), GNTST_bad_page);
    EQ(copy(FROM, SERVER, REF_FIRST, 0, DOMID_SELF, NO_GFN, 0, 8), GNTST_bad_page);
    grant(REF_FIRST + 1, GTF_permit_access | GTF_readonly, 1);
    EQ(copy(TO, DOMID_SELF, g, 0, SERVER, REF_FIRST + 1, 0, 8), GNTST_general_error);
    EQ(copy(FROM, SERVER, REF_FIRST + 1, 0, DOMID_SELF, g, 0, 8), GNTST_okay);
    EQ(ASK1(CMD_MARKS, REF_FIRST + 1), 0);
    EQ(grant_table_op(GNTTABOP_copy, (void *)NOTHING_NORMAL, 1), -XEN_EFAULT);
}

/* The granter gives the page up: it is the mapping's, and counted as the granter's, until it goes.
 */
GRANTS_TEST(grants_page_given_up_while_mapped) {
    uint32_t handle;

    grant(REF_FIRST, GTF_permit_access, 2);
    EQ(ASK3(CMD_WRITE, 2, 0, 0xabc), 0);
    EQ(map(REF_FIRST, 0, AT), GNTST_okay);
    handle = last.handle;
    EQ(ASK1(CMD_GIVE_BACK, 2), 1);
    EQ(read64(AT << 12), 0xabc);
    EQ(ASK1(CMD_POPULATE, 2), 0);
    EQ(map(REF_FIRST, 0, AT + 1), GNTST_bad_page);
    write64(AT << 12, 1);
    EQ(copy(FROM, SERVER, REF_FIRST, 0, DOMID_SELF, OWN_GFN(0), 0, 8), GNTST_bad_page);
    EQ(ASK1(CMD_MARKS, REF_FIRST), GTF_reading | GTF_writing);
    EQ(unmap(handle, AT), GNTST_okay);
    EQ(ASK1(CMD_MARKS, REF_FIRST), 0);
    EQ(ASK1(CMD_POPULATE, 2), 1);
    EQ(ASK2(CMD_READ, 2, 0), 0);
}

GRANTS_TEST(grants_transfer_is_refused) {
    struct gnttab_transfer op = {
        .mfn = OWN_GFN(1), .domid = SERVER, .ref = REF_FIRST, .status = 99};

    grant(REF_FIRST, GTF_accept_transfer, 0);
    EQ(grant_table_op(GNTTABOP_transfer, &op, 1), -XEN_EOPNOTSUPP);
}

GRANTS_TEST(grants_swap) {
    grant(REF_FIRST, GTF_permit_access, 0);
    grant(REF_FIRST + 1, GTF_permit_access, 1);
    EQ(ASK3(CMD_WRITE, 0, 0, 100), 0);
    EQ(ASK3(CMD_WRITE, 1, 0, 101), 0);
    EQ(ASK2(CMD_SWAP, REF_FIRST, REF_FIRST + 1), GNTST_okay);
    EQ(map(REF_FIRST, GNTMAP_readonly, AT), GNTST_okay);
    EQ(read64(AT << 12), 101);
    EQ(ASK2(CMD_SWAP, REF_FIRST, REF_FIRST + 1), GNTST_eagain);
    EQ(ASK2(CMD_SWAP, REF_FIRST, 512), GNTST_bad_gntref);
    EQ(unmap(last.handle, AT), GNTST_okay);
}

GRANTS_TEST(grants_cache_flush) {
    struct gnttab_cache_flush op = {
        .a.dev_bus_addr = AT << 12, .length = 64, .op = GNTTAB_CACHE_CLEAN};

    grant(REF_FIRST, GTF_permit_access, 0);
    EQ(map(REF_FIRST, GNTMAP_readonly, AT), GNTST_okay);
    op.a.dev_bus_addr = last.dev_bus_addr;
    EQ(grant_table_op(GNTTABOP_cache_flush, &op, 1), 0);
    op.op = GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL;
    EQ(grant_table_op(GNTTABOP_cache_flush, &op, 1), 0);
    op.op = GNTTAB_CACHE_SOURCE_GREF;
    EQ(grant_table_op(GNTTABOP_cache_flush, &op, 1), -XEN_EINVAL);
    op.op = 4;
    EQ(grant_table_op(GNTTABOP_cache_flush, &op, 1), -XEN_EINVAL);
    op.op = GNTTAB_CACHE_CLEAN;
    op.offset = 4090;
    EQ(grant_table_op(GNTTABOP_cache_flush, &op, 1), -XEN_EINVAL);
    op.offset = 0;
    EQ(unmap(last.handle, AT), GNTST_okay);
    EQ(grant_table_op(GNTTABOP_cache_flush, &op, 1), -XEN_EINVAL);
}

GRANTS_TEST(grants_acquire_resource_is_for_others) {
    struct xen_mem_acquire_resource op = {.domid = SERVER, .type = XENMEM_resource_grant_table};

    EQ(memory_op(XENMEM_acquire_resource, &op), -XEN_EPERM);
    op.domid = CLIENT;
    EQ(memory_op(XENMEM_acquire_resource, &op), -XEN_EPERM);
    op.domid = 77;
    EQ(memory_op(XENMEM_acquire_resource, &op), -XEN_ESRCH);
    op.pad = 1;
    EQ(memory_op(XENMEM_acquire_resource, &op), -XEN_EINVAL);
    EQ(memory_op(XENMEM_acquire_resource, (void *)NOTHING_NORMAL), -XEN_EFAULT);
}

/* ---- version 2, if the server's domain may have it ---- */

static bool version_2(void) {
    if (!ASK1(CMD_VERSION, 2))
        return true;
    skip("the server's table is of version 1");
    return false;
}

GRANTS_TEST(grants_version_is_kept_while_in_use) {
    if (version_2())
        EQ(ASK1(CMD_VERSION, 1), -XEN_EBUSY); /* the mailbox is mapped */
}

GRANTS_TEST(grants_sub_page) {
    unsigned flags = GTF_permit_access | GTF_sub_page;

    if (!version_2())
        return;
    EQ(ask(CMD_GRANT, REF_FIRST, flags, CLIENT, 0, 100, 50), 0);
    EQ(ASK3(CMD_WRITE, 0, 104, 0x5555), 0);
    EQ(map(REF_FIRST, 0, AT), GNTST_general_error);
    EQ(copy(FROM, SERVER, REF_FIRST, 104, DOMID_SELF, OWN_GFN(0), 0, 8), GNTST_okay);
    EQ(read64((uint64_t)own[0]), 0x5555);
    EQ(copy(FROM, SERVER, REF_FIRST, 100, DOMID_SELF, OWN_GFN(0), 0, 50), GNTST_okay);
    EQ(copy(FROM, SERVER, REF_FIRST, 99, DOMID_SELF, OWN_GFN(0), 0, 8), GNTST_general_error);
    EQ(copy(FROM, SERVER, REF_FIRST, 143, DOMID_SELF, OWN_GFN(0), 0, 8), GNTST_general_error);
    EQ(copy(TO, DOMID_SELF, OWN_GFN(0), 0, SERVER, REF_FIRST, 142, 8), GNTST_okay);
    EQ(copy(TO, DOMID_SELF, OWN_GFN(0), 0, SERVER, REF_FIRST, 143, 8), GNTST_general_error);
    EQ(ASK1(CMD_MARKS, REF_FIRST), 0);
}

/* The server passes on what this domain granted to it. */
GRANTS_TEST(grants_transitive) {
    struct grant_entry_v1 *mine = page_at(HOLE_GFN(9));

    if (!version_2())
        return;
    EQ(add(XENMAPSPACE_grant_table, 0, HOLE_GFN(9)), 0);
    mine[20] =
        (struct grant_entry_v1){GTF_permit_access | GTF_readonly, SERVER, (uint32_t)OWN_GFN(1)};
    dsb();
    write64((uint64_t)own[1], 0x7777);
    EQ(ask(CMD_TRANSITIVE, REF_FIRST, GTF_transitive, CLIENT, CLIENT, 20, 0), 0);
    EQ(map(REF_FIRST, 0, AT), GNTST_general_error);
    EQ(copy(FROM, SERVER, REF_FIRST, 0, DOMID_SELF, OWN_GFN(0), 0, 8), GNTST_okay);
    EQ(read64((uint64_t)own[0]), 0x7777);
    EQ(copy(TO, DOMID_SELF, OWN_GFN(0), 0, SERVER, REF_FIRST, 0, 8), GNTST_general_error);
    EQ(*(volatile uint16_t *)&mine[20].flags, GTF_permit_access | GTF_readonly);
    EQ(ask(CMD_TRANSITIVE, REF_FIRST, GTF_transitive, CLIENT, CLIENT, 21, 0), 0);
    EQ(copy(FROM, SERVER, REF_FIRST, 0, DOMID_SELF, OWN_GFN(0), 0, 8), GNTST_general_error);
    EQ(ask(CMD_TRANSITIVE, REF_FIRST, GTF_transitive, CLIENT, SERVER, REF_FIRST, 0), 0);
    EQ(copy(FROM, SERVER, REF_FIRST, 0, DOMID_SELF, OWN_GFN(0), 0, 8), GNTST_general_error);
    EQ(ask(CMD_TRANSITIVE, REF_FIRST, GTF_transitive, CLIENT, 77, 20, 0), 0);
    EQ(copy(FROM, SERVER, REF_FIRST, 0, DOMID_SELF, OWN_GFN(0), 0, 8), GNTST_general_error);
    EQ(ASK1(CMD_MARKS, REF_FIRST), 0);
    EQ(take(HOLE_GFN(9)), 0);
}

/* ---- lives ---- */

GRANTS_TEST(grants_mapper_dies) {
    if (ASK1(CMD_VISITS, 0)) {
        EQ(ASK1(CMD_MARKS, REF_FIRST + 5), 0); /* what the first life had mapped */
        return;
    }
    grant(REF_FIRST + 5, GTF_permit_access, 3);
    EQ(map(REF_FIRST + 5, 0, AT + 50), GNTST_okay);
    EQ(map(REF_FIRST + 5, GNTMAP_readonly, AT + 51), GNTST_okay);
    EQ(ASK1(CMD_MARKS, REF_FIRST + 5), GTF_reading | GTF_writing);
    if (failed())
        return;
    print("mapper dies\n");
    hvc(0x84000009, 0, 0, 0); /* SYSTEM_RESET */
}

GRANTS_TEST(grants_granter_dies) {
    uint64_t end = counter() + ticks_us(20000000);
    uint32_t handle;

    grant(REF_FIRST, GTF_permit_access, 3);
    EQ(ASK3(CMD_WRITE, 3, 0, 0xdead), 0);
    EQ(map(REF_FIRST, 0, AT), GNTST_okay);
    handle = last.handle;
    if (failed())
        return;
    MAILBOX->command = CMD_QUIT;
    dsb();
    MAILBOX->asked++;
    while (map(REF_FIRST, 0, AT + 1) != GNTST_bad_domain && counter() < end) {
        if (!last.status)
            EQ(unmap(last.handle, AT + 1), GNTST_okay);
        nap();
    }
    EQ(last.status, GNTST_bad_domain);
    EQ(read64(AT << 12), 0xdead);
    write64(AT << 12, 1);
    EQ(unmap(handle, AT), GNTST_okay);
    expect_hole(AT);
    EQ(unmap(handle, AT), GNTST_bad_handle);
    /* The mailbox's page, the last of the dead domain's, goes with this domain. */
}
