/* A kernel that jumps into nothing, without vectors: nothing in it can go on. */
#include "guest.h"

    image_header
start:
    say "jumping into nothing\n"
    ldr x0, =NOTHING
    br x0

    library
