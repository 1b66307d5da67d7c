/*
 * Does what it is told on its console, so that a test on the host can use all of a guest's powers. Addresses
 * are physical ones. A line is a letter and hexadecimal numbers:
 *
 *   r A      32-bit read          w A V    32-bit write
 *   q A      64-bit read          x A V    64-bit write
 *   h N A..  hypercall N with up to three arguments
 *   p F A..  PSCI function F, the same
 *   l N      goes round a loop N times; the answer is how much the counter went on meanwhile
 *   d B A N  lets QEMU's edu device at B write 4 KiB at A, N times one after the other
 *   z B S N  N copies of that device from and to addresses that follow from the seed S: its own memory from 32 MiB on,
 *            anything; while each is under way a page of the last 16 MiB of 64 is given up and got again
 *   c A N    a sum over N doublewords from A
 *
 * The answer is a line "= VALUE", or "! ESR" when it caused an exception.
 */
#include "../selftest/physmap.h"

#ifdef __aarch64__
static uint64_t reach(uint64_t physical) {
    return physical; /* without an MMU: see cpu_main() */
}
#define mmu_off() sysreg_write(sctlr_el1, 0x30d00800)
#else
/* From 2 GiB on through the fourth GiB of addresses. */
static uint64_t reach(uint64_t physical) {
    extern uint64_t page_table[];

    if (physical >> 31 == 0)
        return physical;
    page_table[3] = (physical & ~0x3fffffffull) | 0x705; /* write-back */
    dsb();
    flush_tlb();
    return 0xc0000000 | (physical & 0x3fffffff);
}
#define mmu_off() (void)0
#endif

enum edu { SOURCE = 0x80, TARGET = 0x88, SIZE = 0x90, COMMAND = 0x98 };
enum edu_command { LOAD = 1, STORE = 3 };
#define EDU_BUFFER 0x40000
#define OWN (RAM + 0x2000000u)
#define GIVEN_UP (RAM + 0x3000000u)

static void copy(uint64_t edu, uint64_t source, uint64_t target, uint64_t size, unsigned command) {
    write64(edu + SOURCE, source);
    write64(edu + TARGET, target);
    write64(edu + SIZE, size);
    write64(edu + COMMAND, command);
}

static void finish(uint64_t edu) {
    while (read64(edu + COMMAND) & 1)
        ;
}

/* Half of them in its own memory, the others anywhere: where the machine has devices and memory, and where
 * its table could end, among them. */
static uint64_t some_address(uint64_t random) {
    uint64_t any = random >> 18;

    switch (random >> 16 & 3) {
    case 3:
        return any & 0xffffffff;
    case 2:
        return any;
    case 1:
        return 0x8000000000 + (any & 0xffffff);
    default:
        return OWN + (any & 0x1ffffff);
    }
}

static uint64_t random_copies(uint64_t edu, uint64_t random, uint64_t n) {
    print("at work\n");
    while (n--) {
        xen_pfn_t page;
        uint64_t at, size;

        random = random * 6364136223846793005 + 1442695040888963407;
        at = some_address(random);
        size = 8 + (random >> 55) * 8;
        if (random >> 54 & 1)
            copy(edu, EDU_BUFFER, at, size, STORE);
        else
            copy(edu, at, EDU_BUFFER, size, LOAD);
        page = (GIVEN_UP >> 12) + (random >> 42) % 4096;
        take(page);
        reservation(XENMEM_populate_physmap, &page, 1, 0);
        finish(edu);
    }
    return random;
}

static uint64_t loop(uint32_t n) {
    uint64_t start = counter();

    while (n--)
        __asm__ volatile("");
    return counter() - start;
}

static uint64_t sum(uint64_t at, uint64_t n) {
    uint64_t s = 0;

    for (; n--; at += 8)
        s = (s >> 7 | s << 57) + read64(at);
    return s;
}

static uint64_t obey(char letter, const uint64_t n[4]) {
    switch (letter) {
    case 'r':
        return read32(reach(n[0]));
    case 'q':
        return read64(reach(n[0]));
    case 'w':
        write32(reach(n[0]), n[1]);
        break;
    case 'x':
        write64(reach(n[0]), n[1]);
        break;
    case 'h':
        return (uint64_t)xen_call(n[0], n[1], n[2], n[3]);
    case 'p':
        return (uint64_t)hvc(n[0], n[1], n[2], n[3]);
    case 'l':
        return loop((uint32_t)n[0]);
    case 'd':
        for (uint64_t i = 0; i < n[2]; i++) {
            copy(n[0], EDU_BUFFER, n[1], 4096, STORE);
            finish(n[0]);
        }
        break;
    case 'z':
        return random_copies(n[0], n[1], n[2]);
    case 'c':
        return sum(n[0], n[1]);
    }
    dsb();
    return 0;
}

/* ---- the console ---- */

static char get(void) {
    while (read32(VPL011 + 0x18) & BIT(4))
        ;
    return (char)read32(VPL011);
}

static void answer(char kind, uint64_t value) {
    char digits[17] = "";

    for (unsigned i = 0; i < 16; i++)
        digits[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
    print(kind == '!' ? "! %s\n" : "= %s\n", digits);
}

/* A character, and the numbers behind it. */
static char order(uint64_t n[4]) {
    char letter, c;

    while ((letter = get()) <= ' ')
        ;
    c = get();
    for (unsigned i = 0; c == ' '; i++) {
        n[i % 4] = 0;
        while ((c = get()) > ' ')
            n[i % 4] = n[i % 4] << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return letter;
}

void cpu_main(uint64_t number);
void cpu_main(uint64_t number) {
    sysreg_write(tpidr_el1, number);
    mmu_off();
    print("monitor\n");
    for (;;) {
        uint64_t n[4] = {0}, value = 0;
        char letter = order(n);

        TRY(value = obey(letter, n));
        if (me()->caught.count)
            answer('!', me()->caught.esr);
        else
            answer('=', value);
    }
}
