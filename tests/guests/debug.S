/* Self-hosted debug: a breakpoint, a watchpoint and a single step, each reported by its exception class. */
#include "guest.h"

    image_header
start:
    adr x0, vectors
    msr vbar_el1, x0
    msr oslar_el1, xzr
    mrs x0, mdscr_el1
    orr x0, x0, #(1 << 15) /* MDE */
    orr x0, x0, #(1 << 13) /* KDE: also at EL1 */
    msr mdscr_el1, x0
    msr daifclr, #8
    isb

    adr x20, 1f
    adr x0, target
    msr dbgbvr0_el1, x0
    mov x0, #0x1e7 /* any byte, EL1 and EL0, enabled */
    msr dbgbcr0_el1, x0
    isb
    say "breakpoint "
target:
    nop
    say "missed\n"
1:  msr dbgbcr0_el1, xzr
    isb

    say "watchpoint "
    adr x20, 2f
    adr x19, word
    msr dbgwvr0_el1, x19
    mov x0, #0x1fff /* enabled, EL1 and EL0, loads and stores, any of the eight bytes */
    msr dbgwcr0_el1, x0
    isb
    ldr w0, [x19]
    say "missed\n"
2:  msr dbgwcr0_el1, xzr
    isb

    say "step "
    adr x20, 3f
    mrs x0, mdscr_el1
    orr x0, x0, #1 /* SS */
    msr mdscr_el1, x0
    adr x0, stepped
    msr elr_el1, x0
    mov x0, #5 /* EL1h */
    orr x0, x0, #(1 << 21) /* one instruction */
    msr spsr_el1, x0
    eret
stepped:
    nop
    nop
    nop
    say "missed\n"
3:  say "debug done\n"
    power_off

taken: /* print the class; go on at x20 with the step switched off and debug unmasked */
    mrs x21, mdscr_el1
    bic x21, x21, #1
    msr mdscr_el1, x21
    mrs x0, esr_el1
    lsr x0, x0, #26
    bl put_hex
    msr elr_el1, x20
    mov x0, #5
    msr spsr_el1, x0
    eret

    .balign 8
word:
    .quad 0

    .balign 2048
vectors:
    .rept 16
    b taken
    .balign 128
    .endr

    library
