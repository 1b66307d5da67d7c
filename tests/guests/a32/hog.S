/* A kernel that computes for ever, on every CPU of its domain. */
#include "guest.h"

    image_header
start:
    say "computing\n"
    mov r4, #1 /* vCPU by vCPU, until one is not there */
1:  mov r1, r4
    adr r2, spin
    mov r3, #0
    psci PSCI_CPU_ON
    add r4, r4, #1
    cmp r0, #0
    beq 1b
spin:
    add r5, r5, #1
    b spin

    library
