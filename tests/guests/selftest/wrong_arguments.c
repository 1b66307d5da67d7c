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
};

#define NO_SELF (-1)
#define ROW(call, name, at, type, self, flags, ...)                                                \
    { name, {__VA_ARGS__}, sizeof(type), __HYPERVISOR_##call, at, self, flags }
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
#define DOM(type) SELF(struct type, dom)

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
    GRANT(set_version, NO_SELF, 0),
};

static char place[8192] __attribute__((aligned(4096)));

static int64_t call(const struct row *r, uint64_t at) {
    uint64_t a[3] = {r->args[0], r->args[1], r->args[2]};

    a[r->pointer] = at;
    return xen_call(r->call, a[0], a[1], a[2]);
}

/* An empty structure, but for its domain. */
static void prepare(const struct row *r, uint64_t at) {
    domid_t self = DOMID_SELF;

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

/* What calls with strange numbers left behind; then all is as before. */
static void clean_up(int64_t pages);

TEST(wrong_pointers) {
    static const uint64_t bad[] = {
        NOTHING_NORMAL,     NOTHING, VPL011,   GICD,         BAD_TABLE,
        0x8000000000000000, ~0UL,    ~0UL - 3, 1UL << 39,    RAM_END,
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
    int64_t pages = question(XENMEM_current_reservation);
    uint64_t frame = (uint64_t)word_at(HOLE_GFN(70));

    EQ(add(XENMAPSPACE_grant_table, 0, HOLE_GFN(70)), 0);
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
    EQ(take(HOLE_GFN(70)), 0);
    clean_up(pages);
}

/* Nothing is written where the guest itself may not write. */
TEST(read_only_pointers) {
    int64_t pages = question(XENMEM_current_reservation);

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
    DOMID_SELF, 0xffff,    0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 1UL << 32, 1UL << 36,
    1UL << 40,  1UL << 51, 1UL << 52,  1UL << 63,  ~0UL >> 1,  ~0UL,
};

/* Frames at which such a number may have placed something. */
static void clean_up(int64_t pages) {
    struct vcpu_register_runstate_memory_area none = {.addr.p = 0};

    for (unsigned i = 0; i < COUNT(numbers); i++)
        take(numbers[i]);
    EQ(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &none), 0);
    EQ(reset_events(), 0);
    EQ(question(XENMEM_current_reservation), pages);
    EQ(xen_version(XENVER_version, 0), 4 << 16 | 17);
}

TEST(wrong_numbers) {
    int64_t pages = question(XENMEM_current_reservation);

    for (const struct row *r = rows; r < rows + COUNT(rows); r++) {
        if (r->flags & POINTERS)
            continue;
        for (unsigned at = 0; at < r->size; at += 2) {
            for (unsigned i = 0; i < COUNT(numbers); i++) {
                unsigned width = at % 8 == 0 ? 8 : at % 4 == 0 ? 4 : 2;

                prepare(r, (uint64_t)place);
                __builtin_memcpy(place + at, &numbers[i], width);
                call(r, (uint64_t)place);
            }
        }
    }
    clean_up(pages);
}

/* In the registers: operations, counts and vCPUs. */
TEST(wrong_registers) {
    static const unsigned calls[] = {
        __HYPERVISOR_memory_op,        __HYPERVISOR_xen_version,     __HYPERVISOR_hvm_op,
        __HYPERVISOR_event_channel_op, __HYPERVISOR_grant_table_op,  __HYPERVISOR_vcpu_op,
        __HYPERVISOR_vm_assist,        __HYPERVISOR_console_io,      __HYPERVISOR_multicall,
        __HYPERVISOR_physdev_op,       __HYPERVISOR_sched_op_compat, ~0u,
    };
    int64_t pages = question(XENMEM_current_reservation);

    for (unsigned i = 0; i < COUNT(calls); i++)
        for (unsigned a = 0; a < COUNT(numbers); a++)
            for (unsigned b = 0; b < COUNT(numbers); b++)
                xen_call(calls[i], numbers[a], numbers[b], numbers[(a + b) % COUNT(numbers)]);
    for (unsigned a = 0; a < COUNT(numbers); a++)
        TRUE(xen_call(numbers[a] | 1UL << 33, 0, 0, 0) == -XEN_ENOSYS);
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
    int64_t pages = question(XENMEM_current_reservation);

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
