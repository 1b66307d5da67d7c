/* Does what ../raw.S does, but has a header: binaries without one are A64 code. */
#include "guest.h"

    image_header
start:
    say "raw binary runs\n"
    psci PSCI_SYSTEM_OFF
    b .

    library
