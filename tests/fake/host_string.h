/* Host versions of hv/string.h's formatting: included by one file of a program. */
#ifndef HOST_STRING_H
#define HOST_STRING_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <hv/string.h>

int hv_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap) {
    return vsnprintf(buf, size, fmt, ap);
}

int hv_snprintf(char *buf, size_t size, const char *fmt, ...) {
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}

size_t hv_strlcpy(char *d, const char *s, size_t size) {
    snprintf(d, size, "%s", s);
    return strlen(s);
}

#endif
