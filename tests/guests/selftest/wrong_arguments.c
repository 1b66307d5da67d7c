/*
 * What a hostile guest may hand to a hypercall: every operation with a structure is a row of
 * `rows`, and every test here goes through all of them: pointers that lead nowhere, to devices,
 * over the end of memory, to read-only memory, at odd addresses; numbers at and past every edge in
 * each place of the structure; a structure that another CPU changes all the while. Whatever is
 * answered, the guest must still be as it was.
 */
#include "evtchn.h"

#define RAM_END (RAM + 0x4000000) /* of 64 MiB */

/* An operation with its numbers replaced may end or block the guest: only its pointer is wrong. */
#define POINTERS 1u

struct row {
    const char *name;
    uint64_t args[3]; /* one of them is the pointer */
    uint16_t size;
    uint8_t call, pointer; /* which one */
    int8_t self;           /* where DOMID_SELF stands in the structure; -1: nowhere */
    uint8_t flags;
    const void *from; /* how the structure is to be otherwise; NULL: zero */
};

#define NO_SELF (-1)
#define ROW(call, name, at, type, self, flags, ...)                                                \
    { name, {__VA_ARGS__}, sizeof(type), __HYPERVISOR_##call, at, self, flags, 0 }
#define OP(call, name, number, type, self, flags) ROW(call, name, 1, type, self, flags, number)
#define SELF(type, field) ((int8_t) __builtin_offsetof(type, field))
#define VERSION(number, type, flags)                                                               \
    OP(xen_version, "XENVER_" #number, XENVER_##number, type, NO_SELF, flags)
#define MEMORY(number, type, flags)                                                                \
    OP(memory_op, "XENMEM_" #number, XENMEM_##number, type, SELF(type, domid), flags)
#define HVM(number)                                                                                \
    OP(hvm_op, #number, number, struct xen_hvm_param, SELF(struct xen_hvm_param, domid), 0)
#define SCHED(number, type, flags)                                                                 \
    OP(sched_op, "SCHEDOP_" #number, SCHEDOP_##number, type, NO_SELF, flags)
#define VCPU(number, type) ROW(vcpu_op, "VCPUOP_" #number, 2, type, NO_SELF, 0, VCPUOP_##number, 0)
#define EVTCHN(number, self)                                                                       \
    OP(event_channel_op, "EVTCHNOP_" #number, EVTCHNOP_##number, struct evtchn_##number, self, 0)
#define GRANT(number, self, flags)                                                                 \
    ROW(grant_table_op, "GNTTABOP_" #number, 1, struct gnttab_##number, self, flags,               \
        GNTTABOP_##number, 0, 1)
#define GRANT_FROM(number, ...)                                                                    \
    {                                                                                              \
        "GNTTABOP_" #number, {GNTTABOP_##number, 0, 1}, sizeof(struct gnttab_##number),            \
            __HYPERVISOR_grant_table_op, 1, NO_SELF, 0,                                            \
            &(const struct gnttab_##number){__VA_ARGS__},                                          \
    }
#define DOM(type) SELF(struct type, dom)

/* What the guest grants to itself, under its own number. */
#define OWN_DOMID 1
#define REF 32
#define TABLE_GFN HOLE_GFN(71)
#define MAPPED_AT ((uint64_t)NOTHING_NORMAL + (72ULL << 12))
#define GRANTED_GFN ((RAM + 0x3100000ULL) >> 12)
#define COPY_END(at)                                                                               \
    { .u.gmfn = GRANTED_GFN + (at), .domid = DOMID_SELF, .offset = 8 }

struct lone_domid {
    domid_t domid;
};

static const struct row rows[] = {
    VERSION(extraversion, xen_extraversion_t, 0),
    VERSION(compile_info, struct xen_compile_info, 0),
    VERSION(capabilities, xen_extraversion_t, 0),
    VERSION(changeset, xen_changeset_info_t, 0),
    VERSION(platform_parameters, xen_platform_parameters_t, 0),
    VERSION(get_features, struct xen_feature_info, 0),
    VERSION(guest_handle, xen_domain_handle_t, 0),
    MEMORY(add_to_physmap, struct xen_add_to_physmap, 0),
    MEMORY(add_to_physmap_batch, struct xen_add_to_physmap_batch, 0),
    MEMORY(remove_from_physmap, struct xen_remove_from_physmap, 0),
    MEMORY(populate_physmap, struct xen_memory_reservation, 0),
    MEMORY(decrease_reservation, struct xen_memory_reservation, 0),
    MEMORY(increase_reservation, struct xen_memory_reservation, 0),
    MEMORY(current_reservation, struct lone_domid, 0),
    MEMORY(maximum_reservation, struct lone_domid, 0),
    MEMORY(maximum_gpfn, struct lone_domid, 0),
    MEMORY(acquire_resource, struct xen_mem_acquire_resource, 0),
    HVM(HVMOP_get_param),
    HVM(HVMOP_set_param),
    SCHED(shutdown, struct sched_shutdown, POINTERS),
    SCHED(shutdown_code, struct sched_shutdown, POINTERS),
    SCHED(remote_shutdown, struct sched_remote_shutdown, 0),
    SCHED(watchdog, struct sched_watchdog, POINTERS),
    SCHED(poll, struct sched_poll, POINTERS),
    VCPU(register_vcpu_info, struct vcpu_register_vcpu_info),
    VCPU(register_runstate_memory_area, struct vcpu_register_runstate_memory_area),
    ROW(console_io, "CONSOLEIO_write", 2, char[8], NO_SELF, POINTERS, CONSOLEIO_write, 8),
    ROW(multicall, "multicall", 0, multicall_entry_t, NO_SELF, POINTERS, 0, 1),
    EVTCHN(alloc_unbound, DOM(evtchn_alloc_unbound)),
    EVTCHN(bind_interdomain, SELF(struct evtchn_bind_interdomain, remote_dom)),
    EVTCHN(bind_virq, NO_SELF),
    EVTCHN(bind_ipi, NO_SELF),
    EVTCHN(close, NO_SELF),
    EVTCHN(send, NO_SELF),
    EVTCHN(status, DOM(evtchn_status)),
    EVTCHN(bind_vcpu, NO_SELF),
    EVTCHN(unmask, NO_SELF),
    EVTCHN(reset, DOM(evtchn_reset)),
    EVTCHN(init_control, NO_SELF),
    EVTCHN(expand_array, NO_SELF),
    EVTCHN(set_priority, NO_SELF),
    GRANT(query_size, DOM(gnttab_query_size), 0),
    GRANT(setup_table, DOM(gnttab_setup_table), POINTERS),
    GRANT(get_status_frames, DOM(gnttab_get_status_frames), 0),
    GRANT(get_version, DOM(gnttab_get_version), 0),
    GRANT_FROM(map_grant_ref, .host_addr = MAPPED_AT, .flags = GNTMAP_host_map, .ref = REF,
               .dom = OWN_DOMID),
    GRANT_FROM(unmap_grant_ref, .host_addr = MAPPED_AT, .handle = 0x7777),
    GRANT_FROM(unmap_and_replace, .host_addr = MAPPED_AT, .handle = 0x7777),
    GRANT_FROM(copy, .source = COPY_END(0), .dest = COPY_END(1), .len = 8),
    GRANT_FROM(swap_grant_ref, .ref_a = REF, .ref_b = REF + 1),
    GRANT_FROM(cache_flush, .a.dev_bus_addr = (RAM + 0x3100000), .length = 64,
               .op = GNTTAB_CACHE_CLEAN),
    GRANT(set_version, NO_SELF, 0),
};

static char place[8192] __attribute__((aligned(4096)));

static struct grant_entry_v1 *own_grants(void) {
    return (struct grant_entry_v1 *)word_at(TABLE_GFN);
}

static void grant_to_self(unsigned ref) {
    struct grant_entry_v1 *e = own_grants() + ref;

    e->domid = OWN_DOMID;
    e->frame = (uint32_t)GRANTED_GFN;
    dsb();
    *(volatile uint16_t *)&e->flags = GTF_permit_access;
}

static void unmap_again(uint64_t at, grant_handle_t handle) {
    struct gnttab_unmap_grant_ref op = {.host_addr = at, .handle = handle};

    grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1);
}

/* A grant that was mapped is unmapped, as far as the structure still says what it was. */
static int64_t call(const struct row *r, uint64_t at) {
    uint64_t a[3] = {r->args[0], r->args[1], r->args[2]};
    struct gnttab_map_grant_ref op;
    int64_t rc;

    a[r->pointer] = at;
    rc = xen_call(r->call, a[0], a[1], a[2]);
    if (!rc && r->call == __HYPERVISOR_grant_table_op && a[0] == GNTTABOP_map_grant_ref) {
        __builtin_memcpy(&op, (void *)at, sizeof(op));
        unmap_again(op.host_addr, op.handle);
    }
    return rc;
}

/* The structure as its row has it. */
static void prepare(const struct row *r, uint64_t at) {
    domid_t self = DOMID_SELF;

    if (r->from)
        __builtin_memcpy((void *)at, r->from, r->size);
    else
        __builtin_memset((void *)at, 0, r->size);
    if (r->self >= 0)
        __builtin_memcpy((void *)(at + (uint64_t)r->self), &self, sizeof(self));
}

/* Says which row it was. */
#define EQ_IN(r, got, expected)                                                                    \
    do {                                                                                           \
        int64_t got_ = (got);                                                                      \
                                                                                                   \
        if (got_ != (expected) && !failed())                                                       \
            print("row %s:\n", (r)->name);                                                         \
        EQ(got_, expected);                                                                        \
    } while (0)

/* A grant to itself, in a table of version 1. Returns how much RAM there is. */
static int64_t begin(void) {
    struct gnttab_set_version v1 = {.version = 1};

    EQ(grant_table_op(GNTTABOP_set_version, &v1, 1), 0);
    EQ(add(XENMAPSPACE_grant_table, 0, TABLE_GFN), 0);
    grant_to_self(REF);
    return question(XENMEM_current_reservation);
}

/* What calls with strange numbers left behind; then all is as before. */
static void clean_up(int64_t pages);

TEST(wrong_pointers) {
    static const uint64_t bad[] = {
        NOTHING_NORMAL,     NOTHING, VPL011,   GICD,         BAD_TABLE,
        0x8000000000000000, ~0ULL,    ~0ULL - 3, 1ULL << 39,    RAM_END,
        0xffff000000000000, 1,       0,        RAM_END + 17,
    };

    for (const struct row *r = rows; r < rows + COUNT(rows); r++)
        for (unsigned i = 0; i < COUNT(bad); i++)
            EQ_IN(r, call(r, bad[i]), -XEN_EFAULT);
}

/* The first half of the structure is there, the other is not. */
TEST(wrong_pointers_over_the_end) {
    for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
        uint64_t at = RAM_END - r->size / 2;

        __builtin_memset((void *)at, 0, r->size / 2);
        EQ_IN(r, call(r, at), -XEN_EFAULT);
    }
}

/* The answer is the same at any address, over the end of a page, and in a page of the hypervisor.
 */
TEST(odd_pointers) {
    int64_t pages = begin();
    uint64_t frame = (uint64_t)own_grants() + 2048;

    for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
        const uint64_t at[] = {(uint64_t)place + 1, (uint64_t)place + 4096 - r->size / 2,
                               frame + 8};
        int64_t rc;

        if (r->flags & POINTERS)
            continue;
        prepare(r, (uint64_t)place);
        rc = call(r, (uint64_t)place);
        reset_events();
        for (unsigned i = 0; i < COUNT(at); i++) {
            take(0);
            prepare(r, at[i]);
            EQ_IN(r, call(r, at[i]), rc);
            reset_events();
        }
        take(0);
    }
    __builtin_memset((void *)frame, 0, 2048);
    clean_up(pages);
}

/* Nothing is written where the guest itself may not write. */
TEST(read_only_pointers) {
    int64_t pages = begin();

    for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
        static char before[sizeof(place) / 2];

        if (r->flags & POINTERS)
            continue;
        prepare(r, (uint64_t)place);
        __builtin_memcpy(before, place, r->size);
        call(r, (uint64_t)place + READ_ONLY);
        for (unsigned i = 0; i < r->size; i++)
            EQ_IN(r, place[i], before[i]);
        reset_events();
        take(0);
    }
    EQ(xen_version(XENVER_extraversion, (void *)((uint64_t)place + READ_ONLY)), -XEN_EFAULT);
    clean_up(pages);
}

/* None is a frame of this guest's RAM, or an address of its own. */
static const uint64_t numbers[] = {
    0,          1,         2,          31,         32,         63,         64,        65,
    127,        128,       1023,       1024,       4095,       4096,       131071,    131072,
    DOMID_SELF, 0xffff,    0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 1ULL << 32, 1ULL << 36,
    1ULL << 40,  1ULL << 51, 1ULL << 52,  1ULL << 63,  ~0ULL >> 1,  ~0ULL,
};

/* Frames at which such a number may have placed something, and handles of mappings there. */
static void clean_up(int64_t pages) {
    struct vcpu_register_runstate_memory_area none = {.addr.p = 0};
    unsigned in_use = 0;

    for (grant_handle_t handle = 0; handle < 256; handle++)
        for (unsigned i = 0; i < COUNT(numbers); i++)
            if (!(numbers[i] & 4095))
                unmap_again(numbers[i], handle);
    for (unsigned i = 0; i < 512; i++) {
        in_use |= own_grants()[i].flags & (GTF_reading | GTF_writing);
        own_grants()[i] = (struct grant_entry_v1){0};
    }
    EQ(in_use, 0);
    EQ(take(TABLE_GFN), 0);
    for (unsigned i = 0; i < COUNT(numbers); i++)
        take(numbers[i]);
    EQ(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &none), 0);
    EQ(reset_events(), 0);
    EQ(question(XENMEM_current_reservation), pages);
    EQ(xen_version(XENVER_version, 0), 4 << 16 | 17);
}

TEST(wrong_numbers) {
    int64_t pages = begin();

    for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
        if (r->flags & POINTERS)
            continue;
        for (unsigned at = 0; at < r->size; at += 2) {
            for (unsigned i = 0; i < COUNT(numbers); i++) {
                unsigned width = at % 8 == 0 ? 8 : at % 4 == 0 ? 4 : 2;

                prepare(r, (uint64_t)place);
                __builtin_memcpy(place + at, &numbers[i], width);
                call(r, (uint64_t)place);
                grant_to_self(REF); /* swapped away, perhaps */
            }
        }
    }
    clean_up(pages);
}

/* In the registers: operations, counts and vCPUs. */
TEST(wrong_registers) {
    static const unsigned calls[] = {
        __HYPERVISOR_memory_op,       __HYPERVISOR_xen_version,
        __HYPERVISOR_hvm_op,          __HYPERVISOR_event_channel_op,
        __HYPERVISOR_grant_table_op,  __HYPERVISOR_vcpu_op,
        __HYPERVISOR_vm_assist,       __HYPERVISOR_console_io,
        __HYPERVISOR_multicall,       __HYPERVISOR_physdev_op,
        __HYPERVISOR_sched_op_compat, __HYPERVISOR_xsm_op,
        __HYPERVISOR_domctl,          __HYPERVISOR_sysctl,
        __HYPERVISOR_dm_op,           ~0u,
    };
    int64_t pages = begin();

    for (unsigned i = 0; i < COUNT(calls); i++)
        for (unsigned a = 0; a < COUNT(numbers); a++)
            for (unsigned b = 0; b < COUNT(numbers); b++)
                xen_call(calls[i], numbers[a], numbers[b], numbers[(a + b) % COUNT(numbers)]);
    for (unsigned a = 0; a < COUNT(numbers); a++)
        TRUE(xen_call(numbers[a] | BIT(REGISTER_BITS - 2), 0, 0, 0) == -XEN_ENOSYS);
    clean_up(pages);
}

static volatile bool enough;

static void scribble(void) {
    uint64_t random = 88172645463325252;

    while (!enough) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        *(volatile uint64_t *)(place + (random >> 8) % 16 * 8) =
            random & 15 ? numbers[random % COUNT(numbers)]
                        : (uint64_t)DOMID_SELF << 16 * (random >> 4 & 3);
    }
}

/* What was checked is not read again. */
TEST_SMP(arguments_change_under_the_call) {
    int64_t pages = begin();

    enough = false;
    cpu_start(1, scribble);
    for (unsigned round = 0; round < 200; round++)
        for (const struct row *r = rows; r < rows + COUNT(rows); r++)
            if (!(r->flags & POINTERS))
                call(r, (uint64_t)place);
    enough = true;
    cpu_join(1);
    clean_up(pages);
}

/* ---- pointers and frames within the structure ---- */

struct inner {
    struct row row;
    uint16_t at; /* where the pointer is */
    int64_t rc;
};
#define INNER(call, name, number, type, field, rc, ...)                                            \
    {                                                                                              \
        {name "." #field,                                                                          \
         {number, 0, 1},                                                                           \
         sizeof(type),                                                                             \
         __HYPERVISOR_##call,                                                                      \
         1,                                                                                        \
         NO_SELF,                                                                                  \
         0,                                                                                        \
         &(const type){__VA_ARGS__}},                                                              \
            __builtin_offsetof(type, field), rc                                                    \
    }
#define BATCH(field)                                                                               \
    INNER(memory_op, "batch", XENMEM_add_to_physmap_batch, struct xen_add_to_physmap_batch, field, \
          -XEN_EFAULT, .domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .size = 1,           \
          .idxs.p = (xen_ulong_t *)place, .gpfns.p = (xen_pfn_t *)place, .errs.p = (int *)place)
#define EXTENTS(number)                                                                            \
    INNER(memory_op, #number, XENMEM_##number, struct xen_memory_reservation, extent_start, 0,     \
          .domid = DOMID_SELF, .nr_extents = 1)

static const struct inner inner[] = {
    BATCH(idxs),
    BATCH(gpfns),
    BATCH(errs),
    EXTENTS(populate_physmap),
    EXTENTS(decrease_reservation),
    EXTENTS(increase_reservation),
    INNER(sched_op, "poll", SCHEDOP_poll, struct sched_poll, ports, -XEN_EFAULT, .nr_ports = 1),
    INNER(grant_table_op, "setup_table", GNTTABOP_setup_table, struct gnttab_setup_table,
          frame_list, 0, .dom = DOMID_SELF, .nr_frames = 1),
};

/* Directly and as an entry of a multicall, with the same answer. */
TEST(wrong_inner_pointers) {
    static const uint64_t bad[] = {NOTHING_NORMAL, NOTHING, VPL011, BAD_TABLE, ~0ULL - 3, RAM_END};
    uint64_t copy = (uint64_t)place + 4096;

    for (const struct inner *n = inner; n < inner + COUNT(inner); n++) {
        for (unsigned i = 0; i < COUNT(bad); i++) {
            multicall_entry_t entry = {n->row.call, 0, {n->row.args[0], copy, 1}};

            __builtin_memset(place, 0, 64);
            prepare(&n->row, copy);
            __builtin_memcpy((void *)(copy + n->at), &bad[i], 8);
            EQ_IN(&n->row, call(&n->row, copy), n->rc);
            EQ(multicall(&entry, 1), 0);
            EQ_IN(&n->row, (int64_t)entry.result, n->rc);
            if (n->row.call == __HYPERVISOR_grant_table_op)
                EQ(((struct gnttab_setup_table *)copy)->status, GNTST_bad_virt_addr);
            take(0); /* entries that were done before their result could not be written */
        }
    }
}

static int64_t control_at(uint64_t gfn) {
    struct evtchn_init_control op = {.control_gfn = gfn};

    return evtchn_op(EVTCHNOP_init_control, &op);
}
static int64_t info_at(uint64_t gfn) {
    struct vcpu_register_vcpu_info op = {.mfn = gfn};

    return vcpu_op(VCPUOP_register_vcpu_info, 0, &op);
}
static int64_t copy_to(uint64_t gfn) {
    struct gnttab_copy op = {.source = COPY_END(0), .dest = COPY_END(0), .len = 8};

    op.dest.u.gmfn = gfn;
    EQ(grant_table_op(GNTTABOP_copy, &op, 1), 0);
    return op.status;
}
static int64_t map_at(uint64_t gfn) {
    struct gnttab_map_grant_ref op = {
        .host_addr = gfn << 12, .flags = GNTMAP_host_map, .ref = REF, .dom = OWN_DOMID};

    EQ(grant_table_op(GNTTABOP_map_grant_ref, &op, 1), 0);
    return op.status;
}

/* Frames that are no RAM the guest may write: nothing, devices, the hypervisor's, read-only. */
TEST(wrong_frames) {
    int64_t pages = begin();
    struct gnttab_map_grant_ref readonly = {.host_addr = MAPPED_AT,
                                            .flags = GNTMAP_host_map | GNTMAP_readonly,
                                            .ref = REF,
                                            .dom = OWN_DOMID};
    const uint64_t frames[] = {HOLE_GFN(80), GICD >> 12, VPL011 >> 12, TABLE_GFN, MAPPED_AT >> 12,
                               1ULL << 36,    1ULL << 51,  ~0ULL >> 12,   ~0ULL};

    EQ(grant_table_op(GNTTABOP_map_grant_ref, &readonly, 1), 0);
    EQ(readonly.status, GNTST_okay);
    for (unsigned i = 0; i < COUNT(frames); i++) {
        EQ(info_at(frames[i]), -XEN_EINVAL);
        EQ(control_at(frames[i]), -XEN_EINVAL);
        EQ(copy_to(frames[i]), GNTST_bad_page);
        if (frames[i] >= 1ULL << 36)
            EQ(map_at(frames[i]), GNTST_general_error);
    }
    unmap_again(MAPPED_AT, readonly.handle);
    clean_up(pages);
}
