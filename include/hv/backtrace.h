/* Floor 4: stack walks with symbol names. */
#ifndef HV_BACKTRACE_H
#define HV_BACKTRACE_H

#include <hv/types.h>

/* Prints return addresses from frame pointer fp up, "  name+0x10", at most 32, only inside
 * hypervisor memory. */
void backtrace_from(uintptr_t pc, uintptr_t fp);
void backtrace_here(void);
/*
 * What the stack of somebody who may be running on another CPU tells: records from `top` down, of
 * which the outermost continues outer_fp. The innermost may be of calls that have returned.
 */
void backtrace_of_stack(uintptr_t base, uintptr_t top, uintptr_t outer_fp);
bool backtrace_in_text(uintptr_t pc);
/* One line of a trace. */
void backtrace_print(uintptr_t pc);
/* Name and offset of a text address; NULL when unknown. */
const char *symbol_lookup(uintptr_t addr, uintptr_t *offset);

#endif
