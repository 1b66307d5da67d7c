/* Says to what its event channel leads: port 10 or 20, as soon as it is bound to another domain's. */
#include "guest.h"

#define EVENT_CHANNEL_OP 32
#define STATUS 5
#define INTERDOMAIN 2
#define DOMID_SELF 0x7ff0

    image_header
start:
    mov w6, #10
    adr x5, status
1:  eor w6, w6, #30 /* 10 and 20 in turn */
    mov w0, #DOMID_SELF
    strh w0, [x5]
    str w6, [x5, #4]
    mov x0, #STATUS
    mov x1, x5
    mov x16, #EVENT_CHANNEL_OP
    hvc #0xea1
    cbnz x0, 1b
    ldr w0, [x5, #8]
    cmp w0, #INTERDOMAIN
    b.ne 1b
    say "port 0x"
    mov w0, w6
    bl put_hex
    say "leads to domain 0x"
    ldrh w0, [x5, #16]
    bl put_hex
    say "port there 0x"
    ldr w0, [x5, #20]
    bl put_hex
2:  wfi
    b 2b

    .balign 8
status:
    .fill 24, 1, 0

    library
