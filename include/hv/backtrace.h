/* Floor 4: stack walks with symbol names. */
#ifndef HV_BACKTRACE_H
#define HV_BACKTRACE_H

#include <hv/types.h>

/* Prints return addresses from frame pointer fp up, "  name+0x10", at most 32, only inside
 * hypervisor memory. */
void backtrace_from(uintptr_t pc, uintptr_t fp);
void backtrace_here(void);
/* Name and offset of a text address; NULL when unknown. */
const char *symbol_lookup(uintptr_t addr, uintptr_t *offset);

#endif
