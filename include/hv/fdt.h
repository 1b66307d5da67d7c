/*
 * Floor 2: reading and writing device trees with libfdt; every read bounds-checked and every
 * value's length checked. Readers return 0 or -ENOENT (absent), -EINVAL (wrong length: the caller
 * names node and property).
 */
#ifndef HV_FDT_H
#define HV_FDT_H

#include <hv/types.h>

#define FDT_MAX_SIZE (2u << 20)
#define FDT_PATH_MAX 128

/* Header check and full structure check of `max` readable bytes. 0 or -EINVAL. */
int fdt_validate(const void *fdt, size_t max);

int fdt_u32(const void *fdt, int node, const char *prop, uint32_t *out) __must_check;
int fdt_u64(const void *fdt, int node, const char *prop,
            uint64_t *out) __must_check; /* exactly two cells */
/* One or two cells, as the binding of sizes in this project allows. */
int fdt_u32_or_u64(const void *fdt, int node, const char *prop, uint64_t *out) __must_check;
/* NUL-terminated within its property. */
int fdt_str(const void *fdt, int node, const char *prop, const char **out) __must_check;
bool fdt_flag(const void *fdt, int node, const char *prop);
bool fdt_compatible(const void *fdt, int node, const char *compat);
bool fdt_enabled(const void *fdt, int node); /* status absent, "okay" or "ok" */

/* Entry `index` of reg with the parent's cells, translated to a CPU address through every parent's
 * `ranges`. */
int fdt_reg(const void *fdt, int node, unsigned index, uint64_t *addr, uint64_t *size) __must_check;
/* As above without translation and with given cells (modules below /chosen). */
int fdt_reg_raw(const void *fdt, int node, unsigned index, unsigned ac, unsigned sc, uint64_t *addr,
                uint64_t *size) __must_check;
/* The same of a property that is a list like reg. */
int fdt_ranges(const void *fdt, int node, const char *prop, unsigned index, unsigned ac,
               unsigned sc, uint64_t *addr, uint64_t *size) __must_check;
void fdt_cells(const void *fdt, int node, unsigned *ac,
               unsigned *sc); /* of this node for its children; defaults 2, 1 */

/* Next node after `start` (-1 first) with that compatible and enabled; -1 when no more. */
int fdt_next_compatible(const void *fdt, int start, const char *compat);
/* The path of a node for messages; always terminated. */
const char *fdt_path(const void *fdt, int node, char buf[FDT_PATH_MAX]);
/* The interrupt parent that applies to the node, or -1. */
int fdt_interrupt_parent(const void *fdt, int node);

/* Command line by Xen's rules: xen,xen-bootargs, else bootargs when it is not for a dom0; "" when
 * none. */
const char *fdt_bootargs(const void *fdt);

#endif
