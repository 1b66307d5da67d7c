/* Both timers by polling: the condition comes true, not too early, and can be masked. */
#include "guest.h"

    /* count timer, tick count: waits with it, prints 1 when the counter had really passed */
    .macro wait timer, counter
    mrs x19, \counter
    mov x0, #5000
    msr \timer\()_tval_el0, x0
    mov x0, #3 /* enabled, its interrupt masked */
    msr \timer\()_ctl_el0, x0
    isb
1:  mrs x0, \timer\()_ctl_el0
    tbz w0, #2, 1b
    isb
    mrs x20, \counter
    sub x20, x20, x19
    cmp x20, #5000
    cset w21, hs
    say "\timer: "
    mov w0, w21
    bl put_hex
    msr \timer\()_ctl_el0, xzr
    isb
    mrs x0, \timer\()_ctl_el0
    bl put_hex
    .endm

    image_header
start:
    wait cntv, cntvct_el0
    wait cntp, cntpct_el0
    power_off

    library
