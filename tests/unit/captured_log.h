/* For host tests: the log goes into a buffer. Included by the one file of a test that defines
 * main(). */
#ifndef CAPTURED_LOG_H
#define CAPTURED_LOG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hv/printk.h>

#include "../fake/host_string.h"

static char log_text[32768];
bool printk_panicking;

void vprintk(const char *fmt, va_list ap) {
    size_t n = strlen(log_text);

    vsnprintf(log_text + n, sizeof(log_text) - n, fmt, ap);
}

void printk(const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    vprintk(fmt, ap);
    va_end(ap);
}

/* Comes back to the test that expects it. */
static jmp_buf panic_jump;
static bool panic_expected;

void panic(const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    vprintk(fmt, ap);
    va_end(ap);
    if (panic_expected)
        longjmp(panic_jump, 1);
    fprintf(stderr, "panic: %s\n", log_text);
    abort();
}

static inline void log_clear(void) {
    log_text[0] = 0;
}

static inline unsigned log_lines(void) {
    unsigned n = 0;

    for (const char *p = log_text; *p; p++)
        n += *p == '\n';
    return n;
}

#define assert_logged(text)                                                                        \
    do {                                                                                           \
        if (!strstr(log_text, (text)))                                                             \
            fail_msg("expected \"%s\" in the log, got:\n%s", (text), log_text);                    \
    } while (0)

#endif
