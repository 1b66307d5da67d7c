/* Host fake: a random number generator that says what a test wants. */
#ifndef ASM_HARDEN_H
#define ASM_HARDEN_H

#include <stdbool.h>
#include <stdint.h>

uint64_t harden_cpu_random(void);
void harden_set_key(uint64_t low, uint64_t high);
bool harden_cpu(void);

#endif
