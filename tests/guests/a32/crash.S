/* A kernel that ends itself as crashed: SCHEDOP_shutdown with SHUTDOWN_crash. */
#include "guest.h"

    image_header
start:
    say "crashing\n"
    mov r0, #2  /* SCHEDOP_shutdown */
    adr r1, reason
    mov r12, #29 /* __HYPERVISOR_sched_op */
    hvc #0xea1
    b .
reason:
    .word 3 /* SHUTDOWN_crash */

    library
