/* The seeds below /chosen, which a loader gives a kernel to place itself by and for its random
 * numbers, and the CPU's own random numbers. */
#include "secrets.h"

#include <hv/bits.h>
#include <hv/mapwin.h>
#include <hv/mm.h>
#include <hv/modules.h>
#include <hv/page.h>
#include <hv/printk.h>
#include <hv/string.h>
#include <hv/timer.h>

#include <asm/cache.h>

#include <libfdt.h>

static const char *const seeds[] = {"kaslr-seed", "rng-seed"};

#define CPU_WORDS 4u
/* Bytes that are not zero: of eight random ones there are fewer once in 300,000 times. */
#define ENOUGH 6u

static const uint8_t *find_seed(const void *fdt, const char *name, size_t *n) {
    int chosen = fdt_path_offset(fdt, "/chosen"), len = 0;
    const uint8_t *at = chosen < 0 ? NULL : fdt_getprop(fdt, chosen, name, &len);

    *n = at ? (size_t)len : 0;
    return at;
}

/* How many bytes of it were not zero: a kernel before us may have wiped it. */
static size_t add_bytes(struct entropy *e, const uint8_t *at, size_t n) {
    size_t good = 0;

    for (size_t i = 0; i < n; i += 8) {
        uint64_t word = 0;

        for (size_t b = i; b < MIN(i + 8, n); b++) {
            word = word << 8 | at[b];
            good += at[b] != 0;
        }
        entropy_add(e, word);
    }
    return good;
}

bool secrets_gather(const void *fdt, struct entropy *e) {
    size_t n, good = 0;

    *e = (struct entropy)ENTROPY_INIT(0, 0);
    entropy_add(e, time_ticks());
    for (unsigned i = 0; i < ARRAY_SIZE(seeds); i++) {
        const uint8_t *at = find_seed(fdt, seeds[i], &n);

        good += add_bytes(e, at, n);
    }
    for (unsigned i = 0; i < CPU_WORDS; i++) {
        uint64_t word = harden_cpu_random();

        good += add_bytes(e, (const uint8_t *)&word, sizeof(word));
        *(volatile uint64_t *)&word = 0; /* nothing of it stays on this stack */
    }
    return good >= ENOUGH;
}

/* The pages of modules are mapped for reading alone. */
static bool is_beside_a_module(paddr_t pa, uint64_t size) {
    struct boot_module m = module_pages_from(ALIGN_DOWN(pa.pa, PAGE_SIZE));

    return m.size && m.start < pa.pa + size;
}

static void wipe(paddr_t pa, uint64_t size) {
    while (size) {
        uint64_t n = mapwin_reach(pa, size);
        void *va = mapwin_map(pa);

        memset(va, 0, n);
        dcache_clean_poc(va, n);
        mapwin_unmap(va);
        pa = paddr_add(pa, n);
        size -= n;
    }
}

static void wipe_seed(const char *name, paddr_t pa, uint64_t size) {
    if (is_beside_a_module(pa, size))
        printk("warning: /chosen: %s stays in memory: a module is on its page\n", name);
    else
        wipe(pa, size);
}

void secrets_wipe(const void *fdt, paddr_t fdt_pa) {
    if (!boot_mem_is_ram(fdt_pa, fdt_totalsize(fdt)))
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(seeds); i++) {
        size_t n;
        const uint8_t *at = find_seed(fdt, seeds[i], &n);

        if (at)
            wipe_seed(seeds[i], paddr_add(fdt_pa, (uint64_t)(at - (const uint8_t *)fdt)), n);
    }
}
