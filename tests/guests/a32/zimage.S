/* The smallest 32-bit kernel in zImage format: says that it runs, and powers off. */
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
    ldr r4, =0x22000000 /* vpl011 */
    adr r5, text
1:  ldrb r0, [r5], #1
    cmp r0, #0
    beq 3f
2:  ldr r1, [r4, #0x18]
    tst r1, #0x20
    bne 2b
    str r0, [r4]
    b 1b
3:  ldr r0, =0x84000008 /* PSCI_SYSTEM_OFF */
    hvc #0
    b .
    .ltorg
text:
    .asciz "zImage runs\n"
    .balign 4
image_end:
