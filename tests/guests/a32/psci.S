/* As ../psci.S. */
#include "guest.h"

    .arch_extension sec

    .macro call conduit, function
    ldr r0, =\function
    mov r1, #0
    mov r2, #0
    mov r3, #0
    \conduit #0
    mov r5, r0
    say "\conduit "
    say "\function "
    mov r0, r5
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
    ldr r0, =PSCI_SYSTEM_OFF
    smc #0
    b .

    library
