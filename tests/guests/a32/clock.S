/* As ../clock.S. */
#include "guest.h"

    image_header
start:
    isb
    mrrc p15, 0, r5, r6, c14 /* CNTPCT */
    say "first instruction at tick 0x"
    mov r0, r6
    bl put_hex
    mov r0, r5
    bl put_hex
    power_off

    library
