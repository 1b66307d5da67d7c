/* Asks for a reset as its first act. */
#include "guest.h"

    image_header
start:
    ldr w0, =PSCI_SYSTEM_RESET
    hvc #0
    b .

    library
