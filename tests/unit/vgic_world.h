/* A domain on fake CPUs, for the vGIC's tests: accesses of its registers, returns to the guest,
 * kicks. */
#ifndef VGIC_WORLD_H
#define VGIC_WORLD_H

#include "captured_log.h"
#include "fake_vgic_hw.h"

#include <hv/errno.h>
#include <hv/guest_map.h>
#include <hv/mm.h>
#include <hv/vtimer.h>

bool printk_panicking;
static struct domain dom;
static struct vcpu *vcpus[MAX_VCPUS];
static unsigned kicks;
static bool timer_line;
static uint64_t now;

/* ---- what the code under test calls ---- */

void *hv_zalloc(size_t size) {
    return calloc(1, size);
}
void hv_free(void *p) {
    free(p);
}
int irq_request(unsigned irq, enum irq_trigger t, irq_handler_t fn, void *arg, const char *name) {
    (void)irq, (void)t, (void)fn, (void)arg, (void)name;
    return 0;
}
bool vtimer_line(const struct vcpu *v) {
    (void)v;
    return timer_line;
}
void vcpu_kick(struct vcpu *v) {
    (void)v;
    kicks++;
}
uint64_t ns_to_ticks(uint64_t ns) {
    return ns;
}

static unsigned mapped_pages;
int p2m_map_mmio(struct p2m *p2m, gfn_t g, mfn_t m, uint64_t nr) {
    assert_ptr_equal(p2m, &dom.p2m);
    assert_int_equal(g.gfn, GUEST_GICC_BASE >> PAGE_SHIFT);
    assert_int_equal(m.mfn, fake_ops.gicv.pa >> PAGE_SHIFT);
    mapped_pages += (unsigned)nr;
    return 0;
}

static struct mmio_range ranges[2];
static unsigned nr_ranges;
int mmio_register(struct mmio_map *m, ipaddr_t start, uint64_t size, mmio_handler_t h, void *arg,
                  const char *name) {
    (void)m;
    ranges[nr_ranges++] = (struct mmio_range){start.ipa, start.ipa + size, h, arg, name};
    return 0;
}

/* ---- running ---- */

static void on_cpu(unsigned cpu) {
    cpu_number = cpu;
    current_vcpu = vcpus[cpu];
}

/* As leave_to_guest(): everything asked of the vCPU of this CPU. */
static void return_to_guest(void) {
    for (unsigned n = 0; current->vgic.loaded; n++) {
        if (n == 8)
            fail_msg("CPU %u never rests: work %u, hcr 0x%x, list registers %llx %llx %llx %llx",
                     cpu_number, current->work, fake_this()->hcr,
                     (unsigned long long)fake_this()->lr[0], (unsigned long long)fake_this()->lr[1],
                     (unsigned long long)fake_this()->lr[2],
                     (unsigned long long)fake_this()->lr[3]);
        if (current->work & VCPU_WORK_IRQ)
            vgic_flush(current);
        else if (fake_maintenance())
            vgic_maintenance();
        else
            break;
    }
}

static void all_return(void) {
    unsigned cpu = cpu_number;

    for (unsigned i = 0; i < dom.max_vcpus; i++) {
        on_cpu(i);
        return_to_guest();
    }
    on_cpu(cpu);
}

/* Only vgic_wait() asks for the time: meanwhile the other CPUs run. */
uint64_t time_ticks(void) {
    all_return();
    return now++;
}

static void switch_out(unsigned cpu) {
    unsigned was = cpu_number;

    on_cpu(cpu);
    vgic_save(current);
    on_cpu(was);
}

static void switch_in(unsigned cpu) {
    unsigned was = cpu_number;

    on_cpu(cpu);
    vgic_load(current);
    on_cpu(was);
}

static void world_make(unsigned nr, unsigned nr_spis) {
    memset(&dom, 0, sizeof(dom));
    memset(fake_cpu, 0, sizeof(fake_cpu));
    memset(fake_spi_active, 0, sizeof(fake_spi_active));
    fake_ops.nr_lrs = FAKE_LRS;
    nr_ranges = kicks = fake_pended = 0;
    timer_line = false;
    dom.max_vcpus = nr;
    dom.vcpus = vcpus;
    assert_int_equal(vgic_init_domain(&dom, nr_spis), 0);
    for (unsigned i = 0; i < nr; i++) {
        vcpus[i] = calloc(1, sizeof(struct vcpu));
        vcpus[i]->id = i;
        vcpus[i]->cpu = i;
        vcpus[i]->domain = &dom;
        assert_int_equal(vgic_init_vcpu(vcpus[i]), 0);
    }
    for (unsigned i = 0; i < nr && i < FAKE_CPUS; i++)
        switch_in(i);
    on_cpu(0);
}

static void world_drop(void) {
    unsigned nr = dom.max_vcpus;

    for (unsigned i = 0; i < nr && i < FAKE_CPUS; i++)
        if (vcpus[i]->vgic.loaded)
            switch_out(i);
    vgic_destroy_domain(&dom);
    for (unsigned i = 0; i < nr; i++) {
        vgic_destroy_vcpu(vcpus[i]);
        free(vcpus[i]);
    }
}

/* ---- the guest's registers ---- */

#define GICD 0
#define GICR(cpu) (0x10000 + (cpu)*0x20000)
#define SGI_FRAME(cpu) (GICR(cpu) + 0x10000)

static bool access_reg(unsigned at, struct mmio_access *a) {
    const struct mmio_range *r = &ranges[at >= 0x10000];

    a->offset = at >= 0x10000 ? at - 0x10000 : at;
    return r->handler(current, r->arg, a);
}

static uint64_t rd(unsigned at, unsigned size) {
    struct mmio_access a = {.size = (uint8_t)size, .value = 0xdeadbeefdeadbeef};

    assert_true(access_reg(at, &a));
    if (size < 8)
        assert_int_equal(a.value >> 8 * size, 0);
    return a.value;
}

static void wr(unsigned at, unsigned size, uint64_t val) {
    struct mmio_access a = {.size = (uint8_t)size, .write = true, .value = val};

    assert_true(access_reg(at, &a));
}

/* Where the bank of an interrupt begins. A GICv2's private ones are those of the accessing CPU. */
static unsigned frame(unsigned cpu, unsigned intid) {
    if (fake_ops.version == 3)
        return intid < 32 ? SGI_FRAME(cpu) : GICD;
    assert_true(intid >= 32 || cpu == cpu_number);
    return GICD;
}

/* A set or clear register for one interrupt: 0x100 ISENABLER and so on. cpu: whose, for private
 * ones. */
static unsigned bit_reg(unsigned reg, unsigned cpu, unsigned intid) {
    return frame(cpu, intid) + reg + intid / 32 * 4;
}
static void wr_bit(unsigned reg, unsigned cpu, unsigned intid) {
    wr(bit_reg(reg, cpu, intid), 4, 1u << intid % 32);
}
static bool rd_bit(unsigned reg, unsigned cpu, unsigned intid) {
    return rd(bit_reg(reg, cpu, intid), 4) >> intid % 32 & 1;
}
static void set_prio(unsigned cpu, unsigned intid, uint8_t prio) {
    wr(frame(cpu, intid) + 0x400 + intid, 1, prio);
}

#endif
