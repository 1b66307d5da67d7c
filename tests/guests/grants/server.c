/* The domain that grants: does what the mailbox says. */
#include "grants.h"

static uint8_t pages[NR_PAGES][4096] __attribute__((aligned(4096)));
static struct mailbox mailbox __attribute__((aligned(4096)));
static unsigned version = 1, visits;

#define TABLE_GFN HOLE_GFN(0)
#define STATUS_GFN HOLE_GFN(1)

static void grant(uint64_t ref, uint64_t flags, uint64_t domid, const void *page, uint64_t offset,
                  uint64_t length) {
    uint64_t frame = (uint64_t)page >> 12;

    if (version == 1) {
        struct grant_entry_v1 *e = (struct grant_entry_v1 *)page_at(TABLE_GFN) + ref;

        e->domid = (domid_t)domid;
        e->frame = (uint32_t)frame;
        dsb();
        *(volatile uint16_t *)&e->flags = (uint16_t)flags;
    } else {
        union grant_entry_v2 *e = (union grant_entry_v2 *)page_at(TABLE_GFN) + ref;

        e->sub_page.page_off = (uint16_t)offset;
        e->sub_page.length = (uint16_t)length;
        e->full_page.frame = frame;
        e->hdr.domid = (domid_t)domid;
        dsb();
        *(volatile uint16_t *)&e->hdr.flags = (uint16_t)flags;
    }
    dsb();
}

static void transitive(uint64_t ref, uint64_t flags, uint64_t domid, uint64_t behind,
                       uint64_t its) {
    union grant_entry_v2 *e = (union grant_entry_v2 *)page_at(TABLE_GFN) + ref;

    e->transitive.trans_domid = (domid_t)behind;
    e->transitive.gref = (grant_ref_t)its;
    e->hdr.domid = (domid_t)domid;
    dsb();
    *(volatile uint16_t *)&e->hdr.flags = (uint16_t)flags;
    dsb();
}

static uint64_t marks(uint64_t ref) {
    volatile uint16_t *word = version == 1
                                  ? &((struct grant_entry_v1 *)page_at(TABLE_GFN) + ref)->flags
                                  : (uint16_t *)page_at(STATUS_GFN) + ref;

    return *word & (GTF_reading | GTF_writing);
}

static void revoke(uint64_t ref) {
    grant(ref, GTF_invalid, 0, 0, 0, 0);
}

static int64_t set_version(uint64_t to) {
    struct gnttab_set_version op = {.version = (uint32_t)to};

    return grant_table_op(GNTTABOP_set_version, &op, 1);
}

static int64_t swap(uint64_t a, uint64_t b) {
    struct gnttab_swap_grant_ref op = {.ref_a = (grant_ref_t)a, .ref_b = (grant_ref_t)b};
    int64_t rc = grant_table_op(GNTTABOP_swap_grant_ref, &op, 1);

    return rc ? rc : op.status;
}

static int64_t page_op(unsigned cmd, uint64_t page) {
    xen_pfn_t g = (uint64_t)pages[page] >> 12;

    return reservation(cmd, &g, 1, 0);
}

static int64_t serve(uint64_t command, volatile uint64_t *a) {
    switch (command) {
    case CMD_GRANT:
        grant(a[0], a[1], a[2], pages[a[3]], a[4], a[5]);
        return 0;
    case CMD_TRANSITIVE:
        transitive(a[0], a[1], a[2], a[3], a[4]);
        return 0;
    case CMD_MARKS:
        return (int64_t)marks(a[0]);
    case CMD_REVOKE:
        revoke(a[0]);
        return 0;
    case CMD_READ:
        return (int64_t)read64((uint64_t)&pages[a[0]][a[1]]);
    case CMD_WRITE:
        write64((uint64_t)&pages[a[0]][a[1]], a[2]);
        return 0;
    case CMD_VERSION:
        return set_version(a[0]);
    case CMD_SWAP:
        return swap(a[0], a[1]);
    case CMD_GIVE_BACK:
        return page_op(XENMEM_decrease_reservation, a[0]);
    case CMD_POPULATE:
        return page_op(XENMEM_populate_physmap, a[0]);
    case CMD_VISITS:
        return visits++;
    }
    return -1;
}

bool is_domain(unsigned domid);

TEST(grants_stranger) {
    if (!is_domain(STRANGER))
        skip("another domain's");
    else
        for (;;)
            nap();
}

TEST(grants_server) {
    if (!is_domain(SERVER)) {
        skip("another domain's");
        return;
    }
    if (!set_version(2)) { /* if the domain may have it */
        version = 2;
        EQ(add(XENMAPSPACE_grant_table, XENMAPIDX_grant_table_status, STATUS_GFN), 0);
    }
    EQ(add(XENMAPSPACE_grant_table, 0, TABLE_GFN), 0);
    grant(REF_MAILBOX, GTF_permit_access, CLIENT, &mailbox, 0, 0);
    for (uint64_t done = 0; !failed(); done++) {
        while (mailbox.asked == done)
            __asm__ volatile("yield" ::: "memory");
        dsb();
        if (mailbox.command == CMD_QUIT)
            return;
        mailbox.result = (uint64_t)serve(mailbox.command, mailbox.arg);
        dsb();
        mailbox.answered = (uint32_t)done + 1;
    }
}
