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

/*
 * Secrets: words are added, and others taken out, of which none tells of another: SipHash-2-4 of
 * what was added and the number of the word taken (Aumasson and Bernstein, 2012).
 */
struct entropy {
    uint64_t v[4];
};
#define ENTROPY_INIT(key0, key1)                                                                   \
    {                                                                                              \
        {                                                                                          \
            0x736f6d6570736575 ^ (key0), 0x646f72616e646f6d ^ (key1), 0x6c7967656e657261 ^ (key0), \
                0x7465646279746573 ^ (key1)                                                        \
        }                                                                                          \
    }
void entropy_add(struct entropy *e, uint64_t word);
uint64_t entropy_word(const struct entropy *e, uint64_t number);
void entropy_forget(struct entropy *e);

/*
 * Boot CPU, before it starts another one. Inline, in a function that never returns: what began
 * before must not end after it.
 */
static __force_inline void harden_start(struct entropy *e) {
    __stack_chk_guard = (uintptr_t)entropy_word(e, 0) & ~(uintptr_t)0xff; /* ends a string */
    harden_set_key(entropy_word(e, 1), entropy_word(e, 2));
    entropy_forget(e);
    harden_cpu();
}

#endif
