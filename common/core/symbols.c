/* The symbol table that the build puts into the image (scripts/symbols.py), and look-ups in it. */
#include <hv/backtrace.h>
#include <hv/string.h>

extern const char _start[];
extern const uint32_t hv_symtab_count;
extern const uint32_t hv_symtab_addrs[]; /* ascending offsets from _start */
extern const char hv_symtab_strings[];   /* in the same order, one after the other */

const char *symbol_lookup(uintptr_t addr, uintptr_t *offset) {
    uint64_t rel = addr - (uintptr_t)_start;
    uint32_t lo = 0, hi = hv_symtab_count;
    const char *name = hv_symtab_strings;

    if (!hi || addr < (uintptr_t)_start || rel >= (1u << 31) || rel < hv_symtab_addrs[0])
        return NULL;
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (hv_symtab_addrs[mid] <= rel)
            lo = mid;
        else
            hi = mid;
    }
    *offset = rel - hv_symtab_addrs[lo];
    while (lo--)
        name += strlen(name) + 1;
    return name;
}
