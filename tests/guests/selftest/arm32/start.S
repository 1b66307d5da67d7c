/* Where every CPU of the 32-bit test guest starts, its exception vectors and its page table. */
#include "layout.h"

#define SCTLR_ON 0x00c5187d /* RES1 bits, instruction and data caches, MMU */
#define TTBCR 0x80003500    /* long descriptors, 32-bit addresses, write-back walks */
#define MAIR 0x0044ff04     /* 0: Device, 1: write-back, 2: Normal non-cacheable */
#define SVC_MODE 0x13

    .syntax unified
    .arm
    .section .head, "ax"
    .rept 8
    nop
    .endr
    b start
    .word 0x016f2818 /* zImage: magic, */
    .word 0          /* start: anywhere, */
    .word file_size
    .fill 16, 1, 0   /* PARAMETERS_AT */

    /* To where it was linked. */
    .global start
start:
    adr r0, start
    ldr r1, =start
    sub r0, r0, r1
    ldr r1, =RAM
    add r0, r0, r1
    ldr r2, =bss_start
    cmp r0, r1
    beq 2f
1:  ldm r0!, {r4-r7}
    stm r1!, {r4-r7}
    cmp r1, r2
    blo 1b
    mov r0, #0
    mcr p15, 0, r0, c7, c5, 0 /* ICIALLU */
    dsb
    isb
2:  ldr pc, =linked
linked:
    ldr r1, =bss_start
    ldr r2, =bss_end
    mov r0, #0
3:  str r0, [r1], #4
    cmp r1, r2
    blo 3b

    .global secondary
secondary: /* r0: number of the CPU */
    ldr sp, =stacks + STACK_SIZE
    add sp, sp, r0, lsl #STACK_SHIFT
    ldr r1, =vectors
    mcr p15, 0, r1, c12, c0, 0
    ldr r1, =MAIR
    mcr p15, 0, r1, c10, c2, 0
    mov r1, #0
    mcr p15, 0, r1, c10, c2, 1
    ldr r1, =TTBCR
    mcr p15, 0, r1, c2, c0, 2
    ldr r1, =page_table
    mov r2, #0
    mcrr p15, 0, r1, r2, c2
    mov r1, #(0xf << 20) /* CPACR: coprocessors 10 and 11 */
    mcr p15, 0, r1, c1, c0, 2
    isb
    mcr p15, 0, r2, c8, c7, 0 /* TLBIALL */
    dsb
    isb
    ldr r1, =SCTLR_ON
    mcr p15, 0, r1, c1, c0, 0
    isb
    mov r1, #0
    bl cpu_main
    b .
    .ltorg

/* ---- exceptions: the frame is on the stack of the mode that everything runs in ---- */

    .text
    .balign 32
    .global vectors
vectors:
    b .
    b undefined
    b supervisor
    b prefetch
    b data
    b .
    b irq
    b .

    .macro taken name, number, back
\name:
    sub lr, lr, #\back
    srsdb sp!, #SVC_MODE
    cps #SVC_MODE
    push {r0-r12, lr}
    mov r1, #\number
    b taken
    .endm
    taken undefined, 1, 4
    taken supervisor, 2, 4
    taken prefetch, 3, 4
    taken data, 4, 8
    taken irq, 6, 4

taken:
    clrex
    mov r0, sp
    mov r4, sp
    bic sp, sp, #7
    bl exception
    mov sp, r4
    pop {r0-r12, lr}
    rfeia sp!

/* ---- level 1: what each GiB of addresses is (layout.h) ---- */

#define LOW(address, attr, flags) ((address) | (attr) << 2 | 0x701 | (flags))
#define READ 0x80
#define NO_FETCH (3 << 21) /* of the upper half */

    .data
    .balign 4096
    .global page_table
page_table:
    .word LOW(0, 0, 0), NO_FETCH
    .word LOW(RAM, 1, 0), 0
    .word NOTHING | 3, 0 /* a table where there is no memory */
    .word LOW(RAM, 1, READ), NO_FETCH
    .fill 508, 8, 0

    .bss
    .balign 16
stacks:
    .space STACK_SIZE * MAX_CPUS
