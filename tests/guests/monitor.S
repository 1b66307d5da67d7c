/*
 * Does what it is told on its console, so that a test on the host can use all of a guest's powers, the
 * MMU being off. A line is a letter and hexadecimal numbers:
 *
 *   r A      32-bit read          w A V    32-bit write
 *   q A      64-bit read          x A V    64-bit write
 *   h N A..  HVC #0xea1 with x16 = N, x0 to x4 = A..
 *   p F A..  PSCI: HVC #0 with x0 = F, x1.. = A..
 *   l N      goes round a loop N times; the answer is how much the counter went on meanwhile
 *   d B A N  lets QEMU's edu device at B write 4 KiB at A, N times one after the other
 *   z B S N  N copies of that device from and to addresses that follow from the seed S: its own memory from 32 MiB on,
 *            anything; while each is under way a page of the last 16 MiB of 64 is given up and got again
 *   c A N    a sum over N doublewords from A
 *
 * The answer is a line "= VALUE", or "! ESR" when it caused an exception.
 */
#include "guest.h"

    image_header
start:
    adr x0, vectors
    msr vbar_el1, x0
    adr x0, stack_top
    mov sp, x0
    isb
    say "monitor\n"

    /* x20: console; x21 to x26: numbers; x27: how many; x28: letter */
loop:
    mov w20, #(VPL011 >> 16)
    lsl w20, w20, #16
    bl get
    cmp w0, #' '
    b.ls loop
    mov w28, w0
    mov x27, #0
    adr x19, numbers
    stp xzr, xzr, [x19]
    stp xzr, xzr, [x19, #16]
    stp xzr, xzr, [x19, #32]
next: /* w0: the character before the number */
    bl get
    cmp w0, #' '
    b.eq number
    b next_or_run
number:
    mov x22, #0
1:  bl get
    cmp w0, #' '
    b.ls 2f
    sub w1, w0, #'0'
    cmp w1, #10
    b.lo 3f
    sub w1, w0, #('a' - 10)
3:  add x22, x1, x22, lsl #4
    b 1b
2:  str x22, [x19, x27, lsl #3]
    add x27, x27, #1
    cmp w0, #' '
    b.eq number
next_or_run:
    ldp x0, x1, [x19]
    ldp x2, x3, [x19, #16]
    ldp x4, x5, [x19, #32]
    cmp w28, #'r'
    b.ne 1f
    ldr w0, [x0]
    b answer
1:  cmp w28, #'q'
    b.ne 1f
    ldr x0, [x0]
    b answer
1:  cmp w28, #'w'
    b.ne 1f
    str w1, [x0]
    dsb sy
    b answer
1:  cmp w28, #'x'
    b.ne 1f
    str x1, [x0]
    dsb sy
    b answer
1:  cmp w28, #'h'
    b.ne 1f
    mov x16, x0
    mov x0, x1
    mov x1, x2
    mov x2, x3
    mov x3, x4
    mov x4, x5
    hvc #0xea1
    b answer
1:  cmp w28, #'p'
    b.ne 1f
    hvc #0
    b answer
1:  cmp w28, #'l'
    b.ne 1f
    mrs x1, cntvct_el0
2:  subs x0, x0, #1
    b.ne 2b
    isb
    mrs x0, cntvct_el0
    sub x0, x0, x1
    b answer
1:  cmp w28, #'d'
    b.ne 1f
    mov x3, #0x40000 /* its own memory */
    mov x4, #4096
    mov x5, #3 /* start, towards memory */
2:  str x3, [x0, #0x80]
    str x1, [x0, #0x88]
    str x4, [x0, #0x90]
    str x5, [x0, #0x98]
3:  ldr x6, [x0, #0x98]
    tbnz x6, #0, 3b
    subs x2, x2, #1
    b.ne 2b
    mov x0, #0
    b answer
1:  cmp w28, #'c'
    b.ne 1f
    mov x3, #0
2:  ldr x2, [x0], #8
    ror x3, x3, #7
    add x3, x3, x2
    subs x1, x1, #1
    b.ne 2b
    mov x0, x3
    b answer
1:  cmp w28, #'z'
    b.ne 1f
    bl random_copies
    b answer
1:  mov x0, #0
answer:
    mov x22, x0
    mov w0, #'='
    bl put_value
    b loop

/* x0: device, x1: seed, x2: how many; returns the last random number */
random_copies:
    mov x21, x0
    mov x22, x1
    mov x23, x2
    mov x24, x30
    say "at work\n"
    ldr x25, =6364136223846793005
    ldr x26, =1442695040888963407
2:  madd x22, x22, x25, x26
    lsr x0, x22, #18
    mov x1, #0x42000000 /* one of four: its own memory */
    and x2, x0, #0x1ffffff
    add x1, x1, x2
    tbz x22, #17, 3f
    mov x1, x0 /* anywhere */
    tbz x22, #16, 4f
    and x1, x0, #0xffffffff /* where the machine has its devices and memory */
    b 4f
3:  tbz x22, #16, 4f
    mov x1, #0x8000000000 /* where its table could end */
    and x2, x0, #0xffffff
    add x1, x1, x2
4:  mov x2, #0x40000
    ubfx x3, x22, #55, #9
    lsl x3, x3, #3
    add x3, x3, #8
    str x3, [x21, #0x90]
    tbz x22, #54, 5f
    str x2, [x21, #0x80]
    str x1, [x21, #0x88]
    mov x4, #3
    b 6f
5:  str x1, [x21, #0x80]
    str x2, [x21, #0x88]
    mov x4, #1
6:  str x4, [x21, #0x98]
    ubfx x0, x22, #42, #12
    ldr x1, =0x43000
    add x0, x0, x1
    adr x1, arguments
    str x0, [x1, #8] /* XENMEM_remove_from_physmap: domid, gpfn */
    str x0, [x1, #56] /* XENMEM_populate_physmap: of one page, the list of which is here */
    add x2, x1, #56
    str x2, [x1, #16]
    mov x16, #12
    mov x0, #15
    hvc #0xea1
    adr x1, arguments + 16
    mov x16, #12
    mov x0, #6
    hvc #0xea1
7:  ldr x0, [x21, #0x98]
    tbnz x0, #0, 7b
    subs x23, x23, #1
    b.ne 2b
    mov x0, x22
    ret x24

/* w0: character */
get:
    ldr w0, [x20, #0x18] /* FR: wait while the receive FIFO is empty */
    tbnz w0, #4, get
    ldr w0, [x20]
    and w0, w0, #0xff
    ret

put:
    ldr w1, [x20, #0x18]
    tbnz w1, #5, put
    str w0, [x20]
    ret

/* w0: character before it, x22: value */
put_value:
    mov x21, x30
    bl put
    mov w0, #' '
    bl put
    mov w23, #16
1:  ror x22, x22, #60
    and w0, w22, #15
    cmp w0, #10
    add w0, w0, #'0'
    b.lo 2f
    add w0, w0, #('a' - '0' - 10)
2:  bl put
    subs w23, w23, #1
    b.ne 1b
    mov w0, #'\n'
    bl put
    ret x21

    .balign 2048
vectors:
    .rept 16
    b exception
    .balign 128
    .endr
exception:
    mrs x22, esr_el1
    mov w20, #(VPL011 >> 16)
    lsl w20, w20, #16
    adr x0, loop
    msr elr_el1, x0
    mov w0, #'!'
    bl put_value
    eret

    .balign 16
arguments:
    .quad 0x7ff0, 0             /* DOMID_SELF, gpfn */
    .quad 0, 1, 0, 0x7ff0, 0, 0 /* list, extents, order and flags, DOMID_SELF */
numbers:
    .space 64
    .space 256
stack_top:
    library
