/* The end of a child process of a test. */
#ifndef CHILD_H
#define CHILD_H

#include <unistd.h>

/* Only in the build for coverage, whose counts _exit() would lose. */
void __gcov_dump(void) __attribute__((weak));

static inline void child_ends(void) {
    if (__gcov_dump)
        __gcov_dump();
    _exit(0);
}

#endif
