/* The emulated PCI bridge: any access to its configuration space; what it maps for the guest is
 * never more than the function has. */
/* SOURCES: common/virt/vpci.c common/lib/spinlock.c */
#include "fuzz.h"

#include "../unit/test_vpci.c"

static void check_maps(void) {
    for (unsigned i = 0; i < nr_maps; i++) {
        const struct mapping *m = &maps[i];
        uint64_t first = m->m << PAGE_SHIFT, end = (m->m + m->nr) << PAGE_SHIFT;

        HOLDS((first >= 0x10000000 && end <= 0x10004000) ||
              (first >= 0x10008000 && end <= 0x10009000));
        HOLDS(m->g << PAGE_SHIFT >= WINDOW &&
              (m->g + m->nr) << PAGE_SHIFT <= WINDOW + GUEST_VPCI_MEM_SIZE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    setup(NULL);
    input_is(data, size);
    while (input_left) {
        unsigned how = (unsigned)eat(1);
        struct mmio_access a = {.size = (uint8_t)(1u << how % 4), .write = how & 4};

        /* Mostly the one function's header. */
        a.offset = (how & 0x38 ? eat(1) : eat(4) % VPCI_ECAM_SIZE) & ~(a.size - 1ULL);
        a.value = eat(a.size);
        if (handler(NULL, handler_arg, &a) && !a.write && a.size < 8)
            HOLDS(!(a.value >> 8 * a.size));
        check_maps();
        HOLDS(!crashed && !locks_held());
    }
    teardown(NULL);
    return 0;
}
