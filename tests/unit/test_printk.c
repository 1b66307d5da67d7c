/* Formatting against the host's printf, the log's lines and replay, and the rate limit. */
/* SOURCES: common/lib/vsnprintf.c common/lib/printk.c common/lib/ratelimit.c common/lib/spinlock.c common/lib/string.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hv/percpu.h>
#include <hv/printk.h>

DEFINE_PER_CPU(uint32_t, cpu_number);

void panic(const char *fmt, ...) {
    fprintf(stderr, "panic: %s\n", fmt);
    abort();
}

static char screen[65536];
static size_t screen_len;

static void sink(const char *s, size_t n) {
    assert_true(screen_len + n < sizeof(screen));
    memcpy(screen + screen_len, s, n);
    screen_len += n;
    screen[screen_len] = '\0';
}

static void clear(void) {
    screen_len = 0;
    screen[0] = '\0';
}

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

#define SAME(fmt, ...)                                                                             \
    do {                                                                                           \
        char mine_[128], theirs_[128];                                                             \
        int n_ = hv_snprintf(mine_, sizeof(mine_), fmt, __VA_ARGS__);                              \
        int m_ = snprintf(theirs_, sizeof(theirs_), fmt, __VA_ARGS__);                             \
        if (n_ != m_ || strcmp(mine_, theirs_))                                                    \
            fail_msg("%s: \"%s\", expected \"%s\"", fmt, mine_, theirs_);                          \
    } while (0)

/* Every set of flags with widths and precisions, for each conversion and length. */
static void formats(void **state) {
    static const long long values[] = {0,
                                       1,
                                       -1,
                                       42,
                                       -42,
                                       255,
                                       65536,
                                       0x7fffffff,
                                       -0x80000000LL,
                                       0x7fffffffffffffffLL,
                                       -0x7fffffffffffffffLL - 1};
    static const char *const flags[] = {"", "-", "0", "+", " ", "#", "-#", "0#", "+0", "-+", "- "};
    static const char *const sizes[] = {"",   "1",   "5",   "20",  ".0",
                                        ".3", "8.3", "3.8", ".12", "12.5"};
    static const char *const kinds = "diuxX";
    char fmt[32];

    (void)state;
    for (unsigned f = 0; f < ARRAY_SIZE(flags); f++)
        for (unsigned s = 0; s < ARRAY_SIZE(sizes); s++)
            for (unsigned v = 0; v < ARRAY_SIZE(values); v++)
                for (const char *k = kinds; *k; k++) {
                    snprintf(fmt, sizeof(fmt), "a%%%s%sll%cb", flags[f], sizes[s], *k);
                    SAME(fmt, values[v]);
                    snprintf(fmt, sizeof(fmt), "a%%%s%sl%cb", flags[f], sizes[s], *k);
                    SAME(fmt, (long)values[v]);
                    snprintf(fmt, sizeof(fmt), "a%%%s%s%cb", flags[f], sizes[s], *k);
                    SAME(fmt, (int)values[v]);
                    snprintf(fmt, sizeof(fmt), "a%%%s%shh%cb", flags[f], sizes[s], *k);
                    SAME(fmt, (int)values[v]);
                    snprintf(fmt, sizeof(fmt), "a%%%s%sh%cb", flags[f], sizes[s], *k);
                    SAME(fmt, (int)values[v]);
                    snprintf(fmt, sizeof(fmt), "a%%%s%sz%cb", flags[f], sizes[s], *k);
                    SAME(fmt, (size_t)values[v]);
                }
    SAME("%s|%10s|%-10s|%.2s|%10.2s|%-4.0s|", "abc", "abc", "abc", "abc", "abc", "abc");
    SAME("%c|%5c|%-5c|", 'x', 'y', 'z');
    SAME("%*d|%-*d|%*d|%.*d|%.*s", 6, 1, 6, 2, -6, 3, 4, 5, 2, "abcdef");
    SAME("100%%%s", "");
}

static void truncation(void **state) {
    const char *volatile string = "%s", *volatile unknown = "%y%p", *volatile cut = "a%";
    char buf[8] = "zzzzzzz";

    (void)state;
    assert_int_equal(hv_snprintf(buf, 4, "%d", 123456), 6);
    assert_string_equal(buf, "123");
    assert_int_equal(buf[4], 'z');
    assert_int_equal(hv_snprintf(buf, 1, "%s", "x"), 1);
    assert_string_equal(buf, "");
    assert_int_equal(hv_snprintf(NULL, 0, "%s", "hello"), 5);
    assert_int_equal(hv_snprintf(buf, sizeof(buf), string, NULL), 6);
    assert_string_equal(buf, "(null)");
    /* absurd widths are cut, so that a line stays a line */
    assert_true(hv_snprintf(buf, sizeof(buf), "%*d", 100000000, 1) < 1000);
    assert_true(hv_snprintf(buf, sizeof(buf), "%100000000d", 1) < 1000);
    hv_snprintf(buf, sizeof(buf), unknown, (void *)buf); /* nor is an address of ours shown */
    assert_string_equal(buf, "%y%p");
    hv_snprintf(buf, sizeof(buf), cut);
    assert_string_equal(buf, "a");
}

/* What was logged before there was a sink comes first, and what no longer fitted is missing at the
 * front. */
static void replay(void **state) {
    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        printk("line %u\n", i);
    printk_set_sink(sink);
    assert_true(screen_len > 8000 && screen_len < 8300);
    assert_memory_equal(screen, "...", 3);
    assert_string_equal(screen + screen_len - 28, "(HF) line 998\n(HF) line 999\n");
    clear();
    printk_set_sink(sink);
    assert_string_equal(screen, "");
}

static void lines(void **state) {
    (void)state;
    clear();
    printk("one\ntwo\n");
    printk("part");
    printk(" and rest\n\nlast");
    printk("\n");
    assert_string_equal(screen, "(HF) one\n(HF) two\n(HF) part and rest\n\n(HF) last\n");
    clear();
    printk("%s%s%s%s\n", "long ", screen, "", "");
    assert_string_equal(screen, "(HF) long \n");
}

static void long_text(void **state) {
    char big[2000];

    (void)state;
    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    clear();
    printk("%s\n", big);
    assert_true(screen_len < 600);
    assert_string_equal(screen + screen_len - 7, "xxx...\n");
    clear();
    printk("next\n");
    assert_string_equal(screen, "(HF) next\n");
}

static void rate(void **state) {
    struct ratelimit rl = RATELIMIT_INIT;
    uint64_t now = 1000;
    unsigned passed = 0;

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        passed += log_ratelimit(&rl, now);
    assert_int_equal(passed, RATELIMIT_BURST);
    clear();
    assert_true(log_ratelimit(&rl, now + RATELIMIT_INTERVAL_NS));
    assert_string_equal(screen, "(HF) 90 lines were suppressed\n");
    assert_false(log_ratelimit(&rl, now + RATELIMIT_INTERVAL_NS + 1));
    clear();
    assert_true(log_ratelimit(&rl, now + 2 * RATELIMIT_INTERVAL_NS));
    assert_string_equal(screen, "(HF) 1 line was suppressed\n");
    /* time may seem to go back on another CPU */
    assert_false(log_ratelimit(&rl, now));
    now += 1000 * RATELIMIT_INTERVAL_NS;
    for (unsigned i = passed = 0; i < 100; i++)
        passed += log_ratelimit(&rl, now);
    assert_int_equal(passed, RATELIMIT_BURST);
}

/* Last: there is no way back from a panic. */
static void panicking(void **state) {
    (void)state;
    clear();
    printk_enter_panic();
    printk("end\n");
    assert_string_equal(screen, "(HF) end\n");
    cpu_number = 1;
    printk("another CPU\n");
    assert_string_equal(screen, "(HF) end\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),   cmocka_unit_test(truncation), cmocka_unit_test(replay),
        cmocka_unit_test(lines),     cmocka_unit_test(long_text),  cmocka_unit_test(rate),
        cmocka_unit_test(panicking),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
