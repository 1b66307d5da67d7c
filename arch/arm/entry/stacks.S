/* The stacks that are there from the start. */
#include <asm/layout.h>

/* The boot CPU's, and later its idle thread's: laid out like every stack (asm/layout.h). */
    .section .bootstack, "aw", %nobits
    .balign (2 << STACK_SHIFT)
    .globl boot_stack_guard
boot_stack_guard:
    .skip (1 << STACK_SHIFT)
    .globl boot_stack_base
boot_stack_base:
    .skip (1 << STACK_SHIFT)
    .globl boot_stack_top
boot_stack_top:

/* Each CPU's own for the report of a stack overflow. */
    .section percpu_data, "aw"
    .balign 16
    .skip   3072
    .globl emergency_stack_end
emergency_stack_end:
