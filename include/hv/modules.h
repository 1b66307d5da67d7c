/* Floor 8: boot modules: what the boot loader left in memory for us, each at a fixed place that
 * nobody else may use. */
#ifndef HV_MODULES_H
#define HV_MODULES_H

#include <hv/types.h>

struct boot_module {
    uint64_t start, size; /* size 0: there is none */
};

#define MODULES_MAX 128

/*
 * NULL when [m] may be used: it lies in RAM, touches nothing reserved, and no claimed module
 * overlaps it; the very same range claimed before is fine (two domains may start from one kernel).
 * Else what is wrong.
 */
const char *module_check(const struct boot_module *m);
/* Reserves a checked module, now and for ever. NULL, or what is wrong. */
const char *module_claim(const struct boot_module *m);
/* The pages of the first claimed module that has any at or above `from`, which begins a page, from
 * there on; size 0: there is none. No page of a module is anybody else's. */
struct boot_module module_pages_from(uint64_t from);
/* Whether a claimed module has a byte of [m]. */
bool modules_touch(const struct boot_module *m);
/* Whether two modules share a byte. */
bool modules_overlap(const struct boot_module *a, const struct boot_module *b);

#endif
