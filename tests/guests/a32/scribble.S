/* As ../scribble.S; only, a zImage may lie anywhere, and then the memory behind it ends at its device tree. */
#include "guest.h"

    image_header
start:
    mov r9, r2                      /* its device tree */
    ldr r4, =pattern_offset
    adr r5, start
    add r4, r4, r5
    mov r6, #0
1:  ldr r7, [r4], #4                /* each word holds its own distance from the pattern's start */
    cmp r7, r6
    bne changed
    add r6, r6, #4
    cmp r6, #8192
    bne 1b
    say "image intact\n"
    mov r10, r4                     /* the pattern's end */
    mov r5, #0x41000000
    add r4, r10, #library_size
    cmp r9, r4
    movhi r5, r9
1:  ldr r7, [r4], #4
    cmp r7, #0
    bne not_zero
    cmp r4, r5
    blo 1b
    say "memory zero\n"
    b destroy
not_zero:
    say "memory not zero\n"
    power_off
changed:
    say "image changed\n"
    power_off
destroy: /* what lies behind the image up to 16 MiB, then all of it but these last loops */
    ldr r8, =PSCI_SYSTEM_RESET
    ldr r6, =0xdead
    mov r4, r10
    mov r5, #0x41000000
1:  str r6, [r4], #4
    cmp r4, r5
    blo 1b
    adr r4, start
    adr r5, last
last:
1:  str r6, [r4], #4
    cmp r4, r5
    blo 1b
    adr r4, after
1:  str r6, [r4], #4
    cmp r4, r10
    blo 1b
    mov r0, r8
    hvc #0
    b .
after:
    .ltorg
pattern:
    .set pattern_offset, pattern - start
    .set i, 0
    .rept 2048
    .word i
    .set i, i + 4
    .endr
pattern_end:

    library
    .set library_size, image_end - pattern_end
