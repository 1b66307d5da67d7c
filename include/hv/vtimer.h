/*
 * Floor 6: the guest's two timers.
 *
 * Virtual timer (CNTV): the hardware registers belong to the loaded vCPU; its interrupt is the
 * physical one, tied to the guest's PPI. While the vCPU is off its CPU and blocked, a software
 * timer wakes it. Physical timer (CNTP): emulated whole, against the machine's own counter, by a
 * software timer.
 */
#ifndef HV_VTIMER_H
#define HV_VTIMER_H

#include <hv/timer.h>
#include <hv/types.h>

struct vcpu;

#define VTIMER_VIRT_PPI 27u
#define VTIMER_PHYS_PPI 30u

struct vtimer {
    uint64_t cval;
    uint32_t ctl; /* ENABLE, IMASK; ISTATUS is computed */
    struct timer timer;
};

void vtimer_init_host(const void *fdt); /* once: takes the virtual timer's PPI */
void vtimer_init_cpu(void);             /* each CPU, also the boot CPU */
void vtimer_init_vcpu(struct vcpu *v);  /* reset state; after vgic_init_vcpu() */
void vtimer_destroy_vcpu(struct vcpu *v);
/* Context switch: hardware -> vCPU with a wake-up timer where needed, and back. Save is after
 * vgic_save(). */
void vtimer_save(struct vcpu *v);
void vtimer_load(struct vcpu *v); /* before vgic_load() */
/* The virtual timer's interrupt line. v is loaded on this CPU. */
bool vtimer_line(const struct vcpu *v);

/* Trapped CNTP_{CTL,CVAL,TVAL}_EL0 accesses of the current vCPU. */
enum ptimer_reg { PTIMER_CTL, PTIMER_CVAL, PTIMER_TVAL };
uint64_t vtimer_phys_read(struct vcpu *v, enum ptimer_reg r);
void vtimer_phys_write(struct vcpu *v, enum ptimer_reg r, uint64_t val);
/* VCPU_WORK_PTIMER of the current vCPU. */
void vtimer_phys_look(struct vcpu *v);

#endif
