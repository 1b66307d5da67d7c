/* Ends its domain by SCHEDOP_shutdown, for the reason in its header (PARAMETERS_AT of machine.py). */
#include "guest.h"

#define HYPERCALL_SCHED_OP 29
#define SCHEDOP_shutdown 2
#define SCHEDOP_shutdown_code 5

    image_header
start:
    say "guest shuts itself down\n"
    adr x9, start - 24
    ldr w0, [x9, #4]    /* not 0: that reason plus 1 is latched before */
    cbz w0, 1f
    sub w0, w0, #1
    adr x1, argument
    str w0, [x1]
    mov x0, #SCHEDOP_shutdown_code
    mov x16, #HYPERCALL_SCHED_OP
    hvc #0xea1
1:  ldr w0, [x9]
    adr x1, argument
    str w0, [x1]
    mov x0, #SCHEDOP_shutdown
    mov x16, #HYPERCALL_SCHED_OP
    hvc #0xea1
    say "guest runs on\n"
    b .
    .balign 8
argument:
    .quad 0
    library
