/* sched_op, vcpu_op and the runstate area, console_io, and lists of calls. */
#include "evtchn.h"

static struct vcpu_runstate_info area[2] __attribute__((aligned(256)));
static char page[2 * 4096] __attribute__((aligned(4096)));

TEST(sched_plain) {
    EQ(sched_op(SCHEDOP_yield, 0), 0);
    EQ(sched_op(8, 0), -XEN_ENOSYS);
    EQ(sched_op(~0u, 0), -XEN_ENOSYS);
    EQ(sched_op(SCHEDOP_shutdown, (void *)NOTHING_NORMAL), -XEN_EFAULT);
    EQ(sched_op(SCHEDOP_shutdown_code, (void *)NOTHING_NORMAL), -XEN_EFAULT);
    EQ(sched_op(SCHEDOP_remote_shutdown, (void *)NOTHING_NORMAL), -XEN_EFAULT);
    EQ(sched_op(SCHEDOP_watchdog, (void *)NOTHING_NORMAL), -XEN_EFAULT);
    EQ(sched_op(SCHEDOP_pin_override, (void *)NOTHING_NORMAL), -XEN_EPERM);
}

/* Unlike WFI it lets the interrupt in, which is masked here before. */
TEST(sched_block_until_an_interrupt) {
    gic_enable(PPI_VTIMER, 0x80);
    sysreg_write(cntv_cval_el0, counter() + ticks_us(2000));
    sysreg_write(cntv_ctl_el0, 1);
    EQ(sched_op(SCHEDOP_block, 0), 0);
    EQ(irq_taken(PPI_VTIMER), 1);
    EQ(sysreg_read(daif) & SPSR_I, 0);
}

TEST(sched_shut_down_another) {
    struct sched_remote_shutdown op = {.domain_id = 0x1234, .reason = SHUTDOWN_poweroff};

    EQ(sched_op(SCHEDOP_remote_shutdown, &op), -XEN_ESRCH);
    op.domain_id = DOMID_SELF;
    EQ(sched_op(SCHEDOP_remote_shutdown, &op), -XEN_ESRCH);
    op.domain_id = 1; /* ourselves: it needs a right all the same */
    EQ(sched_op(SCHEDOP_remote_shutdown, &op), -XEN_EPERM);
}

TEST(sched_watchdogs) {
    struct sched_watchdog op = {.id = 0, .timeout = 1000};

    EQ(sched_op(SCHEDOP_watchdog, &op), 1);
    EQ(sched_op(SCHEDOP_watchdog, &op), 2);
    EQ((int)sched_op(SCHEDOP_watchdog, &op), -XEN_ENOSPC);
    op.id = 3;
    EQ(sched_op(SCHEDOP_watchdog, &op), -XEN_EINVAL);
    op.id = ~0u;
    EQ(sched_op(SCHEDOP_watchdog, &op), -XEN_EINVAL);
    for (op.id = 1; op.id <= 2; op.id++) {
        op.timeout = 2000;
        EQ(sched_op(SCHEDOP_watchdog, &op), 0);
        op.timeout = 0;
        EQ(sched_op(SCHEDOP_watchdog, &op), 0);
        EQ(sched_op(SCHEDOP_watchdog, &op), -XEN_EINVAL); /* given back */
    }
}

TEST(vcpu_operations) {
    for (unsigned op = 0; op < 20; op++) {
        if (op == VCPUOP_register_runstate_memory_area || op == VCPUOP_register_vcpu_info)
            continue;
        EQ(vcpu_op(op, 0, page), -XEN_EINVAL); /* not on Arm */
        EQ(vcpu_op(op, nr_cpus, page), -XEN_ENOENT);
    }
    EQ(vcpu_op(VCPUOP_register_runstate_memory_area, nr_cpus, page), -XEN_ENOENT);
    EQ(vcpu_op(VCPUOP_register_runstate_memory_area, ~0u, page), -XEN_ENOENT);
    EQ(vcpu_op(VCPUOP_register_runstate_memory_area, 0, (void *)NOTHING_NORMAL), -XEN_EFAULT);
}

static int64_t register_area(unsigned vcpu, uint64_t at) {
    struct vcpu_register_runstate_memory_area op = {.addr.p = at};

    return vcpu_op(VCPUOP_register_runstate_memory_area, vcpu, &op);
}

static uint64_t sum(const volatile struct vcpu_runstate_info *info) {
    return info->time[0] + info->time[1] + info->time[2] + info->time[3];
}

TEST(runstate_grows) {
    uint64_t before, entered, blocked;

    EQ(register_area(0, (uint64_t)&area[0]), 0);
    EQ(area[0].state, RUNSTATE_running);
    before = sum(&area[0]);
    entered = area[0].state_entry_time;
    blocked = area[0].time[RUNSTATE_blocked];
    nap();
    nap();
    EQ(*(volatile int *)&area[0].state, RUNSTATE_running);
    TRUE(area[0].time[RUNSTATE_blocked] > blocked);
    TRUE(area[0].state_entry_time > entered);
    EQ(sum(&area[0]) - before, area[0].state_entry_time - entered); /* no drift */
    EQ(register_area(0, 0), 0);
    before = sum(&area[0]);
    nap();
    EQ(sum(&area[0]), before); /* no longer told */
}

/* Wherever it leads, nothing but the area itself is written, and the guest goes on. */
TEST(runstate_hostile_addresses) {
    static const uint64_t bad[] = {
        1, NOTHING_NORMAL, NOTHING, VPL011, 0x8000000000000000, ~0ULL, ~0ULL - 47, BAD_TABLE,
    };

    for (unsigned i = 0; i < COUNT(bad); i++) {
        EQ(register_area(0, bad[i]), 0);
        nap();
    }
    for (unsigned i = 0; i < sizeof(page); i++)
        page[i] = 0x55;
    EQ(register_area(0, (uint64_t)page + 4096 - 21), 0); /* unaligned, over the end of a page */
    nap();
    EQ(page[4096 - 22], 0x55);
    EQ(page[4096 - 21], RUNSTATE_running);
    EQ(page[4096 + 27], 0x55);
    EQ(register_area(0, 0), 0);
}

TEST(runstate_update_flag) {
    EQ(vm_assist(VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag), 0);
    EQ(register_area(0, (uint64_t)&area[0]), 0);
    nap();
    EQ(area[0].state_entry_time & XEN_RUNSTATE_UPDATE, 0); /* the update is over */
    EQ(vm_assist(VMASST_CMD_disable, VMASST_TYPE_runstate_update_flag), 0);
    EQ(register_area(0, 0), 0);
}

static volatile bool release;

static void sleep_until_released(void) {
    gic_init_cpu();
    while (!release)
        nap();
}

/* What another CPU sees of one that comes and goes. */
TEST_SMP(runstate_of_another) {
    volatile struct vcpu_runstate_info *other = &area[1];

    release = false;
    EQ(register_area(1, (uint64_t)&area[1]), 0);
    EQ(other->state, RUNSTATE_offline);
    cpu_start(1, sleep_until_released);
    WAIT(other->state != RUNSTATE_offline); /* running is not to be seen where both share a CPU */
    WAIT(other->state == RUNSTATE_blocked);
    release = true;
    cpu_join(1);
    WAIT(other->state == RUNSTATE_offline);
    EQ(register_area(1, 0), 0);
}

TEST(console_io_write) {
    EQ(console_io(CONSOLEIO_write, 0, (void *)NOTHING_NORMAL), 0);
    EQ(console_io(CONSOLEIO_write, 4, (void *)NOTHING_NORMAL), -XEN_EFAULT);
    EQ(console_io(CONSOLEIO_write, 21, "text by console_io()\n"), 0);
    EQ(console_io(CONSOLEIO_read, 0x80000000, page), -XEN_E2BIG);
    EQ(console_io(CONSOLEIO_read, 16, page), 0); /* no keys: they go to the other console */
    EQ(console_io(2, 1, page), -XEN_ENOSYS);
}

/* ---- waiting for events ---- */

static int64_t poll(evtchn_port_t *ports, unsigned nr, uint64_t timeout) {
    struct sched_poll op = {.nr_ports = nr, .timeout = timeout};

    op.ports.p = ports;
    return sched_op(SCHEDOP_poll, &op);
}

/* Long ago, by any count of nanoseconds since the machine started. */
#define AT_ONCE 1

TEST(poll_errors) {
    static evtchn_port_t ports[129];

    EQ(sched_op(SCHEDOP_poll, (void *)NOTHING_NORMAL), -XEN_EFAULT);
    EQ(poll(ports, 129, AT_ONCE), -XEN_EINVAL);
    EQ(poll(ports, ~0u, AT_ONCE), -XEN_EINVAL);
    EQ(poll((void *)NOTHING_NORMAL, 1, AT_ONCE), -XEN_EFAULT);
    ports[0] = 5000;
    EQ(poll(ports, 1, AT_ONCE), -XEN_EINVAL);
    ports[0] = ~0u;
    EQ(poll(ports, 128, AT_ONCE), -XEN_EINVAL);
    EQ(poll(ports, 0, AT_ONCE), 0);
    EQ(poll((void *)NOTHING_NORMAL, 0, AT_ONCE), 0);
}

static evtchn_port_t polled[40];

TEST(poll_finds_what_is_pending) {
    int64_t last = 0;

    events_begin();
    for (unsigned i = 0; i < COUNT(polled); i++) {
        last = new_ipi(0);
        polled[i] = (evtchn_port_t)last;
        mask(last);
    }
    EQ(poll(polled, COUNT(polled), AT_ONCE), 0); /* none: the timeout ends it */
    EQ(send(last), 0);
    EQ(poll(polled, COUNT(polled), 0), 0); /* the last of them, masked as it is; no timeout */
    EQ(pending(last), true);
    consume(last, 0);
    events_end();
}

static void send_later(void) {
    delay_us(3000);
    send(polled[0]);
}

/* Asleep until another CPU raises the event, which is masked. */
TEST_SMP(poll_woken_by_an_event) {
    events_begin();
    polled[0] = (evtchn_port_t)new_ipi(0);
    mask(polled[0]);
    cpu_start(1, send_later);
    while (!pending(polled[0]) && !failed())
        EQ(poll(polled, 1, 0), 0);
    cpu_join(1);
    EQ(pending(polled[0]), true);
    consume(polled[0], 0);
    events_end();
}

/* ---- lists ---- */

static multicall_entry_t list[300] __attribute__((aligned(4096)));

TEST(multicall_results) {
    struct xen_feature_info info = {.submap_idx = 0};
    multicall_entry_t own[5] = {
        {.op = __HYPERVISOR_xen_version, .result = 9, .args = {XENVER_version, 0}},
        {.op = 63, .result = 9},
        {.op = __HYPERVISOR_multicall, .result = 9, .args = {(uint64_t)own, 1}},
        {.op = ~0ULL, .result = 9},
        {.op = __HYPERVISOR_xen_version,
         .result = 9,
         .args = {XENVER_get_features, (uint64_t)&info}},
    };

    EQ(multicall(own, 5), 0);
    EQ(own[0].result, 4 << 16 | 17);
    EQ(own[1].result, -XEN_ENOSYS);
    EQ(own[2].result, -XEN_EINVAL); /* not within itself */
    EQ(own[3].result, -XEN_ENOSYS);
    EQ(own[4].result, 0);
    EQ(info.submap, 0x16005);
    EQ(multicall(own, 0), 0);
    EQ(multicall((void *)NOTHING_NORMAL, 0), 0);
    EQ(multicall((void *)NOTHING_NORMAL, 1), -XEN_EFAULT);
    EQ(multicall(0, ~0u), -XEN_EFAULT);
}

/* Longer than a page, and at every alignment: each entry has its result, and nothing else changes.
 */
TEST(multicall_long_lists) {
    static const unsigned shifts[] = {0, 1, 8, 40, 63};

    for (unsigned s = 0; s < COUNT(shifts); s++) {
        char *at = (char *)list + shifts[s];
        unsigned n = COUNT(list) - 1;

        for (unsigned i = 0; i < n; i++) {
            multicall_entry_t e = {.op = __HYPERVISOR_xen_version,
                                   .result = 9,
                                   .args = {i % 3 ? XENVER_version : 99, 0, i, i, i, i}};

            __builtin_memcpy(at + i * sizeof(e), &e, sizeof(e));
        }
        EQ(multicall(at, n), 0);
        for (unsigned i = 0; i < n; i++) {
            multicall_entry_t e;

            __builtin_memcpy(&e, at + i * sizeof(e), sizeof(e));
            EQ(e.result, i % 3 ? 4 << 16 | 17 : -XEN_ENOSYS);
            EQ(e.args[5], i);
        }
    }
}

/* The list runs out of memory: what stands before that is done. */
TEST(multicall_into_nothing) {
    uint64_t end = RAM + 0x4000000; /* of 64 MiB */
    multicall_entry_t *e = (void *)(end - 2 * sizeof(*e));

    e[0] = e[1] = (multicall_entry_t){.op = __HYPERVISOR_xen_version};
    EQ(multicall(e, 3), -XEN_EFAULT);
    EQ(e[0].result, 4 << 16 | 17);
    EQ(e[1].result, 4 << 16 | 17);
}
