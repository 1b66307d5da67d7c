/* Firmware that leaves a board at EL3: jumps to Holdfast as machine.py has placed it. */
    .arch armv8-a
    ldr     x0, =0x4f000000         /* the device tree */
    ldr     x1, =0x40400000
    br      x1
    .ltorg
