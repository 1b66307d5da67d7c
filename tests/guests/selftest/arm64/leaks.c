/* Nothing that the hypervisor writes for a guest looks like an address of its own. */
#include "../evtchn.h"
#include "../physmap.h"

/* asm/layout.h: image, boot and device windows, page information, and all of RAM. */
static bool is_hypervisors(uint64_t word) {
    return word >> 39 >= 250 && word >> 48 == 0;
}

static void look(uint64_t gfn) {
    const volatile uint64_t *page = word_at(gfn);

    for (unsigned i = 0; i < 512; i++)
        if (is_hypervisors(page[i]))
            EQ(page[i], 0);
}

TEST(leaks_in_shared_pages) {
    static const struct {
        unsigned space, idx;
    } pages[] = {{XENMAPSPACE_shared_info, 0}, {XENMAPSPACE_grant_table, 0}, {XENMAPSPACE_grant_table, 1}};

    for (unsigned i = 0; i < COUNT(pages); i++) {
        EQ(add(pages[i].space, pages[i].idx, HOLE_GFN(i)), 0);
        look(HOLE_GFN(i));
        EQ(take(HOLE_GFN(i)), 0);
    }
}

/* Registers of a call that are not its result are the guest's own. */
TEST(leaks_in_registers) {
    static const uint64_t calls[] = {PSCI_VERSION, 0x80000000, 0x80000001, 0x8600ff01, 0x82001234};

    for (unsigned i = 0; i < COUNT(calls); i++) {
        register uint64_t x0 __asm__("x0") = calls[i];
        register uint64_t x1 __asm__("x1") = 0, x2 __asm__("x2") = 0, x3 __asm__("x3") = 0;
        register uint64_t x4 __asm__("x4") = 4, x16 __asm__("x16") = 16, x17 __asm__("x17") = 17;

        __asm__ volatile("hvc #0"
                         : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x16), "+r"(x17));
        uint64_t out[] = {x0, x1, x2, x3, x4, x16, x17}; /* before a call of ours takes them */

        for (unsigned r = 0; r < 4; r++)
            EQ(is_hypervisors(out[r]), 0);
        EQ(out[4], 4);
        EQ(out[5], 16);
        EQ(out[6], 17);
    }
}
