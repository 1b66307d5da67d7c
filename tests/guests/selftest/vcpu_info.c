/* Where a vCPU's event flags are. A registration is for good, so these come last (by file name). */
#include "evtchn.h"

static struct {
    uint8_t page[8192];
} room __attribute__((aligned(4096)));

static int64_t register_at(uint32_t cpu, uint64_t gfn, uint64_t offset) {
    struct vcpu_register_vcpu_info op = {.mfn = gfn, .offset = (uint32_t)offset};

    return xen_call(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, cpu, (uint64_t)&op);
}

TEST(vcpu_info_refused) {
    uint64_t g = (uint64_t)&room >> 12;

    EQ(register_at(nr_cpus, g, 0), -XEN_ENOENT);
    EQ(register_at(~0u, g, 0), -XEN_ENOENT);
    EQ(register_at(0, g, 4096 - 40), -XEN_ENXIO);
    EQ(register_at(0, g, 0xffffffc0), -XEN_ENXIO);
    EQ(register_at(0, g, 4), -XEN_ENXIO);
    EQ(register_at(0, NOTHING_NORMAL >> 12, 0), -XEN_EINVAL);
    EQ(register_at(0, VPL011 >> 12, 0), -XEN_EINVAL);
    EQ(register_at(0, ~0ULL, 0), -XEN_EINVAL);
    EQ(register_at(0, 1ULL << 50, 0), -XEN_EINVAL);
    EQ(xen_call(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, NOTHING_NORMAL), -XEN_EFAULT);
}

TEST(vcpu_info_registered) {
    int64_t p;

    events_begin();
    p = new_ipi(0);
    mask(p);
    EQ(send(p), 0);
    EQ(register_info(0), 0);
    registered[0] = true;
    /* Everything is told as pending, so that nothing is lost. */
    EQ(info_of(0)->evtchn_upcall_pending, 1);
    EQ(info_of(0)->evtchn_pending_sel, ~0ULL);
    irq_enable();
    delay_us(20);
    irq_disable();
    EQ(irq_taken(PPI_UPCALL), 1);
    info_of(0)->evtchn_pending_sel = 0;
    info_of(0)->evtchn_upcall_pending = 0;
    EQ(unmask(p), 0);
    EQ(info_of(0)->evtchn_upcall_pending, 1);
    EQ(info_of(0)->evtchn_pending_sel, 1);
    EQ(shared->vcpu_info[0].evtchn_upcall_pending, 0);
    consume(p, 0);
    events_end();
}

/* As the next kernel does that starts where another one was. */
TEST(vcpu_info_registered_again) {
    volatile struct vcpu_info *info = (void *)&room;
    int64_t p;

    events_begin();
    EQ(register_at(0, (uint64_t)&room >> 12, 0), 0);
    EQ(info->evtchn_upcall_pending, 1);
    EQ(info->evtchn_pending_sel, ~0ULL);
    info->evtchn_pending_sel = 0;
    info->evtchn_upcall_pending = 0;
    vcpu_infos[0].evtchn_upcall_pending = 0;
    p = new_ipi(0);
    EQ(send(p), 0);
    EQ(info->evtchn_upcall_pending, 1);
    EQ(info->evtchn_pending_sel, 1);
    EQ(vcpu_infos[0].evtchn_upcall_pending, 0);
    EQ(register_info(0), 0);
    registered[0] = true;
    EQ(info_of(0)->evtchn_upcall_pending, 1);
    events_end();
}
