/* As ../abort.S; the fault status stands in CP15, its format is LPAE's. */
#include "guest.h"

    image_header
start:
    adr r0, vectors
    mcr p15, 0, r0, c12, c0, 0 /* VBAR */
    mov r0, #(1 << 31)         /* TTBCR.EAE */
    mcr p15, 0, r0, c2, c0, 2
    isb
    ldr r9, =NOTHING

    say "read "
    adr r10, 1f
    ldr r0, [r9]
    say "went through\n"
1:  say "write "
    adr r10, 2f
    str r0, [r9]
    say "went through\n"
2:  say "fetch "
    adr r10, 3f
    bx r9
3:  say "aborts done\n"
    power_off

/* Prints status and direction, and goes on at r10. */
prefetch:
    mrc p15, 0, r0, c5, c0, 1 /* IFSR */
    b told
data:
    mrc p15, 0, r0, c5, c0, 0 /* DFSR */
told:
    ldr r1, =0x83f
    and r0, r0, r1
    bl put_hex
    mov lr, r10
    movs pc, lr

    .balign 32
vectors:
    b .
    b .
    b .
    b prefetch
    b data
    b .
    b .
    b .

    library
