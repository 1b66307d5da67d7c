/*
 * The mem* and str* functions of ISO C. memcpy() and memset() are each architecture's own
 * (string.S), as nearly all bytes go through them. Nothing here accesses a word at an address that
 * is not aligned to it: these run also while the MMU is off.
 */
#include <hv/string.h>
#include <hv/types.h>

#ifndef HF_HOST_TEST

typedef uint64_t __attribute__((may_alias)) word_t;

static bool aligned_alike(const void *a, const void *b) {
    return (((uintptr_t)a ^ (uintptr_t)b) & (sizeof(word_t) - 1)) == 0;
}

static bool is_aligned(const void *p) {
    return ((uintptr_t)p & (sizeof(word_t) - 1)) == 0;
}

/* From the end down, for a destination that overlaps the source from above. */
static void copy_down(unsigned char *d, const unsigned char *s, size_t n) {
    d += n;
    s += n;
    if (aligned_alike(d, s)) {
        for (; n && !is_aligned(d); n--)
            *--d = *--s;
        for (; n >= sizeof(word_t); n -= sizeof(word_t)) {
            d -= sizeof(word_t);
            s -= sizeof(word_t);
            *(word_t *)d = *(const word_t *)s;
        }
    }
    while (n--)
        *--d = *--s;
}

/* memcpy() goes upwards and loads a piece before it stores it: right also for a destination below
 * the source. */
void *memmove(void *d, const void *s, size_t n) {
    if ((uintptr_t)d - (uintptr_t)s >= n)
        return memcpy(d, s, n);
    copy_down(d, s, n);
    return d;
}

int memcmp(const void *a, const void *b, size_t n) {
    const unsigned char *x = a, *y = b;

    if (aligned_alike(a, b)) {
        for (; n && !is_aligned(x); n--, x++, y++)
            if (*x != *y)
                return *x - *y;
        while (n >= sizeof(word_t) && *(const word_t *)x == *(const word_t *)y) {
            x += sizeof(word_t);
            y += sizeof(word_t);
            n -= sizeof(word_t);
        }
    }
    for (; n; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

void *memchr(const void *s, int c, size_t n) {
    const unsigned char *p = s;

    for (; n; n--, p++)
        if (*p == (unsigned char)c)
            return (void *)(uintptr_t)p;
    return NULL;
}

size_t strlen(const char *s) {
    const char *p = s;

    while (*p)
        p++;
    return (size_t)(p - s);
}

size_t strnlen(const char *s, size_t max) {
    size_t n = 0;

    while (n < max && s[n])
        n++;
    return n;
}

int strcmp(const char *a, const char *b) {
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n) {
    for (; n && *a && *a == *b; n--) {
        a++;
        b++;
    }
    return n ? (unsigned char)*a - (unsigned char)*b : 0;
}

char *strchr(const char *s, int c) {
    for (; *s != (char)c; s++)
        if (!*s)
            return NULL;
    return (char *)(uintptr_t)s;
}

char *strrchr(const char *s, int c) {
    const char *last = NULL;

    for (;; s++) {
        if (*s == (char)c)
            last = s;
        if (!*s)
            return (char *)(uintptr_t)last;
    }
}

char *strstr(const char *s, const char *what) {
    size_t n = strlen(what);

    for (;; s++) {
        if (!strncmp(s, what, n))
            return (char *)(uintptr_t)s;
        if (!*s)
            return NULL;
    }
}

static unsigned digit_value(char c) {
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A') + 10;
    return 36;
}

static bool has_hex_prefix(const char *s) {
    return s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && digit_value(s[2]) < 16;
}

/* As ISO C, without errno: too large a number becomes the largest one. */
unsigned long strtoul(const char *s, char **end, int base) {
    const char *p = s;
    unsigned long val = 0;
    bool negative, any = false, over = false;

    while (*p == ' ' || (*p >= '\t' && *p <= '\r'))
        p++;
    negative = *p == '-';
    if (*p == '-' || *p == '+')
        p++;
    if ((base == 0 || base == 16) && has_hex_prefix(p)) {
        p += 2;
        base = 16;
    } else if (base == 0) {
        base = *p == '0' ? 8 : 10;
    }
    for (unsigned digit; (digit = digit_value(*p)) < (unsigned)base; p++) {
        any = true;
        over |= __builtin_mul_overflow(val, (unsigned long)base, &val);
        over |= __builtin_add_overflow(val, (unsigned long)digit, &val);
    }
    if (end)
        *end = (char *)(uintptr_t)(any ? p : s);
    if (over)
        return ~0UL;
    return negative ? -val : val;
}

#endif /* HF_HOST_TEST */

size_t hv_strlcpy(char *d, const char *s, size_t size) {
    size_t n = strlen(s);
    size_t take = n < size ? n : size - 1;

    memcpy(d, s, take);
    d[take] = '\0';
    return n;
}
