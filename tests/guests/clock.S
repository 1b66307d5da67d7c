/* Says what the physical counter read at its first instruction: ticks since the machine's reset. */
#include "guest.h"

    image_header
start:
    isb
    mrs x5, cntpct_el0
    say "first instruction at tick 0x"
    lsr x0, x5, #32
    bl put_hex
    mov x0, x5
    bl put_hex
    power_off

    library
