/* Guest physical addresses of 40 bits: the second of the tables that stage 2 begins with. */
#include "physmap.h"

#define END_GFN (1ULL << 28)
#define HALF_GFN (1ULL << 27)

/* The GiB of a guest frame, at an address where nothing else is. */
static volatile uint64_t *show(uint64_t *level1, const uint64_t *usual, uint64_t gfn) {
    for (unsigned i = 0; i < 4; i++)
        level1[i] = usual[i];
    level1[SPARE_GIB] = usual[1] - RAM + (gfn >> 18 << 30);
    dsb();
    sysreg_write(ttbr0_el1, (uint64_t)level1);
    flush_tlb();
    return (volatile uint64_t *)((uint64_t)SPARE_GIB << 30 | (gfn << 12 & 0x3fffffff));
}

/* A 64-bit machine gives its 32-bit guests as many addresses as the others. */
static bool on_64_bits(void) {
    static char kinds[1024];

    EQ(xen_version(XENVER_capabilities, kinds), 0);
    return kinds[sizeof("xen-3.0-a") - 1] == 'a';
}

TEST(physmap_addresses_of_40_bits) {
    static uint64_t level1[512] __attribute__((aligned(4096)));
    static const xen_pfn_t gfns[] = {HALF_GFN, HALF_GFN + 5, END_GFN - 1};
    uint64_t ttbr0 = sysreg_read(ttbr0_el1);
    xen_pfn_t spare = spare_gfn(0), end = END_GFN;

    EQ(reservation(XENMEM_decrease_reservation, &spare, 1, 0), 1);
    for (unsigned i = 0; i < COUNT(gfns); i++) {
        volatile uint64_t *word = show(level1, (const uint64_t *)ttbr0, gfns[i]);
        xen_pfn_t g = gfns[i];

        EQ(reservation(XENMEM_populate_physmap, &g, 1, 0), 1);
        *word = 0x5555 + i;
        flush_tlb();
        EQ(*word, 0x5555 + i);
        EQ(xen_version(XENVER_extraversion, (void *)word), 0);
        TRUE(*word != 0x5555 + i);
        EQ(take(g - HALF_GFN), -XEN_ENOENT); /* the same place in the first table */
        EQ(take(g), 0);
        TRY(*word);
        EQ(me()->caught.ec, EC_DATA);
    }
    sysreg_write(ttbr0_el1, ttbr0);
    flush_tlb();
    restore(spare);
    if (on_64_bits())
        return;
    EQ(reservation(XENMEM_populate_physmap, &end, 1, 0), 0);
    EQ(add(XENMAPSPACE_shared_info, 0, END_GFN), -XEN_EINVAL);
    EQ(take(END_GFN), -XEN_ENOENT);
}
