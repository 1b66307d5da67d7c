/*
 * Floor 2: what the compiler and the CPU check of the hypervisor's own calls: a word below each
 * return address of functions with arrays (stack protector), signed return addresses and landing
 * pads (asm/harden.h).
 */
#ifndef HV_HARDEN_H
#define HV_HARDEN_H

#include <hv/types.h>

#include <asm/harden.h>

extern uintptr_t __stack_chk_guard;
void __noreturn __stack_chk_fail(void);

/* The next of a sequence that only who knows the state can foretell. */
uint64_t harden_random(uint64_t *state);

/*
 * Boot CPU, before it starts another one. Inline, in a function that never returns: what began
 * before must not end after it.
 */
static __force_inline void harden_start(uint64_t seed) {
    uint64_t state = seed ^ harden_cpu_random();

    __stack_chk_guard = (uintptr_t)harden_random(&state) & ~(uintptr_t)0xff; /* ends a string */
    harden_set_key(harden_random(&state), harden_random(&state));
    harden_cpu();
}

#endif
