/* Floor 2: the mem* and str* functions of ISO C that a freestanding build must bring itself. */
#ifndef HV_STRING_H
#define HV_STRING_H

#ifdef HF_HOST_TEST
#include <string.h>
#else
#include <stddef.h>

void *memset(void *s, int c, size_t n);
void *memcpy(void *d, const void *s, size_t n);
void *memmove(void *d, const void *s, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *what);
unsigned long strtoul(const char *s, char **end, int base);
#endif

/* Copies at most size-1 bytes and always terminates (size > 0). Returns strlen(s). */
size_t hv_strlcpy(char *d, const char *s, size_t size);

#endif
