/* Says whether its image is as it was built and the memory behind it zero, destroys all of its memory,
 * and resets itself. */
#include "guest.h"

    image_header
start:
    mov x9, x0                      /* its device tree */
    adr x4, pattern
    adr x5, pattern_end
    mov x6, #0
1:  ldr x7, [x4], #8                /* each word holds its own distance from the pattern's start */
    cmp x7, x6
    b.ne changed
    add x6, x6, #8
    cmp x4, x5
    b.ne 1b
    say "image intact\n"
    adr x4, image_end
    mov x5, #0x41000000
    cmp x9, x4
    csel x5, x9, x5, hi
1:  ldr x7, [x4], #8
    cbnz x7, not_zero
    cmp x4, x5
    b.lo 1b
    say "memory zero\n"
    b destroy
not_zero:
    say "memory not zero\n"
    power_off
changed:
    say "image changed\n"
    power_off
destroy: /* what lies behind the image up to 16 MiB, then all of it but these last loops */
    ldr w8, =PSCI_SYSTEM_RESET
    mov x6, #0xdead
    adr x4, image_end
    mov x5, #0x41000000
1:  str x6, [x4], #8
    cmp x4, x5
    b.lo 1b
    .balign 8
last:
    adr x4, start
    adr x5, last
1:  str x6, [x4], #8
    cmp x4, x5
    b.lo 1b
    adr x4, after
    adr x5, image_end
1:  str x6, [x4], #8
    cmp x4, x5
    b.lo 1b
    mov w0, w8
    hvc #0
    b .
    .balign 8
after:
pattern:
    .set i, 0
    .rept 1024
    .quad i
    .set i, i + 8
    .endr
pattern_end:

    library
