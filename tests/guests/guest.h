/*
 * For bare-metal test guests: an Image header, a console on vpl011 and PSCI. Addresses are those of
 * Xen's public arch-arm.h; the code runs wherever it was loaded, MMU off.
 */
#define VPL011 0x22000000 /* GUEST_PL011_BASE */
#define NOTHING 0x10000000 /* below the vGIC and the console: no device, no RAM */

#define PSCI_VERSION 0x84000000
#define PSCI_SYSTEM_OFF 0x84000008
#define PSCI_SYSTEM_RESET 0x84000009

    .macro image_header
    .section .text
    b start
    .long 0
    .quad 0             /* text_offset */
    .quad image_end     /* image_size */
    .quad 0xa           /* little-endian, 4 KiB pages, anywhere */
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .long 0
    .endm

    /* say "text": uses x0 to x3 and x30 */
    .macro say text
    adr x0, .Ltext\@
    bl puts
    b .Lend\@
.Ltext\@:
    .asciz "\text"
    .balign 4
.Lend\@:
    .endm

    .macro power_off
    ldr w0, =PSCI_SYSTEM_OFF
    hvc #0
    b .
    .endm

    /* Functions; stand at the end of a guest. */
    .macro library
puts: /* x0: text */
    mov w2, #(VPL011 >> 16)
    lsl w2, w2, #16
1:  ldrb w1, [x0], #1
    cbz w1, 3f
2:  ldr w3, [x2, #0x18] /* FR: wait while the transmit FIFO is full */
    tbnz w3, #5, 2b
    str w1, [x2]
    b 1b
3:  ret

put_hex: /* x0: value, as eight digits and a newline */
    mov w2, #(VPL011 >> 16)
    lsl w2, w2, #16
    mov w4, #8
1:  ror w0, w0, #28
    and w1, w0, #15
    cmp w1, #10
    add w1, w1, #'0'
    b.lo 2f
    add w1, w1, #('a' - '0' - 10)
2:  ldr w3, [x2, #0x18]
    tbnz w3, #5, 2b
    str w1, [x2]
    subs w4, w4, #1
    b.ne 1b
    mov w1, #'\n'
    str w1, [x2]
    ret
    .ltorg
    .balign 8
image_end:
    .endm
