/* The string functions against the host's. string.c is included with every name changed. */
/* SOURCES: */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void *(*const host_memset)(void *, int, size_t) = memset;
int (*const host_memcmp)(const void *, const void *, size_t) = memcmp;

#undef HF_HOST_TEST
#define memset t_memset
#define memcpy t_memcpy
#define memmove t_memmove
#define memcmp t_memcmp
#define memchr t_memchr
#define strlen t_strlen
#define strnlen t_strnlen
#define strcmp t_strcmp
#define strncmp t_strncmp
#define strchr t_strchr
#define strrchr t_strrchr
#define strstr t_strstr
#define strtoul t_strtoul
#include "../../common/lib/string.c"
#undef memset
#undef memcpy
#undef memmove
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr
#undef strtoul

/* Of the architecture; upwards, as the contract with memmove() says. */
void *t_memcpy(void *d, const void *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)d)[i] = ((const unsigned char *)s)[i];
    return d;
}

static int sign(int x) {
    return (x > 0) - (x < 0);
}

static void move(void **state) {
    unsigned char a[200], b[200];

    (void)state;
    srand(1);
    for (unsigned i = 0; i < 50000; i++) {
        unsigned from = (unsigned)rand() % 70, to = (unsigned)rand() % 70;
        unsigned n = (unsigned)rand() % 130;

        for (unsigned j = 0; j < sizeof(a); j++)
            a[j] = b[j] = (unsigned char)rand();
        assert_ptr_equal(t_memmove(a + to, a + from, n), a + to);
        memmove(b + to, b + from, n);
        assert_memory_equal(a, b, sizeof(a));
    }
}

static void compare(void **state) {
    unsigned char a[64], b[64];

    (void)state;
    srand(2);
    for (unsigned i = 0; i < 50000; i++) {
        unsigned x = (unsigned)rand() % 16, y = (unsigned)rand() % 16, n = (unsigned)rand() % 40;

        host_memset(a, 7, sizeof(a));
        host_memset(b, 7, sizeof(b));
        if (n && rand() % 4)
            a[x + (unsigned)rand() % n] = (unsigned char)rand();
        assert_int_equal(sign(t_memcmp(a + x, b + y, n)), sign(host_memcmp(a + x, b + y, n)));
        assert_ptr_equal(t_memchr(a + x, 9, n), memchr(a + x, 9, n));
    }
}

static void strings(void **state) {
    static const char *const all[] = {"",       "a",   "b",    "ab",  "abc",
                                      "abcabd", "abd", "\x80", "aab", "cabcab"};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        const char *s = all[i];

        assert_int_equal(t_strlen(s), strlen(s));
        for (size_t n = 0; n < 8; n++)
            assert_int_equal(t_strnlen(s, n), strnlen(s, n));
        for (const char *c = "abcd"; *c; c++) {
            assert_ptr_equal(t_strchr(s, *c), strchr(s, *c));
            assert_ptr_equal(t_strrchr(s, *c), strrchr(s, *c));
        }
        assert_ptr_equal(t_strchr(s, 0), s + strlen(s));
        assert_ptr_equal(t_strrchr(s, 0), s + strlen(s));
        for (unsigned j = 0; j < ARRAY_SIZE(all); j++) {
            assert_int_equal(sign(t_strcmp(s, all[j])), sign(strcmp(s, all[j])));
            assert_ptr_equal(t_strstr(s, all[j]), strstr(s, all[j]));
            for (size_t n = 0; n < 5; n++)
                assert_int_equal(sign(t_strncmp(s, all[j], n)), sign(strncmp(s, all[j], n)));
        }
    }
}

static void numbers(void **state) {
    static const char *const all[] = {
        "",
        "0",
        "12",
        " \t12x",
        "0x1f",
        "0X1Fg",
        "0x",
        "0xg",
        "017",
        "08",
        "-5",
        "+5",
        "-",
        "zz",
        "1z",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999",
        "ffffffffffffffff",
        "10000000000000000",
        "0b1",
        "1 2",
    };
    static const int bases[] = {0, 8, 10, 16, 36};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
        for (unsigned b = 0; b < ARRAY_SIZE(bases); b++) {
            char *mine, *theirs;
            unsigned long x = t_strtoul(all[i], &mine, bases[b]);
            unsigned long y = strtoul(all[i], &theirs, bases[b]);

            if (x != y || mine != theirs)
                fail_msg("strtoul(\"%s\", %d): %lx %td, expected %lx %td", all[i], bases[b], x,
                         mine - all[i], y, theirs - all[i]);
        }
}

static void copy_bounded(void **state) {
    char d[6] = "xxxxx";

    (void)state;
    assert_int_equal(hv_strlcpy(d, "abc", 5), 3);
    assert_string_equal(d, "abc");
    assert_int_equal(hv_strlcpy(d, "abcdefgh", 5), 8);
    assert_string_equal(d, "abcd");
    assert_int_equal(hv_strlcpy(d, "abc", 1), 3);
    assert_string_equal(d, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(move),    cmocka_unit_test(compare),      cmocka_unit_test(strings),
        cmocka_unit_test(numbers), cmocka_unit_test(copy_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
