/* Firmware calls by both conduits, and some that do not exist. */
#include "guest.h"

    .macro call conduit, function
    ldr w0, =\function
    mov x1, #0
    mov x2, #0
    mov x3, #0
    \conduit #0
    mov w21, w0
    say "\conduit "
    say "\function "
    mov w0, w21
    bl put_hex
    .endm

    image_header
start:
    call hvc, 0x84000000 /* PSCI_VERSION */
    call smc, 0x84000000
    call hvc, 0x80000000 /* SMCCC_VERSION */
    call smc, 0x8400001f /* of PSCI, not defined */
    call hvc, 0xc2001234 /* of the OEM: nobody's */
    call smc, 0xbf00ffff /* of trusted applications */
    ldr w0, =PSCI_SYSTEM_OFF
    smc #0
    b .

    library
