/* A zImage that sets a watchdog of 1 s, and spins. */
    .syntax unified
    .arm
    .arch_extension virt
start:
    .rept 8
    mov r0, r0
    .endr
    b code
    .word 0x016f2818 /* magic */
    .word 0          /* start: anywhere */
    .word image_end
code:
    mov r12, #29 /* __HYPERVISOR_sched_op */
    mov r0, #6   /* SCHEDOP_watchdog */
    adr r1, watchdog
    hvc #0xea1
    b .
watchdog:
    .word 0, 1
image_end:
