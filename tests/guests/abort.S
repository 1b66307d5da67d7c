/* Touches what is not there, by a read, a write and a fetch, and prints each time what it got. */
#include "guest.h"

    image_header
start:
    adr x0, vectors
    msr vbar_el1, x0
    isb
    ldr x19, =NOTHING

    say "read "
    adr x20, 1f
    ldr w0, [x19]
    say "went through\n"
1:  say "write "
    adr x20, 2f
    str w0, [x19]
    say "went through\n"
2:  say "fetch "
    adr x20, 3f
    br x19
3:  say "aborts done\n"
    power_off

/* Prints ESR_EL1 without its IL bit and the bits a model may choose, and goes on at x20. */
taken:
    mrs x0, esr_el1
    mov x1, #0x3f
    movk x1, #0xfc00, lsl #16
    and x0, x0, x1
    bl put_hex
    msr elr_el1, x20
    eret

    .balign 2048
vectors:
    .rept 16
    b taken
    .balign 128
    .endr

    library
