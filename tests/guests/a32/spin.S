/* A zImage that asks for the hypervisor's version for ever. */
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
    mov r12, #17 /* __HYPERVISOR_xen_version */
    mov r0, #0   /* XENVER_version */
    hvc #0xea1
    b code
image_end:
