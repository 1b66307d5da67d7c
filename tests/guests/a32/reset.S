/* Asks for a reset as its first act. */
#include "guest.h"

    image_header
start:
    psci PSCI_SYSTEM_RESET
    b .

    library
