/* The hypervisor's command line: words are looked up in place; which were asked for is remembered
 * in a bitmap. */
#include <hv/bits.h>
#include <hv/cmdline.h>
#include <hv/printk.h>
#include <hv/string.h>

#define MAX_WORDS 64 /* further words are looked up but never reported */

static const char *cmdline = "";
static uint64_t asked;

struct word {
    const char *s;
    size_t len;
};

void cmdline_init(const char *line) {
    cmdline = line ? line : "";
    asked = 0;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The word at or after *at, which moves past it. A double quote keeps blanks until the next one. */
static bool next_word(const char **at, struct word *w) {
    const char *p = *at;
    bool quoted = false;

    while (is_blank(*p))
        p++;
    w->s = p;
    for (; *p && (quoted || !is_blank(*p)); p++)
        if (*p == '"')
            quoted = !quoted;
    w->len = (size_t)(p - w->s);
    *at = p;
    return w->len > 0;
}

/* Value of the last word "name" or "name=..."; value.s is NULL for a bare word. */
static bool find(const char *name, struct word *value) {
    size_t n = strlen(name);
    const char *at = cmdline;
    bool found = false;
    struct word w;

    for (unsigned i = 0; next_word(&at, &w); i++) {
        if (w.len < n || strncmp(w.s, name, n) || (w.len > n && w.s[n] != '='))
            continue;
        if (i < MAX_WORDS)
            asked |= BIT(i);
        value->s = w.len > n ? w.s + n + 1 : NULL;
        value->len = w.len > n ? w.len - n - 1 : 0;
        found = true;
    }
    return found;
}

bool cmdline_get(const char *name, char *buf, size_t size) {
    struct word v;
    size_t n = 0;

    if (!find(name, &v) || !v.s)
        return false;
    for (size_t i = 0; i < v.len; i++) {
        if (v.s[i] == '"')
            continue;
        if (n + 1 >= size) {
            printk("command line: %s: value too long, ignored\n", name);
            return false;
        }
        buf[n++] = v.s[i];
    }
    buf[n] = 0;
    return true;
}

static bool is_one_of(const struct word *v, const char *const *list, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        if (strlen(list[i]) == v->len && !strncmp(list[i], v->s, v->len))
            return true;
    return false;
}

bool cmdline_bool(const char *name, bool def) {
    static const char *const yes[] = {"1", "yes", "on", "true", "enable"};
    static const char *const no[] = {"0", "no", "off", "false", "disable"};
    char negated[40] = "no-";
    struct word v;

    hv_strlcpy(negated + 3, name, sizeof(negated) - 3);
    if (find(negated, &v))
        def = false;
    if (!find(name, &v))
        return def;
    if (!v.s || is_one_of(&v, yes, ARRAY_SIZE(yes)))
        return true;
    if (is_one_of(&v, no, ARRAY_SIZE(no)))
        return false;
    printk("command line: %s: expected yes or no, got \"%.*s\"\n", name, (int)v.len, v.s);
    return def;
}

bool cmdline_choice(const char *name, const char *usual, const char *other) {
    struct word v;

    if (!find(name, &v) || (v.s && is_one_of(&v, &usual, 1)))
        return false;
    if (v.s && other && is_one_of(&v, &other, 1))
        return true;
    printk("command line: %s: expected %s%s%s, got \"%.*s\"; %s\n", name, usual,
           other ? " or " : "", other ? other : "", (int)v.len, v.s ? v.s : "", usual);
    return false;
}

/* Decimal or 0x hexadecimal digits; false on none or overflow. *used = characters eaten. */
static bool parse_number(const struct word *v, uint64_t *out, size_t *used) {
    size_t i = 0, first;
    unsigned base = 10;

    if (v->len > 2 && v->s[0] == '0' && (v->s[1] == 'x' || v->s[1] == 'X')) {
        base = 16;
        i = 2;
    }
    *out = 0;
    for (first = i; i < v->len; i++) {
        char c = v->s[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 16;

        if (digit >= base)
            break;
        if (*out > (~0ULL - digit) / base)
            return false;
        *out = *out * base + digit;
    }
    *used = i;
    return i > first;
}

uint64_t cmdline_size(const char *name, uint64_t def) {
    struct word v;
    uint64_t n;
    size_t used;
    unsigned shift = 0;

    if (!find(name, &v))
        return def;
    if (!v.s || !parse_number(&v, &n, &used) || v.len - used > 1)
        goto bad;
    if (used < v.len) {
        switch (v.s[used]) {
        case 'k':
        case 'K':
            shift = 10;
            break;
        case 'm':
        case 'M':
            shift = 20;
            break;
        case 'g':
        case 'G':
            shift = 30;
            break;
        default:
            goto bad;
        }
    }
    if (n > ~0ULL >> shift)
        goto bad;
    return n << shift;
bad:
    printk("command line: %s: expected a size such as 64M, got \"%.*s\"\n", name, (int)v.len,
           v.s ? v.s : "");
    return def;
}

void cmdline_report_unknown(void) {
    const char *at = cmdline;
    struct word w;

    for (unsigned i = 0; next_word(&at, &w) && i < MAX_WORDS; i++)
        if (!(asked & BIT(i)))
            printk("command line: \"%.*s\" is not known, ignored\n", (int)w.len, w.s);
}
