/* Exception vectors of the bench guest: note the time, then end the interrupt in as few instructions as will do. */
#include "../../guests/selftest/layout.h"

    .macro stamp
    stp x0, x1, [sp, #-16]!
    mrs x0, cntvct_el0
    msr tpidrro_el0, x0
    .endm

    .text
    .balign 2048
    .global bench_vectors
bench_vectors:
    b vectors
    .balign 128
    b vectors + 0x80
    .balign 128
    b vectors + 0x100
    .balign 128
    b vectors + 0x180
    .balign 128
    stamp
    ldp x0, x1, [sp], #16
    b vectors + 0x200
    .balign 128
    stamp
    mrs x0, S3_0_C12_C12_0 /* ICC_IAR1_EL1 */
    cmp x0, #27
    b.ne 1f
    msr cntv_ctl_el0, xzr /* the timer, a level */
    isb
1:  cmp x0, #31
    b.ne 2f
    adrp x1, upcall_pending
    ldr x1, [x1, :lo12:upcall_pending]
    strb wzr, [x1] /* the event channel's upcall */
2:  msr S3_0_C12_C12_1, x0 /* ICC_EOIR1_EL1 */
    mrs x1, tpidr_el1
    adrp x0, interrupts
    add x0, x0, :lo12:interrupts
    add x1, x0, x1, lsl #3
    ldr x0, [x1]
    add x0, x0, #1
    str x0, [x1]
    ldp x0, x1, [sp], #16
    eret
    .balign 128
    b vectors + 0x300
    .balign 128
    b vectors + 0x380
