/*
 * What the fuzzing targets share. A target includes the unit test, or its world, whose fakes it
 * runs the real code on; their assertions hold here too. The input is a list of things that the
 * guest (or whoever makes the data) does, eaten from the front: an end in the middle reads as 0.
 */
#ifndef FUZZ_H
#define FUZZ_H

#define main unit_test_main /* of an included test: never called */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An assertion of the fakes ends the program, so that the input is kept. */
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    return setenv("CMOCKA_TEST_ABORT", "1", 1);
}

static const uint8_t *input;
static size_t input_left;

static void input_is(const uint8_t *data, size_t size) {
    input = data;
    input_left = size;
}

/* A number of so many bytes, at most 8. */
static uint64_t eat(unsigned bytes) {
    uint64_t n = 0;

    for (unsigned i = 0; i < bytes && input_left; i++, input_left--)
        n |= (uint64_t)*input++ << 8 * i;
    return n;
}

static void eat_into(void *to, size_t bytes) {
    size_t n = bytes < input_left ? bytes : input_left;

    memset(to, 0, bytes);
    if (n)
        memcpy(to, input, n);
    input += n;
    input_left -= n;
}

#define HOLDS(c)                                                                                   \
    do {                                                                                           \
        if (!(c)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c);                                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
