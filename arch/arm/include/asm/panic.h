/* Floor 9: steps of a panic's report (entry/panic.c), for what the architecture tells itself. */
#ifndef ASM_PANIC_H
#define ASM_PANIC_H

#include <hv/types.h>

/* The first CPU goes on and tells; any other stops here. */
void enter_panic(void);
void stop_machine(void) __noreturn;

#endif
