/*
 * Sleeps until a moment every 10 ms, then works for 500,000 instructions and makes a hypercall. Every
 * 50 times it says how late it was at most when it woke and when it was done, in ticks, and how often
 * it was not done before the next moment.
 */
#include "guest.h"

#define GICD 0x03001000
#define GICR 0x03020000             /* of a GICv3 */
#define GICC 0x03002000             /* of a GICv2 */
#define TIMER 27

    /* Acknowledges the timer's interrupt and ends it. x19: GICC or 0 */
    .macro end_interrupt
    cbz x19, 3f
    ldr w1, [x19, #0xc]             /* GICC_IAR */
    str w1, [x19, #0x10]            /* GICC_EOIR */
    b 4f
3:  mrs x1, S3_0_C12_C12_0          /* ICC_IAR1_EL1 */
    msr S3_0_C12_C12_1, x1          /* ICC_EOIR1_EL1 */
    isb
4:
    .endm

    image_header
start:
    ldr x0, =GICD
    ldr w1, [x0, #0xfe8]            /* ICPIDR2 of a GICv2 */
    ubfx w1, w1, #4, #4
    cmp w1, #2
    b.ne version_3
    ldr x19, =GICC
    mov w1, #(1 << TIMER)
    str w1, [x0, #0x100]            /* GICD_ISENABLER0 */
    mov w1, #1
    str w1, [x0]                    /* GICD_CTLR */
    str w1, [x19]                   /* GICC_CTLR */
    mov w1, #0xff
    str w1, [x19, #4]               /* GICC_PMR */
    b ready
version_3:
    mov x19, #0
    mov w1, #0x12                   /* GICD_CTLR: affinity routing, group 1 */
    str w1, [x0]
    ldr x0, =GICR
    str wzr, [x0, #0x14]            /* GICR_WAKER */
    add x0, x0, #0x10000
    mov w1, #-1
    str w1, [x0, #0x80]             /* GICR_IGROUPR0 */
    mov w1, #(1 << TIMER)
    str w1, [x0, #0x100]            /* GICR_ISENABLER0 */
    mov x1, #0xff
    msr S3_0_C4_C6_0, x1            /* ICC_PMR_EL1 */
    mov x1, #1
    msr S3_0_C12_C12_7, x1          /* ICC_IGRPEN1_EL1 */
    isb
ready:
    mrs x20, cntfrq_el0
    mov x1, #100
    udiv x20, x20, x1               /* x20: period, x21: this moment */
    mrs x21, cntvct_el0
    say "beating\n"
round: /* x22: beats to go, x23: woke late by, x24: done late by, x25: missed */
    mov x22, #50
    mov x23, #0
    mov x24, #0
    mov x25, #0
beat:
    add x21, x21, x20
    msr cntv_cval_el0, x21
    mov x1, #1
    msr cntv_ctl_el0, x1
    isb
1:  wfi
    mrs x1, cntv_ctl_el0
    tbz x1, #2, 1b
    msr cntv_ctl_el0, xzr
    end_interrupt
    mrs x1, cntvct_el0
    sub x1, x1, x21
    cmp x1, x23
    csel x23, x1, x23, hi
    ldr x2, =250000
2:  subs x2, x2, #1
    b.ne 2b
    mov x0, #0                      /* XENVER_version */
    mov x16, #17                    /* __HYPERVISOR_xen_version */
    hvc #0xea1
    isb
    mrs x1, cntvct_el0
    sub x1, x1, x21
    cmp x1, x24
    csel x24, x1, x24, hi
    cmp x1, x20
    cinc x25, x25, hi
    subs x22, x22, #1
    b.ne beat

    say "beats: missed 0x"
    mov x0, x25
    bl put_hex
    say "beats: woke at 0x"
    mov x0, x23
    bl put_hex
    say "beats: done at 0x"
    mov x0, x24
    bl put_hex
    mrs x21, cntvct_el0             /* the console took its time */
    b round

    library
