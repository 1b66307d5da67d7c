/* Floor 1: Armv7 has neither pointer authentication nor landing pads nor a random generator. */
#ifndef ASM_HARDEN_H
#define ASM_HARDEN_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t harden_cpu_random(void) {
    return 0;
}
static inline void harden_set_key(uint64_t low, uint64_t high) {
    (void)low;
    (void)high;
}
static inline bool harden_cpu(void) {
    return true;
}
static inline const char *harden_name(void) {
    return "";
}
static inline uintptr_t harden_sign(uintptr_t address, uintptr_t sp) {
    (void)sp;
    return address;
}

#endif
