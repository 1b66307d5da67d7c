/* The guest's virtual timer, switched with its vCPU, and its physical timer, emulated. Contract:
 * hv/vtimer.h. */
#include <hv/domain.h>
#include <hv/irq.h>
#include <hv/printk.h>
#include <hv/vcpu.h>
#include <hv/vtimer.h>

#include <asm/timer.h>

#define VIRT_INDEX 2 /* of the timer node's interrupts: secure, physical, virtual, hypervisor */

static unsigned virt_irq;

/* ---- virtual ---- */

/*
 * The interrupt stays active for the guest to deactivate, also when it has masked it: the line of
 * the vGIC remembers, and vgic_resample() lets it come again when the guest has turned the timer
 * off meanwhile.
 */
static enum irq_result virt_fired(unsigned irq, void *arg) {
    struct vcpu *v = current;

    (void)irq;
    (void)arg;
    if (!v->domain || !v->vgic.loaded)
        return IRQ_DONE; /* raised just before its vCPU left; it comes again with it */
    v->vgic.asked = 0;   /* whoever it was that asked */
    vgic_set_level(v->domain, v, VTIMER_VIRT_PPI, true);
    return IRQ_TO_GUEST;
}

bool vtimer_line(const struct vcpu *v) {
    uint32_t ctl = vtimer_read_ctl();

    (void)v;
    return (ctl & (CNT_CTL_ENABLE | CNT_CTL_IMASK | CNT_CTL_ISTATUS)) ==
           (CNT_CTL_ENABLE | CNT_CTL_ISTATUS);
}

static void wake(void *arg) {
    vcpu_wake(arg);
}

/* What is too far away for the counter never comes. */
static uint64_t host_time(const struct domain *d, uint64_t cval) {
    uint64_t at = cval + d->vtimer_offset;

    return at < cval ? ~0ULL : at;
}

void vtimer_save(struct vcpu *v) {
    struct vtimer *t = &v->vtimer;

    t->ctl = vtimer_read_ctl() & (CNT_CTL_ENABLE | CNT_CTL_IMASK);
    t->cval = vtimer_read_cval();
    vtimer_write_off();
    /* A line that is high has been told to the vGIC, which decides whether it ends a WFI. */
    if (t->ctl == CNT_CTL_ENABLE && READ_ONCE(v->state) == VCPU_BLOCKED &&
        !vgic_get_level(v->domain, v, VTIMER_VIRT_PPI))
        timer_set(&t->timer, host_time(v->domain, t->cval));
}

void vtimer_load(struct vcpu *v) {
    struct vtimer *t = &v->vtimer;

    if (timer_is_set(&t->timer))
        timer_stop(&t->timer);
    vtimer_write(v->domain->vtimer_offset, t->cval, t->ctl);
}

/* ---- physical ---- */

static bool phys_met(const struct vtimer *t) {
    return (t->ctl & CNT_CTL_ENABLE) && t->cval <= time_ticks();
}

/* The line follows the condition; if that is still to come, a timer waits for it. */
static void phys_update(struct vcpu *v) {
    struct vtimer *t = &v->ptimer;
    bool line = phys_met(t) && !(t->ctl & CNT_CTL_IMASK);

    if (t->ctl == CNT_CTL_ENABLE && !line)
        timer_set(&t->timer, t->cval);
    else if (timer_is_set(&t->timer))
        timer_stop(&t->timer);
    vgic_set_level(v->domain, v, VTIMER_PHYS_PPI, line);
}

/* The vCPU may have moved on: its CPU looks at its timer, as in its trapped accesses. */
static void phys_fired(void *arg) {
    vcpu_set_work(arg, VCPU_WORK_PTIMER);
    vcpu_kick(arg);
}

void vtimer_phys_look(struct vcpu *v) {
    vcpu_clear_work(v, VCPU_WORK_PTIMER);
    phys_update(v);
}

uint64_t vtimer_phys_read(struct vcpu *v, enum ptimer_reg r) {
    const struct vtimer *t = &v->ptimer;

    switch (r) {
    case PTIMER_CTL:
        return t->ctl | (phys_met(t) ? CNT_CTL_ISTATUS : 0);
    case PTIMER_CVAL:
        return t->cval;
    case PTIMER_TVAL:
        break;
    }
    return (uint32_t)(t->cval - time_ticks());
}

void vtimer_phys_write(struct vcpu *v, enum ptimer_reg r, uint64_t val) {
    struct vtimer *t = &v->ptimer;

    switch (r) {
    case PTIMER_CTL:
        t->ctl = (uint32_t)val & (CNT_CTL_ENABLE | CNT_CTL_IMASK);
        break;
    case PTIMER_CVAL:
        t->cval = val;
        break;
    case PTIMER_TVAL:
        t->cval = time_ticks() + (uint64_t)(int64_t)(int32_t)val;
        break;
    }
    phys_update(v);
}

/* ---- setting up ---- */

void vtimer_init_host(const void *fdt) {
    enum irq_trigger trigger;

    virt_irq = timer_irq_from_fdt(fdt, VIRT_INDEX, &trigger);
    if (irq_request(virt_irq, IRQ_LEVEL, virt_fired, NULL, "virtual timer"))
        panic("timer: interrupt %u cannot be had", virt_irq);
}

void vtimer_init_cpu(void) {
    timer_init_guest_access();
    vtimer_write_off();
}

void vtimer_init_vcpu(struct vcpu *v) {
    timer_init(&v->vtimer.timer, wake, v);
    timer_init(&v->ptimer.timer, phys_fired, v);
    if (vgic_map_hw(v->domain, v, VTIMER_VIRT_PPI, virt_irq))
        panic("vtimer: PPI %u is not free", VTIMER_VIRT_PPI);
}

void vtimer_destroy_vcpu(struct vcpu *v) {
    timer_stop(&v->vtimer.timer);
    timer_stop(&v->ptimer.timer);
}
