/* As ../console_io.S. */
#include "guest.h"

    image_header
start:
    adr r4, greeting
    ldr r5, =greeting_end - greeting
    bl write
    adr r4, line
1:  mov r0, #1       /* CONSOLEIO_read */
    mov r1, #1
    mov r2, r4
    mov r12, #18     /* __HYPERVISOR_console_io */
    hvc #0xea1
    cmp r0, #1
    bne 2f
    ldrb r3, [r4], #1
    cmp r3, #'\r'
    bne 1b
    mov r3, #'\n'
    strb r3, [r4, #-1]
    mov r5, r4
    adr r4, line
    sub r5, r5, r4
    bl write
    power_off
2:  mov r0, #0       /* SCHEDOP_yield */
    mov r12, #29     /* __HYPERVISOR_sched_op */
    hvc #0xea1
    b 1b

write: /* r4: text, r5: length */
    mov r0, #0       /* CONSOLEIO_write */
    mov r1, r5
    mov r2, r4
    mov r12, #18
    hvc #0xea1
    bx lr

greeting:
    .ascii "guest without a device listens\n"
greeting_end:
    .balign 4
line:
    .space 256

    library
