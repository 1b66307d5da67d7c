/* As ../beat.S. */
#include "guest.h"

#define GICD 0x03001000
#define GICR 0x03020000             /* of a GICv3 */
#define GICC 0x03002000             /* of a GICv2 */
#define TIMER 27

    image_header
start:
    ldr r0, =GICD
    ldr r1, [r0, #0xfe8]            /* ICPIDR2 of a GICv2 */
    and r1, r1, #0xf0
    cmp r1, #0x20
    ldr r11, =GICC                  /* r11: that, or 0 */
    mov r1, #(1 << TIMER)
    bne version_3
    str r1, [r0, #0x100]            /* GICD_ISENABLER0 */
    mov r1, #1
    str r1, [r0]                    /* GICD_CTLR */
    str r1, [r11]                   /* GICC_CTLR */
    mov r1, #0xff
    str r1, [r11, #4]               /* GICC_PMR */
    b ready
version_3:
    mov r11, #0
    mov r2, #0x12                   /* GICD_CTLR: affinity routing, group 1 */
    str r2, [r0]
    ldr r0, =GICR
    str r11, [r0, #0x14]            /* GICR_WAKER */
    add r0, r0, #0x10000
    mvn r2, #0
    str r2, [r0, #0x80]             /* GICR_IGROUPR0 */
    str r1, [r0, #0x100]            /* GICR_ISENABLER0 */
    mov r1, #0xff
    mcr p15, 0, r1, c4, c6, 0       /* ICC_PMR */
    mov r1, #1
    mcr p15, 0, r1, c12, c12, 7     /* ICC_IGRPEN1 */
    isb
ready:
    mrc p15, 0, r0, c14, c0, 0      /* CNTFRQ */
    mov r1, #100
    udiv r10, r0, r1                /* r10: period, r4 and r5: this moment */
    mrrc p15, 1, r4, r5, c14        /* CNTVCT */
    say "beating\n"
round: /* r6: beats to go, r7: woke late by, r8: done late by, r9: missed */
    mov r6, #50
    mov r7, #0
    mov r8, #0
    mov r9, #0
beat:
    adds r4, r4, r10
    adc r5, r5, #0
    mcrr p15, 3, r4, r5, c14        /* CNTV_CVAL */
    mov r1, #1
    mcr p15, 0, r1, c14, c3, 1      /* CNTV_CTL */
    isb
1:  wfi
    mrc p15, 0, r1, c14, c3, 1
    tst r1, #4
    beq 1b
    mov r1, #0
    mcr p15, 0, r1, c14, c3, 1
    cmp r11, #0
    ldrne r1, [r11, #0xc]           /* GICC_IAR */
    strne r1, [r11, #0x10]          /* GICC_EOIR */
    bne 2f
    mrc p15, 0, r1, c12, c12, 0     /* ICC_IAR1 */
    mcr p15, 0, r1, c12, c12, 1     /* ICC_EOIR1 */
    isb
2:  mrrc p15, 1, r1, r2, c14
    sub r1, r1, r4
    cmp r1, r7
    movhi r7, r1
    ldr r2, =250000
3:  subs r2, r2, #1
    bne 3b
    mov r0, #0                      /* XENVER_version */
    mov r12, #17                    /* __HYPERVISOR_xen_version */
    hvc #0xea1
    isb
    mrrc p15, 1, r1, r2, c14
    sub r1, r1, r4
    cmp r1, r8
    movhi r8, r1
    cmp r1, r10
    addhi r9, r9, #1
    subs r6, r6, #1
    bne beat

    say "beats: missed 0x"
    mov r0, r9
    bl put_hex
    say "beats: woke at 0x"
    mov r0, r7
    bl put_hex
    say "beats: done at 0x"
    mov r0, r8
    bl put_hex
    mrrc p15, 1, r4, r5, c14        /* the console took its time */
    b round

    library
