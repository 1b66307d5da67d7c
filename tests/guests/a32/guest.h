/* As ../guest.h, for 32-bit guests in zImage format, which run wherever they were loaded, MMU off. */
#define VPL011 0x22000000 /* GUEST_PL011_BASE */
#define NOTHING 0x10000000

#define PSCI_CPU_ON 0x84000003
#define PSCI_SYSTEM_OFF 0x84000008
#define PSCI_SYSTEM_RESET 0x84000009

    .syntax unified
    .arm
    .arch_extension virt

    .macro image_header
    .rept 8
    mov r0, r0
    .endr
    b start
    .word 0x016f2818 /* magic */
    .word 0          /* start: anywhere */
    .word image_end
    .fill 16, 1, 0   /* for tests: PARAMETERS_AT of machine.py */
    .endm

    /* say "text": uses r0 to r3 and lr */
    .macro say text
    adr r0, .Ltext\@
    bl puts
    b .Lend\@
.Ltext\@:
    .asciz "\text"
    .balign 4
.Lend\@:
    .endm

    .macro psci function
    ldr r0, =\function
    hvc #0
    .endm

    .macro power_off
    psci PSCI_SYSTEM_OFF
    b .
    .endm

    /* Functions; stand at the end of a guest. */
    .macro library
puts: /* r0: text */
    mov r2, #VPL011
1:  ldrb r1, [r0], #1
    cmp r1, #0
    bxeq lr
2:  ldr r3, [r2, #0x18] /* FR: wait while the transmit FIFO is full */
    tst r3, #0x20
    bne 2b
    str r1, [r2]
    b 1b

put_hex: /* r0: value, as eight digits and a newline; uses r1 to r4 */
    mov r2, #VPL011
    mov r4, #8
1:  ror r0, r0, #28
    and r1, r0, #15
    cmp r1, #10
    add r1, r1, #'0'
    addhs r1, r1, #('a' - '0' - 10)
2:  ldr r3, [r2, #0x18]
    tst r3, #0x20
    bne 2b
    str r1, [r2]
    subs r4, r4, #1
    bne 1b
    mov r1, #'\n'
    str r1, [r2]
    bx lr
    .ltorg
    .balign 8
image_end:
    .endm
