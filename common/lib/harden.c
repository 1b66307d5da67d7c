/* The stack protector's half that is ours, and the secrets it and pointer authentication use. */
#include <hv/harden.h>
#include <hv/printk.h>

/* Of the functions that begin before harden_start(); none of them returns. */
uintptr_t __stack_chk_guard = (uintptr_t)0x5bd1e995a7f30c00;

/* By the constants of splitmix64: each bit of the state changes half of the result's. */
uint64_t harden_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

void __stack_chk_fail(void) {
    panic("a function found its stack overwritten");
}
