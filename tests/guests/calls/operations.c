/* What the guest can do, piece by piece. */
#include "calls.h"

unsigned peer = 1, refused;
bool strict;
uint64_t random_state = 1;

uint64_t below(uint64_t n) {
    random_state ^= random_state << 13, random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (random_state * 0x2545f4914f6cdd1d >> 16) % n;
}

/* Asked again if it is not so; then it is, or the guest fails. */
#define INSIST(condition)                                                                          \
    do {                                                                                           \
        if (!(condition) && strict) {                                                              \
            refused++;                                                                             \
            TRUE(condition);                                                                       \
        }                                                                                          \
    } while (0)

/* ---- where things are: the guest has 16 MiB, of which the image takes the first ---- */

#define NR_GRANTS 32
#define FIRST_GRANT 8u
#define TABLE_GFN HOLE_GFN(0)
#define MAPPED_GFN HOLE_GFN(0x200) /* under a table of its own */
#define BATCH_GFN HOLE_GFN(0x400)
#define NR_BATCH 6u
#define SMALL_GFN ((RAM + 0x200000UL) >> 12)
#define NR_SMALL 256u
#define LARGE_GFN ((RAM + 0x400000UL) >> 12)
#define NR_LARGE 2u

static uint8_t granted[NR_GRANTS][4096] __attribute__((aligned(4096)));
static event_word_t words[1024] __attribute__((aligned(4096)));
static struct evtchn_fifo_control_block control __attribute__((aligned(64)));
static xen_pfn_t list[NR_SMALL];

/* ---- memory ---- */

static unsigned filled;

/* The rest of the list; what is there already is taken for got. */
static bool fill(unsigned nr, unsigned order) {
    while (filled < nr) {
        int64_t got = reservation(XENMEM_populate_physmap, list + filled, nr - filled, order);

        if (got <= 0)
            return false;
        filled += (unsigned)got;
    }
    return true;
}

static void swap_memory(unsigned nr, unsigned order, uint64_t first, uint64_t step) {
    unsigned gone = 0;

    for (unsigned i = 0; i < nr; i++)
        list[i] = first + i * step;
    while (gone < nr) {
        int64_t n = reservation(XENMEM_decrease_reservation, list + gone, nr - gone, order);

        if (n > 0)
            gone += (unsigned)n;
        else if (strict && refused++ < 100)
            continue;
        else
            break;
    }
    filled = 0;
    INSIST(fill(gone, order));
}

static void small_pages(void) {
    swap_memory(NR_SMALL, 0, SMALL_GFN, 2);
}

static void large_pages(void) {
    swap_memory(NR_LARGE, 9, LARGE_GFN, 512);
}

static void batch(void) {
    static xen_ulong_t index[NR_BATCH];
    static xen_pfn_t to[NR_BATCH];
    static int results[NR_BATCH];
    struct xen_add_to_physmap_batch op = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .size = NR_BATCH};

    for (unsigned i = 0; i < NR_BATCH; i++) {
        index[i] = 1 + i; /* the table grows */
        to[i] = BATCH_GFN + 0x200 * (i % 4) + i;
    }
    op.idxs.p = index, op.gpfns.p = to, op.errs.p = results;
    INSIST(!memory_op(XENMEM_add_to_physmap_batch, &op));
    for (unsigned i = 0; i < NR_BATCH; i++) {
        INSIST(!results[i] || !add(XENMAPSPACE_grant_table, index[i], to[i]));
        take(to[i]);
    }
}

/* ---- grants ---- */

static int64_t set_version(uint32_t version) {
    struct gnttab_set_version op = {.version = version};

    return grant_table_op(GNTTABOP_set_version, &op, 1);
}

void prepare(void) {
    if (add(XENMAPSPACE_grant_table, 0, TABLE_GFN)) /* no memory this time, by order */
        EQ(add(XENMAPSPACE_grant_table, 0, TABLE_GFN), 0);
}

void give(unsigned domid) {
    volatile struct grant_entry_v1 *e = (void *)word_at(TABLE_GFN);

    for (unsigned i = 0; i < NR_GRANTS; i++) {
        e[FIRST_GRANT + i].domid = (domid_t)domid;
        e[FIRST_GRANT + i].frame = (uint32_t)((uint64_t)granted[i] >> 12);
        dsb();
        e[FIRST_GRANT + i].flags = GTF_permit_access;
    }
    dsb();
}

static struct gnttab_map_grant_ref maps[NR_GRANTS];

static bool map_rest(void) {
    bool all = true;

    for (unsigned i = 0; i < NR_GRANTS; i++)
        if (maps[i].status != GNTST_okay)
            grant_table_op(GNTTABOP_map_grant_ref, &maps[i], 1);
    for (unsigned i = 0; i < NR_GRANTS; i++)
        all = all && maps[i].status == GNTST_okay;
    return all;
}

static void map_grants(void) {
    for (unsigned i = 0; i < NR_GRANTS; i++)
        maps[i] = (struct gnttab_map_grant_ref){.host_addr = (MAPPED_GFN + i) << 12,
                                                .flags = GNTMAP_host_map,
                                                .ref = FIRST_GRANT + i,
                                                .dom = (domid_t)peer,
                                                .status = GNTST_general_error};
    grant_table_op(GNTTABOP_map_grant_ref, maps, NR_GRANTS);
    INSIST(map_rest());
    for (unsigned i = 0; i < NR_GRANTS; i++) {
        struct gnttab_unmap_grant_ref op = {.host_addr = maps[i].host_addr,
                                            .handle = maps[i].handle};

        if (maps[i].status == GNTST_okay)
            grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1);
    }
}

static void copy_grants(void) {
    static struct gnttab_copy ops[NR_GRANTS];

    for (unsigned i = 0; i < NR_GRANTS; i++) {
        ops[i] = (struct gnttab_copy){.len = 4096, .flags = i & 1 ? GNTCOPY_source_gref : 0};
        ops[i].source.domid = i & 1 ? (domid_t)peer : DOMID_SELF;
        if (i & 1)
            ops[i].source.u.ref = FIRST_GRANT + i;
        else
            ops[i].source.u.gmfn = SMALL_GFN + i;
        ops[i].dest.domid = DOMID_SELF;
        ops[i].dest.u.gmfn = SMALL_GFN + NR_GRANTS + i;
    }
    INSIST(!grant_table_op(GNTTABOP_copy, ops, NR_GRANTS));
}

static void grant_versions(void) {
    uint64_t frames[2];
    struct gnttab_setup_table table = {.dom = DOMID_SELF, .nr_frames = 2};

    table.frame_list.p = frames;
    INSIST(!set_version(2));
    INSIST(!grant_table_op(GNTTABOP_setup_table, &table, 1) && table.status == GNTST_okay);
    INSIST(!set_version(1));
}

/* ---- event channels ---- */

static void ports(void) {
    int64_t port[80];

    for (unsigned i = 0; i < COUNT(port); i++) {
        port[i] = new_unbound(DOMID_SELF);
        INSIST(port[i] > 0 || (port[i] = new_unbound(DOMID_SELF)) > 0);
    }
    for (unsigned i = 0; i < COUNT(port); i++) {
        send(port[i]);
        close(port[i]);
    }
}

static void reset_ports(void) {
    for (unsigned i = 0; i < 80; i++)
        INSIST(i % 2 ? new_ipi(0) > 0 : new_unbound(peer) > 0);
    INSIST(!reset_events());
}

static void fifo(void) {
    struct evtchn_init_control init = {.control_gfn = (uint64_t)&control >> 12,
                                       .offset = (uint64_t)&control & 4095};
    struct evtchn_expand_array expand = {.array_gfn = (uint64_t)words >> 12};

    INSIST(!evtchn_op(EVTCHNOP_init_control, &init));
    INSIST(!evtchn_op(EVTCHNOP_expand_array, &expand));
    for (unsigned i = 0; i < 16; i++)
        send(new_ipi(0));
    INSIST(!reset_events());
}

/* ---- the rest ---- */

static void many(void) {
    static multicall_entry_t calls[64];
    static xen_pfn_t page;
    static struct xen_memory_reservation op = {.domid = DOMID_SELF, .nr_extents = 1};

    page = SMALL_GFN + 1;
    op.extent_start.p = &page;
    for (unsigned i = 0; i < COUNT(calls); i++) {
        calls[i].op = i % 4 < 2 ? __HYPERVISOR_memory_op : __HYPERVISOR_xen_version;
        calls[i].args[0] = i % 4 == 0   ? XENMEM_decrease_reservation
                           : i % 4 == 1 ? XENMEM_populate_physmap
                                        : XENVER_version;
        calls[i].args[1] = i % 4 < 2 ? (uint64_t)&op : 0;
    }
    INSIST(!multicall(calls, COUNT(calls)));
    filled = 0;
    list[0] = page;
    if (reservation(XENMEM_decrease_reservation, list, 1, 0) == 1 || strict)
        INSIST(fill(1, 0));
}

static void poll(void) {
    evtchn_port_t port = (evtchn_port_t)new_unbound(DOMID_SELF);
    struct sched_poll op = {.nr_ports = 1, .timeout = 1000000};

    INSIST((int32_t)port > 0 || (int32_t)(port = (evtchn_port_t)new_unbound(DOMID_SELF)) > 0);
    op.ports.p = &port;
    sched_op(SCHEDOP_poll, &op);
    sched_op(SCHEDOP_yield, 0);
    close(port);
}

static void vcpu_areas(void) {
    static struct vcpu_runstate_info area __attribute__((aligned(64)));
    struct vcpu_register_runstate_memory_area op = {.addr.p = (uint64_t)&area},
                                              none = {.addr.p = 0};
    struct vcpu_set_singleshot_timer timer = {.timeout_abs_ns = 1};

    INSIST(!vcpu_op(VCPUOP_register_runstate_memory_area, 0, &op));
    vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer);
    vcpu_op(VCPUOP_register_runstate_memory_area, 0, &none);
}

static void questions(void) {
    static char text[1024];
    struct xen_hvm_param param = {.domid = DOMID_SELF, .index = HVM_PARAM_CALLBACK_IRQ};

    for (unsigned i = 0; i < 16; i++)
        xen_version(i, text);
    xen_call(__HYPERVISOR_hvm_op, HVMOP_get_param, (uint64_t)&param, 0);
    console_io(CONSOLEIO_read, sizeof(text), text);
}

/* Goes through all of the guest's memory. */
static void caches(void) {
    CLEAN_BY_SET_AND_WAY();
}

const struct operation operations[] = {
    {"small pages", small_pages},
    {"large pages", large_pages},
    {"batch", batch},
    {"map grants", map_grants},
    {"copy grants", copy_grants},
    {"grant versions", grant_versions},
    {"ports", ports},
    {"reset of ports", reset_ports},
    {"FIFO", fifo},
    {"multicall", many},
    {"poll", poll},
    {"vCPU areas", vcpu_areas},
    {"questions", questions},
    {"caches", caches},
};
const unsigned nr_operations = COUNT(operations);
