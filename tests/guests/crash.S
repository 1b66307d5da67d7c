/* A kernel that ends itself as crashed: SCHEDOP_shutdown with SHUTDOWN_crash. */
#include "guest.h"

    image_header
start:
    say "crashing\n"
    mov     x0, #2                  /* SCHEDOP_shutdown */
    adr     x1, reason
    mov     x16, #29                /* __HYPERVISOR_sched_op */
    hvc     #0xea1
    b       .
reason:
    .long   3                       /* SHUTDOWN_crash */

    library
