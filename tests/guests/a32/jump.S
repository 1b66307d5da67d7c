/* As ../jump.S. */
#include "guest.h"

    image_header
start:
    say "jumping into nothing\n"
    ldr pc, =NOTHING

    library
