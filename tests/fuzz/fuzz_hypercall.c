/*
 * Every hypercall through the table, by three domains over the real memory core, with structures of
 * the right shape in the guests' own memory, which they change and give away meanwhile. At each
 * preemption point another vCPU may have its turn, and domains come and go. All of it is audited;
 * after the domains' end all their memory is free.
 */
/* clang-format off */
/* SOURCES: common/abi/console_io.c common/abi/event_fifo.c common/abi/evtchn.c common/abi/evtchn_hv.c common/abi/evtchn_pending.c common/abi/evtchn_port.c common/abi/grant_copy.c common/abi/grant_entry.c common/abi/grant_frames.c common/abi/grant_map.c common/abi/grant_op.c common/abi/guest_atomic.c common/abi/hvm_op.c common/abi/hypercall.c common/abi/maptrack.c common/abi/memory_op.c common/abi/multicall.c common/abi/physmap.c common/abi/policy.c common/abi/pv_console.c common/abi/reservation.c common/abi/runstate.c common/abi/sched_op.c common/abi/vcpu_info.c common/abi/vcpu_op.c common/abi/version.c common/virt/guest_copy.c common/mm/boot_mem.c common/mm/heap.c common/mm/fresh.c common/mm/xenheap.c common/mm/page_owner.c common/mm/page_ref.c common/mm/static_mem.c common/mm/pt.c common/mm/pt_page.c common/mm/pt_read.c common/mm/p2m.c common/mm/p2m_global.c common/mm/p2m_map.c common/mm/p2m_unmap.c common/mm/p2m_pool.c common/mm/p2m_populate.c common/mm/p2m_audit.c tests/fake/mm_world.c */
/* clang-format on */
#include "fuzz.h"

#include "../unit/abi_world.h"

#include <xen/hvm/hvm_op.h>
#include <xen/sched.h>
#include <xen/version.h>

/*
 * What an operation takes, field by field: d a domain, most often oneself, D one of all, h 16 bits,
 * s 32 bits, mostly small, f flags and r a number of a grant, n 32 bits, o an offset into a page, q
 * a frame, g a frame or a grant, a an address, p an address of a list, c 64 bits, mostly small.
 */
struct shape {
    uint8_t nr, cmd;
    const char *fields;
};
static const struct shape shapes[] = {
    {__HYPERVISOR_memory_op, XENMEM_add_to_physmap, "dhsqq"},
    {__HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, "dhhdppp"},
    {__HYPERVISOR_memory_op, XENMEM_remove_from_physmap, "dhsq"},
    {__HYPERVISOR_memory_op, XENMEM_populate_physmap, "pcsnd"},
    {__HYPERVISOR_memory_op, XENMEM_decrease_reservation, "pcsnd"},
    {__HYPERVISOR_memory_op, XENMEM_increase_reservation, "pcsnd"},
    {__HYPERVISOR_memory_op, XENMEM_current_reservation, "d"},
    {__HYPERVISOR_memory_op, XENMEM_maximum_gpfn, "d"},
    {__HYPERVISOR_memory_op, XENMEM_acquire_resource, "dhsssqp"},
    {__HYPERVISOR_xen_version, XENVER_version, ""},
    {__HYPERVISOR_xen_version, XENVER_extraversion, ""},
    {__HYPERVISOR_xen_version, XENVER_compile_info, ""},
    {__HYPERVISOR_xen_version, XENVER_get_features, "ss"},
    {__HYPERVISOR_hvm_op, HVMOP_set_param, "dhsq"},
    {__HYPERVISOR_hvm_op, HVMOP_get_param, "dhsq"},
    {__HYPERVISOR_hvm_op, HVMOP_guest_request_vm_event, ""},
    {__HYPERVISOR_sched_op, SCHEDOP_yield, ""},
    {__HYPERVISOR_sched_op, SCHEDOP_block, ""},
    {__HYPERVISOR_sched_op, SCHEDOP_poll, "pssc"},
    {__HYPERVISOR_sched_op, SCHEDOP_shutdown, "s"},
    {__HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, "dhs"},
    {__HYPERVISOR_sched_op, SCHEDOP_shutdown_code, "s"},
    {__HYPERVISOR_sched_op, SCHEDOP_watchdog, "ss"},
    {__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, "qon"},
    {__HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, "a"},
    {__HYPERVISOR_console_io, CONSOLEIO_write, ""},
    {__HYPERVISOR_console_io, CONSOLEIO_read, ""},
    {__HYPERVISOR_vm_assist, VMASST_CMD_enable, ""},
    {__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, "dDs"},
    {__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, "Dhss"},
    {__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, "sss"},
    {__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, "ss"},
    {__HYPERVISOR_event_channel_op, EVTCHNOP_bind_vcpu, "ss"},
    {__HYPERVISOR_event_channel_op, EVTCHNOP_close, "s"},
    {__HYPERVISOR_event_channel_op, EVTCHNOP_send, "s"},
    {__HYPERVISOR_event_channel_op, EVTCHNOP_status, "dhs"},
    {__HYPERVISOR_event_channel_op, EVTCHNOP_unmask, "s"},
    {__HYPERVISOR_event_channel_op, EVTCHNOP_reset, "d"},
    {__HYPERVISOR_event_channel_op, EVTCHNOP_init_control, "qos"},
    {__HYPERVISOR_event_channel_op, EVTCHNOP_expand_array, "q"},
    {__HYPERVISOR_event_channel_op, EVTCHNOP_set_priority, "ss"},
    {__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, "afrD"},
    {__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, "aas"},
    {__HYPERVISOR_grant_table_op, GNTTABOP_unmap_and_replace, "aas"},
    {__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, "dhsssp"},
    {__HYPERVISOR_grant_table_op, GNTTABOP_copy, "gDhsgDhshh"},
    {__HYPERVISOR_grant_table_op, GNTTABOP_query_size, "d"},
    {__HYPERVISOR_grant_table_op, GNTTABOP_set_version, "s"},
    {__HYPERVISOR_grant_table_op, GNTTABOP_get_version, "d"},
    {__HYPERVISOR_grant_table_op, GNTTABOP_get_status_frames, "sdhp"},
    {__HYPERVISOR_grant_table_op, GNTTABOP_swap_grant_ref, "ss"},
    {__HYPERVISOR_grant_table_op, GNTTABOP_cache_flush, "ahhs"},
};

#define SLOT 64u /* bytes of a structure, and of a list */
#define DEPTH 3u /* calls that stand at a preemption point, one on top of the other */

static bool busy[NR_DOMS][NR_VCPUS];
static unsigned depth, steps;

/* ---- numbers ---- */

static uint64_t frame(void) {
    return eat(1) % 16 ? FIRST_GFN + eat(1) % 40 : eat(8);
}
static uint64_t address(void) {
    return eat(1) % 16 ? frame() << PAGE_SHIFT : eat(8);
}
static uint64_t small(unsigned bytes) {
    return eat(1) % 16 ? eat(1) % 12 : eat(bytes);
}
static uint64_t whom(void) {
    return eat(1) % 4 ? DOMID_SELF : eat(1) % 8 ? 1 + eat(1) % NR_DOMS : eat(2);
}
static uint64_t any_domain(void) {
    uint64_t n = eat(1);

    return n < 240 ? 1 + n % NR_DOMS : n < 248 ? DOMID_SELF : eat(2);
}
static vaddr_t slot(void) {
    return GUEST(1 + eat(1) % 2) + eat(1) % (PAGE_SIZE / SLOT) * SLOT;
}

/* As a store of the guest's: where it cannot, nothing is changed. */
static void store(struct domain *who, vaddr_t at, uint64_t value, unsigned bytes) {
    struct vcpu *before = current_vcpu;

    current_vcpu = who->vcpus[0];
    if (copy_to_guest(at, &value, bytes))
        steps++;
    current_vcpu = before;
}

/* Of frames or ports, mostly. */
static vaddr_t list(struct domain *who) {
    vaddr_t at = slot();

    for (unsigned i = (unsigned)eat(1) % 4; i; i--)
        store(who, at + i * 8 - 8, eat(1) & 1 ? frame() : small(8), 8);
    return at;
}

static unsigned field(struct domain *who, char kind, uint64_t *value) {
    switch (kind) {
    case 'd':
        *value = whom();
        return 2;
    case 'f':
        *value = eat(1) % 16 ? GNTMAP_host_map | (eat(1) & GNTMAP_readonly) : eat(4);
        return 4;
    case 'r':
        *value = eat(1) % 8;
        return 4;
    case 'D':
        *value = any_domain();
        return 2;
    case 'h':
        *value = small(2);
        return 2;
    case 's':
        *value = small(4);
        return 4;
    case 'n':
        *value = eat(4);
        return 4;
    case 'o':
        *value = eat(1) % 16 ? eat(1) % 64 * 64 : eat(4);
        return 4;
    case 'q':
        *value = eat(1) % 4 ? frame() : small(8) | (eat(1) % 4 ? 0 : XENMAPIDX_grant_table_status);
        return 8;
    case 'g':
        *value = eat(1) & 1 ? frame() : small(4);
        return 8;
    case 'a':
        *value = address();
        return 8;
    case 'p':
        *value = eat(1) % 8 ? list(who) : address();
        return 8;
    default:
        *value = small(8);
        return 8;
    }
}

static vaddr_t structure(struct domain *who, const char *fields) {
    vaddr_t at = slot(), p = at;

    for (; *fields; fields++) {
        uint64_t value;
        unsigned bytes = field(who, *fields, &value);

        store(who, p, value, bytes);
        p += bytes;
    }
    return eat(1) % 16 ? at : address();
}

/* ---- calls ---- */

static uint64_t choose(struct domain *who, uint64_t *args) {
    unsigned n = (unsigned)eat(1);
    const struct shape *s = &shapes[n % ARRAY_SIZE(shapes)];
    vaddr_t at = structure(who, s->fields);

    args[0] = s->cmd;
    args[1] = at;
    args[2] = s->nr == __HYPERVISOR_grant_table_op ? 1 : 0;
    switch (s->nr) {
    case __HYPERVISOR_memory_op:
        args[0] |= eat(1) % 8 ? 0 : eat(1) << 6;
        break;
    case __HYPERVISOR_vcpu_op:
        args[1] = small(4) % 3;
        args[2] = at;
        break;
    case __HYPERVISOR_console_io:
        args[1] = eat(1) % 4 ? eat(1) : eat(4);
        args[2] = at;
        break;
    case __HYPERVISOR_vm_assist:
        args[1] = VMASST_TYPE_runstate_update_flag;
        break;
    default:
        break;
    }
    if (eat(1) % 16 == 15)
        args[eat(1) % 3] = eat(8);
    return s->nr;
}

/* Entries in a row, each with its structure somewhere. */
static uint64_t choose_many(struct domain *who, uint64_t *args) {
    vaddr_t at = GUEST(3) + eat(1) * 16;
    unsigned nr = (unsigned)eat(1) % 12;

    for (unsigned i = 0; i < nr; i++) {
        struct multicall_entry e = {0};
        uint64_t inner[HYPERCALL_ARGS] = {0};

        inner[0] = at, inner[1] = nr; /* itself */
        e.op = eat(1) % 16 ? choose(who, inner) : __HYPERVISOR_multicall;
        for (unsigned a = 0; a < HYPERCALL_ARGS; a++)
            e.args[a] = inner[a];
        for (unsigned w = 0; w < sizeof(e) / 8; w++)
            store(who, at + i * sizeof(e) + w * 8, ((uint64_t *)&e)[w], 8);
    }
    args[0] = eat(1) % 16 ? at : address();
    args[1] = eat(1) % 16 ? nr : eat(4);
    return __HYPERVISOR_multicall;
}

static void step(void);

static void hypercall_by(struct vcpu *v, uint64_t nr, const uint64_t *args) {
    bool *mine = &busy[v->domain->id - 1][v->id];
    struct vcpu *before = current_vcpu;

    if (depth == DEPTH || *mine)
        return;
    *mine = true;
    depth++;
    current_vcpu = v;
    (void)hypercall(v, args, nr);
    world_check_locks();
    current_vcpu = before;
    depth--;
    *mine = false;
}

static void one_call(struct vcpu *v) {
    uint64_t args[HYPERCALL_ARGS] = {0};
    uint64_t nr = eat(1) % 8 ? choose(v->domain, args) : choose_many(v->domain, args);

    hypercall_by(v, nr, args);
}

/* Others run where one may be preempted; who waits for one below is told to end, as that cannot go
 * on. */
static void others(void) {
    struct vcpu *before = current_vcpu;

    if (input_left && ++steps % 2)
        step();
    current_vcpu = before;
}
static void waits(void) {
    if (depth > 1)
        stop_vcpus(current->domain);
}

/* ---- what else happens ---- */

static bool in_use(unsigned n) {
    return busy[n][0] || busy[n][1];
}

static void begin(unsigned n) {
    struct domain *who = world_guest(n);

    who->privileged = n == 2;
    HOLDS(eat(1) % 2 || !abi_pv_console_init(who));
}

/* Whom a grant names maps it, as it seldom would by chance. */
static void map_granted(struct domain *by, domid_t granter, unsigned ref) {
    struct gnttab_map_grant_ref op = {.host_addr = address(),
                                      .flags = GNTMAP_host_map | (eat(1) & GNTMAP_readonly),
                                      .ref = ref,
                                      .dom = granter};
    uint64_t args[HYPERCALL_ARGS] = {GNTTABOP_map_grant_ref, slot(), 1};

    for (unsigned w = 0; w < sizeof(op) / 8; w++)
        store(by, args[1] + w * 8, ((uint64_t *)&op)[w], 8);
    hypercall_by(by->vcpus[0], __HYPERVISOR_grant_table_op, args);
}

/* A granter's entry, of either version. */
static void write_grant(struct domain *who) {
    uint8_t *table = who->abi->grant.frame[0];
    unsigned ref = (unsigned)eat(1) % 8;

    if (eat(1) & 3) {
        struct grant_entry_v1 *e = (struct grant_entry_v1 *)table + ref;

        e->domid = (domid_t)any_domain();
        e->frame = (uint32_t)(eat(1) % 8 ? FIRST_GFN + eat(1) % NR_RAM : frame());
        e->flags = (uint16_t)(eat(1) % 8 ? GTF_permit_access | eat(1) % 2 * GTF_readonly : eat(1));
        if (e->domid && e->domid <= NR_DOMS && dom[e->domid - 1])
            map_granted(dom[e->domid - 1], who->id, ref);
    } else {
        eat_into(table + ref * sizeof(union grant_entry_v2), sizeof(union grant_entry_v2));
    }
}

static void step(void) {
    unsigned n = (unsigned)eat(1) % NR_DOMS;
    struct domain *who = dom[n];

    if (!who)
        return;
    switch (eat(1) % 16) {
    case 0:
        write_grant(who);
        break;
    case 1:
        store(who, address() + eat(1) * 8, eat(8), 8);
        break;
    case 2:
        ((uint8_t *)who->abi->shared_info)[eat(2) % PAGE_SIZE] = (uint8_t)eat(1);
        break;
    case 3:
        if (!in_use(n) && eat(1) % 8 == 0) {
            world_kill(n);
            begin(n);
        }
        break;
    case 4:
        if (seen.port && depth == 0 && who->abi->console_io.port.input)
            who->abi->console_io.port.input(who->abi->console_io.port.arg, (char)eat(1));
        break;
    case 5:
        evtchn_raise_virq(who->vcpus[eat(1) % NR_VCPUS], (unsigned)eat(1) % NR_VIRQS);
        break;
    case 6:
        current_vcpu = who->vcpus[0];
        if (!busy[n][0])
            publish(who->vcpus[0]);
        break;
    default:
        one_call(who->vcpus[eat(1) % NR_VCPUS]);
        break;
    }
}

/* Those that were shut down, or crashed, begin anew. */
static void bury(void) {
    for (unsigned n = 0; n < NR_DOMS; n++)
        if (dom[n]->vcpus[0]->work & VCPU_WORK_STOP) {
            world_kill(n);
            begin(n);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool booted;
    uint64_t free_before;

    if (!booted) {
        world_start();
        policy_allow_pair(1, 2);
        booted = true;
    }
    free_before = heap_free_pages();
    input_is(data, size);
    given_mmio = mfn(0x9000);
    armed = NULL;
    steps = 0;
    while_preempted = others;
    while_yielding = waits;
    for (unsigned n = 0; n < NR_DOMS; n++)
        begin(n);
    for (unsigned i = 1; input_left; i++) {
        step();
        bury();
        if (i % 8 == 0)
            world_check();
    }
    while_preempted = NULL;
    world_check();
    for (unsigned n = 0; n < NR_DOMS; n++)
        world_kill(n);
    HOLDS(!shells && heap_free_pages() == free_before);
    return 0;
}
