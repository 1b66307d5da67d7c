/* The emulated serial port: any access, and keys in between. */
/* SOURCES: common/virt/vpl011.c common/virt/mmio.c common/virt/mmio_decode_a64.c common/virt/mmio_decode_a32.c common/lib/spinlock.c */
#include "fuzz.h"

#include "../unit/test_vpl011.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    log_clear();
    start(NULL);
    input_is(data, size);
    while (input_left) {
        unsigned how = (unsigned)eat(1), bytes = 1u << (how >> 1) % 4;
        uint64_t value;

        screen[0] = '\0';
        if (how & 0x80) {
            (void)key((char)eat(1));
            continue;
        }
        /* The port answers for its page; bits above 16 of its registers are nobody's. */
        value = eat(2) & ~(bytes - 1u) & 0xfff;
        how & 1 ? (void)access((unsigned)value, bytes, true, &(uint64_t){eat(bytes)})
                : (void)access((unsigned)value, bytes, false, &(uint64_t){0});
    }
    stop(NULL);
    return 0;
}
