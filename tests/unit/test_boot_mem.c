/* Boot memory: banks, reservations, allocation. */
/* SOURCES: common/mm/boot_mem.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/mm.h>
#include <hv/printk.h>

#include "../../common/mm/boot_mem.h"

uint8_t *fake_ram, *fake_frame_table, *fake_frame_table_end;
uint64_t fake_ram_base, fake_ram_size;

void printk(const char *fmt, ...) {
    (void)fmt;
}
void panic(const char *fmt, ...) {
    (void)fmt;
    abort();
}

/* Each test runs on the module's state, so each is a process of its own: fork once per test. */
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"

static void in_child(void (*fn)(void)) {
    pid_t pid = fork();
    int status = -1;

    if (!pid) {
        fn();
        child_ends();
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}
#define CHECK(c)                                                                                   \
    do {                                                                                           \
        if (!(c)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c);                                \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static uint64_t free_bytes(void) {
    struct mem_range r;
    uint64_t n = 0;

    for (unsigned i = 0; boot_mem_free_range(i, &r); i++) {
        CHECK(r.start < r.end);
        n += r.end - r.start;
    }
    return n;
}

static void banks(void) {
    paddr_t start;
    uint64_t size;

    CHECK(boot_mem_add(paddr(0x40000000), MB(64)) == 0);
    CHECK(boot_mem_add(paddr(0x80000000), MB(64)) == 0);
    CHECK(boot_mem_add(paddr(0x41000000), MB(1)) == -EEXIST);
    CHECK(boot_mem_add(paddr(0x3ffff000), 0x2000) == -EEXIST);
    CHECK(boot_mem_add(paddr(0x44000000), MB(64)) == 0); /* touches the first: one bank */
    CHECK(boot_mem_bank(0, &start, &size) && start.pa == 0x40000000 && size == MB(128));
    CHECK(boot_mem_bank(1, &start, &size) && start.pa == 0x80000000 && size == MB(64));
    CHECK(!boot_mem_bank(2, &start, &size));
    CHECK(boot_mem_is_ram(paddr(0x43fff000), 0x2000));
    CHECK(!boot_mem_is_ram(paddr(0x47fff000), 0x2000));
    CHECK(!boot_mem_is_ram(paddr(0x40000000), 0));
    CHECK(!boot_mem_is_ram(paddr(0x80000000), ~0ULL));
    CHECK(boot_mem_add(paddr(0x90000800), 0x900) == 0); /* no whole page */
    CHECK(!boot_mem_bank(2, &start, &size));
    CHECK(boot_mem_add(paddr(0x90000800), 0x2800) == 0);
    CHECK(boot_mem_bank(2, &start, &size) && start.pa == 0x90001000 && size == 0x2000);
    CHECK(free_bytes() == MB(192) + 0x2000);
}

static void reservations(void) {
    CHECK(boot_mem_reserve(paddr(0x40200000), MB(2)) == 0); /* before the bank is known */
    CHECK(boot_mem_add(paddr(0x40000000), MB(64)) == 0);
    CHECK(free_bytes() == MB(62));
    CHECK(boot_mem_reserve(paddr(0x3ff00000), MB(2)) == 0); /* sticks out below */
    CHECK(free_bytes() == MB(61));
    CHECK(boot_mem_reserve(paddr(0x43f00000), MB(2)) == 0); /* and above */
    CHECK(free_bytes() == MB(60));
    CHECK(boot_mem_reserve(paddr(0x41000010), 0x20) == 0); /* a part of a page */
    CHECK(free_bytes() == MB(60) - 0x1000);
    CHECK(boot_mem_is_reserved(paddr(0x41000000), 0x11));
    CHECK(!boot_mem_is_reserved(paddr(0x41000000), 0x10));
    CHECK(!boot_mem_is_reserved(paddr(0x41000030), 0x1000));
    CHECK(boot_mem_reserve(paddr(0x40000000), MB(64)) == 0);
    CHECK(free_bytes() == 0);
    CHECK(boot_mem_reserve(paddr(0x40000000), 0) == 0);
    CHECK(boot_mem_reserve(paddr(~0ULL - 10), 100) == 0); /* wraps: cut at the top */
}

static void allocation(void) {
    paddr_t a, b;

    CHECK(boot_mem_add(paddr(0x40000000), MB(64)) == 0);
    CHECK(boot_mem_add(paddr(0x80000000), MB(1)) == 0);
    a = boot_mem_alloc(100, 16);
    CHECK(a.pa == 0x800ff000); /* the smaller range, at its end */
    b = boot_mem_alloc(MB(1), MB(1));
    CHECK(b.pa == 0x43f00000);
    b = boot_mem_alloc_at_offset(MB(2), MB(2), 0x5000);
    CHECK((b.pa & (MB(2) - 1)) == 0x5000 && b.pa + MB(2) <= 0x43f00000);
    CHECK(!boot_mem_is_reserved(b, MB(2)));
    CHECK(free_bytes() == MB(65) - 0x1000 - MB(3));
    CHECK(boot_mem_alloc(MB(64), PAGE_SIZE).pa == INVALID_PADDR.pa);
    while (boot_mem_alloc(PAGE_SIZE, PAGE_SIZE).pa != INVALID_PADDR.pa)
        ;
    CHECK(free_bytes() == 0);
}

static void full_tables(void) {
    unsigned i;
    int rc = 0;

    CHECK(boot_mem_add(paddr(0), GB(1)) == 0);
    for (i = 0; i < 1000 && !rc; i++)
        rc = boot_mem_reserve(paddr(0x10000 + i * 0x2000), 0x1000);
    CHECK(rc == -ENOSPC && i > 200);
}

/* Against a map of bytes (pages). */
#define PAGES 512u
static void against_a_bitmap(void) {
    static uint8_t ram[PAGES], taken[PAGES];

    for (unsigned round = 0; round < 20000; round++) {
        unsigned at = (unsigned)rand() % PAGES, n = 1 + (unsigned)rand() % 24;
        bool overlap = false;
        struct mem_range r;
        uint64_t expect = 0;

        if (at + n > PAGES)
            n = PAGES - at;
        switch (rand() % 64) {
        case 0:
            for (unsigned i = at; i < at + n; i++)
                overlap |= ram[i];
            CHECK(boot_mem_add(paddr((uint64_t)at << 12), (uint64_t)n << 12) ==
                  (overlap ? -EEXIST : 0));
            for (unsigned i = at; i < at + n && !overlap; i++)
                ram[i] = 1;
            break;
        case 1:
            n = 1 + n % 3;
            if (at + n > PAGES || rand() % 8)
                break;
            CHECK(boot_mem_reserve(paddr((uint64_t)at << 12), (uint64_t)n << 12) == 0);
            memset(taken + at, 1, n);
            break;
        default: {
            paddr_t p;
            uint64_t align;

            if (rand() % 512)
                break;
            align = PAGE_SIZE << (rand() % 4);
            p = boot_mem_alloc((uint64_t)n << 12, align);
            if (p.pa == INVALID_PADDR.pa)
                break;
            CHECK(!(p.pa & (align - 1)));
            for (unsigned i = (unsigned)(p.pa >> 12), end = i + n; i < end; i++) {
                CHECK(i < PAGES && ram[i] && !taken[i]);
                taken[i] = 1;
            }
        }
        }
        for (unsigned i = 0; i < PAGES; i++)
            expect += ram[i] && !taken[i];
        CHECK(free_bytes() == expect << 12);
        for (unsigned i = 0; boot_mem_free_range(i, &r); i++)
            for (uint64_t k = r.start >> 12; k < r.end >> 12; k++)
                CHECK(ram[k] && !taken[k]);
    }
}

#define CHILD(fn)                                                                                  \
    static void test_##fn(void **state) {                                                          \
        (void)state;                                                                               \
        in_child(fn);                                                                              \
    }
CHILD(banks)
CHILD(reservations)
CHILD(allocation)
CHILD(full_tables)
CHILD(against_a_bitmap)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_banks),
        cmocka_unit_test(test_reservations),
        cmocka_unit_test(test_allocation),
        cmocka_unit_test(test_full_tables),
        cmocka_unit_test(test_against_a_bitmap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
