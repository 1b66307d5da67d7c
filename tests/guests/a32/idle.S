/* Says that it is there, then waits for ever. */
#include "guest.h"

    image_header
start:
    say "idle guest waits\n"
1:  wfi
    b 1b

    library
