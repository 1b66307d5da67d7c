/* Device accesses of every kind: with and without a syndrome, all sizes that vpl011 takes, pairs, write-back. */
#include "guest.h"

    image_header
start:
    mov w19, #(VPL011 >> 16)
    lsl w19, w19, #16

    say "byte half word: "
    mov x20, x19
    ldrb w0, [x20, #0x18]
    ldrh w1, [x20, #0x18]
    ldr w2, [x20, #0x18]
    eor w0, w0, w2
    and w0, w0, #0xff
    eor w1, w1, w2
    orr w0, w0, w1
    bl put_hex

    say "post-index: "
    mov x20, x19
    mov w21, #'p'
    str w21, [x20], #8
    sub x0, x20, x19
    mov w21, #' '
    str w21, [x19]
    bl put_hex

    say "pre-index: "
    sub x20, x19, #16
    mov w21, #'q'
    str w21, [x20, #16]!
    sub x0, x20, x19
    mov w21, #' '
    str w21, [x19]
    bl put_hex

    say "pair: "
    ldp w20, w21, [x19, #0x18] /* FR, and a register that is not there or reads 0 */
    ldr w22, [x19, #0x18]
    eor w0, w20, w22
    bl put_hex

    say "sign: "
    movn x0, #0
    ldrsb x0, [x19, #0x18] /* FR has bit 7, transmit FIFO empty */
    lsr x0, x0, #32
    bl put_hex

    say "zero register: "
    str wzr, [x19, #0x44] /* ICR: no interrupt cleared */
    mov w0, #0
    bl put_hex
    power_off

    library
