/* A kernel that computes for ever, on every CPU of its domain. */
#include "guest.h"

    image_header
start:
    say "computing\n"
    mov     x19, #1                 /* vCPU by vCPU, until one is not there */
1:  ldr     x0, =0xc4000003         /* PSCI CPU_ON */
    mov     x1, x19
    adr     x2, spin
    mov     x3, #0
    hvc     #0
    add     x19, x19, #1
    cbz     w0, 1b
spin:
    add     x20, x20, #1
    b       spin

    library
