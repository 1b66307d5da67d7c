/* Cache maintenance: by set and way as boot loaders do, and by address. */
#include "selftest.h"

static uint64_t data[512];

static void fill(uint64_t seed) {
    for (unsigned i = 0; i < COUNT(data); i++)
        data[i] = seed * (i + 1);
}

static void expect_filled(uint64_t seed) {
    for (unsigned i = 0; i < COUNT(data); i++)
        EQ(data[i], seed * (i + 1));
}

enum operation { ISW, CSW, CISW };

static void by_set_and_way(enum operation operation, uint64_t operand) {
    if (operation == ISW)
        __asm__ volatile("dc isw, %0" ::"r"(operand) : "memory");
    else if (operation == CSW)
        __asm__ volatile("dc csw, %0" ::"r"(operand) : "memory");
    else
        __asm__ volatile("dc cisw, %0" ::"r"(operand) : "memory");
}

/* All of one level, as the Arm ARM's example loop does (D7.5.9). */
static void one_level(enum operation operation, unsigned level) {
    uint64_t ccsidr, line, ways, sets;
    unsigned way_shift;

    sysreg_write(csselr_el1, level << 1);
    ccsidr = sysreg_read(ccsidr_el1);
    line = FIELD(ccsidr, 2, 0) + 4;
    ways = FIELD(ccsidr, 12, 3) + 1;
    sets = FIELD(ccsidr, 27, 13) + 1;
    way_shift = ways > 1 ? (unsigned)__builtin_clz((unsigned)ways - 1) : 0;
    for (uint64_t way = 0; way < ways; way++)
        for (uint64_t set = 0; set < sets; set++)
            by_set_and_way(operation, way << way_shift | set << line | level << 1);
}

static void all_levels(enum operation operation) {
    uint64_t clidr = sysreg_read(clidr_el1);
    unsigned levels = (unsigned)FIELD(clidr, 26, 24);

    for (unsigned level = 0; level < levels; level++)
        if (FIELD(clidr, 3 * level + 2, 3 * level) >= 2)
            one_level(operation, level);
    dsb();
    sysreg_write(csselr_el1, 0);
}

TEST(cache_clean_by_set_and_way) {
    uint64_t start = counter();

    fill(3);
    all_levels(CSW);
    expect_filled(3);
    TRUE(counter() - start < ticks_us(2000000));
}

/* What it discards may be clean or dirty; guests must not lose what others wrote, so nothing is
 * lost. */
TEST(cache_invalidate_by_set_and_way) {
    fill(5);
    all_levels(CISW);
    expect_filled(5);
    all_levels(ISW);
    expect_filled(5);
}

/* Boot loaders do it with caches off. */
TEST(cache_by_set_and_way_around_cache_off) {
    uint64_t sctlr = sysreg_read(sctlr_el1);

    fill(7);
    all_levels(CISW);
    sysreg_write(sctlr_el1, sctlr & ~(BIT(2) | BIT(12)));
    expect_filled(7);
    sysreg_write(sctlr_el1, sctlr);
    expect_filled(7);
}

TEST(cache_by_address) {
    fill(9);
    for (unsigned i = 0; i < COUNT(data); i += 4) {
        __asm__ volatile("dc cvac, %0\n\tdc cvau, %0\n\tdc civac, %0\n\tic ivau, %0" ::"r"(&data[i])
                         : "memory");
    }
    dsb();
    expect_filled(9);
    __asm__ volatile("dc cvac, %0\n\tdsb sy\n\tdc ivac, %0\n\tdsb sy" ::"r"(data) : "memory");
    expect_filled(9);
    __asm__ volatile("ic iallu\n\tic ialluis\n\tdsb sy\n\tisb" ::: "memory");
}

TEST(cache_zero_by_address) {
    static uint8_t zeroed[4096] __attribute__((aligned(2048)));
    uint64_t block = 4ULL << FIELD(sysreg_read(dczid_el0), 3, 0);

    for (unsigned i = 0; i < sizeof(zeroed); i++)
        zeroed[i] = 1;
    __asm__ volatile("dc zva, %0" ::"r"(&zeroed[2048]) : "memory");
    for (unsigned i = 0; i < sizeof(zeroed); i++)
        EQ(zeroed[i], i < 2048 || i >= 2048 + block);
}

TEST(cache_tlb_maintenance) {
    __asm__ volatile("tlbi vmalle1\n\ttlbi vmalle1is\n\ttlbi aside1is, %0\n\ttlbi vae1is, %0\n\t"
                     "tlbi vaale1, %0\n\tdsb sy\n\tisb" ::"r"(0ULL)
                     : "memory");
    expect_filled(data[0]);
}

/* The guest's new code is what runs. */
TEST(cache_code_that_changes) {
    for (uint32_t i = 0; i < 200; i++) {
        uint64_t r[4] = {0};

        run_word(0xd2800000 | i << 5 /* mov x0, #i */, r);
        EQ(r[0], i);
    }
}
