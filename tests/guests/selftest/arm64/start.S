/* Where every CPU of the test guest starts, its exception vectors, its page table, and a one-instruction probe. */
#include "layout.h"

#define SCTLR_ON 0x30d01805 /* RES1 bits, instruction and data caches, MMU */
#define TCR 0x100803519     /* 39-bit addresses, write-back walks, no TTBR1, 36-bit output */
#define MAIR 0x44ff04       /* 0: Device-nGnRE, 1: write-back, 2: Normal non-cacheable */

    .section .head, "ax"
    b start
    .long 0
    .quad 0             /* text_offset */
    .quad image_size
    .quad 0xa           /* little-endian, 4 KiB pages, anywhere */
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .long 0

    .global start
start:
    adrp x1, bss_start
    add x1, x1, :lo12:bss_start
    adrp x2, bss_end
    add x2, x2, :lo12:bss_end
1:  str xzr, [x1], #8
    cmp x1, x2
    b.lo 1b
    mov x0, #0 /* its number */

    .global secondary
secondary: /* x0: number of the CPU */
    ldr x1, =stacks + STACK_SIZE
    mov x2, #STACK_SIZE
    madd x1, x0, x2, x1
    mov sp, x1
    ldr x1, =vectors
    msr vbar_el1, x1
    ldr x1, =MAIR
    msr mair_el1, x1
    ldr x1, =TCR
    msr tcr_el1, x1
    ldr x1, =page_table
    msr ttbr0_el1, x1
    mov x1, #(3 << 20)
    msr cpacr_el1, x1
    isb
    tlbi vmalle1
    dsb nsh
    isb
    ldr x1, =SCTLR_ON
    msr sctlr_el1, x1
    isb
    bl cpu_main
    b .

    .text
/* uint64_t el0_call(function, argument): x0 at its SVC. The EL0 side of memory is an alias. */
    .global el0_call
el0_call:
    stp x29, x30, [sp, #-96]!
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x25, x26, [sp, #64]
    stp x27, x28, [sp, #80]
    mov x2, #EL0_ALIAS
    add x0, x0, x2
    msr elr_el1, x0
    mov x0, #0x3c0
    msr spsr_el1, x0
    ldr x3, =el0_stack + STACK_SIZE
    add x3, x3, x2
    msr sp_el0, x3
    mov x0, x1
    eret
    .global el0_done
el0_done: /* where the SVC comes out */
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp x29, x30, [sp], #96
    ret

/* void probe(uint64_t x[4]): the instruction at probe_slot, with x0 to x3 taken from and put there. */
    .global probe, probe_slot
probe:
    stp x19, x30, [sp, #-16]!
    mov x19, x0
    ldp x0, x1, [x19]
    ldp x2, x3, [x19, #16]
probe_slot:
    nop
    stp x0, x1, [x19]
    stp x2, x3, [x19, #16]
    ldp x19, x30, [sp], #16
    ret

/* For el0_call(): the instruction at its beginning, with x0 in and out. */
    .global probe_el0
probe_el0:
    nop
    svc #0

/* ---- exceptions ---- */

    .macro vector number
    .balign 128
    sub sp, sp, #FRAME_SIZE
    stp x0, x1, [sp]
    mov x1, #\number
    b taken
    .endm

    .balign 2048
    .global vectors
vectors:
    vector 0
    vector 1
    vector 2
    vector 3
    vector 4
    vector 5
    vector 6
    vector 7
    vector 8
    vector 9
    vector 10
    vector 11
    vector 12
    vector 13
    vector 14
    vector 15

taken:
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x19, [sp, #144]
    stp x20, x21, [sp, #160]
    stp x22, x23, [sp, #176]
    stp x24, x25, [sp, #192]
    stp x26, x27, [sp, #208]
    stp x28, x29, [sp, #224]
    mrs x2, elr_el1
    mrs x3, spsr_el1
    stp x30, x2, [sp, #240]
    str x3, [sp, #256]
    mov x0, sp
    bl exception
    ldr x3, [sp, #256]
    ldp x30, x2, [sp, #240]
    msr elr_el1, x2
    msr spsr_el1, x3
    ldp x2, x3, [sp, #16]
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x9, [sp, #64]
    ldp x10, x11, [sp, #80]
    ldp x12, x13, [sp, #96]
    ldp x14, x15, [sp, #112]
    ldp x16, x17, [sp, #128]
    ldp x18, x19, [sp, #144]
    ldp x20, x21, [sp, #160]
    ldp x22, x23, [sp, #176]
    ldp x24, x25, [sp, #192]
    ldp x26, x27, [sp, #208]
    ldp x28, x29, [sp, #224]
    ldp x0, x1, [sp]
    add sp, sp, #FRAME_SIZE
    eret

/* ---- level 1: what each GiB of addresses is (layout.h) ---- */

#define BLOCK(address, attr, flags) ((address) | (attr) << 2 | 0x701 | (flags))
#define USER 0x40
#define READ 0x80
#define NO_FETCH (3 << 53)

    .data
    .balign 4096
page_table:
    .quad BLOCK(0, 0, NO_FETCH)
    .quad BLOCK(RAM, 1, 0)
    .quad BLOCK(0, 2, NO_FETCH)
    .quad 0
    .quad BLOCK(0, 0, NO_FETCH | USER)
    .quad BLOCK(RAM, 1, USER)
    .quad NOTHING | 3 /* a table where there is no memory */
    .quad BLOCK(RAM, 1, NO_FETCH | READ)
    .fill 504, 8, 0

    .bss
    .balign 16
stacks:
    .space STACK_SIZE * MAX_CPUS
el0_stack:
    .space STACK_SIZE
