/*
 * All 16 SGIs pending at once, more than there are list registers: all arrive, by priority. Interrupts stay masked;
 * they are taken by reading ICC_IAR1_EL1.
 */
#include "guest.h"
#define GICD 0x03001000 /* GUEST_GICV3_GICD_BASE */
#define GICR 0x03020000 /* GUEST_GICV3_GICR0_BASE */

    image_header
start:
    mov x0, #7
    msr s3_0_c12_c12_5, x0 /* ICC_SRE_EL1 */
    isb
    ldr w19, =GICD
    ldr w20, =(GICR + 0x10000)
    mov w0, #0x12 /* affinity routing, group 1 */
    str w0, [x19]
    ldr w1, =(GICR + 0x14)
    str wzr, [x1] /* GICR_WAKER */
    mov w0, #0xffff
    mov w1, #0xffffffff
    str w1, [x20, #0x80] /* all in group 1 */
    str w0, [x20, #0x100]

    /* The higher the number, the more urgent. */
    mov w0, #0
1:  add x1, x20, #0x400
    mov w2, #0xf0
    sub w2, w2, w0, lsl #3
    strb w2, [x1, x0]
    add w0, w0, #1
    cmp w0, #16
    b.ne 1b

    mov x0, #0xff
    msr s3_0_c4_c6_0, x0 /* ICC_PMR_EL1 */
    mov x0, #1
    msr s3_0_c12_c12_7, x0 /* ICC_IGRPEN1_EL1 */
    isb

    mov w0, #0xffff
    str w0, [x20, #0x200] /* all pending */
    say "pending "
    ldr w0, [x20, #0x200]
    bl put_hex

    mov x21, #0 /* the order they came in, a hexadecimal digit each */
    mov w22, #0 /* how many */
2:  mrs x0, s3_0_c12_c12_0 /* ICC_IAR1_EL1 */
    cmp w0, #1020
    b.hs 3f
    lsl x21, x21, #4
    orr x21, x21, x0
    add w22, w22, #1
    cbnz w23, 4f
    mov w23, #1
    mov x24, x0
    say "active "
    ldr w0, [x20, #0x300]
    bl put_hex
    mov x0, x24
4:  msr s3_0_c12_c12_1, x0 /* ICC_EOIR1_EL1 */
    isb
    cmp w22, #32
    b.ne 2b
3:  say "count "
    mov w0, w22
    bl put_hex
    say "order "
    lsr x0, x21, #32
    bl put_hex
    say "and "
    mov w0, w21
    bl put_hex
    say "left "
    ldr w0, [x20, #0x200]
    bl put_hex
    power_off

    library
