/* A binary without any header. */
#include "guest.h"

start:
    say "raw binary runs\n"
    power_off

    library
