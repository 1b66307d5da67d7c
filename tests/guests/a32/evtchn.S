/* As ../evtchn.S. */
#include "guest.h"

    image_header
start:
    mov r6, #10
    adr r5, status
1:  eor r6, r6, #30  /* 10 and 20 in turn */
    ldr r0, =0x7ff0  /* DOMID_SELF */
    strh r0, [r5]
    str r6, [r5, #4]
    mov r0, #5       /* EVTCHNOP_status */
    mov r1, r5
    mov r12, #32     /* __HYPERVISOR_event_channel_op */
    hvc #0xea1
    cmp r0, #0
    ldreq r0, [r5, #8]
    cmpeq r0, #2     /* EVTCHNSTAT_interdomain */
    bne 1b
    say "port 0x"
    mov r0, r6
    bl put_hex
    say "leads to domain 0x"
    ldrh r0, [r5, #16]
    bl put_hex
    say "port there 0x"
    ldr r0, [r5, #20]
    bl put_hex
2:  wfi
    b 2b

    .balign 8
status:
    .fill 24, 1, 0

    library
