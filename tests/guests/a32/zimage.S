/* The smallest 32-bit kernel in zImage format: says that it runs, and powers off. */
#include "guest.h"

    image_header
start:
    say "zImage runs\n"
    psci PSCI_SYSTEM_OFF
    b .

    library
