/* The stack protector's half that is ours, and the secrets it and pointer authentication use. */
#include <hv/harden.h>
#include <hv/printk.h>
#include <hv/string.h>

/* Of the functions that begin before harden_start(); none of them returns. */
uintptr_t __stack_chk_guard = (uintptr_t)0x5bd1e995a7f30c00;

static uint64_t rotate(uint64_t x, unsigned n) {
    return x << n | x >> (64 - n);
}

static void stir(uint64_t v[4], unsigned rounds) {
    while (rounds--) {
        v[0] += v[1], v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0], v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1], v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2], v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

void entropy_add(struct entropy *e, uint64_t word) {
    e->v[3] ^= word;
    stir(e->v, 2);
    e->v[0] ^= word;
}

uint64_t entropy_word(const struct entropy *e, uint64_t number) {
    struct entropy last = *e;
    uint64_t word;

    entropy_add(&last, number);
    last.v[2] ^= 0xff;
    stir(last.v, 4);
    word = last.v[0] ^ last.v[1] ^ last.v[2] ^ last.v[3];
    entropy_forget(&last);
    return word;
}

void entropy_forget(struct entropy *e) {
    memset(e, 0, sizeof(*e));
    __asm__ volatile("" ::"r"(e) : "memory"); /* nor is that left out as of no use */
}

void __stack_chk_fail(void) {
    panic("a function found its stack overwritten");
}
