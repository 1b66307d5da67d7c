/* Formatted text into a buffer of given size: the part of ISO C's vsnprintf() that the hypervisor
 * uses. Without %p: no line shows an address by the way. */
#include <hv/printk.h>
#include <hv/string.h>

struct out {
    char *buf;
    size_t size;
    size_t len; /* what the text would need */
};

struct spec {
    bool left, plus, space, alt, zero;
    bool has_precision;
    unsigned width, precision;
    enum { ARG_CHAR, ARG_SHORT, ARG_INT, ARG_LONG, ARG_LLONG, ARG_SIZE } arg;
};

/* A mistake in a format must not make the log unbounded. */
#define WIDTH_MAX 256u

static void put(struct out *o, char c) {
    if (o->len + 1 < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void pad(struct out *o, char c, unsigned n) {
    while (n--)
        put(o, c);
}

static unsigned parse_number(const char **fmt) {
    unsigned n = 0;

    for (; **fmt >= '0' && **fmt <= '9'; (*fmt)++)
        if (n < WIDTH_MAX)
            n = n * 10 + (unsigned)(**fmt - '0');
    return n < WIDTH_MAX ? n : WIDTH_MAX;
}

static void parse_flags(const char **fmt, struct spec *s) {
    for (;; (*fmt)++) {
        switch (**fmt) {
        case '-':
            s->left = true;
            break;
        case '+':
            s->plus = true;
            break;
        case ' ':
            s->space = true;
            break;
        case '#':
            s->alt = true;
            break;
        case '0':
            s->zero = true;
            break;
        default:
            return;
        }
    }
}

static void parse_length(const char **fmt, struct spec *s) {
    switch (**fmt) {
    case 'h':
        s->arg = (*fmt)[1] == 'h' ? ARG_CHAR : ARG_SHORT;
        *fmt += s->arg == ARG_CHAR ? 2 : 1;
        break;
    case 'l':
        s->arg = (*fmt)[1] == 'l' ? ARG_LLONG : ARG_LONG;
        *fmt += s->arg == ARG_LLONG ? 2 : 1;
        break;
    case 'z':
        s->arg = ARG_SIZE;
        (*fmt)++;
        break;
    default:
        s->arg = ARG_INT;
    }
}

/* Prefix, zeroes and digits of a number, padded to the field's width. */
static void put_number(struct out *o, const struct spec *s, uint64_t val, unsigned base, bool upper,
                       const char *prefix) {
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    unsigned n = 0, zeroes, used;
    char buf[24];

    for (uint64_t rest = val; rest; rest /= base)
        buf[n++] = digits[rest % base];
    if (!n && !(s->has_precision && s->precision == 0))
        buf[n++] = '0';
    zeroes = s->has_precision && s->precision > n ? s->precision - n : 0;
    used = (unsigned)strlen(prefix) + n;
    if (s->zero && !s->left && !s->has_precision && s->width > used)
        zeroes = s->width - used;
    used += zeroes;

    if (!s->left && s->width > used)
        pad(o, ' ', s->width - used);
    while (*prefix)
        put(o, *prefix++);
    pad(o, '0', zeroes);
    while (n)
        put(o, buf[--n]);
    if (s->left && s->width > used)
        pad(o, ' ', s->width - used);
}

static void put_signed(struct out *o, const struct spec *s, int64_t val) {
    const char *sign = val < 0 ? "-" : s->plus ? "+" : s->space ? " " : "";

    put_number(o, s, val < 0 ? -(uint64_t)val : (uint64_t)val, 10, false, sign);
}

static void put_string(struct out *o, const struct spec *s, const char *text) {
    size_t n;

    if (!text)
        text = "(null)";
    n = s->has_precision ? strnlen(text, s->precision) : strlen(text);
    if (!s->left && s->width > n)
        pad(o, ' ', s->width - (unsigned)n);
    for (size_t i = 0; i < n; i++)
        put(o, text[i]);
    if (s->left && s->width > n)
        pad(o, ' ', s->width - (unsigned)n);
}

/* va_list is passed on by address in a struct: it may be an array type. */
struct args {
    va_list ap;
};

static int64_t signed_arg(struct args *a, const struct spec *s) {
    switch (s->arg) {
    case ARG_CHAR:
        return (signed char)va_arg(a->ap, int);
    case ARG_SHORT:
        return (short)va_arg(a->ap, int);
    case ARG_LONG:
        return va_arg(a->ap, long);
    case ARG_LLONG:
        return va_arg(a->ap, long long);
    case ARG_SIZE:
        return (ptrdiff_t)va_arg(a->ap, size_t);
    case ARG_INT:
    default:
        return va_arg(a->ap, int);
    }
}

static uint64_t unsigned_arg(struct args *a, const struct spec *s) {
    switch (s->arg) {
    case ARG_CHAR:
        return (unsigned char)va_arg(a->ap, unsigned);
    case ARG_SHORT:
        return (unsigned short)va_arg(a->ap, unsigned);
    case ARG_LONG:
        return va_arg(a->ap, unsigned long);
    case ARG_LLONG:
        return va_arg(a->ap, unsigned long long);
    case ARG_SIZE:
        return va_arg(a->ap, size_t);
    case ARG_INT:
    default:
        return va_arg(a->ap, unsigned);
    }
}

static void convert(struct out *o, struct spec *s, char kind, struct args *a) {
    uint64_t val;
    char one[2] = "";

    switch (kind) {
    case 'd':
    case 'i':
        put_signed(o, s, signed_arg(a, s));
        break;
    case 'u':
        put_number(o, s, unsigned_arg(a, s), 10, false, "");
        break;
    case 'x':
    case 'X':
        val = unsigned_arg(a, s);
        put_number(o, s, val, 16, kind == 'X', s->alt && val ? kind == 'x' ? "0x" : "0X" : "");
        break;
    case 'c':
        one[0] = (char)va_arg(a->ap, int);
        s->has_precision = false;
        put_string(o, s, one);
        break;
    case 's':
        put_string(o, s, va_arg(a->ap, const char *));
        break;
    case '%':
        put(o, '%');
        break;
    default: /* not known: shown as it stands, so that it is seen */
        put(o, '%');
        put(o, kind);
    }
}

static int star(struct args *a) {
    int n = va_arg(a->ap, int);

    return n > (int)WIDTH_MAX ? (int)WIDTH_MAX : n < -(int)WIDTH_MAX ? -(int)WIDTH_MAX : n;
}

static void parse_width(const char **fmt, struct spec *s, struct args *a) {
    int n;

    if (**fmt != '*') {
        s->width = parse_number(fmt);
        return;
    }
    (*fmt)++;
    n = star(a);
    s->left |= n < 0;
    s->width = (unsigned)(n < 0 ? -n : n);
}

static void parse_precision(const char **fmt, struct spec *s, struct args *a) {
    int n;

    if (**fmt != '.')
        return;
    (*fmt)++;
    s->has_precision = true;
    if (**fmt != '*') {
        s->precision = parse_number(fmt);
        return;
    }
    (*fmt)++;
    n = star(a);
    s->has_precision = n >= 0;
    s->precision = n >= 0 ? (unsigned)n : 0;
}

int hv_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap) {
    struct out o = {buf, size, 0};
    struct args a;

    va_copy(a.ap, ap);
    while (*fmt) {
        struct spec s = {0};

        if (*fmt != '%') {
            put(&o, *fmt++);
            continue;
        }
        fmt++;
        parse_flags(&fmt, &s);
        parse_width(&fmt, &s, &a);
        parse_precision(&fmt, &s, &a);
        parse_length(&fmt, &s);
        if (!*fmt)
            break;
        convert(&o, &s, *fmt++, &a);
    }
    va_end(a.ap);
    if (size)
        buf[o.len < size ? o.len : size - 1] = '\0';
    return (int)o.len;
}

int hv_snprintf(char *buf, size_t size, const char *fmt, ...) {
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = hv_vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}
